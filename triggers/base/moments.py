"""Moments, durations and local days.

A moment is an integer of milliseconds since 1970-01-01T00:00Z. A local day is the number of days from 1970-01-01 to a date.

Local days come from the `tzdata` package, never from the host, so that the same log gives the same days everywhere. They only move forward:
day d begins at the *first* instant at which the zone's calendar shows d or later, and lasts until d + 1 begins. So a clock that is set back
over midnight (St. John's 2005: from 00:01 to 23:01) does not return to yesterday. A midnight that is skipped (Sao Paulo 2018) begins the
day at 01:00. A date that is skipped (Apia, 2011-12-30) is a day of no length.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from triggers.base.model import DAY, HOUR, MINUTE, SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
LAST: Final = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MS + DAY - 1
"""The last moment of the year 9999."""

_UNITS: Final = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d|w)")
LONGEST: Final = 36_525 * DAY
"""The longest duration: a hundred years."""

# One grammar for all versions of Python: each version of `datetime.fromisoformat` accepts more.
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2})?)?)?"
)


def parse_duration(text: str) -> int:
    """Return the milliseconds of `3d`, `24h`, `30m`, `10s`, `250ms`, `2w`. Raises ValueError for anything else and beyond a hundred
    years.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration such as 3d, 24h, 30m, 10s, 250ms or 2w: {text[:40]!r}")
    length = int(match[1]) * _UNITS[match[2]]
    if length > LONGEST:
        raise ValueError(f"a duration of more than a hundred years: {text!r}")
    return length


def parse_moment(iso: str) -> int:
    """Return the moment of an ISO 8601 date or date-time, UTC without a zone; digits beyond the millisecond are cut off.

    Raises ValueError for anything else and outside the years 1970 to 9999.
    """
    # Almost all moments of a log have this form: 2026-03-29T01:02:03.456Z. If each piece is a known one, this is enough; otherwise the long
    # way decides.
    date_ms, minute_ms = _dates.get(iso[:10]), _MINUTES.get(iso[10:16])
    second_ms, rest_ms = _SECONDS.get(iso[16:19]), _RESTS.get(iso[19:])
    if date_ms is None or minute_ms is None or second_ms is None or rest_ms is None:
        return _parse_moment(iso)
    return date_ms + minute_ms + second_ms + rest_ms


def _parse_moment(iso: str) -> int:
    moment = any_moment(iso)
    if not 0 <= moment <= LAST:
        raise ValueError(f"outside of the years 1970 to 9999: {iso[:40]!r}")
    return moment


def any_moment(iso: str) -> int:
    """Return the moment of an ISO 8601 date or date-time of any year, also before 1970. Raises ValueError for anything else."""
    match = _MOMENT.fullmatch(iso)
    if match is None:
        raise ValueError(f"not an ISO 8601 date or date-time: {iso[:40]!r}")
    date, hours, minutes, seconds, fraction, _, sign, zone_hours, zone_minutes = match.groups()
    moment = _date(date)
    if hours is not None:
        hour, minute, second = int(hours), int(minutes), int(seconds or 0)
        if hour > 23 or minute > 59 or second > 59:
            raise ValueError(f"no such time of day: {iso[:40]!r}")
        moment += hour * HOUR + minute * MINUTE + second * SECOND
        if fraction is not None:
            moment += int(fraction[:3].ljust(3, "0"))
        if sign is not None:
            ahead = int(zone_hours) * HOUR + int(zone_minutes or 0) * MINUTE
            if ahead >= DAY or int(zone_minutes or 0) > 59:
                raise ValueError(f"no such offset from UTC: {iso[:40]!r}")
            moment += -ahead if sign == "+" else ahead
    return moment


