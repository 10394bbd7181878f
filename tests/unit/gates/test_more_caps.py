"""Caps by week and month, places that are reserved for important messages, and who uses a cap."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.base.calendar import span_of
from triggers.base.moments import iso
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.testing import Story

EPOCH = date(1970, 1, 1)


def rules(cap: str, important: int = 90) -> dict[str, str]:
    text = f"""version: 2
policies: {{caps: {{n: {cap}}}}}
journeys:
  a: {{entry: {{event: A}}, re_entry: always, hold_at_most: 31d, steps: [{{send: {{channel: push, text: Hi}}}}]}}
  b: {{entry: {{event: B}}, re_entry: always, priority: {important}, steps: [{{send: {{channel: push, text: Hi}}}}]}}
"""
    return {"r.yaml": text}


def told(made: Story) -> list[str]:
    kinds = ("sent", "held", "dropped")
    return [f"{one['kind']} {one['journey']} {iso(one['at'])[:16]}" for one in made.decisions("ann") if one["kind"] in kinds]


def values(made: Story, kind: str) -> list[dict[str, Any]]:
    return [one["values"] for one in made.decisions("ann", kind)]


@given(st.dates(date(1970, 1, 1), date(2400, 1, 1)), st.sampled_from(["day", "week", "month"]))
def test_a_part_of_the_calendar_is_that_of_the_standard_library(when: date, part: str) -> None:
    day = (when - EPOCH).days
    first, after = span_of(day, part)
    assert first <= day < after

    def name(one: date) -> tuple[int, ...]:
        whole = one.isocalendar()[:2] if part == "week" else (one.year, one.month)
        return (*whole, one.day) if part == "day" else whole

    dates = [EPOCH + timedelta(days=number) for number in (first - 1, first, day, after - 1, after)]
    assert [name(one) == name(when) for one in dates] == [False, True, True, True, False]


def test_a_week_begins_on_monday_on_the_users_clock() -> None:
    made = Story(rules("{most: 1, per: week, then: hold}"), start="2026-01-01T00:00Z")
    made.identify("ann", {"timezone": "Asia/Shanghai"})
    made.track("ann", "A", at="2026-01-07T10:00Z")  # a Wednesday
    made.track("ann", "A", at="2026-01-11T15:59Z")  # Sunday, 23:59
    made.until("2026-01-12T00:00Z")
    assert told(made) == ["sent a 2026-01-07T10:00", "held a 2026-01-11T15:59", "sent a 2026-01-11T16:00"]


def test_a_month_ends_with_its_last_day() -> None:
    made = Story(rules("{most: 2, per: month}"), start="2026-01-01T00:00Z")
    for at in ("2026-01-31T23:59Z", "2026-02-01T00:00Z", "2026-02-14T00:00Z", "2026-02-28T23:59Z", "2026-03-01T00:00Z"):
        made.track("ann", "A", at=at)
    assert [line.split()[0] for line in told(made)] == ["sent", "sent", "sent", "dropped", "sent"]
    assert values(made, "dropped") == [{"sent": 2, "most": 2, "per": "month", "used_by": {"a": 2}}]


def test_the_last_places_are_for_important_messages() -> None:
    made = Story(rules("{most: 3, per: 7d, reserved: {places: 1, priority: 80}}"), start="2026-01-01T00:00Z")
    for hour, event in enumerate("AAABBA"):
        made.track("ann", event, at=f"2026-01-02T0{hour}:00Z")
    assert [line[:-17] for line in told(made)] == ["sent a", "sent a", "dropped a", "sent b", "dropped b", "dropped a"]
    low, full, both = values(made, "dropped")
    assert low == {"sent": 2, "most": 3, "per": "7d", "used_by": {"a": 2}, "reserved": 1}
    assert full == {"sent": 3, "most": 3, "per": "7d", "used_by": {"a": 2, "b": 1}}
    assert both == {"sent": 3, "most": 3, "per": "7d", "used_by": {"a": 2, "b": 1}, "reserved": 1}


def test_what_is_held_goes_out_when_more_than_the_reserved_places_are_free() -> None:
    made = Story(rules("{most: 2, per: 6h, then: hold, reserved: {places: 1, priority: 80}}"), start="2026-01-01T00:00Z")
    made.track("ann", "B", at="2026-01-02T00:00Z")
    made.track("ann", "A", at="2026-01-02T01:00Z")
    made.track("ann", "B", at="2026-01-02T02:00Z")
    made.until("+2d")
    assert told(made) == [
        "sent b 2026-01-02T00:00",
        "held a 2026-01-02T01:00",
        "sent b 2026-01-02T02:00",
        "held a 2026-01-02T06:00",
        "sent a 2026-01-02T08:00",
    ]


def test_a_journey_that_is_gone_has_no_name() -> None:
    made = Story(rules("{most: 1, per: 7d}"), start="2026-01-01T00:00Z")
    made.track("ann", "A", at="2026-01-02T00:00Z")
    [text] = rules("{most: 1, per: 7d}").values()
    made.apply({"r.yaml": "\n".join(line for line in text.splitlines() if not line.startswith("  a:"))}, at="+1h")
    made.track("ann", "B", at="+1h")
    assert values(made, "dropped")[0]["used_by"] == {"(a journey that is gone)": 1}


def test_reserved_places_that_no_journey_may_take_are_a_warning() -> None:
    cap = "{most: 3, per: 7d, reserved: {places: 1, priority: 80}}"
    assert warnings(read(rules(cap))) == []
    [found] = warnings(read(rules(cap, important=79)))
    assert 'no journey under the cap "n" has a priority of 80 or more, so its reserved places stay empty' in str(found)


@pytest.mark.parametrize(
    ("cap", "problem"),
    [
        ("{most: 2, per: 32d}", "per is longer than 31d; day, week, month, or a length of at most 31d, belongs here"),
        ("{most: 2, per: week, reserved: 1}", "reserved is a number"),
        ("{most: 2, per: week, reserved: {places: 1}}", 'reserved has no "priority"; as in reserved: {places: 1, priority: 80}'),
        ("{most: 2, per: week, reserved: {places: 2, priority: 80}}", "reserved: places is 2; a whole number from 1 to 1 belongs here"),
        ("{most: 2, per: week, reserved: {places: 1, priority: 101}}", "reserved: priority is 101; a whole number from 1 to 100"),
        ("{most: 1, per: week, reserved: {places: 1, priority: 80}}", "reserved places of a cap of one message"),
    ],
)
def test_what_is_wrong_is_refused(cap: str, problem: str) -> None:
    with pytest.raises(RuleErrors) as refused:
        load(rules(cap))
    assert problem in str(refused.value)
