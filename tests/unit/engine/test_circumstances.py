"""`local.*` and `context.*` in `where=`: the circumstances of an event, worked out for the events of which a rule asks them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.unit.rules.loading import problems
from triggers.base.calendar import WEEKDAYS
from triggers.base.moments import zone
from triggers.conditions import circumstances
from triggers.conditions.circumstances import local_time
from triggers.engine import partition
from triggers.rules.checks import load
from triggers.testing import Story

SHOWS = "{send: {channel: push, text: '{{ properties.n }}'}}"
JOURNEY = f"journeys: {{j: {{entry: {{event: read, where: 'WHERE'}}, re_entry: always, steps: [{SHOWS}]}}}}"
Call = Mapping[str, Any]


def entered(where: str, *calls: Call, version: int = 2) -> list[str]:
    """The property `n` of the calls that enter the journey."""
    story = Story({"a.yaml": f"version: {version}\n{JOURNEY.replace('WHERE', where)}"}, start="2026-01-01T00:00Z")
    for n, call in enumerate(calls):
        fields: dict[str, Any] = {"at": f"2026-01-0{n + 2}T09:00Z", "properties": {"n": n}} | dict(call)
        story.call("ann", type="track", event="read", **fields)
    return [action["message"]["text"] for action in story.actions()]


def test_the_local_time_is_that_of_the_event_in_the_zone_of_the_user_when_it_is_read() -> None:
    """A time zone in the context of the event itself counts; so does the event's own time, if it came late."""
    tokyo: Call = {"context": {"timezone": "Asia/Tokyo"}}
    assert entered("local.hour == 9", {}, tokyo, {}) == ["0"]
    assert entered("local.hour == 18", {}, tokyo, {}) == ["1", "2"]
    assert entered("local.hour == 7", {"happened": "2026-01-01T07:30Z"}, {}) == ["0"]
    assert entered('local.weekday == "friday"', {}, {}, {}) == ["0"]
    assert entered("local.day in [3, 4] and local.month == 1", {}, {}, {}) == ["1", "2"]


