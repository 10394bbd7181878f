"""Numbers over a length: windows of panes. A pane is a local day of the user, or an hour or minute of UTC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triggers.base.intervals import Value
from triggers.base.model import HOUR, MINUTE, NEVER
from triggers.base.moments import iso, iso_day
from triggers.definitions.model import Measure
from triggers.measures.kind import Updater
from triggers.measures.limits import SUM_LIMIT, clip, is_clipped, kept_panes, pane_ms
from triggers.measures.shapes import Panes
from triggers.measures.view import Partial, Reading, Since, Test, View

# ---- adding ---------------------------------------------------------------------------------------------------------


def counting(measure: Measure) -> Updater:
    kept, size = kept_panes(measure), pane_ms(measure)

    def add_one(window: Panes, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if size:
            day = at // size
            today = now // size
        if today - kept > window.lo:
            _drop(window, today - kept)
        if day >= window.lo:
            panes = window.panes
            panes[day] = panes.get(day, 0) + 1
            window.total += 1

    return add_one


def summing(measure: Measure) -> Updater:
    kept, size = kept_panes(measure), pane_ms(measure)

    def add_value(window: Panes, at: int, day: int, value: int | None, now: int, today: int) -> None:
        if size:
            day = at // size
            today = now // size
        if today - kept > window.lo:
            _drop(window, today - kept)
        if value is not None and day >= window.lo:
            panes = window.panes
            pane = panes.get(day, 0) + value
            total = window.total + value
            if -SUM_LIMIT < pane < SUM_LIMIT and -SUM_LIMIT < total < SUM_LIMIT:
                panes[day] = pane
                window.total = total
            else:
                panes[day] = clip(pane)
                window.total = clip(sum(panes.values()))

    return add_value


def _drop(window: Panes, lo: int) -> None:
    """Forget the panes below `lo`."""
    panes = window.panes
    if panes:
        gone = 0
        for pane in range(window.lo, lo) if lo - window.lo < len(panes) else [pane for pane in panes if pane < lo]:
            gone += panes.pop(pane, 0)
        if gone:
            total = window.total - gone
            # At the limit the total is not the sum of the panes any more; it is again as soon as they allow.
            window.total = total if -SUM_LIMIT < window.total < SUM_LIMIT and -SUM_LIMIT < total < SUM_LIMIT else clip(sum(panes.values()))
    window.lo = lo


def merge(a: Panes, b: Panes, now: int) -> Panes:
    """Merge two windows.

    A sum that has stopped at the limit counts as one that met a number that does not fit: it is not the sum any more.
    """
    lo, unfit = max(a.lo, b.lo), max(a.unfit, b.unfit)
    panes = {pane: value for pane, value in a.panes.items() if pane >= lo}
    for pane, value in b.panes.items():
        if pane >= lo:
            panes[pane] = panes.get(pane, 0) + value
    total = sum(panes.values())
    if any(map(is_clipped, (a.total, b.total, total, *a.panes.values(), *b.panes.values(), *panes.values()))):
        unfit = max(unfit, now + 1)
        panes = {pane: clip(value) for pane, value in panes.items()}
        total = clip(sum(panes.values()))
    return Panes(max(a.since, b.since), lo, total, panes, unfit)


# ---- reading --------------------------------------------------------------------------------------------------------


def reading(measure: Measure, since: Since, incomplete: Partial, *, falls: bool, overflows: bool = False) -> Reading:
    """Return the reading of what keeps a number for each pane and their total.

    `falls`: no pane is below zero, so the total only falls with time. `overflows`: what found no room is in `lost`.
    """
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
            return 0
        first = (view.now // size if size else view.today) - length + 1
        total: int = window.total if window.lo >= first else _total_from(window, first)
        if (since(window) and since(window) > start(view, first)) or (overflows and window.lost >= first and window.lost >= 0):
            return incomplete(total)
        return total

    def complete_at(view: View, window: Any, first: int) -> int:  # noqa: ANN401
        """Return the moment from which the window has seen all that the measure covers; 0 when it has."""
        seen = since(window)
        moment = complete_from(view, seen, first, length, size) if seen else 0
        if overflows and window.lost >= first and window.lost >= 0:
            moment = max(moment, start(view, window.lost + length))
        return moment

    def next_(view: View) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        first = first_pane(view)
        held = min((pane for pane, value in window.panes.items() if pane >= first and value), default=None)
        expiry = NEVER if held is None else start(view, held + length)
        return min(expiry, complete_at(view, window, first) or NEVER)

    def flip(view: View, test: Test, monotone: bool) -> int:
        window: Any = view.windows.get(key)
        if window is None:
            return NEVER
        first = first_pane(view)
        total = window.total if window.lo >= first else _total_from(window, first)
        whole_at = complete_at(view, window, first)
        panes = window.panes

        def outcome() -> bool | None:
            return test(incomplete(total)) if whole_at else test(total)

        current = outcome()
        if monotone and not whole_at and (falls or not panes or min(panes.values()) >= 0):
            # It only falls, and ends at nothing. From the latest pane back, since few of them are enough for a heavy user.
            if test(0) is current:
                return NEVER
            rest = 0
            for pane in sorted(panes, reverse=True):
                if pane < first:
                    break
                rest += panes[pane]
                if test(rest) is current:
                    return start(view, pane + length)
        for pane in sorted(panes):
            if pane < first:
                continue
            expiry = start(view, pane + length)
            if whole_at and whole_at < expiry:
                moment, whole_at = whole_at, 0
                if outcome() is not current:
                    return moment
            total -= panes[pane]
            if whole_at == expiry:
                whole_at = 0
            if outcome() is not current:
                return expiry
        moment, whole_at = whole_at, 0
        return moment if moment and outcome() is not current else NEVER

    return Reading(measure, read, next_, flip)


def complete_from(view: View, since: int, first: int, length: int, size: int) -> int:
    """Return the moment at which a window will have seen all panes of its measure; 0 if it has.

    It is kept from `since` on, and `first` is the first of the `length` panes now.
    """
    if since <= (first * size if size else view.zone.start(first)):
        return 0
    pane = -(-since // size) if size else view.zone.day(since)
    if not size and view.zone.start(pane) < since:
        pane += 1
    pane += length - 1
    return pane * size if size else view.zone.start(pane)


def _total_from(window: Any, first: int) -> int:  # noqa: ANN401
    """Return the total of the panes from `first` on; fewer are held before it than from it, as a rule."""
    panes: dict[int, int] = window.panes
    total: int = window.total
    lo: int = window.lo
    if first - lo > len(panes):
        for pane, value in panes.items():
            if pane < first:
                total -= value
    else:
        for pane in range(lo, first):
            if pane in panes:
                total -= panes[pane]
    return total


# ---- for people -----------------------------------------------------------------------------------------------------


def pane_name(measure: Measure) -> Callable[[int], str]:
    """Return the function that names the panes of a measure: by date, or by moment of UTC to the minute."""
    if measure.unit in {"hour", "minute"}:
        length = HOUR if measure.unit == "hour" else MINUTE
        return lambda number: iso(number * length)[:16] + "Z"
    return iso_day
