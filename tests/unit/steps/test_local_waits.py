"""Waits by the user's calendar and clock."""

from __future__ import annotations

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load
from triggers.steps.waits.calendar import CalendarWait
from triggers.steps.waits.clock import ClockWait
from triggers.testing import Story

RULES = """version: 2
settings: {time_zone: Europe/Berlin}
journeys:
  j:
    entry: {event: E}
    re_entry: always
    steps: [{wait: WAIT}, {send: {channel: push, text: x}}]
"""


def story(wait: str, start: str) -> Story:
    return Story({"r.yaml": RULES.replace("WAIT", wait)}, start=start)


def sent(wait: str, at: str, until: str = "+70d") -> str:
    told = story(wait, at)
    told.track("ann", "E", at=at)
    told.until(until)
    [(_, _, moment)] = told.sent()
    return moment


@pytest.mark.parametrize(
    ("wait", "at", "expected"),
    [
        ("{days: 3}", "2026-01-05T10:20:30.456Z", "2026-01-08T10:20:30.456Z"),
        ('{days: 3, at: "09:00"}', "2026-01-05T23:30Z", "2026-01-09T08:00:00.000Z"),  # it is the 6th in Berlin
        ("{weeks: 2}", "2026-01-05T10:00Z", "2026-01-19T10:00:00.000Z"),
        ("{months: 1}", "2026-01-31T10:00Z", "2026-02-28T10:00:00.000Z"),
        ('{months: 1, at: "00:00"}', "2026-01-31T10:00Z", "2026-02-27T23:00:00.000Z"),
        ("{months: 2}", "2026-01-31T10:00Z", "2026-03-31T09:00:00.000Z"),  # the same local time in summer
        ("{days: 1}", "2026-03-28T01:30Z", "2026-03-29T01:00:00.000Z"),  # 02:30 does not exist: the first moment after the gap
        ('{days: 1, at: "02:30"}', "2026-10-24T10:00Z", "2026-10-25T00:30:00.000Z"),  # 02:30 comes twice: the first
        ('{date: run.entered, offset: 2d, at: "19:30"}', "2026-01-05T23:30Z", "2026-01-08T18:30:00.000Z"),
        ("{date: run.entered, offset: 1d}", "2026-03-28T10:00Z", "2026-03-29T09:00:00.000Z"),
        ("{date: run.entered, offset: 24h}", "2026-03-28T10:00Z", "2026-03-29T10:00:00.000Z"),
        ('{date: run.entered, offset: 12h, at: "09:00"}', "2026-01-05T12:00Z", "2026-01-06T08:00:00.000Z"),
        ('{at: "09:00"}', "2026-01-05T07:59Z", "2026-01-05T08:00:00.000Z"),
        ('{at: "09:00"}', "2026-01-05T08:00Z", "2026-01-05T08:00:00.000Z"),  # not before it
        ('{at: "09:00"}', "2026-01-05T08:00:00.001Z", "2026-01-06T08:00:00.000Z"),
        ('{at: "09:00", on: [monday, friday]}', "2026-01-05T09:00Z", "2026-01-09T08:00:00.000Z"),
        ('{at: "09:00", on: sunday}', "2026-01-05T09:00Z", "2026-01-11T08:00:00.000Z"),
    ],
)
def test_a_wait_ends_at_a_local_time(wait: str, at: str, expected: str) -> None:
    assert sent(wait, at) == expected


def test_a_skipped_date_has_no_time_of_day() -> None:
    """Samoa skipped 2011-12-30, a Friday."""
    told = Story(
        {"r.yaml": RULES.replace("WAIT", '{at: "09:00", on: friday}').replace("Europe/Berlin", "Pacific/Apia")}, start="2011-12-27"
    )
    told.track("ann", "E")
    told.until("+20d")
    assert told.sent() == [("ann", "j", "2012-01-05T19:00:00.000Z")]


def test_a_local_time_that_has_passed_is_late_as_any_wait_is() -> None:
    told = story('{days: 1, at: "09:00"}', "2026-01-10T12:00Z")
    told.track("ann", "E", happened="2026-01-05T12:00Z")
    told.until("+1d")
    assert [decision["reason"] for decision in told.decisions("ann", "skipped")] == ["late"]


# ---- the user's zone changes ----------------------------------------------------------------------------------------------


def test_a_local_time_moves_with_the_user() -> None:
    told = story('{days: 1, at: "09:00"}', "2026-01-05T12:00Z")
    told.track("ann", "E")
    told.identify("ann", {"timezone": "America/New_York"}, at="+1h")
    told.identify("ann", {"timezone": "Asia/Tokyo"}, at="+1h")
    told.identify("ann", {"timezone": "America/New_York"}, at="+1h")
    told.until("+3d")
    assert told.sent() == [("ann", "j", "2026-01-06T14:00:00.000Z")]


