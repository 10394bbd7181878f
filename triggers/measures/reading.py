"""Measures: what a window says at a moment, and until when time alone leaves it so.

A `Reading` is made once for each measure of a rule and asked about many users. Reading changes nothing: what lies outside of the measure at
the moment of the view is left out, not thrown away.

**Values.** Counts are plain integers, sums scaled ones, first and last are moments; None is null (it never happened). A window that has
not seen all of what the measure covers gives an interval: a lower bound for counts, distinct and sums of values declared non-negative;
`UNKNOWN` for everything else. A window that is not there saw everything, and there was nothing.

**Coverage.** A measure of N panes covers from the start of the first of them; one that is exact to the millisecond covers what is later
than `now - length`; one over all time covers everything, and a window with a `since` never gets there. A pane dated later than today (left
by a user who flew west) counts as today's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from math import inf
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from triggers.base.intervals import UNKNOWN, Value
from triggers.base.model import NEVER
from triggers.base.moments import Zone, zone
from triggers.definitions.model import Measure
from triggers.measures.shapes import Window
from triggers.measures.windows import UNIT_MS, length_ms

Read = Callable[["View"], Any]
"""Gives a `Value`. (Any: the closures are what runs for each record, and the union would cost them a cast each.)"""
Next = Callable[["View"], int]
"""The first moment after the view's at which time alone may change what is read; NEVER when there is none."""
Test = Callable[[Any], bool | None]
"""What a comparison makes of a value."""
Flip = Callable[["View", Test, bool], int]


class View:
    """One user at one moment, as conditions see it. Made once and filled anew for each user.

    `today` is the user's local day of `now`. `day` is the one day that the condition inside `every_day` looks at while it is evaluated.
    """

    __slots__ = ("day", "now", "today", "traits", "windows", "zone")

    def __init__(
        self,
        windows: Mapping[str, Window] = MappingProxyType({}),
        traits: Mapping[str, Any] = MappingProxyType({}),
        now: int = 0,
        time_zone: Zone | None = None,
    ) -> None:
        self.windows = windows
        self.traits = traits
        self.now = now
        self.zone = time_zone or zone("UTC")
        self.today = self.zone.day(now)
        self.day = 0


class Reading:
    """How one measure is read.

    `read` gives the value; `next` the first moment at which it may differ; `flip(view, test, monotone)` the first at which
    `test(value)` may differ, where `monotone` says that the test is one against a threshold: its outcome changes once as the value falls.
    """

    __slots__ = ("flip", "measure", "next", "read")

    def __init__(self, measure: Measure, read: Read, next_: Next, flip: Flip | None = None) -> None:
        self.measure = measure
        self.read = read
        self.next = next_
        self.flip = flip or (lambda view, test, monotone: next_(view))  # noqa: ARG005


def reading(measure: Measure) -> Reading:
    """The reading of a measure that stands outside of `every_day`; `did` is read by `did`."""
    if measure.daily or measure.kind == "did":
        raise TypeError(f"{measure.kind} is not read here")
    if measure.length is not None:
        if measure.kind == "last":
            return _last_within(measure)
        return _first_within(measure) if measure.kind == "first" else _panes(measure)
    if measure.kind in ("first", "last"):
        return Reading(measure, _moment_reader(measure), _never)
    if measure.kind == "distinct":
        raise TypeError("distinct needs a length")
    return Reading(measure, _total_reader(measure), _never)


