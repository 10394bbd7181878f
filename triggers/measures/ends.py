"""The value that a property had at the first or last event: windows of one moment and one value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triggers.base.intervals import UNKNOWN
from triggers.base.moments import iso
from triggers.definitions.model import Measure
from triggers.measures.kind import Updater
from triggers.measures.limits import FRAME_BYTES, MOMENT_BYTES, TEXT_BYTES
from triggers.measures.shapes import Valued, Window
from triggers.measures.taking import TOO_LONG
from triggers.measures.view import Reading, View, kept_since, never

Replaces = Callable[[int, int], bool]
"""Whether an event of the first moment replaces what is held of the second; it comes later in the log."""


def new(measure: Measure, since: int) -> Window:  # noqa: ARG001
    return Valued(since)


def updater(replaces: Replaces) -> Updater:
    def add(window: Valued, at: int, day: int, value: Any, now: int, today: int) -> None:  # noqa: ANN401, ARG001
        if window.at < 0 or replaces(at, window.at):
            window.at = at
            window.value = None if value is TOO_LONG else value

    return add


def merge(a: Valued, b: Valued, replaces: Replaces) -> Window:
    end = b if b.at >= 0 and (a.at < 0 or replaces(b.at, a.at)) else a
    return Valued(max(a.since, b.since), end.at, end.value)


def most_bytes(measure: Measure) -> int:  # noqa: ARG001
    return FRAME_BYTES + MOMENT_BYTES + TEXT_BYTES


def reading(measure: Measure) -> Reading:
    key, since = measure.key, kept_since(measure)

    def read(view: View) -> Any:  # noqa: ANN401 -- a JSON value, or UNKNOWN
        window: Any = view.windows.get(key)
        if window is None:
            return None
        return UNKNOWN if since(window) else window.value

    return Reading(measure, read, never)


def day_reading(measure: Measure) -> Reading:
    raise TypeError(f"{measure.kind} of single days is not read")


def shown(value: Any) -> object:  # noqa: ANN401 -- a JSON value
    return value


def contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    return {"at": iso(window.at) if window.at >= 0 else None, "value": window.value}