def test_a_local_time_that_has_passed_in_the_new_zone_comes_now_and_is_not_late() -> None:
    told = story('{days: 2, at: "09:00"}', "2026-01-05T12:00Z")
    told.identify("ann", {"timezone": "Pacific/Pago_Pago"})
    told.track("ann", "E", happened="2026-01-03T12:00Z")
    told.identify("ann", {"timezone": "Pacific/Kiritimati"}, at="2026-01-05T18:30Z")
    told.until("+3d")
    assert told.sent() == [("ann", "j", "2026-01-05T18:30:00.000Z")]


def test_a_skipped_time_that_the_rules_name_comes_back_in_a_zone_that_has_it() -> None:
    told = story('{days: 1, at: "02:30"}', "2026-03-28T12:00Z")
    told.track("ann", "E")
    told.identify("ann", {"timezone": "UTC"}, at="+1h")
    told.until("+3d")
    assert told.sent() == [("ann", "j", "2026-03-29T02:30:00.000Z")]


def test_a_delay_does_not_move_with_the_user() -> None:
    told = story("1d", "2026-01-05T12:00Z")
    told.track("ann", "E")
    told.identify("ann", {"timezone": "Asia/Tokyo"}, at="+1h")
    told.until("+3d")
    assert told.sent() == [("ann", "j", "2026-01-06T12:00:00.000Z")]


def test_a_new_default_zone_moves_local_times_of_users_without_a_zone() -> None:
    told = story('{days: 1, at: "09:00"}', "2026-01-05T12:00Z")
    told.track("ann", "E")
    told.identify("bob", {"timezone": "Europe/Berlin"})
    told.track("bob", "E")
    told.apply({"r.yaml": RULES.replace("WAIT", '{days: 1, at: "09:00"}').replace("Europe/Berlin", "America/New_York")}, at="+1h")
    told.until("+3d")
    assert sorted(told.sent()) == [("ann", "j", "2026-01-06T14:00:00.000Z"), ("bob", "j", "2026-01-06T08:00:00.000Z")]


def test_a_step_that_is_held_does_not_move() -> None:
    told = story('{days: 1, at: "09:00"}', "2026-01-05T12:00Z")
    told.track("ann", "E")
    told.command("pause", journey="j")
    told.identify("ann", {"timezone": "America/New_York"}, at="2026-01-06T08:30Z")
    told.command("resume", at="2026-01-06T09:00Z", journey="j")
    told.until("+3d")
    assert told.sent() == [("ann", "j", "2026-01-06T09:00:00.000Z")]


# ---- rule files -----------------------------------------------------------------------------------------------------------


def test_forms_of_wait() -> None:
    waits = ["{days: 3}", '{months: 1, at: "09:05"}', '{at: "09:00"}', '{at: "09:00", on: [sunday, monday]}']
    steps = [load({"r.yaml": RULES.replace("WAIT", wait)}).journeys["j"].steps[0] for wait in waits]
    assert steps == [
        CalendarWait("1", "days", 3),
        CalendarWait("1", "months", 1, 32_700_000),
        ClockWait("1", 32_400_000),
        ClockWait("1", 32_400_000, (0, 6)),
    ]


@pytest.mark.parametrize(
    ("wait", "problem"),
    [
        ("{days: 0}", '19: days is "0"; a whole number from 1 to 36,525 belongs here'),
        ("{months: 1.5}", '21: months is "1.5"; a whole number from 1 to 1,200 belongs here'),
        ("{days: 1, weeks: 1}", "12: wait has days and weeks; one of them belongs here; make two steps of it"),
        ('{days: 1, at: "9:00"}', '26: at is "9:00", which is no time of day; "09:00" is meant'),
        ('{at: "24:00"}', '17: at is "24:00", which is no time of day; "00:00" is meant'),
        (
            "{date: traits.x}",
            "date names something else; run.entered belongs here",
        ),
        ("{date: run.entered, offset: 2}", 'offset is "2"; a length of time belongs here, as in 2d, -3d or 12h'),
        ("{on: monday}", 'wait has no "at"'),
        ('{at: "09:00", on: [mon]}', 'on cannot be "mon"'),
        ('{at: "09:00", on: []}', "on is an empty list; leave it out, or name days, as in [monday, friday]"),
        ('{days: 1, att: "09:00"}', 'unknown key "att" in wait; did you mean "at"?'),
    ],
)
def test_what_is_wrong_is_named_at_its_place(wait: str, problem: str) -> None:
    with pytest.raises(RuleErrors) as caught:
        load({"r.yaml": RULES.replace("WAIT", wait)})
    [found] = caught.value.problems
    assert problem.partition(": ")[2] in str(found) or problem in str(found)


def test_version_1_says_what_is_needed() -> None:
    with pytest.raises(RuleErrors) as caught:
        load({"r.yaml": RULES.replace("WAIT", "{days: 3}").replace("version: 2", "version: 1")})
    assert [str(problem) for problem in caught.value.problems] == ['r.yaml:7:20: "days" in wait; needs "version: 2" at the top of the file']
