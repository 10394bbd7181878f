"""`first(E)`: the moment of the first event, by event time. Over an incomplete window it is unknown.

With a length, the window keeps the moments within it, exact to the millisecond. Beyond the first moment that found no room it is unknown,
until all of those have passed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Final

from triggers.base.intervals import UNKNOWN, Value
from triggers.base.model import NEVER
from triggers.base.moments import iso
from triggers.definitions.model import Measure
from triggers.measures import days
from triggers.measures.kind import Kind, Updater
from triggers.measures.limits import FRAME_BYTES, MOMENT_BYTES, MOST, length_ms, most_panes, pane_bytes
from triggers.measures.panes import pane_name
from triggers.measures.shapes import NONE, Days, First, Times, Window
from triggers.measures.view import Reading, View, kept_since, never, unknown

# ---- adding ---------------------------------------------------------------------------------------------------------


def _new(measure: Measure, since: int) -> Window:
    return Days(since) if measure.daily else First(since) if measure.length is None else Times(since)


def _add(window: First, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
    if at < window.at or window.at < 0:
        window.at = at


_ADD: Updater = _add


def _updater(measure: Measure) -> Updater:
    if measure.daily:
        return days.earliest(measure)
    length = length_ms(measure)
    if length is None:
        return _ADD
    span = length

    def add_time(window: Times, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        _drop(window, now - span)
        if at <= now - span:
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


def _drop(window: Times, horizon: int) -> None:
    """Forget the times that are not after `horizon`."""
    times = window.times
    if times and times[0] <= horizon:
        del times[: bisect_right(times, horizon)]
    if 0 <= window.lost_to <= horizon:
        window.lost_from = window.lost_to = NONE


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of this kind
    if measure.daily:
        return days.merge(a, b, now, min)
    since = max(a.since, b.since)
    if measure.length is None:
        return First(since, min((at for at in (a.at, b.at) if at >= 0), default=NONE))
    return _merged_times(Times(since), a, b, now - (length_ms(measure) or 0))


def _merged_times(window: Times, a: Times, b: Times, horizon: int) -> Times:
    """Merge the moments. Those of `a` came first, so all are kept; of the others, the latest may be lost."""
    held = set(a.times)
    others = [at for at in b.times if at > horizon and at not in held]
    held = {at for at in held if at > horizon}
    room = MOST - len(held)
    lost = [*others[room:], *(at for at in (a.lost_from, a.lost_to, b.lost_from, b.lost_to) if at >= 0)]
    window.times = sorted([*held, *others[:room]])
    if lost:
        window.lost_from, window.lost_to = min(lost), max(lost)
        _drop(window, horizon)
    return window


def _most_bytes(measure: Measure) -> int:
    if measure.daily:
        return FRAME_BYTES + most_panes(measure) * (pane_bytes(measure) + MOMENT_BYTES)
    return FRAME_BYTES + (0 if measure.length is None else MOST * MOMENT_BYTES)


# ---- reading --------------------------------------------------------------------------------------------------------


def _reading(measure: Measure) -> Reading:
    key, since, length = measure.key, kept_since(measure), length_ms(measure)

    def ever(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        if since(window):
            return UNKNOWN
        return window.at if window.at >= 0 else None

    if length is None:
        return Reading(measure, ever, never)
    span = length

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        horizon = view.now - span
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
        horizon = view.now - span
        if since(window) and since(window) > horizon:
            return since(window) + span
        value = read(view)
        if isinstance(value, tuple):
            return window.lost_to + span  # type: ignore[no-any-return]
        return NEVER if value is None else value + span

    return Reading(measure, read, next_)


def _day_reading(measure: Measure) -> Reading:
    return days.reading(measure, kept_since(measure), unknown, None)


# ---- for people -----------------------------------------------------------------------------------------------------


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(window, First):
        return {"at": iso(window.at) if window.at >= 0 else None}
    if isinstance(window, Times):
        return {"times": [iso(at) for at in window.times]}
    name = pane_name(measure)
    return {"panes": {name(day): iso(at) for day, at in sorted(window.panes.items())}}


FIRST: Final = Kind(
    name="first",
    example='first("Order Completed")',
    gives="moment",
    in_every_day=False,
    is_exact=True,
    new=_new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    reading=_reading,
    day_reading=_day_reading,
    shown=iso,
    contents=_contents,
)
