"""What begins or ends a run, one module a kind. The same causes will end waits and reach goals.

A new kind is a class in its own module, and a line in `KINDS`.
"""

from __future__ import annotations

from typing import Final

from triggers.causes.cause import CauseKind, kind_of
from triggers.causes.dated import Dated
from triggers.causes.event import OnEvent
from triggers.causes.every import Every
from triggers.causes.once import Once
from triggers.causes.segment import OnSegment
from triggers.definitions.model import Journey, Measure

__all__ = ["KINDS", "CauseKind", "exit_measures", "kind_of"]

KINDS: Final[dict[str, type[CauseKind]]] = {
    "event": OnEvent,
    "enters": OnSegment,
    "leaves": OnSegment,
    "every": Every,
    "on": Once,
    "date": Dated,
}
"""The kinds by their word in a rule file."""


def exit_measures(journey: Journey) -> list[Measure]:
    """Return the measures that show whether an exit happened before the entry was read. Only an entry by an event has such a moment."""
    if all(kind_of(entry).event_name() is None for entry in journey.entries):
        return []
    return [measure for cause in journey.exits if (measure := kind_of(cause).last()) is not None]
