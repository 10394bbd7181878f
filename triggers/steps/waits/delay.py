"""`wait: 3d`: the run rests for a length of time, counted from the moment of the step before it (at first: of the entry)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.definitions.model import Condition
from triggers.definitions.words import duration_words
from triggers.language.shapes import DURATION, Shape
from triggers.steps.waits.form import WaitForm, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext
    from triggers.steps.kind import Reader
    from triggers.steps.program import Outcome, Program


@dataclass(frozen=True, slots=True)
class Delay(WaitForm):
    """A delay of `length` ms."""

    name: str
    length: int
    when: Condition | None = None

    example: ClassVar[str] = "wait: 3d"

    @classmethod
    def shape(cls) -> Shape:
        return DURATION

    @classmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Delay | None:
        length = reader.fields.duration(node, "wait")
        return None if length is None else cls(name, length, when)

    def takes(self) -> int:
        return self.length

    def wire(self) -> tuple[str, dict[str, object]]:
        return "Wait", {"name": self.name, "length": self.length} | ({} if self.when is None else {"when": self.when})

    def label(self) -> str:
        return f"wait {duration_words(self.length)}"

    def compile(self, program: Program) -> None:
        program.add(_Waiting(self))


class _Waiting(Waiting):
    def __init__(self, step: Delay) -> None:
        super().__init__(step)
        self.length = step.length

    def carry_out(self, context: StepContext) -> Outcome:
        return self.rest_until(context, context.run.moment + self.length)
