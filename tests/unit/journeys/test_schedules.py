"""Entries by the user's clock."""

from __future__ import annotations

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.testing import Story

RULES = """version: 2
settings: {time_zone: Europe/Berlin}
segments: {vip: traits.vip, active: 'count("E", days=2) >= 1', quiet: 'silent("E", days=1) and did("E")', new: 'not did("Old")'}
journeys:
  j:
    entry: ENTRY
    MORE
    steps: [{send: {channel: push, text: x}}]
"""


def rules(entry: str, more: str = "priority: 50") -> dict[str, str]:
    return {"r.yaml": RULES.replace("ENTRY", entry).replace("MORE", more)}


def story(entry: str, start: str = "2026-01-01T00:00Z", more: str = "priority: 50") -> Story:
    told = Story(rules(entry, more), start=start)
    told.identify("ann", {"vip": True}, at=start)
    return told


def moments(told: Story) -> list[str]:
    return [at[:16] for _, _, at in told.sent()]


@pytest.mark.parametrize(
    ("entry", "until", "expected"),
    [
        ('{every: day, at: "09:00", inside: vip}', "2026-01-04", ["2026-01-01T08:00", "2026-01-02T08:00", "2026-01-03T08:00"]),
        ('{every: week, on: [monday, friday], at: "09:00"}', "2026-01-10", ["2026-01-02T08:00", "2026-01-05T08:00", "2026-01-09T08:00"]),
        (
            '{every: month, on: [31], at: "09:00"}',
            "2026-05-01",
            ["2026-01-31T08:00", "2026-02-28T08:00", "2026-03-31T07:00", "2026-04-30T07:00"],
        ),
        ('{every: month, on: last, at: "00:00"}', "2026-03-02", ["2026-01-30T23:00", "2026-02-27T23:00"]),
        ('{every: year, on: 02-29, at: "09:00"}', "2028-03-01", ["2026-02-28T08:00", "2027-02-28T08:00", "2028-02-29T08:00"]),
        ('{on: 2026-03-29, at: "02:30"}', "2027-01-01", ["2026-03-29T01:00"]),  # skipped: the first moment after the gap
        ('{on: 2026-10-25, at: "02:30"}', "2027-01-01", ["2026-10-25T00:30"]),  # twice: the first
        ('{on: 2025-12-24, at: "09:00"}', "2027-01-01", []),
        ('[{every: day, at: "09:00"}, {every: day, at: "21:00"}]', "2026-01-02", ["2026-01-01T08:00", "2026-01-01T20:00"]),
    ],
)
def test_a_schedule_enters_on_its_dates(entry: str, until: str, expected: list[str]) -> None:
    told = story(entry)
    told.until(until)
    assert moments(told) == expected


def test_only_users_inside_the_segment_enter_and_the_value_at_the_moment_counts() -> None:
    told = story('{every: day, at: "09:00", inside: active}')
    told.track("ann", "E", at="2026-01-01T12:00Z")
    told.until("2026-01-10")
    assert moments(told) == ["2026-01-02T08:00"]
    told.track("ann", "E", at="2026-01-10T12:00Z")
    told.until("2026-01-20")
    assert moments(told) == ["2026-01-02T08:00", "2026-01-11T08:00"]


def test_who_gets_inside_by_time_at_that_moment_enters() -> None:
    told = story('{every: day, at: "13:00", inside: quiet}')
    told.track("ann", "E", at="2026-01-02T12:00Z")
    told.until("2026-01-03T12:00Z")
    assert moments(told) == ["2026-01-03T12:00"]


def test_a_user_who_leaves_has_no_timer() -> None:
    told = story('{every: day, at: "09:00", inside: vip}')
    told.identify("ann", {"vip": False}, at="2026-01-01T07:00Z")
    told.until("2026-01-03")
    assert moments(told) == []
    told.identify("ann", {"vip": True}, at="2026-01-03T07:00Z")
    told.until("2026-01-04")
    assert moments(told) == ["2026-01-03T08:00"]


def test_an_unknown_value_refuses_and_is_reported_once() -> None:
    told = Story({"r.yaml": "version: 2\nsegments: {vip: traits.vip}\n"}, start="2026-01-01T00:00Z")
    told.identify("ann", {"vip": True})
    told.apply(rules('{every: day, at: "09:00", inside: new}'), at="+1h")
    told.until("+5d")
    assert moments(told) == []
    assert [one["reason"] for one in told.decisions("ann", "refused")] == []  # it was never known to be true: there is no timer


