"""Moments, durations, and local days from the tzdata package."""

import sys
import zoneinfo
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.base import moments
from triggers.base.model import DAY, HOUR, MINUTE
from triggers.base.moments import LAST, Zone, iso, iso_day, parse_duration, parse_moment, tz_version, zone, zone_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ODD_ZONES = ["Europe/Berlin", "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu", "Africa/Monrovia", "Africa/Cairo"]


def local_date(time_zone: Zone, ms: int) -> int:
    """The calendar's date at a moment, as days since 1970-01-01, straight from the zone's file."""
    with files("tzdata").joinpath("zoneinfo", *time_zone.name.split("/")).open("rb") as data:
        info = zoneinfo.ZoneInfo.from_file(data)
    return ((EPOCH + timedelta(milliseconds=ms)).astimezone(info).date() - date(1970, 1, 1)).days


# ---- durations ----------------------------------------------------------------------------------------------------------


def test_a_duration_is_a_number_and_a_unit() -> None:
    """From milliseconds to weeks."""
    assert [parse_duration(text) for text in ("3d", "24h", "30m", "10s", "250ms", "2w", "0s")] == [
        3 * DAY,
        DAY,
        30 * MINUTE,
        10_000,
        250,
        14 * DAY,
        0,
    ]


@pytest.mark.parametrize("text", ["", "3", "d", "-3d", "3 d", "1.5h", "3D", "1d12h", "3d\n", "9999999999ms", "36526d", "٣d"])
def test_anything_else_is_no_duration(text: str) -> None:
    """A duration beyond a hundred years is a mistake."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


# ---- moments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-03-29", "2026-03-29T00:00:00.000Z"),
        ("2026-03-29T01:02", "2026-03-29T01:02:00.000Z"),
        ("2026-03-29T01:02:03", "2026-03-29T01:02:03.000Z"),
        ("2026-03-29T01:02:03Z", "2026-03-29T01:02:03.000Z"),
        ("2026-03-29T01:02:03.4Z", "2026-03-29T01:02:03.400Z"),
        ("2026-03-29t01:02:03,456789123z", "2026-03-29T01:02:03.456Z"),
        ("2026-03-29 01:02:03+02:00", "2026-03-28T23:02:03.000Z"),
        ("2026-03-29T01:02:03-0330", "2026-03-29T04:32:03.000Z"),
        ("2026-03-29T01:02:03.999-03", "2026-03-29T04:02:03.999Z"),
        ("1970-01-01T01:00:00+01:00", "1970-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_moment_is_utc_unless_it_names_a_zone_and_is_cut_to_the_millisecond(text: str, same: str) -> None:
    """All the spellings of ISO 8601 that clients send."""
    assert iso(parse_moment(text)) == same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "20260329",
        "2026-3-29",
        "2026-02-29",
        "2026-13-01",
        "2026-03-29T",
        "2026-03-29T24:00:00Z",
        "2026-03-29T24:00",
        "2026-03-29T23:60:00Z",
        "2026-03-29T23:59:60Z",
        "2026-03-29T01:02:03.Z",
        "2026-03-29T01:02:03+24:00",
        "2026-03-29T01:02:03+02:60",
        "2026-W13-7",
        "2026-03-29T01:02:03Z ",
        "٢٠٢٦-03-29",
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "0000-01-01",
        "10000-01-01",
    ],
)
def test_anything_else_is_no_moment(text: str) -> None:
    """The grammar is the same in all versions of Python, and the years are 1970 to 9999."""
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text)


def test_a_date_that_was_refused_once_is_refused_again() -> None:
    """What is remembered of dates must not let a wrong one through."""
    for _ in range(2):
        for text in ("1969-12-31T23:00:00.000Z", "2026-02-30T00:00:00.000Z", "9999-12-31T23:00:00.000Zx"):
            with pytest.raises(ValueError, match=r".+"):
                parse_moment(text)


@given(st.integers(0, LAST))
def test_every_moment_survives_being_written(ms: int) -> None:
    """`iso` and `parse_moment` are inverse."""
    assert parse_moment(iso(ms)) == ms
    assert parse_moment(iso(ms).replace("Z", "+00:00")) == ms


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 4, 14 * 4))  # noqa: DTZ001 - a zone is put on below
def test_a_moment_means_what_python_says_it_means(naive: datetime, quarters: int) -> None:
    """An independent reading of the same text."""
    text = f"{naive.isoformat(timespec='milliseconds')}{'-' if quarters < 0 else '+'}{abs(quarters) // 4:02}:{abs(quarters) % 4 * 15:02}"
    assert parse_moment(text) == (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


# ---- local days -----------------------------------------------------------------------------------------------------------


def test_the_version_of_the_time_zone_data_is_known() -> None:
    """It is in positions and decisions."""
    assert tz_version()[:2] == "20"
    assert "Europe/Berlin" in zone_names()


@pytest.mark.parametrize("name", ["", "Mars/Base", "../../etc/passwd", "europe/berlin", "/etc/localtime", "Europe", "Etc/UTC\0"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    """Names come from users' traits; none of them may reach the file system."""
    with pytest.raises(ValueError, match="no such time zone"):
        zone(name)


