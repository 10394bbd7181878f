"""Quiet hours on a user's clock.

The clock decides, not the length of the night. A time that a clock skips is the first moment after the gap. A time that comes twice ends
the quiet at its first occurrence; if the clock then goes back into the quiet hours, it is quiet again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triggers.base.model import DAY

if TYPE_CHECKING:
    from triggers.base.moments import Zone
    from triggers.definitions.policies import QuietHours

_THURSDAY: Final = 3
"""The weekday of 1970-01-01."""


def remaining(rule: QuietHours, clock: int) -> int:
    """Return how far the end of the quiet is on a clock that shows this, ms; 0: it is not quiet."""
    day, time = divmod(clock, DAY)
    begin, end = rule.begin, rule.end
    if begin < end:
        left = end - time if begin <= time < end else 0
    elif time >= begin:
        left = DAY - time + end
    else:
        left = end - time if time < end else 0
        day -= 1
    if left and rule.days is not None and (day + _THURSDAY) % 7 not in rule.days:
        return 0
    return left


def quiet_until(rule: QuietHours, zone: Zone, now: int) -> int:
    """Return the first moment from now on at which it is not quiet."""
    while left := remaining(rule, zone.local(now)):
        then = now + left
        now = then if zone.local(then) - zone.local(now) == left else _clock_change(zone, now, then)
    return now


def _clock_change(zone: Zone, low: int, high: int) -> int:
    """Return the moment between two moments at which the clock is set."""
    ahead = zone.local(low) - low
    while high - low > 1:
        middle = (low + high) // 2
        if zone.local(middle) - middle == ahead:
            low = middle
        else:
            high = middle
    return high
