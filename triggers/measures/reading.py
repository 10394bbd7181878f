"""Measures: what a window says at a moment, and until when time alone leaves it so. See `triggers.measures.view`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from triggers.base.moments import Zone
from triggers.definitions.model import Measure
from triggers.measures.kind import kind_of
from triggers.measures.limits import UNIT_MS
from triggers.measures.view import Reading, View

__all__ = ["Reading", "View", "complete_at", "day_reading", "reading", "since_of"]


def reading(measure: Measure) -> Reading:
    """Return the reading of a measure outside of `every_day`."""
    kind = kind_of(measure)
    if measure.daily:
        raise TypeError(f"{measure.kind} of single days is not read here")
    if measure.length is None and kind.needs_length:
        raise TypeError(f"{measure.kind} needs a length")
    return kind.reading(measure)


def day_reading(measure: Measure) -> Reading:
    """Return the reading of a measure inside `every_day`: of the view's `day` alone.

    Its `next` gives the last day that may be unlike an empty one.
    """
    if not measure.daily or measure.unit != "day":
        raise TypeError(f"inside every_day {measure.kind} is taken of one day")
    return kind_of(measure).day_reading(measure)


def since_of(measure: Measure) -> Callable[[Any], int]:
    """Return what gives the moment from which a window has seen all events that count for the measure; 0: from the beginning."""
    return kind_of(measure).since(measure)


def complete_at(measure: Measure, since: int, time_zone: Zone) -> int | None:
    """Return when a window that is kept since `since` has seen all that its measure covers, ms; None: never."""
    if measure.length is None or measure.unit is None:
        return None
    if kind_of(measure).is_exact and not measure.daily:
        return since + measure.length * UNIT_MS[measure.unit]
    if measure.unit != "day":
        pane_ms = UNIT_MS[measure.unit]
        return (-(-since // pane_ms) + measure.length - 1) * pane_ms
    day = time_zone.day(since)
    if time_zone.start(day) < since:
        day += 1
    return time_zone.start(day + measure.length - (0 if measure.daily else 1))
