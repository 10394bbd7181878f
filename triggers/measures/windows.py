"""How windows take in events: for each measure that some rule asks for, the function that adds an event to its window.

What a window holds is in `triggers.state.runs`; how it is read at a moment is the business of `triggers.measures.reading`.

Three choices. *Eviction happens when an event is added*, never when a window is read, so that looking at a user changes nothing. *Day panes
are kept two days longer than their length*: a user who flies west lives the same date again, and must find it as it was (from UTC+14 to
UTC-12 the date goes back by at most two). *What is held is bounded*: 1,000 values or times in one window, and sums stop at 2**62.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from triggers.base.model import DAY, HOUR, MINUTE
from triggers.definitions.model import Measure, Unit
from triggers.measures.shapes import NONE, Days, DayValues, First, Last, Panes, Times, Total, Values, Window

MOST = 1_000
"""How many values, or times, one window holds."""
SLACK: Final = 2
"""How many days longer than their length day panes are kept."""
SUM_LIMIT: Final = 1 << 62
"""Where sums (scaled) stop: a state must fit into 64 bits, whatever the events say. 4.6 * 10**12 unscaled."""
UNIT_MS: Final[dict[Unit, int]] = {"minute": MINUTE, "hour": HOUR, "day": DAY}

Updater = Callable[[Any, int, int, Any, int, int], None]
"""`update(window, at, day, value, now, today)`: adds one event.

`at` is the event's time (ms) and `day` the user's local day of it; `now` the logical time and `today` the local day of that. `value` is the
scaled integer of a sum and the JSON value of a distinct; None adds nothing to either. Other kinds ignore it."""

_SHAPES: Final[dict[str, Callable[[int], Window]]] = {"count": Panes, "sum": Panes, "distinct": Values, "first": Times}


def new_window(measure: Measure, since: int) -> Window:
    """The empty window of a measure; `since` is the moment from which it will have seen all events, 0 for all of the user's."""
    if measure.daily:
        return DayValues(since) if measure.kind == "distinct" else Days(since)
    if measure.kind in ("did", "last"):
        return Last(since)
    if measure.length is None:
        return First(since) if measure.kind == "first" else Total(since)
    return _SHAPES[measure.kind](since)


def length_ms(measure: Measure) -> int | None:
    """The length of a measure that is exact to the millisecond; None for all time."""
    if measure.length is None or measure.unit is None:
        return None
    return measure.length * UNIT_MS[measure.unit]


def updater(measure: Measure) -> Updater:
    """The function that adds an event to a measure's window. Make it once for each measure."""
    kind = measure.kind
    if measure.daily:
        return _day_values_updater(measure) if kind == "distinct" else _days_updater(measure)
    if kind in ("did", "last"):
        return _update_last
    if kind == "distinct":
        return _values_updater(measure)
    if measure.length is None:
        return _ALL_TIME[kind]
    if kind == "first":
        return _times_updater(measure)
    return _panes_updater(measure)


def value_key(value: object) -> str | None:
    """How a `distinct` remembers a JSON scalar: equal keys for equal values of the same JSON type; None for null, objects and arrays.

    Longer texts are remembered by 8 bytes of hash: two of a user's would have to meet by accident of one in 10**13.
    """
    kind = type(value)
    if kind is str:
        text: Any = value
        if len(text) <= 16:
            return "s" + text  # type: ignore[no-any-return]
        return "h" + blake2b(text.encode(), digest_size=8).hexdigest()
    if kind is bool:
        return "t" if value else "f"
    if kind is int:
        return f"n{value}"
    if kind is float:
        number: Any = value
        # 1.0 and 1 are one JSON number; beyond 2**64 no JSON integer arrives as an int.
        return f"n{int(number)}" if -2e19 < number < 2e19 and number == int(number) else f"n{number!r}"
    return None


# ---- totals and moments ---------------------------------------------------------------------------------------------


