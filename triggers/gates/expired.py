"""A message that was held is not sent after its `not_after`: a pause in between can make that so."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext

_SKIP: Final = Skip("skipped", "expired")


class Expired(Gate):
    """Skip held sends that are not worth delivering any more."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send` that was held, its `not_after` past", "at the next step", "skipped"),)

    def ask(self, context: StepContext) -> Answer:
        if not context.was_held or context.not_after is None:
            return None
        return _SKIP if context.now > context.run.moment + context.not_after else None
