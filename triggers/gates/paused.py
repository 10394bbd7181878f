"""`cueline pause JOURNEY`: nobody enters it, and its runs are held when their wait ends, until `cueline resume`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.model import NEVER
from triggers.gates.gate import Answer, Gate, Hold
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.definitions.model import Journey
    from triggers.state.position import Position
    from triggers.steps.turn import Stage, Turn

_REASON: Final = "the journey is paused"
_HOLD: Final = Hold(NEVER, "paused", _REASON)


class Paused(Gate):
    stage: ClassVar[Stage] = "go on"
    life: ClassVar[tuple[Moment, ...]] = (Moment("its moment comes, the journey is paused", "held", "paused", state="waiting"),)

    def ask(self, turn: Turn) -> Answer:
        return _HOLD if turn.run.journey in turn.position.paused else None

    def refuse(self, journey: Journey, position: Position) -> str | None:
        return _REASON if journey.name in position.paused else None
