"""Entries on the date that a trait names, and on its anniversaries."""

from __future__ import annotations

from typing import Any

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.testing import Story

RULES = """version: 2
settings: {time_zone: Europe/Berlin}
segments: {vip: traits.vip}
journeys:
  j:
    entry: ENTRY
    steps: [{send: {channel: push, text: x}}]
"""
BIRTHDAY = '{date: traits.birthday, every: year, at: "09:00"}'


def story(entry: str, value: Any, start: str = "2026-01-01T00:00Z") -> Story:
    told = Story({"r.yaml": RULES.replace("ENTRY", entry)}, start=start)
    told.identify("ann", {"birthday": value}, at=start)
    return told


def moments(told: Story) -> list[str]:
    return [at[:16] for _, _, at in told.sent()]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1999-03-30", ["2026-03-30T07:00", "2027-03-30T07:00"]),
        ("03-30", ["2026-03-30T07:00", "2027-03-30T07:00"]),
        ("1872-02-29", ["2026-02-28T08:00", "2027-02-28T08:00"]),
        ("02-29", ["2026-02-28T08:00", "2027-02-28T08:00"]),
        ("2026-03-30", ["2027-03-30T07:00"]),  # from one year after the date on
        ("2026-03-30T23:30:00Z", ["2027-03-31T07:00"]),  # it is the 31st in Berlin
        ("2026-03-30T23:30:00", ["2027-03-31T07:00"]),
        ("2026-03-30T23:30:00+02:00", ["2027-03-30T07:00"]),
        (922_000_000, ["2026-03-21T08:00", "2027-03-21T08:00"]),
        (922_000_000_000, ["2026-03-21T08:00", "2027-03-21T08:00"]),
        (-200_000_000, ["2026-08-31T07:00", "2027-08-31T07:00"]),
        (None, []),
    ],
)
def test_anniversaries(value: Any, expected: list[str]) -> None:
    told = story(BIRTHDAY, value)
    told.until("2027-12-01")
    assert moments(told) == expected
    assert told.decisions("ann", "refused") == []


def test_a_leap_day_is_itself_in_leap_years() -> None:
    told = story(BIRTHDAY, "2000-02-29", "2028-01-01T00:00Z")
    told.until("2029-12-01")
    assert moments(told) == ["2028-02-29T08:00", "2029-02-28T08:00"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('{date: traits.birthday, offset: -3d, at: "09:00"}', ["2026-03-27T08:00"]),
        ('{date: traits.birthday, offset: 1w, at: "00:00"}', ["2026-04-05T22:00"]),
        ('{date: traits.birthday, at: "02:30"}', ["2026-03-30T00:30"]),
        ('{date: traits.birthday, offset: -1d, at: "02:30"}', ["2026-03-29T01:00"]),  # the clock skips it
    ],
)
def test_a_date_with_an_offset(entry: str, expected: list[str]) -> None:
    told = story(entry, "2026-03-30")
    told.until("2027-12-01")
    assert moments(told) == expected


def test_an_offset_over_the_turn_of_the_year_counts_by_the_anniversary() -> None:
    told = story('{date: traits.birthday, every: year, offset: -3d, at: "09:00"}', "1990-01-02")
    told.until("2027-06-01")
    assert moments(told) == ["2026-12-30T08:00"]
    told.identify("ann", {"birthday": "1990-06-05"}, at="+1h")
    told.until("2027-07-01")
    assert moments(told) == ["2026-12-30T08:00"]  # once a year


def test_the_timer_follows_the_trait_and_a_year_enters_once() -> None:
    told = story(BIRTHDAY, "1999-03-30")
    told.identify("ann", {"birthday": "1999-02-10"}, at="2026-02-01")
    told.until("2026-02-20")
    told.identify("ann", {"birthday": "1999-05-10"})
    told.until("2027-06-01")
    assert moments(told) == ["2026-02-10T08:00", "2027-05-10T07:00"]


def test_a_moment_that_has_passed_does_not_enter() -> None:
    told = story(BIRTHDAY, "1999-03-30", "2026-03-30T07:00Z")
    told.until("2026-12-01")
    assert moments(told) == []


def test_a_date_that_moves_enters_again() -> None:
    told = story('{date: traits.birthday, at: "09:00"}', "2026-01-10")
    told.identify("ann", {"birthday": "2026-02-10"}, at="2026-01-20")
    told.identify("ann", {"birthday": None}, at="2026-03-20")
    told.until("2026-06-01")
    assert moments(told) == ["2026-01-10T08:00", "2026-02-10T08:00"]


def test_what_is_no_date_is_said_once_until_it_changes() -> None:
    told = story(BIRTHDAY, "in spring")
    told.identify("ann", {"birthday": "in spring"}, at="+1d")
    told.identify("ann", {"birthday": ["x"]}, at="+1d")
    told.identify("ann", {"birthday": ["x"]}, at="+1d")
    told.until("2026-06-01")
    reasons = [one["reason"] for one in told.decisions("ann", "refused")]
    assert reasons == ["traits.birthday is no date: in spring", "traits.birthday is no date: ['x']"]


def test_only_those_inside_enter() -> None:
    told = story('{date: traits.birthday, every: year, at: "09:00", inside: vip}', "1999-03-30")
    told.identify("bob", {"birthday": "1999-03-30", "vip": True})
    told.until("2026-06-01")
    assert [user for user, _, _ in told.sent()] == ["bob"]


def test_a_date_needs_no_segment() -> None:
    found = warnings(read({"r.yaml": RULES.replace("ENTRY", BIRTHDAY)}))
    assert not any("inside" in str(one) for one in found)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('{date: birthday, at: "09:00"}', 'entry: date is "birthday"; a trait belongs here, as in traits.birthday'),
        ('{date: traits.b, every: week, at: "09:00"}', 'entry: every cannot be "week"; known: year'),
        (
            '{date: traits.b, offset: 3h, at: "09:00"}',
            'entry: offset is "3h"; days or weeks belong here, as in -3d, 2d or 1w, at most 366d',
        ),
        (
            '{date: traits.b, offset: 367d, at: "09:00"}',
            'entry: offset is "367d"; days or weeks belong here, as in -3d, 2d or 1w, at most 366d',
        ),
        ("{date: traits.b}", 'entry: date without "at"; the time of day on the user\'s clock, as in at: "10:00"'),
    ],
)
def test_what_is_wrong_is_named(entry: str, problem: str) -> None:
    with pytest.raises(RuleErrors) as caught:
        load({"r.yaml": RULES.replace("ENTRY", entry)})
    assert problem in [str(one).partition(": ")[2] for one in caught.value.problems]