def test_occurrences_up_to_the_command_are_not_made_up_for() -> None:
    told = Story({"r.yaml": "version: 2\nsegments: {vip: traits.vip}\n"}, start="2026-01-01T00:00Z")
    told.identify("ann", {"vip": True})
    told.apply(rules('{every: day, at: "09:00", inside: vip}'), at="2026-01-02T08:00Z")
    told.until("2026-01-03T09:00Z")
    assert moments(told) == ["2026-01-03T08:00"]


def test_another_time_of_day_does_not_enter_again_on_the_same_date() -> None:
    told = story('{every: day, at: "09:00", inside: vip}')
    told.apply(rules('{every: day, at: "12:00", inside: vip}'), at="2026-01-01T09:00Z")
    told.until("2026-01-02T12:00Z")
    assert moments(told) == ["2026-01-01T08:00", "2026-01-02T11:00"]


def test_a_pause_and_re_entry_pass_over_occurrences_and_say_nothing() -> None:
    told = story('{every: day, at: "09:00", inside: vip}', more="re_entry: {after: 47h}")
    told.until("2026-01-04")
    told.command("pause", journey="j")
    told.until("2026-01-06")
    told.command("resume", journey="j")
    told.until("2026-01-07")
    assert moments(told) == ["2026-01-01T08:00", "2026-01-03T08:00", "2026-01-06T08:00"]
    assert told.decisions("ann", "refused") == []


def test_a_run_under_way_refuses() -> None:
    told = Story(
        {"r.yaml": RULES.replace("ENTRY", '{every: day, at: "09:00"}').replace("MORE", "").replace("[{send", "[{wait: 30h}, {send")}
    )
    told.identify("ann", {"vip": True})
    told.until("+3d")
    assert "a run of this journey is under way" in [one["reason"] for one in told.decisions("ann", "refused")]


# ---- zones ----------------------------------------------------------------------------------------------------------------


def test_a_timer_moves_with_the_user_and_a_date_comes_once() -> None:
    told = story('{every: day, at: "09:00", inside: vip}')
    told.until("2026-01-01T09:00Z")
    told.identify("ann", {"timezone": "America/New_York"})  # there it is four in the morning of the same date
    told.until("2026-01-02T20:00Z")
    assert moments(told) == ["2026-01-01T08:00", "2026-01-02T14:00"]


def test_what_has_passed_in_the_new_zone_comes_now() -> None:
    told = story('{every: day, at: "09:00", inside: vip}')
    told.identify("ann", {"timezone": "Asia/Tokyo"}, at="2026-01-01T05:00Z")
    told.until("2026-01-02T01:00Z")
    assert moments(told) == ["2026-01-01T05:00", "2026-01-02T00:00"]


def test_what_has_passed_by_a_new_default_zone_is_left_out() -> None:
    told = story('{every: day, at: "09:00", inside: vip}')
    tokyo = {"r.yaml": rules('{every: day, at: "09:00", inside: vip}')["r.yaml"].replace("Europe/Berlin", "Asia/Tokyo")}
    told.apply(tokyo, at="2026-01-01T05:00Z")
    told.until("2026-01-02T01:00Z")
    assert moments(told) == ["2026-01-02T00:00"]


def test_a_date_that_the_zone_skips_has_no_occurrence() -> None:
    told = Story(
        {"r.yaml": rules('{every: day, at: "09:00"}')["r.yaml"].replace("Europe/Berlin", "Pacific/Apia")}, start="2011-12-29T12:00Z"
    )
    told.identify("ann", {"vip": True})
    told.until("2011-12-31T18:00Z")
    assert moments(told) == ["2011-12-29T19:00", "2011-12-30T19:00"]  # the 29th and the 31st


# ---- spread ---------------------------------------------------------------------------------------------------------------


def test_spread_delays_each_user_by_a_fixed_length() -> None:
    told = Story(rules('{every: day, at: "09:00"}', "spread: 2h"), start="2026-01-01T00:00Z")
    for number in range(40):
        told.identify(f"u{number}", {"vip": True})
    told.until("2026-01-02T23:00Z")
    by_user: dict[str, list[str]] = {}
    for user, _, at in told.sent():
        by_user.setdefault(user, []).append(at)
    assert all(first[11:] == second[11:] and "08:00" <= first[11:16] < "10:00" for first, second in by_user.values())
    assert len({first for first, _ in by_user.values()}) > 35


