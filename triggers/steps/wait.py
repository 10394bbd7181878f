"""`wait: 3d`: the run rests for a length of time, counted from the moment of the step before it (at first: of the entry)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.definitions.model import Condition
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program, Rest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext


@dataclass(frozen=True, slots=True)
class Wait(StepKind):
    """A delay of `length` ms."""

    name: str
    length: int
    when: Condition | None = None

    does: ClassVar[str] = "waits"
    waits: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`wait`, its moment in the future", "waiting", "waiting"),
        Moment("`wait`, its moment past", "at the next step; `late` or not"),
    )

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Wait | None:
        length = reader.fields.duration(node, "wait")
        return None if length is None else cls(name, length, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "Wait", {"name": self.name, "length": self.length} | ({} if self.when is None else {"when": self.when})

    def compile(self, program: Program) -> None:
        program.add(_Waiting(self))


class _Waiting(Entry):
    def __init__(self, step: Wait) -> None:
        super().__init__(step)
        self.length = step.length

    def carry_out(self, context: StepContext) -> Outcome:
        run = context.run
        run.moment += self.length
        if run.moment > context.now:
            run.late = False
            return Rest(run.moment)
        run.late = context.journey.late.drops(run.moment, context.now)
        return self.next

    def wake(self) -> int:
        return self.next