def _update_total_count(window: Total, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
    window.total += 1


def _update_total_sum(window: Total, at: int, day: int, value: int | None, now: int, today: int) -> None:  # noqa: ARG001
    if value is not None:
        total = window.total + value
        window.total = total if -SUM_LIMIT < total < SUM_LIMIT else _clip(total)


def _update_last(window: Last, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
    if at > window.at:
        window.at = at


def _update_first(window: First, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
    if at < window.at or window.at < 0:
        window.at = at


def _clip(total: int) -> int:
    return max(-SUM_LIMIT, min(SUM_LIMIT, total))


_ALL_TIME: Final[dict[str, Updater]] = {"first": _update_first, "count": _update_total_count, "sum": _update_total_sum}


# ---- panes ----------------------------------------------------------------------------------------------------------


def _kept(measure: Measure) -> int:
    """How many panes before the current one are kept."""
    assert measure.length is not None
    return measure.length - 1 + (SLACK if measure.unit == "day" else 0) + (1 if measure.daily else 0)


def _pane_ms(measure: Measure) -> int:
    """The size of a measure's panes in UTC; 0 for local days."""
    assert measure.unit is not None
    return 0 if measure.unit == "day" else UNIT_MS[measure.unit]


def _panes_updater(measure: Measure) -> Updater:
    kept, pane_ms = _kept(measure), _pane_ms(measure)

    def add_one(window: Panes, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if pane_ms:
            day = at // pane_ms
            today = now // pane_ms
        if today - kept > window.lo:
            _drop_panes(window, today - kept)
        if day >= window.lo:
            panes = window.panes
            panes[day] = panes.get(day, 0) + 1
            window.total += 1

    def add_value(window: Panes, at: int, day: int, value: int | None, now: int, today: int) -> None:
        if pane_ms:
            day = at // pane_ms
            today = now // pane_ms
        if today - kept > window.lo:
            _drop_panes(window, today - kept)
        if value is not None and day >= window.lo:
            panes = window.panes
            pane = panes.get(day, 0) + value
            total = window.total + value
            if -SUM_LIMIT < pane < SUM_LIMIT and -SUM_LIMIT < total < SUM_LIMIT:
                panes[day] = pane
                window.total = total
            else:
                panes[day] = _clip(pane)
                window.total = _clip(sum(panes.values()))

    return add_one if measure.kind == "count" else add_value


def _drop_panes(window: Panes, lo: int) -> None:
    """Forgets the panes below `lo`."""
    panes = window.panes
    if panes:
        gone = 0
        for pane in range(window.lo, lo) if lo - window.lo < len(panes) else [pane for pane in panes if pane < lo]:
            gone += panes.pop(pane, 0)
        if gone:
            total = window.total - gone
            # At the limit the total is not the sum of the panes any more; it is again as soon as they allow.
            window.total = total if -SUM_LIMIT < window.total < SUM_LIMIT and -SUM_LIMIT < total < SUM_LIMIT else _clip(sum(panes.values()))
    window.lo = lo


def _values_updater(measure: Measure) -> Updater:
    kept, pane_ms = _kept(measure), _pane_ms(measure)

    def add_value(window: Values, at: int, day: int, value: object, now: int, today: int) -> None:
        if pane_ms:
            day = at // pane_ms
            today = now // pane_ms
        if today - kept > window.lo:
            _drop_values(window, today - kept)
        key = value_key(value)
        if key is None or day < window.lo:
            return
        values, panes = window.values, window.panes
        latest = values.get(key)
        if latest is None:
            if len(values) >= MOST:
                window.lost = max(window.lost, day)
                return
            window.total += 1
        elif latest < day:
            if panes[latest] == 1:
                del panes[latest]
            else:
                panes[latest] -= 1
        else:
            return
        values[key] = day
        panes[day] = panes.get(day, 0) + 1

    return add_value


def _drop_values(window: Values, lo: int) -> None:
    """Forgets the values last seen below `lo`."""
    panes, before = window.panes, len(window.panes)
    if panes:
        for pane in range(window.lo, lo) if lo - window.lo < before else [pane for pane in panes if pane < lo]:
            window.total -= panes.pop(pane, 0)
        if len(panes) < before:
            values = window.values
            for key in [key for key, pane in values.items() if pane < lo]:
                del values[key]
    if window.lost < lo:
        window.lost = NONE
    window.lo = lo


# ---- exact times ----------------------------------------------------------------------------------------------------


def _times_updater(measure: Measure) -> Updater:
    length = length_ms(measure)
    assert length is not None

    def add_time(window: Times, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        _drop_times(window, now - length)
        if at <= now - length:
            return
        times = window.times
        place = bisect_left(times, at)
        if place < len(times) and times[place] == at:
            return
        if len(times) >= MOST:
            window.lost_from = at if window.lost_from < 0 else min(window.lost_from, at)
            window.lost_to = max(window.lost_to, at)
        else:
            times.insert(place, at)

    return add_time


def _drop_times(window: Times, horizon: int) -> None:
    """Forgets the times that are not after `horizon`."""
    times = window.times
    if times and times[0] <= horizon:
        del times[: bisect_right(times, horizon)]
    if 0 <= window.lost_to <= horizon:
        window.lost_from = window.lost_to = NONE


# ---- one day at a time ----------------------------------------------------------------------------------------------


def _days_updater(measure: Measure) -> Updater:
    kept, kind = _kept(measure), measure.kind

    def add_one(window: Days, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            _drop_days(window, today - kept)
        if day >= window.lo:
            panes = window.panes
            panes[day] = panes.get(day, 0) + 1
            if day > window.hi:
                window.hi = day

    def add_value(window: Days, at: int, day: int, value: Any, now: int, today: int) -> None:  # noqa: ANN401, ARG001
        if today - kept > window.lo:
            _drop_days(window, today - kept)
        if day >= window.lo and value is not None:
            panes = window.panes
            total = panes.get(day, 0) + value
            panes[day] = total if -SUM_LIMIT < total < SUM_LIMIT else _clip(total)
            if day > window.hi:
                window.hi = day

    def add_moment(window: Days, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            _drop_days(window, today - kept)
        if day >= window.lo:
            held = window.panes.get(day)
            if held is None or (at < held if kind == "first" else at > held):
                window.panes[day] = at
            if day > window.hi:
                window.hi = day

    return add_value if kind == "sum" else add_moment if kind in ("first", "last") else add_one


def _drop_days(window: Days | DayValues, lo: int) -> None:
    """Forgets the days below `lo`."""
    panes: dict[int, Any] = window.panes
    if panes:
        for day in range(window.lo, lo) if lo - window.lo < len(panes) else [day for day in panes if day < lo]:
            panes.pop(day, None)
    window.lo = lo


def _day_values_updater(measure: Measure) -> Updater:
    kept = _kept(measure)

    def add(window: DayValues, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            _drop_day_values(window, today - kept)
        key = value_key(value)
        if key is None or day < window.lo:
            return
        held = window.panes.get(day)
        place = 0 if held is None else bisect_left(held, key)
        if held is not None and place < len(held) and held[place] == key:
            return
        if day > window.hi:
            window.hi = day
        if window.total >= MOST:
            if day not in window.lost:
                insort(window.lost, day)
            return
        window.total += 1
        if held is None:
            window.panes[day] = [key]
        else:
            held.insert(place, key)

    return add


def _drop_day_values(window: DayValues, lo: int) -> None:
    """Forgets the values of the days below `lo`."""
    _drop_days(window, lo)
    window.total = sum(map(len, window.panes.values()))
    del window.lost[: bisect_left(window.lost, lo)]