def test_the_hosts_own_time_zone_data_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 23: two hosts give the same days."""

    def forbidden(*_: object) -> None:
        raise AssertionError("the host's data was asked")

    monkeypatch.delitem(moments._zones, "Antarctica/Troll", raising=False)
    monkeypatch.setattr(sys.modules["zoneinfo._common"], "load_tzdata", forbidden)
    assert zone("Antarctica/Troll").day(0) == 0


def test_utc_days_are_counted() -> None:
    """The fast path."""
    utc = zone("UTC")
    assert [utc.day(ms) for ms in (0, DAY - 1, DAY)] == [0, 0, 1]
    assert utc.start(20_000) == 20_000 * DAY
    assert utc.next_midnight(0) == utc.next_midnight(DAY - 1) == DAY


def test_days_of_23_and_25_hours_are_one_day() -> None:
    """Berlin in 2026."""
    berlin = zone("Europe/Berlin")
    spring, autumn = parse_moment("2026-03-28T23:00Z"), parse_moment("2026-10-24T22:00Z")
    assert berlin.next_midnight(spring) - spring == 23 * HOUR
    assert berlin.next_midnight(autumn) - autumn == 25 * HOUR


def test_where_midnight_is_skipped_the_day_begins_at_one() -> None:
    """Sao Paulo, 2018-11-04."""
    sao_paulo = zone("America/Sao_Paulo")
    begin = parse_moment("2018-11-04T03:00Z")
    day = sao_paulo.day(begin)
    assert iso_day(day) == "2018-11-04"
    assert sao_paulo.start(day) == begin
    assert sao_paulo.day(begin - 1) == day - 1


def test_a_date_that_was_skipped_is_a_day_of_no_length() -> None:
    """Apia had no 2011-12-30."""
    apia = zone("Pacific/Apia")
    edge = parse_moment("2011-12-30T10:00Z")
    assert [iso_day(apia.day(ms)) for ms in (edge - 1, edge)] == ["2011-12-29", "2011-12-31"]
    assert apia.start(apia.day(edge)) == apia.start(apia.day(edge) - 1) == apia.next_midnight(edge - 1) == edge


def test_a_clock_that_is_set_back_over_midnight_does_not_return_to_yesterday() -> None:
    """St. John's on 2005-10-30: at 00:01 it was 23:01 of the day before."""
    st_johns = zone("America/St_Johns")
    midnight, set_back = parse_moment("2005-10-30T02:30Z"), parse_moment("2005-10-30T02:31Z")
    day = st_johns.day(midnight)
    assert iso_day(day) == "2005-10-30"
    assert local_date(st_johns, set_back) == day - 1
    assert st_johns.day(set_back) == st_johns.day(set_back + 30 * MINUTE) == day
    assert st_johns.next_midnight(midnight) == st_johns.start(day + 1) == parse_moment("2005-10-31T03:30Z")


def test_a_zone_whose_offset_is_no_quarter_of_an_hour_has_exact_days() -> None:
    """Monrovia was 44 minutes and 30 seconds behind until 1972."""
    monrovia = zone("Africa/Monrovia")
    assert monrovia.start(100) == 100 * DAY + 44 * MINUTE + 30_000
    assert monrovia.day(monrovia.start(100) - 1) == 99


@pytest.mark.parametrize("name", ODD_ZONES)
def test_days_are_what_the_calendar_shows_and_never_fall(name: str) -> None:
    """Against the zone's own calendar, at every hour of years with odd days and around each midnight of theirs."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        info = zoneinfo.ZoneInfo.from_file(data)
    fresh = Zone(name, info)
    for year in (1971, 2005, 2010, 2011, 2018, 2026):
        first = (datetime(year, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
        highest = 0
        probes = [
            *range(first, first + 365 * DAY, 3 * HOUR),
            *(fresh.start(first // DAY + n) + more for n in range(365) for more in (-1, 0)),
        ]
        for ms in sorted(probes):
            shown = ((EPOCH + timedelta(milliseconds=ms)).astimezone(info).date() - date(1970, 1, 1)).days
            highest = max(highest, shown)
            assert fresh.day(ms) == highest
            assert fresh.start(highest) <= ms < fresh.next_midnight(ms) == fresh.start(highest + 1)


@given(st.sampled_from(ODD_ZONES), st.integers(0, LAST))
def test_each_moment_lies_between_the_start_of_its_day_and_the_next(name: str, ms: int) -> None:
    """Also in unusual years."""
    time_zone = zone(name)
    day = time_zone.day(ms)
    assert time_zone.start(day) <= ms < time_zone.start(day + 1) == time_zone.next_midnight(ms)
    assert time_zone.day(time_zone.start(day)) == day


def test_what_a_zone_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of forged dates must not fill the memory."""
    monkeypatch.setattr(Zone, "_MOST", 64)
    berlin = Zone("Europe/Berlin", zone("Europe/Berlin")._info)
    for day in range(0, 4_000, 4):
        berlin.day(day * DAY)
    assert max(len(berlin._chunks), len(berlin._spans), len(berlin._starts)) <= 64
