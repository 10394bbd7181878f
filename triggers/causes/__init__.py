"""What lets a run begin or end, one module a kind; the same causes will end waits and reach goals.

A new kind is a class in a module of its own, and a line in `KINDS`.
"""

from __future__ import annotations

from typing import Final

from triggers.causes.cause import CauseKind, kind_of
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.definitions.model import Journey, Measure

__all__ = ["KINDS", "CauseKind", "exit_measures", "kind_of"]

KINDS: Final[dict[str, type[CauseKind]]] = {"event": OnEvent, "enters": OnSegment, "leaves": OnSegment}
"""By the word of a rule file that names the kind."""


def exit_measures(journey: Journey) -> list[Measure]:
    """What tells whether an exit happened before the entry was read: of journeys whose entry has a moment of its own."""
    if kind_of(journey.entry).event_name() is None:
        return []
    return [measure for cause in journey.exits if (measure := kind_of(cause).last()) is not None]
