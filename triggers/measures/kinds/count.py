"""`count(E)`: how many events there are. Over an incomplete window it is a lower bound."""

from __future__ import annotations

from typing import Any, Final

from triggers.definitions.model import Measure
from triggers.measures import days, panes, totals
from triggers.measures.kind import Kind, Updater
from triggers.measures.limits import COUNT_BYTES, FRAME_BYTES, most_panes, pane_bytes
from triggers.measures.panes import pane_name
from triggers.measures.shapes import Days, Panes, Total, Window
from triggers.measures.view import Reading, at_least, kept_since


def _new(measure: Measure, since: int) -> Window:
    return Days(since) if measure.daily else Total(since) if measure.length is None else Panes(since)


def _updater(measure: Measure) -> Updater:
    if measure.daily:
        return days.counting(measure)
    return totals.COUNTING if measure.length is None else panes.counting(measure)


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of this kind
    if measure.daily:
        return days.merge(a, b, now, int.__add__)
    return totals.merge(a, b, now) if measure.length is None else panes.merge(a, b, now)


def _most_bytes(measure: Measure) -> int:
    return FRAME_BYTES if measure.length is None else FRAME_BYTES + most_panes(measure) * (pane_bytes(measure) + COUNT_BYTES)


def _reading(measure: Measure) -> Reading:
    since = kept_since(measure)
    return totals.reading(measure, since, at_least) if measure.length is None else panes.reading(measure, since, at_least, falls=True)


def _day_reading(measure: Measure) -> Reading:
    return days.reading(measure, kept_since(measure), at_least)


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(window, Total):
        return {"total": window.total}
    name = pane_name(measure)
    return {"panes": {name(pane): value for pane, value in sorted(window.panes.items())}}


COUNT: Final = Kind(
    name="count",
    example='count("Order Completed")',
    gives="number",
    is_count=True,
    adds_up=True,
    new=_new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    reading=_reading,
    day_reading=_day_reading,
    shown=int,
    contents=_contents,
)
