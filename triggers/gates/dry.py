"""Before `cueline go-live` no action is handed over. The engine still makes it, so that failures show before go-live."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext

_SKIP: Final = Skip("dry", "before go-live")


class Dry(Gate):
    """Keep back all actions before go-live."""

    stage: ClassVar[Stage] = "hand over"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send`, before go-live", "at the next step", "dry"),)

    def ask(self, context: StepContext) -> Answer:
        return None if context.position.live else _SKIP
