"""`cueline suppress USER`: nothing is sent to the user, or nothing by one channel, until `cueline unsuppress`. The run continues."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.base.moments import iso
from triggers.gates.gate import Answer, Gate, Skip
from triggers.state.suppression import suppressed_by, suppressions_of
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext


class Suppressed(Gate):
    """Block the sends to a suppressed user."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send`, the user is suppressed", "at the next step", "blocked"),)

    def ask(self, context: StepContext) -> Answer:
        by = suppressed_by(context.user, context.channel)
        if by is None:
            return None
        return Skip("blocked", "suppressed", {"channel": by or "all channels", "since": iso(suppressions_of(context.user)[by][0])})