def test_the_moment_of_a_spread_entry_is_its_own() -> None:
    told = story('{every: day, at: "09:00", inside: vip}', more="spread: 2h")
    told.until("2026-01-01T12:00Z")
    [entered] = told.decisions("ann", "entered")
    assert entered["due"] == entered["at"] > 1_767_254_400_000


# ---- from and until -------------------------------------------------------------------------------------------------------


def test_a_schedule_outside_of_its_time_says_nothing() -> None:
    told = story('{every: day, at: "09:00"}', more="from: 2026-01-03\n    until: 2026-01-04")
    told.until("2026-01-10")
    assert moments(told) == ["2026-01-03T08:00", "2026-01-04T08:00"]
    assert told.decisions("ann", "refused") == []


def test_an_event_outside_of_the_time_is_refused_by_the_date_of_the_user() -> None:
    told = story("{event: E}", start="2026-01-01T00:00Z", more="from: 2026-01-03\n    until: 2026-01-04\n    re_entry: always")
    for at in ("2026-01-02T22:59Z", "2026-01-02T23:00Z", "2026-01-04T22:59Z", "2026-01-04T23:00Z"):
        told.track("ann", "E", at=at)
    assert moments(told) == ["2026-01-02T23:00", "2026-01-04T22:59"]
    assert [(one["reason"], one["at"]) for one in told.decisions("ann", "refused")] == [
        ("not now", 1_767_394_740_000),
        ("not now", 1_767_567_600_000),
    ]


# ---- rule files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "more", "problem"),
    [
        (
            '{every: 1d, at: "09:00"}',
            "",
            (
                'entry: every cannot be "1d"; a schedule has no other rhythm than day, week, month and year; '
                "a length from an entry on is re_entry: or a wait"
            ),
        ),
        ("{every: day}", "", 'entry: every without "at"; the time of day on the user\'s clock, as in at: "10:00"'),
        ('{every: week, at: "09:00"}', "", 'entry: every: week without "on"; as in on: [monday]'),
        ('{every: day, on: monday, at: "09:00"}', "", "entry: on with every: day; leave it out, or take every: week"),
        ('{every: month, on: [32], at: "09:00"}', "", 'entry: on is "32"; a day of the month from 1 to 31 belongs here, or last'),
        ('{every: year, on: 02-30, at: "09:00"}', "", 'entry: on is "02-30"; that month has 29 days'),
        (
            '{on: monday, at: "09:00"}',
            "",
            'entry: on is "monday", which is no date; as in 2026-12-24; what comes again begins with every: week',
        ),
        ('{every: day, at: "09:00", inside: vipp}', "", 'unknown segment "vipp"; did you mean "vip"?'),
        ('{event: E, at: "09:00"}', "", "at with event; at is the time of day of an entry by the clock"),
        (
            "{event: E}",
            "spread: 2h",
            'spread without an entry by the clock; as in entry: {every: week, on: [monday], at: "10:00", inside: S}',
        ),
        (
            "{event: E}",
            "from: tomorrow",
            'from is "tomorrow", which is no date; the first or the last date on which users enter, as in 2026-03-31',
        ),
        ("{event: E}", "from: 2026-03-02\n    until: 2026-03-01", "until is before from; no user could enter"),
        ('{every: day, at: "09:00"}', "spread: 24h", "spread is not below 24h; as in spread: 2h"),
        ("{event: E}", 'exit: {every: day, at: "09:00"}', 'unknown key "every" in exit; only an entry can be by the clock'),
    ],
)
def test_what_is_wrong_is_named(entry: str, more: str, problem: str) -> None:
    with pytest.raises(RuleErrors) as caught:
        load(rules(entry, more or "priority: 50"))
    assert problem in [str(one).partition(": ")[2] for one in caught.value.problems]


@pytest.mark.parametrize(
    ("entry", "more", "problem"),
    [
        ('{every: day, at: "09:00"}', "", "without inside: every user is looked at each time"),
        ('{every: week, on: [monday], at: "09:00", inside: vip}', "re_entry: {after: 6d}", "is longer than"),
    ],
)
def test_check_warns(entry: str, more: str, problem: str) -> None:
    assert any(problem in str(one) for one in warnings(read(rules(entry, more or "priority: 50"))))


def test_check_does_not_warn_of_a_shorter_time() -> None:
    entry = '{every: week, on: [monday], at: "09:00", inside: vip}'
    found = warnings(read(rules(entry, "re_entry: {after: 5d}")))
    assert [one for one in found if "nothing names the segment" not in one.message] == []
