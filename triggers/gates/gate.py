"""What a gate says of itself, and what it can answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.definitions.model import Journey
    from triggers.records.decisions import Kind
    from triggers.state.position import Position
    from triggers.steps.turn import Stage, Turn


class Skip(NamedTuple):
    """This step is left out; the run goes on. Only a step that can be left out is asked for it: not at the stage `go on`."""

    kind: Kind
    reason: str
    values: dict[str, Any] | None = None


class Hold(NamedTuple):
    """The run is held at this step. At `until`, ms, all gates are asked again; NEVER: a command lets it go."""

    until: int
    kind: Kind
    reason: str


Answer = Skip | Hold | None
"""None: let it go."""


class Gate(ABC):
    """One reason why something may not happen now."""

    stage: ClassVar[Stage]
    life: ClassVar[tuple[Moment, ...]]
    """Lines of the table in docs/design.md."""

    @abstractmethod
    def ask(self, turn: Turn) -> Answer:
        """Whether the run may go on, or its message may be made or handed over."""

    def refuse(self, journey: Journey, position: Position) -> str | None:
        """Why nobody may enter the journey now; None: they may."""
        return None
