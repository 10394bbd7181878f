"""Numbers over all time: windows of one total."""

from __future__ import annotations

from typing import Any

from triggers.base.intervals import Value
from triggers.definitions.model import Measure
from triggers.measures.kind import Updater
from triggers.measures.limits import SUM_LIMIT, clip, is_clipped
from triggers.measures.shapes import Total
from triggers.measures.view import Partial, Reading, Since, View, never


def add_one(window: Total, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
    window.total += 1


def _add_value(window: Total, at: int, day: int, value: int | None, now: int, today: int) -> None:  # noqa: ARG001
    if value is not None:
        total = window.total + value
        window.total = total if -SUM_LIMIT < total < SUM_LIMIT else clip(total)


COUNTING: Updater = add_one
SUMMING: Updater = _add_value


def reading(measure: Measure, since: Since, incomplete: Partial) -> Reading:
    key = measure.key

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return 0
        if since(window):
            return incomplete(window.total)
        return window.total  # type: ignore[no-any-return]

    return Reading(measure, read, never)


def merge(a: Total, b: Total, now: int) -> Total:
    """Merge two windows.

    A sum that has stopped at the limit counts as one that met a number that does not fit: it is not the sum any more.
    """
    total, unfit = a.total + b.total, max(a.unfit, b.unfit)
    if is_clipped(a.total) or is_clipped(b.total) or is_clipped(total):
        unfit = max(unfit, now + 1)
    return Total(max(a.since, b.since), clip(total), unfit)
