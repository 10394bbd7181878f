"""Local times agree with `zoneinfo` asked directly: over all zones of tzdata, around all their changes of a few years."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.base.calendar import add_months, date_of, day_of, month_days, weekday
from triggers.base.model import DAY, MINUTE
from triggers.base.moments import zone, zone_names
from triggers.testing import Story

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOCAL_EPOCH = EPOCH.replace(tzinfo=None)
MS = timedelta(milliseconds=1)
YEARS = (2011, 2026)
"""Apia skipped a day in the first of them; the other is as usual."""


@cache
def info(name: str) -> ZoneInfo:
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


@cache
def zones() -> list[str]:
    """All zones; of those that are links to one file, the first name."""
    data = {name: files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes() for name in sorted(zone_names(), reverse=True)}
    return sorted({bytes_: name for name, bytes_ in data.items()}.values())


def shown(name: str, ms: int) -> datetime:
    return (EPOCH + ms * MS).astimezone(info(name)).replace(tzinfo=None, fold=0)


def first(name: str, local: datetime) -> int | None:
    """The first moment at which the clock shows this; None: it never does."""
    both = [(local.replace(tzinfo=info(name), fold=fold).astimezone(UTC) - EPOCH) // MS for fold in (0, 1)]
    return min((ms for ms in both if shown(name, ms) == local), default=None)


@cache
def changes(name: str, year: int) -> list[int]:
    """The moments of a year at which the zone's offset changes, to the minute."""
    found = []
    begin = (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // MS
    for moment in range(begin, begin + 366 * DAY, DAY):
        if shown(name, moment) - shown(name, moment - DAY) != timedelta(days=1):
            low, high = moment - DAY, moment
            while high - low > 1:
                middle = (low + high) // 2
                if shown(name, middle) - shown(name, low) == (middle - low) * MS:
                    low = middle
                else:
                    high = middle
            found.append(high)
    return found


def agrees(name: str, local: datetime) -> None:
    asked = (local - LOCAL_EPOCH) // MS
    found, expected = zone(name).at(asked), first(name, local)
    if expected is not None:
        assert found == expected, (name, local)
    else:  # the first moment after the gap
        assert shown(name, found) > local > shown(name, found - 1), (name, local)


@pytest.mark.parametrize("year", YEARS)
def test_a_local_time_is_the_first_moment_that_shows_it_or_the_first_one_after_the_gap(year: int) -> None:
    """Around each change of each zone: every quarter of an hour of five hours, and both sides of its edges."""
    for name in zones():
        for change in changes(name, year):
            edges = [shown(name, change - 1), shown(name, change)]
            around = [edge + minutes * timedelta(minutes=15) for edge in edges for minutes in range(-12, 13)]
            for local in (*around, *(edge + one * MS for edge in edges for one in (-1, 0, 1))):
                agrees(name, local)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(zone_names())), st.timedeltas(timedelta(days=730), timedelta(days=24_800)))
def test_any_local_time_agrees(name: str, since: timedelta) -> None:
    agrees(name, LOCAL_EPOCH + since // MS * MS)


@settings(deadline=None)
@given(st.integers(-1_000_000, 2_900_000), st.integers(1, 1_200))
def test_dates_are_those_of_the_calendar(day: int, months: int) -> None:
    year, month, date = date_of(day)
    assert day_of(year, month, date) == day
    if 1 < year < 9_800:
        known = (EPOCH + day * timedelta(days=1)).date() if day >= 0 else EPOCH.date() - timedelta(days=-day)
        assert (known.year, known.month, known.day, known.weekday()) == (year, month, date, weekday(day))
    later = date_of(add_months(day, months))
    assert later[0] * 12 + later[1] == year * 12 + month + months
    assert later[2] == min(date, month_days(*later[:2]))


RULES = """version: 2
settings: {time_zone: ZONE}
journeys:
  j:
    entry: {event: E}
    steps: [{wait: WAIT}, {send: {channel: push, text: x}}]
"""


def sent_at(wait: str, name: str, begin: int) -> int:
    """When a run continues that waits from this moment in this zone."""
    story = Story({"r.yaml": RULES.replace("WAIT", wait).replace("ZONE", name)}, start=begin)
    story.track("ann", "E")
    story.until(begin + 40 * DAY)
    [action] = story.actions()
    return int(action["at"])


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_waits_agree_in_any_zone_over_its_changes(data: st.DataObject) -> None:
    """Days, weeks and months of the calendar, times of day, days of the week."""
    name = data.draw(st.sampled_from([name for name in zones() if changes(name, 2026)]))
    change = data.draw(st.sampled_from(changes(name, 2026)))
    begin = change - data.draw(st.integers(0, 8 * 24 * 60)) * MINUTE
    minutes = data.draw(st.integers(0, 24 * 60 - 1))
    at = f"{minutes // 60:02}:{minutes % 60:02}"
    local = shown(name, begin)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    number = data.draw(st.integers(1, 9))
    same = sent_at(f"{{days: {number}}}", name, begin)
    assert same == (first(name, local + number * timedelta(days=1)) or same)
    timed = sent_at(f'{{days: {number}, at: "{at}"}}', name, begin)
    assert timed == (first(name, midnight + timedelta(days=number, minutes=minutes)) or timed)
    on = data.draw(st.sampled_from(["monday", "wednesday", "sunday"]))
    clock = sent_at(f'{{at: "{at}", on: [{on}]}}', name, begin)
    assert begin <= clock < begin + 8 * DAY
    assert shown(name, clock).strftime("%A").lower() == on or first(name, shown(name, clock - 1) + 2 * MS) is None
    if first(name, midnight + timedelta(minutes=minutes)) is not None:
        days = [midnight + timedelta(days=day, minutes=minutes) for day in range(9)]
        found = [first(name, day) for day in days if day.strftime("%A").lower() == on]
        if None not in found:
            assert clock == min(ms for ms in found if ms is not None and ms >= begin)
