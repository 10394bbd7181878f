"""`did(E)`: whether there is such an event; `silent(E)` is its opposite.

Over an incomplete window it is true once there is one, and else unknown. The window is that of `last`, whatever the length. Inside
`every_day` it is a count of each day.
"""

from __future__ import annotations

from typing import Any, Final

from triggers.base.model import NEVER
from triggers.base.moments import iso
from triggers.definitions.model import Measure
from triggers.definitions.words import words_of
from triggers.measures import days
from triggers.measures.kind import Explain, Kind, Updater
from triggers.measures.kinds import last
from triggers.measures.limits import COUNT_BYTES, FRAME_BYTES, length_ms, most_panes, pane_bytes
from triggers.measures.panes import pane_name
from triggers.measures.shapes import Last, Window
from triggers.measures.view import Reading, View, at_least, kept_since


def _updater(measure: Measure) -> Updater:
    return days.counting(measure) if measure.daily else last.ADD


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of this kind
    return days.merge(a, b, now, int.__add__) if measure.daily else last.merge(a, b)


def _most_bytes(measure: Measure) -> int:
    return FRAME_BYTES + (most_panes(measure) * (pane_bytes(measure) + COUNT_BYTES) if measure.daily else 0)


def _reading(measure: Measure) -> Reading:
    key, length, since = measure.key, length_ms(measure), kept_since(measure)

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

    return Reading(measure, value, change)


def _day_reading(measure: Measure) -> Reading:
    counted = days.reading(measure, kept_since(measure), at_least)
    read = counted.read

    def value(view: View) -> bool | None:
        count = read(view)
        if type(count) is int:
            return count > 0
        return True if count[0] > 0 else None

    return Reading(measure, value, counted.next)


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    if isinstance(window, Last):
        return last.contents(window)
    name = pane_name(measure)
    return {"panes": {name(day): count for day, count in sorted(window.panes.items())}}


def _explain(measure: Measure, reading: Reading) -> Explain:
    """Explain whether there is such an event, and the moment of the last one."""
    label, key, read, held = words_of(measure), measure.key, reading.read, words_of(last.held(measure))

    def explain(view: View, found: dict[str, Any]) -> None:
        answer = read(view)
        found[label] = "unknown" if answer is None else answer
        window: Any = view.windows.get(key)
        if not measure.daily and window is not None and window.at >= 0:
            found[held] = iso(window.at)

    return explain


DID: Final = Kind(
    name="did",
    opposite="silent",
    example='did("Order Completed")',
    gives="truth",
    is_exact=True,
    parts=last.parts,
    held=last.held,
    new=last.new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    reading=_reading,
    day_reading=_day_reading,
    shown=bool,
    contents=_contents,
    explain=_explain,
)
