"""Before `cueline go-live` nothing is handed over. It is made all the same, so that what would fail is known before."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.turn import Stage, Turn

_SKIP: Final = Skip("dry", "before go-live")


class Dry(Gate):
    stage: ClassVar[Stage] = "hand over"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send`, before go-live", "at the next step", "dry"),)

    def ask(self, turn: Turn) -> Answer:
        return None if turn.position.live else _SKIP