def complete_at(measure: Measure, since: int, time_zone: Zone) -> int | None:
    """When a window that is kept from `since` on has seen all that its measure covers, ms; None: never."""
    if measure.length is None or measure.unit is None:
        return None
    if measure.kind in ("did", "first", "last") and not measure.daily:
        return since + measure.length * UNIT_MS[measure.unit]
    if measure.unit != "day":
        pane_ms = UNIT_MS[measure.unit]
        return (-(-since // pane_ms) + measure.length - 1) * pane_ms
    day = time_zone.day(since)
    if time_zone.start(day) < since:
        day += 1
    return time_zone.start(day + measure.length - (0 if measure.daily else 1))


def since_of(measure: Measure) -> Callable[[Any], int]:
    """Gives the moment from which a window has seen all events that count for the measure; 0: from the beginning.

    A sum has not seen what came before a number that did not fit, whatever the rules say of the time before them (`before_rules`).
    """
    if measure.kind == "sum":
        return _unfit if measure.whole else _sum_since
    return _from_the_beginning if measure.whole else _since


_since: Final[Callable[[Any], int]] = attrgetter("since")
_unfit: Final[Callable[[Any], int]] = attrgetter("unfit")


def _sum_since(window: Any) -> int:  # noqa: ANN401 -- a window of a sum
    since, unfit = window.since, window.unfit
    return max(since, unfit)  # type: ignore[no-any-return]


def _from_the_beginning(window: object) -> int:  # noqa: ARG001
    return 0


def _never(view: View) -> int:  # noqa: ARG001
    return NEVER


def _total_reader(measure: Measure) -> Read:
    key, bounded, since = measure.key, _bounded(measure), since_of(measure)

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return 0
        if since(window):
            return (window.total, inf) if bounded else UNKNOWN
        return window.total  # type: ignore[no-any-return]

    return read


def _bounded(measure: Measure) -> bool:
    """Whether an incomplete window gives a lower bound."""
    return measure.kind in ("count", "did", "distinct") or (measure.kind == "sum" and measure.non_negative)


def _moment_reader(measure: Measure) -> Read:
    key, since = measure.key, since_of(measure)

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        if since(window):
            return UNKNOWN
        return window.at if window.at >= 0 else None

    return read


# ---- did ------------------------------------------------------------------------------------------------------------


def did(measure: Measure) -> tuple[Callable[[View], bool | None], Next]:
    """Whether there is such an event, and until when that holds."""
    key, length, since = measure.key, length_ms(measure), since_of(measure)

    def value(view: View) -> bool | None:
        window: Any = view.windows.get(key)
        if window is None:
            return False
        if window.at >= 0 and (length is None or view.now - window.at < length):
            return True
        if since(window) and (length is None or since(window) > view.now - length):
            return None
        return False

    def change(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None or length is None:
            return NEVER
        horizon = view.now - length
        if window.at > horizon and window.at >= 0:
            return window.at + length  # type: ignore[no-any-return]
        return since(window) + length if since(window) > horizon and since(window) else NEVER

    return value, change


# ---- moments within a length ----------------------------------------------------------------------------------------


def _last_within(measure: Measure) -> Reading:
    key, length, since = measure.key, length_ms(measure), since_of(measure)
    assert length is not None

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        horizon = view.now - length
        if since(window) and since(window) > horizon:
            return UNKNOWN
        return window.at if window.at > horizon and window.at >= 0 else None

    def next_(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        horizon = view.now - length
        if since(window) and since(window) > horizon:
            return since(window) + length
        return window.at + length if window.at > horizon and window.at >= 0 else NEVER

    return Reading(measure, read, next_)


def _first_within(measure: Measure) -> Reading:
    """`first` with a length. Beyond the first time that found no room in the window it is unknown, until all of those have passed."""
    key, length, since = measure.key, length_ms(measure), since_of(measure)
    assert length is not None

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        horizon = view.now - length
        if since(window) and since(window) > horizon:
            return UNKNOWN
        times = window.times
        place = bisect_right(times, horizon)
        if window.lost_to > horizon and window.lost_to >= 0 and (place == len(times) or times[place] > window.lost_from):
            return UNKNOWN
        return times[place] if place < len(times) else None

    def next_(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        horizon = view.now - length
        if since(window) and since(window) > horizon:
            return since(window) + length
        value = read(view)
        if isinstance(value, tuple):
            return window.lost_to + length  # type: ignore[no-any-return]
        return NEVER if value is None else value + length

    return Reading(measure, read, next_)


# ---- panes ----------------------------------------------------------------------------------------------------------


def _panes(measure: Measure) -> Reading:
    """`count`, `sum` and `distinct` with a length: read alike, since each keeps a number for each pane and their total."""
    key, bounded, since = measure.key, _bounded(measure), since_of(measure)
    assert measure.length is not None
    assert measure.unit is not None
    length = measure.length
    pane_ms = 0 if measure.unit == "day" else UNIT_MS[measure.unit]
    counts, is_distinct = measure.kind != "sum", measure.kind == "distinct"

    def first_pane(view: View) -> int:
        return (view.now // pane_ms if pane_ms else view.today) - length + 1

    def start(view: View, pane: int) -> int:
        return pane * pane_ms if pane_ms else view.zone.start(pane)

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return 0
        first = (view.now // pane_ms if pane_ms else view.today) - length + 1
        total: int = window.total if window.lo >= first else _total_from(window, first)
        if (since(window) and since(window) > start(view, first)) or (is_distinct and window.lost >= first and window.lost >= 0):
            return (total, inf) if bounded else UNKNOWN
        return total

    def complete_at(view: View, window: Any, first: int) -> int:  # noqa: ANN401
        """The moment from which the window has seen all that the measure covers; 0 when it has."""
        moment = 0
        if since(window) and since(window) > start(view, first):
            pane = -(-since(window) // pane_ms) if pane_ms else view.zone.day(since(window))
            if not pane_ms and view.zone.start(pane) < since(window):
                pane += 1
            moment = start(view, pane + length - 1)
        if is_distinct and window.lost >= first and window.lost >= 0:
            moment = max(moment, start(view, window.lost + length))
        return moment

    def next_(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        first = first_pane(view)
        held = min((pane for pane, value in window.panes.items() if pane >= first and value), default=None)
        expiry = NEVER if held is None else start(view, held + length)
        return min(expiry, complete_at(view, window, first) or NEVER)

    def flip(view: View, test: Test, monotone: bool) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        first = first_pane(view)
        total = window.total if window.lo >= first else _total_from(window, first)
        whole_at = complete_at(view, window, first)
        panes = window.panes

        def outcome() -> bool | None:
            if not whole_at:
                return test(total)
            return test((total, inf) if bounded else UNKNOWN)

        current = outcome()
        if monotone and not whole_at and (counts or not panes or min(panes.values()) >= 0):
            # It only falls, and ends at nothing. From the latest pane back, since few of them are enough for a heavy user.
            if test(0) is current:
                return NEVER
            rest = 0
            for pane in sorted(panes, reverse=True):
                if pane < first:
                    break
                rest += panes[pane]
                if test(rest) is current:
                    return start(view, pane + length)
        for pane in sorted(panes):
            if pane < first:
                continue
            expiry = start(view, pane + length)
            if whole_at and whole_at < expiry:
                moment, whole_at = whole_at, 0
                if outcome() is not current:
                    return moment
            total -= panes[pane]
            if whole_at == expiry:
                whole_at = 0
            if outcome() is not current:
                return expiry
        moment, whole_at = whole_at, 0
        return moment if moment and outcome() is not current else NEVER

    return Reading(measure, read, next_, flip)


def _total_from(window: Any, first: int) -> int:  # noqa: ANN401
    """The total of the panes from `first` on; fewer are held before it than from it, as a rule."""
    panes: dict[int, int] = window.panes
    total: int = window.total
    lo: int = window.lo
    if first - lo > len(panes):
        for pane, value in panes.items():
            if pane < first:
                total -= value
    else:
        for pane in range(lo, first):
            if pane in panes:
                total -= panes[pane]
    return total


# ---- one day at a time ----------------------------------------------------------------------------------------------


def day_reading(measure: Measure) -> Reading:
    """The reading of a measure inside `every_day`: of the view's `day` alone. A day is covered from its start.

    `next` gives not a moment but the last day that may be unlike an empty one.
    """
    if not measure.daily or measure.unit != "day":
        raise TypeError(f"inside every_day {measure.kind} is taken of one day")
    key, kind, bounded, since = measure.key, measure.kind, _bounded(measure), since_of(measure)
    nothing = None if kind in ("first", "last") else 0

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return nothing
        value: int | None = window.panes.get(view.day, nothing)
        if since(window) and since(window) > view.zone.start(view.day):
            return (value or 0, inf) if bounded else UNKNOWN
        return value

    def read_values(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return 0
        value = len(window.panes.get(view.day, ()))
        if (since(window) and since(window) > view.zone.start(view.day)) or view.day in window.lost:
            return (value, inf)
        return value

    def last_day(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return -1
        if since(window):
            return max(int(window.hi), view.zone.day(since(window)))
        return int(window.hi)

    return Reading(measure, read_values if kind == "distinct" else read, last_day)


def day_did(measure: Measure) -> tuple[Callable[[View], bool | None], Next]:
    """Whether there is such an event on the view's `day`; and the last day that may be unlike an empty one."""
    counted = day_reading(measure)
    read = counted.read

    def value(view: View) -> bool | None:
        count = read(view)
        if type(count) is int:
            return count > 0
        return True if count[0] > 0 else None

    return value, counted.next
