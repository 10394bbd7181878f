"""How windows are divided, and where they end."""

from __future__ import annotations

from typing import Final

from triggers.base.model import DAY, HOUR, MINUTE
from triggers.definitions.model import Measure, Unit

MOST = 1_000
"""How many values, or times, one window holds."""
SLACK: Final = 2
"""How many days longer than their length day panes are kept."""
SUM_LIMIT: Final = 1 << 62
"""Where sums (scaled) stop: a state must fit into 64 bits, whatever the events say. 4.6 * 10**12 unscaled."""
UNIT_MS: Final[dict[Unit, int]] = {"minute": MINUTE, "hour": HOUR, "day": DAY}

# Sizes in MessagePack.
FRAME_BYTES: Final = 64
"""A window's key, moments and frame."""
MOMENT_BYTES: Final = 9
NUMBER_BYTES: Final = 9
"""A scaled number."""
COUNT_BYTES: Final = 5
TEXT_BYTES: Final = 259
"""A text of at most 256 bytes."""


def length_ms(measure: Measure) -> int | None:
    """Return the length of a measure that is exact to the millisecond; None for all time."""
    if measure.length is None or measure.unit is None:
        return None
    return measure.length * UNIT_MS[measure.unit]


def pane_ms(measure: Measure) -> int:
    """Return the size of a measure's panes in UTC; 0 for local days."""
    assert measure.unit is not None
    return 0 if measure.unit == "day" else UNIT_MS[measure.unit]


def kept_panes(measure: Measure) -> int:
    """Return how many panes before the current one are kept."""
    assert measure.length is not None
    return measure.length - 1 + (SLACK if measure.unit == "day" else 0) + (1 if measure.daily else 0)


def most_panes(measure: Measure) -> int:
    """Return the maximum number of panes of a window. Some are late, and some are early by the user's previous time zone."""
    assert measure.length is not None
    return measure.length + 2 * SLACK


def pane_bytes(measure: Measure) -> int:
    """Return the bytes of a pane's number, which counts from 1970."""
    return 3 if measure.unit == "day" else 5


def clip(total: int) -> int:
    """Return the nearest number that a state can hold."""
    return max(-SUM_LIMIT, min(SUM_LIMIT, total))


def is_clipped(total: int) -> bool:
    """Return whether a sum has stopped at the limit, or would."""
    return not -SUM_LIMIT < total < SUM_LIMIT
