"""The largest or smallest number: windows of one number, or of a staircase of panes.

A pane matters only while no later pane holds a number that is as good, because the later one leaves the window later. So a window keeps the
panes that matter: from the earliest to the latest, each number is worse than the one before it, and the first one is the value. Panes that
came late and panes that a flight brings back change nothing of this. Which panes matter does not depend on the order in which events came.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from triggers.base.intervals import Value
from triggers.base.model import NEVER
from triggers.base.numbers import plain
from triggers.definitions.model import Measure
from triggers.measures import days
from triggers.measures.kind import Updater
from triggers.measures.limits import FRAME_BYTES, NUMBER_BYTES, kept_panes, most_panes, pane_bytes, pane_ms
from triggers.measures.panes import complete_from, pane_name
from triggers.measures.shapes import Days, Extreme, Extremes, Window
from triggers.measures.view import Partial, Reading, Since, Test, View, fit_since, never

Better = Callable[[int, int], bool]
"""Whether the first number is as good as the second, or better."""


def new(measure: Measure, since: int) -> Window:
    return Days(since) if measure.daily else Extreme(since) if measure.length is None else Extremes(since)


# ---- adding ---------------------------------------------------------------------------------------------------------


def updater(measure: Measure, better: Better) -> Updater:
    if measure.daily:
        return _day_updater(measure, better)
    return _pane_updater(measure, better) if measure.length is not None else _total_updater(better)


def _total_updater(better: Better) -> Updater:
    def add(window: Extreme, at: int, day: int, value: int | None, now: int, today: int) -> None:  # noqa: ARG001
        if value is not None and (window.value is None or better(value, window.value)):
            window.value = value

    return add


def _pane_updater(measure: Measure, better: Better) -> Updater:
    kept, size = kept_panes(measure), pane_ms(measure)

    def add(window: Extremes, at: int, day: int, value: int | None, now: int, today: int) -> None:
        if size:
            day = at // size
            today = now // size
        if today - kept > window.lo:
            lo = today - kept
            gone = bisect_left(window.panes, lo)
            del window.panes[:gone], window.values[:gone]
            window.lo = lo
        if value is not None and day >= window.lo:
            _enter(window.panes, window.values, day, value, better)

    return add


def _enter(panes: list[int], values: list[int], pane: int, value: int, better: Better) -> None:
    """Put a number of a pane into the staircase, unless a pane that is not earlier is as good; what it is as good as goes."""
    end = bisect_left(panes, pane)
    if end < len(panes):
        if better(values[end], value):
            return
        if panes[end] == pane:
            end += 1
    begin = end
    while begin > 0 and better(value, values[begin - 1]):
        begin -= 1
    panes[begin:end] = [pane]
    values[begin:end] = [value]


def _day_updater(measure: Measure, better: Better) -> Updater:
    kept = kept_panes(measure)

    def add(window: Days, at: int, day: int, value: int | None, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            days.drop(window, today - kept)
        if value is not None and day >= window.lo:
            held = window.panes.get(day)
            if held is None or better(value, held):
                window.panes[day] = value
            if day > window.hi:
                window.hi = day

    return add


def merge(measure: Measure, a: Any, b: Any, now: int, better: Better) -> Window:  # noqa: ANN401 -- windows of one measure
    def best(one: int, other: int) -> int:
        return one if better(one, other) else other

    if measure.daily:
        return days.merge(a, b, now, best)
    since, unfit = max(a.since, b.since), max(a.unfit, b.unfit)
    if measure.length is None:
        values = [value for value in (a.value, b.value) if value is not None]
        return Extreme(since, best(values[0], values[-1]) if values else None, unfit)
    lo = max(a.lo, b.lo)
    window = Extremes(since, lo, unfit=unfit)
    for part in (a, b):
        for pane, value in zip(part.panes, part.values, strict=True):
            if pane >= lo:
                _enter(window.panes, window.values, pane, value, better)
    return window


def most_bytes(measure: Measure) -> int:
    return FRAME_BYTES + (0 if measure.length is None else most_panes(measure) * (pane_bytes(measure) + NUMBER_BYTES))


# ---- reading --------------------------------------------------------------------------------------------------------


def reading(measure: Measure, incomplete: Partial) -> Reading:
    since = fit_since(measure)
    return _total_reading(measure, since, incomplete) if measure.length is None else _pane_reading(measure, since, incomplete)


def _total_reading(measure: Measure, since: Since, incomplete: Partial) -> Reading:
    key = measure.key

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        if since(window):
            return incomplete(window.value)
        return window.value  # type: ignore[no-any-return]

    return Reading(measure, read, never)


def _pane_reading(measure: Measure, since: Since, incomplete: Partial) -> Reading:
    key = measure.key
    assert measure.length is not None
    length, size = measure.length, pane_ms(measure)

    def first_pane(view: View) -> int:
        return (view.now // size if size else view.today) - length + 1

    def start(view: View, pane: int) -> int:
        return pane * size if size else view.zone.start(pane)

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return None
        first = first_pane(view)
        place = bisect_left(window.panes, first)
        value: int | None = window.values[place] if place < len(window.values) else None
        if since(window) and since(window) > start(view, first):
            return incomplete(value)
        return value

    def next_(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        first = first_pane(view)
        place = bisect_left(window.panes, first)
        expiry = start(view, window.panes[place] + length) if place < len(window.panes) else NEVER
        return min(expiry, complete_from(view, since(window), first, length, size) or NEVER)

    def flip(view: View, test: Test, monotone: bool) -> int:  # noqa: ARG001
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        first = first_pane(view)
        place = bisect_left(window.panes, first)
        steps: list[int | None] = [*window.values[place:], None]
        whole_at = complete_from(view, since(window), first, length, size)

        def outcome(value: int | None) -> bool | None:
            return test(incomplete(value)) if whole_at else test(value)

        current = outcome(steps[0])
        for index, pane in enumerate(window.panes[place:]):
            expiry = start(view, pane + length)
            if whole_at and whole_at < expiry:
                moment, whole_at = whole_at, 0
                if outcome(steps[index]) is not current:
                    return moment
            if whole_at == expiry:
                whole_at = 0
            if outcome(steps[index + 1]) is not current:
                return expiry
        moment, whole_at = whole_at, 0
        return moment if moment and outcome(None) is not current else NEVER

    return Reading(measure, read, next_, flip)


def day_reading(measure: Measure, incomplete: Partial) -> Reading:
    return days.reading(measure, fit_since(measure), incomplete, None)


# ---- for people -----------------------------------------------------------------------------------------------------


def contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the panes that matter, each with its number."""
    if isinstance(window, Extreme):
        return {measure.kind: None if window.value is None else plain(window.value)}
    held = sorted(window.panes.items()) if isinstance(window, Days) else zip(window.panes, window.values, strict=True)
    name = pane_name(measure)
    return {"panes": {name(pane): plain(value) for pane, value in held}}
