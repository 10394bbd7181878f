"""Windows as laws: they equal a naive recomputation.

The naive side keeps every event as (time, local day when it was written, value) and counts again each time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triggers.base.intervals import UNKNOWN
from triggers.base.model import DAY, HOUR, MINUTE
from triggers.base.moments import parse_moment, zone
from triggers.conditions.compiler import View
from triggers.definitions.model import (
    Measure,
    Unit,
)
from triggers.measures.kind import kind_of
from triggers.measures.kinds import distinct, first
from triggers.measures.kinds.distinct import value_key
from triggers.measures.reading import day_reading, reading
from triggers.measures.shapes import DayValues, Times, Values, Window
from triggers.measures.taking import TOO_LONG
from triggers.measures.windows import new_window, updater

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Etc/GMT+12",
    "Pacific/Kiritimati",
]
STARTS = [
    parse_moment(text)
    for text in (
        "2026-03-27T20:00Z",  # Berlin loses an hour
        "2026-10-24T20:00Z",  # and gets it back
        "2018-11-03T12:00Z",  # Sao Paulo has no midnight
        "2005-10-29T12:00Z",  # St. John's goes from 00:01 to 23:01
        "2005-04-02T12:00Z",  # and from 00:01 to 01:01
        "2011-12-28T12:00Z",  # Apia has no 2011-12-30
        "1970-01-20T00:00Z",
    )
]
UNIT_MS: dict[Unit, int] = {"minute": MINUTE, "hour": HOUR, "day": DAY}
EVENT = "E"
VALUES: list[Any] = ["a", "b", "x" * 257, "a long text that is hashed", 1, 1.0, 2.5, True, False, "1", None, [1]]


KINDS_OF_PANES = ("count", "sum", "distinct", "max", "min")
EXACT_KINDS = ("did", "first", "last")
KINDS = (*KINDS_OF_PANES, *EXACT_KINDS)
OF_ENDS = ("first_value", "last_value")
OF_A_PROPERTY = ("sum", "distinct", "max", "min", *OF_ENDS, "top")
OF_NUMBERS = ("sum", "max", "min")


def measure(
    kind: str, unit: Unit | None = None, length: int | None = None, *, daily: bool = False, non_negative: bool = False, n: int = 0
) -> Measure:
    path = ("x",) if kind in OF_A_PROPERTY else ()
    return Measure(kind, EVENT, path, unit, length, None, daily, non_negative, n=n)


IN_PANES: list[tuple[Unit, int]] = [("day", 1), ("day", 3), ("hour", 5), ("minute", 90)]
EXACT: list[tuple[Unit, int]] = [("day", 2), ("hour", 30), ("minute", 45)]
MEASURES = [
    *(measure(kind, unit, length) for kind in KINDS_OF_PANES for unit, length in IN_PANES),
    *(measure("sum", unit, length, non_negative=True) for unit, length in IN_PANES[1:3]),
    *(measure(kind, unit, length) for kind in EXACT_KINDS for unit, length in EXACT),
    *(measure(kind) for kind in KINDS if kind != "distinct"),
    measure("sum", non_negative=True),
    *(measure(kind) for kind in OF_ENDS),
    *(measure("top", "day", length, n=n) for length, n in [(1, 2), (3, 1), (3, 20)]),
]
DAY_MEASURES = [measure(kind, "day", 4, daily=True) for kind in KINDS]
DAY_MEASURES.append(measure("sum", "day", 4, daily=True, non_negative=True))


# ---- the naive side -----------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    at: int
    day: int
    value: Any


def naive_covers(of: Measure, view: View, event: Seen) -> bool:
    if of.daily:
        return event.day == view.day
    if of.length is None or of.unit is None:
        return True
    unit = UNIT_MS[of.unit]
    if of.kind in ("did", "first", "last"):
        return event.at > view.now - of.length * unit
    if of.unit == "day":
        return event.day > view.today - of.length
    return event.at // unit > view.now // unit - of.length


def naive_complete(of: Measure, view: View, since: int) -> bool:
    if since == 0:
        return True
    if of.daily:
        return since <= view.zone.start(view.day)
    if of.length is None or of.unit is None:
        return False
    unit = UNIT_MS[of.unit]
    if of.kind in ("did", "first", "last"):
        return since <= view.now - of.length * unit
    if of.unit == "day":
        return since <= view.zone.start(view.today - of.length + 1)
    return since <= (view.now // unit - of.length + 1) * unit


def naive(of: Measure, view: View, events: Sequence[Seen], since: int) -> Any:
    """The value of a measure; of `did` True, False or None."""
    covered = [event for event in events if naive_covers(of, view, event)]
    complete = naive_complete(of, view, since)
    if of.kind == "did":
        return True if covered else False if complete else None
    if of.kind in ("first", "last"):
        times = [event.at for event in covered]
        return UNKNOWN if not complete else (min(times) if of.kind == "first" else max(times)) if times else None
    if of.kind in OF_ENDS:
        ordered = sorted(covered, key=lambda event: event.at)
        if of.kind == "first_value":
            ordered.reverse()
        tied = [event.value for event in covered if event.at == ordered[-1].at] if ordered else [None]
        found = tied[0 if of.kind == "first_value" else -1]
        return UNKNOWN if not complete else None if found is TOO_LONG else found
    if of.kind == "top":
        texts = [event.value for event in covered]
        return sorted(set(texts), key=lambda text: (-texts.count(text), text))[: of.n]
    if of.kind in ("max", "min"):
        numbers = [event.value for event in covered if event.value is not None]
        best = (max if of.kind == "max" else min)(numbers, default=None)
        if complete:
            return best
        return UNKNOWN if best is None else (best, inf) if of.kind == "max" else (-inf, best)
    if of.kind == "sum":
        low = sum(event.value for event in covered if event.value is not None)
    else:
        low = len(covered) if of.kind == "count" else len({key for event in covered if (key := value_key(event.value)) is not None})
    if complete:
        return low
    return UNKNOWN if of.kind == "sum" and not of.non_negative else (low, inf)


def hold_at_most(patch: pytest.MonkeyPatch, most: int) -> None:
    """Make windows have room for so many values or times."""
    for module in (distinct, first):
        patch.setattr(module, "MOST", most)


def taken(of: Measure, value: Any, amount: int | None) -> Any:
    """What the fold gives to the window of an event whose property is this value."""
    if of.kind in OF_NUMBERS:
        return amount
    take = kind_of(of).take
    return take(of.path)({"x": value}) if take is not None and of.kind != "distinct" else value


# ---- one user's life ----------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """One user with the windows of some measures, and every event that they got."""

    measures: Sequence[Measure]
    now: int
    zone_name: str = "UTC"
    since: int = 0
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)
    updates: dict[str, Callable[..., None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for each in self.measures:
            self.windows[each.key] = new_window(each, self.since)
            self.updates[each.key] = updater(each)
            self.seen[each.key] = []

    def view(self) -> View:
        return View(self.windows, {"limit": 2, "word": "x"}, self.now, zone(self.zone_name))

    def event(self, ago: int, value: Any, amount: int | None) -> None:
        at = max(0, self.now - ago)
        here = zone(self.zone_name)
        day, today = here.day(at), here.day(self.now)
        for each in {each.key: each for each in self.measures}.values():
            given_value = taken(each, value, amount)
            if given_value is None and each.kind in (*OF_ENDS, "top"):
                continue  # as the plan does with all that there is nothing to take of
            self.updates[each.key](self.windows[each.key], at, day, given_value, self.now, today)
            self.seen[each.key].append(Seen(at, day, given_value))

    def through_the_codec(self) -> None:
        for key, window in self.windows.items():
            data = msgspec.msgpack.encode(window)
            again = msgspec.msgpack.decode(data, type=Window)
            assert type(again) is type(window)
            assert msgspec.msgpack.encode(again) == data
            self.windows[key] = again

    def value(self, of: Measure, view: View) -> Any:
        return naive(of, view, self.seen[of.key], self.since)


AGO = st.one_of(
    st.integers(0, 2 * HOUR),
    st.integers(0, 6 * DAY),
    st.sampled_from([0, 1, MINUTE, HOUR, DAY, 2 * DAY, 3 * DAY, 45 * MINUTE, 30 * HOUR, 5 * HOUR]),
)
STEP = st.one_of(st.integers(1, 3 * HOUR), st.integers(1, 4 * DAY), st.sampled_from([1, MINUTE, HOUR, DAY, 20 * DAY]))
AMOUNT = st.one_of(st.none(), st.integers(-3_000_000, 3_000_000), st.just(0))
ACTS = st.one_of(
    st.tuples(st.just("event"), AGO, st.sampled_from(VALUES), AMOUNT),
    st.tuples(st.just("event"), AGO, st.sampled_from(VALUES), AMOUNT),
    st.tuples(st.just("pass"), STEP),
    st.tuples(st.just("fly"), st.sampled_from(ZONES)),
    st.tuples(st.just("codec")),
)


def live(life: Life, act: tuple[Any, ...]) -> None:
    match act:
        case ("event", ago, value, amount):
            life.event(ago, value, amount)
        case ("pass", step):
            life.now += step
        case ("fly", name):
            life.zone_name = name
        case ("codec",):
            life.through_the_codec()


SINCE = st.sampled_from([0, 0, 1, 5 * HOUR + 1])


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(STARTS), st.sampled_from(ZONES), SINCE, st.lists(ACTS, max_size=40))
@example(
    STARTS[0],
    "Pacific/Kiritimati",
    0,
    [("event", 0, "a", 1), ("fly", "Etc/GMT+12"), ("event", 0, "a", 1), ("pass", DAY), ("event", 0, "a", 1)],
)
def test_windows_equal_the_naive_recomputation(start: int, name: str, since: int, acts: list[tuple[Any, ...]]) -> None:
    """Under late events, changes of zone, and the codec between any two of them; and reading changes nothing."""
    life = Life([*MEASURES, *DAY_MEASURES], start, name, since and start + since - 1)
    for act in acts:
        live(life, act)
        before = msgspec.msgpack.encode(life.windows)
        view = life.view()
        for each in MEASURES:
            assert reading(each).read(view) == life.value(each, view), each
        for each in DAY_MEASURES:
            read = day_reading(each).read
            for day in range(view.today - 4, view.today + 3):
                view.day = day
                assert read(view) == life.value(each, view), (each, day)
        assert msgspec.msgpack.encode(life.windows) == before


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(STARTS), st.sampled_from(ZONES), st.lists(ACTS, max_size=30), st.data())
def test_the_bytes_of_a_window_are_a_function_of_the_calls_made(
    start: int, name: str, acts: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    """Going through the codec at any place, as a restart from a checkpoint does, leaves no trace."""
    straight, restarted = (Life([*MEASURES, *DAY_MEASURES], start, name) for _ in range(2))
    for act in acts:
        if act == ("codec",):
            continue
        if data.draw(st.booleans()):
            restarted.through_the_codec()
        for life in (straight, restarted):
            live(life, act)
    assert msgspec.msgpack.encode(straight.windows) == msgspec.msgpack.encode(restarted.windows)


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(STARTS), st.sampled_from(ZONES), SINCE, st.lists(ACTS, max_size=30))
def test_a_full_window_knows_what_it_does_not_know(start: int, name: str, since: int, acts: list[tuple[Any, ...]]) -> None:
    """With room for 3 values or times: what is said is true, and what is exact is exactly right."""
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, 3)
        of_times = [measure("first", unit, length) for unit, length in EXACT]
        of_values = [measure("distinct", unit, length) for unit, length in EXACT]
        of_days = [measure("distinct", "day", 3, daily=True)]
        life = Life([*of_times, *of_values, *of_days], start, name, since and start + since - 1)
        for act in acts:
            live(life, act)
            view = life.view()
            for each in of_times:
                assert reading(each).read(view) in (UNKNOWN, life.value(each, view))
            for day in range(view.today - 3, view.today + 1):
                view.day = day
                for each, read in [(each, reading(each).read) for each in of_values] + [(each, day_reading(each).read) for each in of_days]:
                    said, right = read(view), life.value(each, view)
                    assert said == right or (isinstance(said, tuple) and said[0] <= (right if isinstance(right, int) else right[0]))
        for window in life.windows.values():
            assert isinstance(window, Times | Values | DayValues)
            assert (len(window.times) if isinstance(window, Times) else window.total) <= 3


def test_a_user_who_flies_west_finds_the_same_date_again() -> None:
    """From UTC+14 to UTC-12 at half past ten: it is the day before yesterday, and all of its events are still there."""
    for each in (measure(kind, "day", 1) for kind in ("count", "sum", "distinct")):
        life = Life([each], parse_moment("2026-03-01T10:30Z"), "Etc/GMT+12")
        life.event(0, "here", 7)
        assert reading(each).read(life.view()) == (7 if each.kind == "sum" else 1)
        life.zone_name = "Pacific/Kiritimati"
        life.event(0, "there", 7)
        assert reading(each).read(life.view()) == (7 if each.kind == "sum" else 1)
        life.zone_name = "Etc/GMT+12"
        assert reading(each).read(life.view()) == (14 if each.kind == "sum" else 2)
