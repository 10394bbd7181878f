"""`holdout: 10%` and `policies: {control: {percent: 5}}`: some users get nothing, so that the others can be compared with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.base.draws import TREATED
from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext


class Withheld(Gate):
    """Withhold all messages of the runs in the control group and in holdouts.

    It is asked last: such a run waits as long as a treated one, so that entries and steps of both can be compared.
    """

    stage: ClassVar[Stage] = "hand over"
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`send`, the run is in the control group or in a holdout", "at the next step", "withheld"),
    )

    def ask(self, context: StepContext) -> Answer:
        arm = context.arm
        return None if arm in (None, TREATED) else Skip("withheld", arm)


class WithheldTraits(Withheld):
    """Withhold what those runs would set."""

    stage: ClassVar[Stage] = "set"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`set`, the run is in the control group or in a holdout", "at the next step", "withheld"),)
