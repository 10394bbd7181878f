"""`sum(E.p)`: the sum of a property, exactly.

What is no number adds nothing. From a number that does not fit, the window is incomplete. Over an incomplete window the sum is a lower
bound if the schema declares the property never to be below zero, and else unknown.
"""

from __future__ import annotations

from typing import Any, Final

from triggers.base.numbers import plain
from triggers.definitions.model import Measure
from triggers.measures import days, panes, taking, totals
from triggers.measures.kind import Kind, Updater
from triggers.measures.limits import FRAME_BYTES, NUMBER_BYTES, most_panes, pane_bytes
from triggers.measures.panes import pane_name
from triggers.measures.shapes import Days, Panes, Total, Window
from triggers.measures.view import Partial, Reading, at_least, fit_since, unknown


def _new(measure: Measure, since: int) -> Window:
    return Days(since) if measure.daily else Total(since) if measure.length is None else Panes(since)


def _updater(measure: Measure) -> Updater:
    if measure.daily:
        return days.summing(measure)
    return totals.SUMMING if measure.length is None else panes.summing(measure)


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of this kind
    if measure.daily:
        return days.merge(a, b, now, int.__add__)
    return totals.merge(a, b, now) if measure.length is None else panes.merge(a, b, now)


def _most_bytes(measure: Measure) -> int:
    return FRAME_BYTES if measure.length is None else FRAME_BYTES + most_panes(measure) * (pane_bytes(measure) + NUMBER_BYTES)


def _incomplete(measure: Measure) -> Partial:
    return at_least if measure.non_negative else unknown


def _reading(measure: Measure) -> Reading:
    since, incomplete = fit_since(measure), _incomplete(measure)
    return totals.reading(measure, since, incomplete) if measure.length is None else panes.reading(measure, since, incomplete, falls=False)


def _day_reading(measure: Measure) -> Reading:
    return days.reading(measure, fit_since(measure), _incomplete(measure))


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(window, Total):
        return {"total": plain(window.total)}
    name = pane_name(measure)
    return {"panes": {name(pane): plain(value) for pane, value in sorted(window.panes.items())}}


SUM: Final = Kind(
    name="sum",
    example='sum("Order Completed.total")',
    gives="number",
    take=taking.numbers,
    numbers="sum adds numbers",
    minds_sign=True,
    power=1,
    adds_up=True,
    new=_new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    since=fit_since,
    reading=_reading,
    day_reading=_day_reading,
    shown=plain,
    contents=_contents,
)
