"""Local days, looked up minute by minute in the tzdata package; slow and without cleverness."""

from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def names() -> frozenset[str]:
    """All zones that the tzdata package knows; the host's own are never asked."""
    return frozenset((files("tzdata") / "zones").read_text("utf-8").split())


@cache
def known(name: str) -> str | None:
    """The zone that is meant by a name, whatever its case and spaces."""
    wanted = name.lower().replace(" ", "").replace("_", "")
    return next((one for one in sorted(names()) if one.lower().replace("_", "") == wanted), None)


@cache
def zone(name: str) -> ZoneInfo:
    with (files("tzdata") / "zoneinfo").joinpath(*name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def local(name: str, ms: int) -> datetime:
    return (EPOCH + timedelta(milliseconds=ms)).astimezone(zone(name))


@lru_cache(maxsize=100_000)
def day(name: str, ms: int) -> int:
    """The number of the local day since 1970-01-01."""
    return (local(name, ms).date() - date(1970, 1, 1)).days


@cache
def changes(name: str, utc_day: int) -> tuple[int, ...]:
    """Every moment of one UTC day at which the local date becomes another one (rarely more than one)."""
    found = []
    for quarter in range(utc_day * DAY, (utc_day + 1) * DAY, 15 * MINUTE):
        before, after = local(name, quarter - 1), local(name, quarter + 15 * MINUTE)
        if before.date() != after.date() or before.utcoffset() != after.utcoffset():
            moments = range(quarter, quarter + 15 * MINUTE, MINUTE)
            found += [ms for ms in moments if day(name, ms - 1) != day(name, ms)]
    return tuple(found)


def midnights(name: str, after: int, until: int) -> list[int]:
    """Every change of the local date later than `after` and not later than `until`."""
    return [ms for utc_day in range(after // DAY, until // DAY + 1) for ms in changes(name, utc_day) if after < ms <= until]


def start(name: str, number: int) -> int:
    """The first moment of a local day; of a date that the zone skipped: of the one after it."""
    around = midnights(name, (number - 3) * DAY, (number + 3) * DAY)
    return next(ms for ms in around if day(name, ms) >= number)
