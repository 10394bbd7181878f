"""The circumstances of an event: the user's local time at it, and its Segment context. They are worked out only where a rule asks for them.

In `where=`, `local.hour` and `context.campaign.name` are read like properties. So the engine adds both to the properties of an event, under
names that no expression can state, if a rule that the event concerns asks for one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from triggers.base.calendar import WEEKDAYS, date_of, weekday
from triggers.base.model import DAY, HOUR
from triggers.base.moments import Zone
from triggers.definitions.model import (
    CONTEXT,
    LOCAL,
    And,
    Arithmetic,
    Circumstance,
    Compare,
    Condition,
    Contains,
    In,
    Not,
    OfList,
    Operand,
    Or,
)


class Asked(Exception):  # noqa: N818 -- an outcome, not an error
    """A rule asks for circumstances of the event that its properties do not have yet."""

    def __init__(self, roots: frozenset[str]) -> None:
        super().__init__(roots)
        self.roots = roots


class Circumstanced(dict[str, Any]):
    """The properties of an event with its circumstances. A type of its own: a phone can send any names."""


def local_time(now: int, zone: Zone) -> dict[str, Any]:
    """Return what `local` is at a moment."""
    clock = zone.local(now)
    day = clock // DAY
    _, month, date = date_of(day)
    return {"hour": clock % DAY // HOUR, "weekday": WEEKDAYS[weekday(day)], "day": date, "month": month}


def with_circumstances(
    properties: Mapping[str, Any], roots: frozenset[str], now: int, zone: Zone, context: Callable[[], Mapping[str, Any]]
) -> Circumstanced:
    """Add circumstances to the properties of an event."""
    found = Circumstanced(properties)
    if LOCAL in roots:
        found[LOCAL] = local_time(now, zone)
    if CONTEXT in roots:
        found[CONTEXT] = context()
    return found


def asked_by(condition: Condition | Operand | None) -> frozenset[str]:
    """Return the circumstances that a `where=` asks for."""
    match condition:
        case Circumstance(path):
            return frozenset((path[0],))
        case And(items) | Or(items):
            return frozenset().union(*map(asked_by, items))
        case Not(item) | In(item, _) | Contains(_, item) | OfList(_, _, item):
            return asked_by(item)
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return asked_by(left) | asked_by(right)
    return frozenset()
