"""`late: {after: 24h, then: drop}`: what is sent too long after its moment is not sent.

Whether a run is late is settled when its moment is armed: at a wait that is past already, at the end of a pause, or at an entry whose
journey asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.turn import Stage, Turn

_SKIP: Final = Skip("skipped", "late")


class Late(Gate):
    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send`, its moment too long past", "at the next step", "skipped"),)

    def ask(self, turn: Turn) -> Answer:
        return _SKIP if turn.run.late else None
