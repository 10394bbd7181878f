"""`last(E)`: the moment of the last event, by event time. Over an incomplete window it is unknown.

The window is one moment, which serves every length, and `did` as well.
"""

from __future__ import annotations

from typing import Any, Final

from triggers.base.intervals import UNKNOWN, Value
from triggers.base.model import NEVER
from triggers.base.moments import iso
from triggers.definitions.model import Measure
from triggers.measures import days
from triggers.measures.kind import Kind, Updater, own_parts
from triggers.measures.limits import FRAME_BYTES, MOMENT_BYTES, length_ms, most_panes, pane_bytes
from triggers.measures.panes import pane_name
from triggers.measures.shapes import Days, Last, Window
from triggers.measures.view import Reading, View, kept_since, never, unknown


def parts(measure: Measure) -> tuple[object, ...]:
    """Return the parts of the key. Measures of all lengths share the window, except those of single days."""
    return own_parts(measure) if measure.daily else ("last", measure.event, measure.where)


def held(measure: Measure) -> Measure:
    return measure if measure.daily else Measure("last", measure.event, where=measure.where)


def new(measure: Measure, since: int) -> Window:
    return Days(since) if measure.daily else Last(since)


def add(window: Last, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
    if at > window.at:
        window.at = at


ADD: Updater = add


def _updater(measure: Measure) -> Updater:
    return days.latest(measure) if measure.daily else ADD


def merge(a: Last, b: Last) -> Last:
    return Last(max(a.since, b.since), max(a.at, b.at))


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of this kind
    return days.merge(a, b, now, max) if measure.daily else merge(a, b)


def _most_bytes(measure: Measure) -> int:
    return FRAME_BYTES + (most_panes(measure) * (pane_bytes(measure) + MOMENT_BYTES) if measure.daily else 0)


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
        return window.at if window.at > horizon and window.at >= 0 else None

    def next_(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        horizon = view.now - span
        if since(window) and since(window) > horizon:
            return since(window) + span
        return window.at + span if window.at > horizon and window.at >= 0 else NEVER

    return Reading(measure, read, next_)


def _day_reading(measure: Measure) -> Reading:
    return days.reading(measure, kept_since(measure), unknown, None)


def contents(window: Any) -> dict[str, Any]:  # noqa: ANN401 -- a window of one moment
    return {"at": iso(window.at) if window.at >= 0 else None}


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(window, Last):
        return contents(window)
    name = pane_name(measure)
    return {"panes": {name(day): iso(at) for day, at in sorted(window.panes.items())}}


LAST: Final = Kind(
    name="last",
    example='last("Order Completed")',
    gives="moment",
    in_every_day=False,
    is_exact=True,
    parts=parts,
    held=held,
    new=new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    reading=_reading,
    day_reading=_day_reading,
    shown=iso,
    contents=_contents,
)
