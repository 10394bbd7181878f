"""What begins or ends a run, one module a kind. The same causes will end waits and reach goals.

A new kind is a class in its own module, and a line in `KINDS`.
"""

from __future__ import annotations

from typing import Final

from triggers.base.canonical import digest
from triggers.causes.cause import CauseKind, kind_of
from triggers.causes.dated import Dated
from triggers.causes.event import OnEvent
from triggers.causes.every import Every
from triggers.causes.once import Once
from triggers.causes.segment import OnSegment
from triggers.causes.tier import OnTier
from triggers.definitions.model import Journey, Measure

__all__ = ["KINDS", "CauseKind", "exit_measures", "keyed_exits", "kind_of"]

KINDS: Final[dict[str, type[CauseKind]]] = {
    "event": OnEvent,
    "enters": OnSegment,
    "leaves": OnSegment,
    "every": Every,
    "on": Once,
    "date": Dated,
    "reaches": OnTier,
    "rises": OnTier,
    "falls": OnTier,
}
"""The kinds by their word in a rule file."""


def exit_measures(journey: Journey) -> list[Measure]:
    """Return the measures that show whether an exit happened before the entry was read. Only an entry by an event has such a moment.

    Exits with a key are remembered by their keys (`triggers.journeys.keys`).
    """
    if all(kind_of(entry).event_name() is None for entry in journey.entries):
        return []
    unkeyed = [kind for kind in map(kind_of, journey.exits) if not kind.key_path()]
    return [measure for kind in unkeyed if (measure := kind.last()) is not None]


def keyed_exits(journey: Journey) -> list[tuple[str, CauseKind]]:
    """Return a journey's exits with a key, each with its name in the state of a user. An exit that stays in the list keeps its name."""
    return [(digest(kind, 8), kind) for kind in map(kind_of, journey.exits) if kind.key_path()]
