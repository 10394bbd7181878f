"""`late: {after: 24h, then: drop}`: a send is skipped if its moment is too long ago.

Three places decide whether a run is late: a wait whose end is already past, the end of a pause, and an entry of a journey that asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext

_SKIP: Final = Skip("skipped", "late")


class Late(Gate):
    """Skip the sends of a late run."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send`, its moment too long past", "at the next step", "skipped"),)

    def ask(self, context: StepContext) -> Answer:
        return _SKIP if context.run.late else None