def iso(moment: int) -> str:
    """Format a moment for people: `2026-03-29T01:00:00.000Z`. One after the year 9999 is shown as the last moment of that year."""
    return (_EPOCH + timedelta(milliseconds=min(moment, LAST))).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_day(day: int) -> str:
    """Format a local day for people: `2026-03-29`. One after the year 9999 is shown as the last day of that year."""
    return (_EPOCH + timedelta(days=min(day, LAST // DAY))).date().isoformat()


def _date(text: str) -> int:
    """Return the beginning of `2026-03-29` in UTC. Raises ValueError for a date that does not exist."""
    moment = (datetime(int(text[:4]), int(text[5:7]), int(text[8:]), tzinfo=UTC) - _EPOCH) // _MS
    if moment >= 0:
        if len(_dates) >= 4096:
            _dates.clear()
        _dates[text] = moment
    return moment


_dates: Final[dict[str, int]] = {}
"""Cached dates, of years from 1970: a log contains few of them."""
_MINUTES: Final = {f"T{hour:02}:{minute:02}": hour * HOUR + minute * MINUTE for hour in range(24) for minute in range(60)}
_SECONDS: Final = {f":{second:02}": second * SECOND for second in range(60)}
_RESTS: Final = {f".{ms:03}Z": ms for ms in range(1000)} | {"Z": 0}


_CHUNK: Final = 6 * HOUR
"""How far one look-up of a local day reaches: no two midnights are within it."""


class Zone:
    """The local days of one time zone. Create it with `zone(name)`."""

    _PROBE: Final = 3 * HOUR
    _MOST: ClassVar[int] = 8192
    """Size of the caches of chunks, days and spans; a full cache starts over, because a log of forged dates must not fill the memory."""

    __slots__ = ("_chunks", "_info", "_spans", "_starts", "name")

    def __init__(self, name: str, info: ZoneInfo) -> None:
        self.name = name
        self._info = info
        self._chunks: dict[int, tuple[int, int, int]] = {}
        self._spans: dict[int, tuple[tuple[int, int], ...]] = {}
        self._starts: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"zone({self.name!r})"

    def day(self, ms: int) -> int:
        """Return the local day at a moment: days since 1970-01-01. It never decreases as time passes."""
        chunk = self._chunks.get(ms // _CHUNK)
        if chunk is None:
            chunk = self._look_up(ms // _CHUNK)
        edge, before, after = chunk
        return before if ms < edge else after

    def start(self, day: int) -> int:
        """Return the first instant of a local day."""
        ms = self._starts.get(day)
        if ms is None:
            if len(self._starts) >= self._MOST:
                self._starts.clear()
            ms = self._starts[day] = self.at(day * DAY)
        return ms

    def next_midnight(self, ms: int) -> int:
        """Return the first instant after `ms` at which another local day begins."""
        return self.start(self.day(ms) + 1)

    def local(self, ms: int) -> int:
        """Return the local clock's time at a moment, as the moment at which a clock in UTC shows the same."""
        return ms + self._offset(ms)

    def at(self, local: int) -> int:
        """Return the first moment at which the local clock shows this time or a later one; the opposite of `local`.

        A time that the zone skips gives the first moment after the gap; one that it repeats gives the first of the two.
        """
        day = local // DAY
        # No zone was ever a whole day away from UTC, but one skipped a whole date.
        for utc_day in range(day - 1, day + 3):
            spans = self._offsets(utc_day)
            for i, (begin, offset) in enumerate(spans):
                end = spans[i + 1][0] if i + 1 < len(spans) else (utc_day + 1) * DAY
                first = max(begin, local - offset)
                if first < end:
                    return first
        raise AssertionError(f"{self.name}: local time {local} never comes")

    def _look_up(self, chunk: int) -> tuple[int, int, int]:
        """Return what `day` needs for 6 hours: the moment at which the day changes in them, the day before it and the day after it."""
        begin, end = chunk * _CHUNK, (chunk + 1) * _CHUNK
        before, after = self._exact_day(begin), self._exact_day(end - 1)
        edge = self.start(before + 1) if after > before else end
        found = (edge, before, after)
        if self.start(after) > edge:
            raise AssertionError(f"{self.name}: two days begin within 6 hours of {begin}")
        if len(self._chunks) >= self._MOST:
            self._chunks.clear()
        self._chunks[chunk] = found
        return found

    def _exact_day(self, ms: int) -> int:
        day = (ms + self._offset(ms)) // DAY
        while self.start(day) > ms:
            day -= 1
        while self.start(day + 1) <= ms:
            day += 1
        return day

    def _offsets(self, utc_day: int) -> tuple[tuple[int, int], ...]:
        """Return the offsets of a UTC day, each with the moment from which it applies; found by checking every 3 hours."""
        spans = self._spans.get(utc_day)
        if spans is None:
            begin = utc_day * DAY
            found = [(begin, self._offset(begin))]
            for high in range(begin + self._PROBE - 1, begin + DAY, self._PROBE):
                while self._offset(high) != found[-1][1]:
                    low = max(found[-1][0], high - self._PROBE)
                    other = high
                    while other - low > 1:
                        middle = (low + other) // 2
                        if self._offset(middle) == found[-1][1]:
                            low = middle
                        else:
                            other = middle
                    found.append((other, self._offset(other)))
            if len(self._spans) >= self._MOST:
                self._spans.clear()
            spans = self._spans[utc_day] = tuple(found)
        return spans

    def _offset(self, ms: int) -> int:
        """Return how far local time is ahead of UTC at a moment, ms."""
        # Beyond the calendar of `datetime`, and within a day of its end, the offset at its end applies.
        moment = _EPOCH + timedelta(milliseconds=min(ms, LAST - 2 * DAY))
        offset = moment.astimezone(self._info).utcoffset()
        assert offset is not None
        return offset // _MS


class _Utc(Zone):
    """UTC, without any look-up."""

    __slots__ = ()

    def day(self, ms: int) -> int:
        return ms // 86_400_000

    def start(self, day: int) -> int:
        return day * 86_400_000

    def next_midnight(self, ms: int) -> int:
        return (ms // 86_400_000 + 1) * 86_400_000

    def local(self, ms: int) -> int:
        return ms

    def at(self, local: int) -> int:
        return local


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all time zones that `zone` knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


_zones: Final[dict[str, Zone]] = {}


def zone(name: str) -> Zone:
    """Return the time zone of an IANA name, read once from the `tzdata` package. Raises ValueError for an unknown name."""
    found = _zones.get(name)
    if found is None:
        if name not in zone_names():
            raise ValueError(f"no such time zone: {name[:64]!r}")
        with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
            info = ZoneInfo.from_file(data, key=name)
        found = _zones[name] = (_Utc if name in _UTC_NAMES else Zone)(name, info)
    return found


def find_zone(name: object) -> Zone | None:
    """Return the time zone that a user's trait names, whatever its case and spaces (`europe / berlin`, `america/new york`); None if
    unknown.
    """
    if not isinstance(name, str):
        return None
    found = _zones.get(name)
    if found is not None or len(name) > _LONGEST_ZONE:
        return found
    canonical = _by_folded_name().get(_folded(name))
    return None if canonical is None else zone(canonical)


_LONGEST_ZONE: Final = 64


def _folded(name: str) -> str:
    return "/".join("_".join(part.split()) for part in name.casefold().split("/"))


@cache
def _by_folded_name() -> dict[str, str]:
    return {_folded(name): name for name in sorted(zone_names())}


_UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"})


def tz_version() -> str:
    """Return the IANA version of the time zone data. Positions contain it, because other data may give other days."""
    return str(import_module("tzdata").IANA_VERSION)  # it has no type stubs