@pytest.mark.parametrize("name", ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Apia"])
def test_the_local_time_is_what_the_standard_library_says(name: str) -> None:
    there, info = zone(name), ZoneInfo(name)
    for hours in range(0, 24 * 900, 7):
        moment = datetime(2011, 6, 1, tzinfo=UTC) + timedelta(hours=hours, minutes=15)
        clock = moment.astimezone(info)
        wanted = {"hour": clock.hour, "weekday": WEEKDAYS[clock.weekday()], "day": clock.day, "month": clock.month}
        assert local_time(round(moment.timestamp() * 1000), there) == wanted


def test_the_context_is_that_of_the_event() -> None:
    spring: Call = {"context": {"campaign": {"name": "spring", "size": 5}, "tags": ["a", "b"]}}
    assert entered('context.campaign.name == "spring"', {}, spring, {"context": {"campaign": "spring"}}) == ["1"]
    assert entered("context.campaign.size * 2 >= n", {}, spring) == ["1"]
    assert entered('"b" in context.tags', {}, spring, {"context": {"tags": "b"}}) == ["1"]
    assert entered('not context.campaign.name == "spring"', {}, spring, {"context": None}) == ["0", "2"]


def test_the_context_of_a_call_that_is_read_leniently_counts_too() -> None:
    """A number for a message id; a context that is no object is as good as none."""
    spring: Call = {"context": {"campaign": {"name": "spring"}, "timezone": 5}}
    assert entered('context.campaign.name == "spring"', {"messageId": 1, **spring}, {"context": []}, spring) == ["0", "2"]


def test_properties_of_such_names_are_in_quotes_and_no_property_passes_for_a_circumstance() -> None:
    sent: Call = {"properties": {"n": 7, "local": {"hour": 3}, "context": {"a": 1}, "\0local": {"hour": 3}, "\0context": {"a": 1}}}
    assert entered('properties["local"].hour == 3 and properties.context.a == 1', sent) == ["7"]
    assert entered("local.hour == 3 or context.a == 1", sent) == []
    assert entered("local.hour == 3 and context.a == 1", sent, version=1) == ["7"]


def test_a_window_keeps_what_it_counted_when_the_user_moves() -> None:
    segments = "segments: {late: 'count(\"read\", where=local.hour >= 21) >= 2'}\n"
    rules = f"version: 2\n{segments}journeys: {{j: {{entry: {{enters: late}}, steps: [{{send: {{channel: push, text: x}}}}]}}}}"
    story = Story({"a.yaml": rules}, start="2026-01-01T00:00Z")
    story.track("ann", "read", at="2026-01-02T22:00Z")
    story.identify("ann", {"timezone": "Asia/Tokyo"}, at="+1h")
    story.track("ann", "read", at="2026-01-03T22:00Z")
    assert story.actions() == []
    story.track("ann", "read", at="2026-01-04T12:00Z")
    assert len(story.actions()) == 1


def test_a_step_asks_for_the_local_time_now() -> None:
    rules = (
        "version: 2\njourneys: {j: {entry: {event: e}, steps: [{wait: 3h}, {when: local.hour >= 12}, {send: {channel: push, text: x}}]}}"
    )
    story = Story({"a.yaml": rules}, start="2026-01-01T00:00Z")
    story.track("ann", "e", at="2026-01-02T08:00Z")
    story.identify("bob", {"timezone": "Asia/Tokyo"}, at="2026-01-02T08:00Z")
    story.track("bob", "e", at="2026-01-02T08:00Z")
    story.until("+1d")
    assert [action["user"] for action in story.actions()] == ["bob"]
    assert story.decisions("ann", "exited")[0]["values"] == {"local.hour": 11}


def test_a_pinned_run_may_ask_for_what_the_rules_of_now_do_not() -> None:
    old = "version: 2\njourneys: {j: {entry: {event: e}, exit: {event: read, where: EXIT}, steps: [{wait: 9d}]}}"
    story = Story({"a.yaml": old.replace("EXIT", "'context.a == 1'")}, start="2026-01-01T00:00Z")
    story.track("ann", "e", at="+1h")
    story.apply({"a.yaml": old.replace("EXIT", "'local.hour == 5'").replace("9d", "8d")}, at="+1h")
    story.track("bob", "e", at="+1h")
    for _ in range(2):
        story.call("ann", type="track", event="read", context={"a": 1}, at="2026-01-03T05:00Z")
        story.call("bob", type="track", event="read", context={"a": 1}, at="2026-01-03T05:00Z")
    assert [story.decisions(user, "exited")[0]["reason"] for user in ("ann", "bob")] == ["exit event: read"] * 2


def test_events_of_which_no_rule_asks_are_looked_up_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a time nor a context is worked out for them."""

    def never(*_: object) -> None:
        raise AssertionError("no rule asks for it")

    monkeypatch.setattr(partition, "with_circumstances", never)
    monkeypatch.setattr(circumstances, "local_time", never)
    rules = f"version: 2\nsegments: {{a: 'did(\"other\", where=local.hour == 1 and context.a == 1)'}}\n{JOURNEY.replace('WHERE', 'n == 1')}"
    story = Story({"a.yaml": rules}, start="2026-01-01T00:00Z")
    story.call("ann", type="track", event="read", properties={"n": 1}, context={"a": 1}, at="+1h")
    assert len(story.actions()) == 1


def test_the_local_time_belongs_to_the_zone_of_the_rule_set_in_a_journeys_hash() -> None:
    def hash_of(where: str, name: str) -> str:
        return load({"a.yaml": f"version: 2\nsettings: {{time_zone: {name}}}\n{JOURNEY.replace('WHERE', where)}"}).journeys["j"].hash

    assert hash_of("local.hour == 1", "UTC") != hash_of("local.hour == 1", "Asia/Tokyo")
    assert hash_of("context.a == 1", "UTC") == hash_of("context.a == 1", "Asia/Tokyo")


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("local.hour > 3", "local outside where=; only the conditions of steps ask for the time now"),
        ("context.a == 3", "context outside where=; an event has a context"),
        ("did('A', where=any(p.x > local.hour))", "local inside any or all; join it with and, outside"),
        ("did('A', where=local.hors > 3)", 'unknown name "local.hors"; did you mean "hour"?'),
        ("did('A', where=context)", "context needs a name; as in context.campaign.name"),
        ("did('A', where=local.hour == 'x')", "compares a number with a text"),
        ("every_day(3, count('A') > local.hour)", "local inside every_day"),
    ],
)
def test_what_has_no_place_is_refused(condition: str, problem: str) -> None:
    (found,) = problems(f'version: 2\nsegments: {{a: "{condition}"}}\n')
    assert found.split(": ", 1)[1].startswith(problem)
