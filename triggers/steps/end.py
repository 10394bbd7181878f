"""`end: has bought already`: the run ends here, with this reason in its decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.definitions.model import Condition
from triggers.language.characters import is_printable
from triggers.language.shapes import TEXT, Shape
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import End, Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext

MAX_REASON: Final = 200


@dataclass(frozen=True, slots=True)
class Ending(StepKind):
    """Ends the run."""

    name: str
    reason: str
    when: Condition | None = None

    does: ClassVar[str] = "ends"
    since: ClassVar[int] = 2
    stops: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = (Moment("`end`", "ended", "exited"),)

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": TEXT}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Ending | None:
        reason = reader.fields.text(node, "end")
        if reason is not None and (len(reason) > MAX_REASON or not is_printable(reason)):
            reader.fields.refuse(node, "a reason that is too long or cannot be printed", f"at most {MAX_REASON} characters on one line")
            return None
        return None if reason is None else cls(name, reason, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "End", {"name": self.name, "reason": self.reason} | ({} if self.when is None else {"when": self.when})

    def label(self) -> str:
        return f"end: {self.reason}"

    def compile(self, program: Program) -> None:
        program.add(_Ending(self))


class _Ending(Entry):
    def __init__(self, step: Ending) -> None:
        super().__init__(step)
        self.end = End(f"end: {step.reason}")

    def carry_out(self, context: StepContext) -> Outcome:
        return self.end
