"""One day at a time, as `every_day` looks: windows of one value for each day with events.

A day is covered from its start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triggers.base.intervals import Value
from triggers.definitions.model import Measure
from triggers.measures.kind import Updater
from triggers.measures.limits import SUM_LIMIT, clip, is_clipped, kept_panes
from triggers.measures.shapes import NONE, Days, DayValues
from triggers.measures.view import Next, Partial, Reading, Since, View

# ---- adding ---------------------------------------------------------------------------------------------------------


def counting(measure: Measure) -> Updater:
    kept = kept_panes(measure)

    def add_one(window: Days, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            drop(window, today - kept)
        if day >= window.lo:
            panes = window.panes
            panes[day] = panes.get(day, 0) + 1
            if day > window.hi:
                window.hi = day

    return add_one


def summing(measure: Measure) -> Updater:
    kept = kept_panes(measure)

    def add_value(window: Days, at: int, day: int, value: Any, now: int, today: int) -> None:  # noqa: ANN401, ARG001
        if today - kept > window.lo:
            drop(window, today - kept)
        if day >= window.lo and value is not None:
            panes = window.panes
            total = panes.get(day, 0) + value
            panes[day] = total if -SUM_LIMIT < total < SUM_LIMIT else clip(total)
            if day > window.hi:
                window.hi = day

    return add_value


def earliest(measure: Measure) -> Updater:
    """Keep the moment of the first event of each day."""
    kept = kept_panes(measure)

    def add_moment(window: Days, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            drop(window, today - kept)
        if day >= window.lo:
            held = window.panes.get(day)
            if held is None or at < held:
                window.panes[day] = at
            if day > window.hi:
                window.hi = day

    return add_moment


def latest(measure: Measure) -> Updater:
    """Keep the moment of the last event of each day."""
    kept = kept_panes(measure)

    def add_moment(window: Days, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            drop(window, today - kept)
        if day >= window.lo:
            held = window.panes.get(day)
            if held is None or at > held:
                window.panes[day] = at
            if day > window.hi:
                window.hi = day

    return add_moment


def drop(window: Days | DayValues, lo: int) -> None:
    """Forget the days below `lo`."""
    panes: dict[int, Any] = window.panes
    if panes:
        for day in range(window.lo, lo) if lo - window.lo < len(panes) else [day for day in panes if day < lo]:
            panes.pop(day, None)
    window.lo = lo


def merge(a: Days, b: Days, now: int, join: Callable[[int, int], int]) -> Days:
    """`join` makes one value of two of the same day. A sum beyond the limit counts as one that met a number that does not fit."""
    lo, unfit = max(a.lo, b.lo), max(a.unfit, b.unfit)
    panes = {day: value for day, value in a.panes.items() if day >= lo}
    for day, value in b.panes.items():
        if day >= lo:
            panes[day] = join(panes[day], value) if day in panes else value
    if any(map(is_clipped, (*a.panes.values(), *b.panes.values(), *panes.values()))):
        unfit = max(unfit, now + 1)
        panes = {day: clip(value) for day, value in panes.items()}
    return Days(max(a.since, b.since), lo, latest_day(a, b), panes, unfit)


def latest_day(a: Days | DayValues, b: Days | DayValues) -> int:
    """Return the latest day ever written. What `b` wrote below the days of `a` would not have been taken."""
    return max(a.hi, b.hi) if b.hi >= a.lo else a.hi


# ---- reading --------------------------------------------------------------------------------------------------------


def reading(measure: Measure, since: Since, incomplete: Partial, nothing: int | None = 0) -> Reading:
    """`nothing` is the value of a day without events."""
    key = measure.key

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return nothing
        value: int | None = window.panes.get(view.day, nothing)
        if since(window) and since(window) > view.zone.start(view.day):
            return incomplete(value)
        return value

    return Reading(measure, read, last_day(key, since))


def last_day(key: str, since: Since) -> Next:
    """Return the last day that may be unlike an empty one."""

    def last(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NONE
        if since(window):
            return max(int(window.hi), view.zone.day(since(window)))
        return int(window.hi)

    return last
