"""When quiet hours end on a user's clock."""

import pytest

from triggers.base.model import DAY, HOUR, MINUTE
from triggers.base.moments import iso, parse_moment, zone
from triggers.definitions.policies import QuietHours, Scope
from triggers.definitions.words import clock_words
from triggers.policies.quiet import quiet_until


def quiet(begin: str, end: str, days: set[int] | None = None) -> QuietHours:
    def time(text: str) -> int:
        return int(text[:2]) * HOUR + int(text[3:]) * MINUTE

    return QuietHours("night", time(begin), time(end), Scope(("push",)), None if days is None else frozenset(days))


def until(rule: QuietHours, where: str, now: str) -> str:
    return iso(quiet_until(rule, zone(where), parse_moment(now)))[:16]


NIGHT = quiet("22:00", "08:00")


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2025-01-15T21:59", "2025-01-15T21:59"),
        ("2025-01-15T22:00", "2025-01-16T08:00"),
        ("2025-01-16T00:00", "2025-01-16T08:00"),
        ("2025-01-16T07:59", "2025-01-16T08:00"),
        ("2025-01-16T08:00", "2025-01-16T08:00"),
    ],
)
def test_quiet_hours_over_midnight_last_until_their_end_on_the_next_day(now: str, end: str) -> None:
    assert until(NIGHT, "UTC", now) == end


def test_the_last_moment_of_the_quiet_is_a_millisecond_before_its_end() -> None:
    end = parse_moment("2025-01-16T08:00")
    assert [quiet_until(NIGHT, zone("UTC"), now) for now in (end - 1, end)] == [end, end]


def test_the_day_is_the_one_on_which_the_quiet_begins() -> None:
    friday = quiet("22:00", "08:00", {4})
    assert until(friday, "UTC", "2025-01-17T23:00") == "2025-01-18T08:00"  # a Friday
    assert until(friday, "UTC", "2025-01-18T07:00") == "2025-01-18T08:00"
    assert until(friday, "UTC", "2025-01-18T23:00") == "2025-01-18T23:00"
    assert until(friday, "UTC", "2025-01-17T07:00") == "2025-01-17T07:00"
    assert until(quiet("00:00", "12:00", {5}), "UTC", "2025-01-18T07:00") == "2025-01-18T12:00"


def test_quiet_hours_until_midnight() -> None:
    assert until(quiet("20:00", "00:00"), "UTC", "2025-01-18T20:00") == "2025-01-19T00:00"


@pytest.mark.parametrize(
    ("where", "rule", "now", "end"),
    [
        ("Europe/Berlin", NIGHT, "2025-03-29T22:00", "2025-03-30T06:00"),  # the night has 9 hours
        ("Europe/Berlin", NIGHT, "2025-10-25T21:00", "2025-10-26T07:00"),  # and 11
        ("Europe/Berlin", quiet("22:00", "02:30"), "2025-03-29T22:00", "2025-03-30T01:00"),  # 02:30 is skipped: 03:00
        ("Europe/Berlin", quiet("22:00", "02:30"), "2025-10-25T21:00", "2025-10-26T00:30"),  # the first 02:30
        ("Europe/Berlin", quiet("22:00", "02:30"), "2025-10-26T01:00", "2025-10-26T01:30"),  # 02:00 again: until the second one
        ("Australia/Lord_Howe", NIGHT, "2025-04-05T12:00", "2025-04-05T21:30"),  # gains half an hour
        ("Pacific/Apia", NIGHT, "2011-12-30T09:00", "2011-12-30T18:00"),  # a date is skipped
    ],
)
def test_the_clock_decides_where_it_is_set(where: str, rule: QuietHours, now: str, end: str) -> None:
    assert until(rule, where, now) == end


def test_a_time_of_day_is_shown_as_a_clock_does() -> None:
    assert [clock_words(time) for time in (0, 8 * HOUR + 5 * MINUTE, DAY - MINUTE)] == ["00:00", "08:05", "23:59"]
