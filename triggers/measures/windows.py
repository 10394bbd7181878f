"""Windows: what is kept of a user's events for each measure that some rule asks for.

What a window holds is in `triggers.measures.shapes`, and how it takes in an event in the file of its kind.

Three choices. *Eviction happens when an event is added*, never when a window is read, so that looking at a user changes nothing. *Day panes
are kept two days longer than their length*: a user who flies west lives the same date again, and must find it as it was (from UTC+14 to
UTC-12 the date goes back by at most two). *What is held is bounded*: 1,000 values or times in one window, and sums stop at 2**62.
"""

from __future__ import annotations

from typing import Any

from triggers.definitions.model import Measure
from triggers.measures.kind import Updater, kind_of
from triggers.measures.limits import length_ms
from triggers.measures.shapes import Window

__all__ = ["Updater", "length_ms", "merge", "new_window", "updater"]


def new_window(measure: Measure, since: int) -> Window:
    """Return the empty window of a measure; `since` is the moment from which it will have seen all events, 0 for all of the user's."""
    return kind_of(measure).new(measure, since)


def updater(measure: Measure) -> Updater:
    """Return the function that adds an event to a measure's window. Make it once for each measure."""
    return kind_of(measure).updater(measure)


def merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of the measure
    """Merge two windows into a new one. All events of `a` are before all events of `b` in the log. Both stay unchanged.

    `now` is the logical time up to which `b` was folded. The `since` of each says from when on it has seen all events of *its* part. So the
    `since` of a window that begins where `a` ends is 0.

    The result is, byte for byte, what one window would hold that had taken in all of it, where no bound was reached. Where one was, what it
    says is true but may be less: what either had no room for counts as lost, a lower bound stays a lower bound, and a sum that stopped at
    its limit reads as incomplete.
    """
    return kind_of(measure).merge(measure, a, b, now)
