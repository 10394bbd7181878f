"""`when: not did("Paid")` as a step of its own: the run ends unless a condition is true now.

In another step, `when` is the guard of that step. So this kind has only its guard, and does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.definitions.model import Condition
from triggers.language.shapes import EXPRESSION, Shape
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext


@dataclass(frozen=True, slots=True)
class When(StepKind):
    """Ends the run unless its condition is true now."""

    name: str
    when: Condition

    does: ClassVar[str] = "asks"
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`when` true", "at the next step"),
        Moment("`when` false or unknown", "ended", "exited"),
    )

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": EXPRESSION}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> When | None:
        return None if when is None else cls(name, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "When", {"name": self.name, "when": self.when}

    def label(self) -> str:
        return "continue"

    def compile(self, program: Program) -> None:
        program.add(_Asking(self))


class _Asking(Entry):
    def carry_out(self, context: StepContext) -> Outcome:
        return self.next
