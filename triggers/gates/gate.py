"""The base of all gates, and what a gate can answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.definitions.model import Journey
    from triggers.records.decisions import Kind
    from triggers.state.position import Position
    from triggers.steps.context import Stage, StepContext


class Skip(NamedTuple):
    """Leave this step out. The run continues with the next one."""

    kind: Kind
    reason: str
    values: dict[str, Any] | None = None


class Hold(NamedTuple):
    """Hold the run at this step. At `until`, ms, the engine asks all gates again; NEVER: it waits for a command."""

    until: int
    kind: Kind
    reason: str
    values: dict[str, Any] | None = None


Answer = Skip | Hold | None
"""None: the gate has no objection."""


class Gate(ABC):
    """One reason why something may not happen now."""

    stage: ClassVar[Stage]
    refuses: ClassVar[bool] = False
    """Whether it can refuse entries, too."""
    life: ClassVar[tuple[Moment, ...]]
    """The lines of the table in docs/design.md."""

    @abstractmethod
    def ask(self, context: StepContext) -> Answer:
        """Decide whether the run may continue, or its message may be made or handed over."""

    def refuse(self, journey: Journey, position: Position) -> str | None:
        """Give the reason why no user may enter the journey now; None: they may."""
        return None
