"""`cueline pause JOURNEY`: no user enters the journey, and its runs are held when their wait ends, until `cueline resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.model import NEVER
from triggers.gates.gate import Answer, Gate, Hold
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.definitions.model import Journey
    from triggers.state.position import Position
    from triggers.steps.context import Stage, StepContext

_REASON: Final = "the journey is paused"
_HOLD: Final = Hold(NEVER, "paused", _REASON)


class Paused(Gate):
    """Hold the runs of a paused journey."""

    stage: ClassVar[Stage] = "continue"
    refuses: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = (Moment("its moment comes, the journey is paused", "held", "paused", state="waiting"),)

    def ask(self, context: StepContext) -> Answer:
        return _HOLD if context.run.journey in context.position.paused else None

    def refuse(self, journey: Journey, position: Position) -> str | None:
        return _REASON if journey.name in position.paused else None
