"""`if: did("Paid")` with `then: [...]` and `else: [...]`: the run takes one of two lists of steps, then continues behind them.

A condition that is unknown does not hold. The next decision about the run names the branch, and says where its condition was unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.conditions.compiler import Compiled, compile_condition
from triggers.definitions.model import Condition, Step
from triggers.definitions.words import words_of
from triggers.language.shapes import EXPRESSION, STEPS, Shape
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext


@dataclass(frozen=True, slots=True)
class If(StepKind):
    """Takes `then` if the condition is true now, else `otherwise`. Each may be empty."""

    name: str
    condition: Condition
    then: tuple[Step, ...] = ()
    otherwise: tuple[Step, ...] = ()
    when: Condition | None = None

    does: ClassVar[str] = "branches"
    since: ClassVar[int] = 2
    also: ClassVar[tuple[str, ...]] = ("then", "else")
    life: ClassVar[tuple[Moment, ...]] = (Moment("`if`, true or not", "at the first step of the branch, or behind it"),)

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": EXPRESSION, "then": STEPS, "else": STEPS}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> If | None:
        condition = reader.condition(node, "if", None)
        then = reader.steps(extra["then"], f"{name}.then.") if "then" in extra else ()
        otherwise = reader.steps(extra["else"], f"{name}.else.") if "else" in extra else ()
        if not extra:
            reader.fields.refuse(node, "if without then", "a list of steps belongs under then: or else:, next to if:")
            return None
        return None if condition is None or then is None or otherwise is None else cls(name, condition, then, otherwise, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "condition": self.condition}
        fields |= {"then": self.then} if self.then else {}
        fields |= {"else": self.otherwise} if self.otherwise else {}
        return "If", fields | ({} if self.when is None else {"when": self.when})

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        return (("yes", self.then), ("no", self.otherwise))

    def label(self) -> str:
        return f"{words_of(self.condition)}?"

    def compile(self, program: Program) -> None:
        entry = _Branching(self)
        blocks = {name: steps for name, steps in (("then", self.then), ("else", self.otherwise)) if steps}
        entry.places = dict(zip(blocks, program.fork(entry, blocks.values()), strict=True))


class _Branching(Entry):
    def __init__(self, step: If) -> None:
        super().__init__(step)
        self.condition: Compiled = compile_condition(step.condition)
        self.places: dict[str, int] = {}
        """The place at which each branch begins."""

    @property
    def conditions(self) -> Sequence[Compiled]:
        return [*super().conditions, self.condition]

    def carry_out(self, context: StepContext) -> Outcome:
        value = self.condition.value(context.view)
        branch = "then" if value else "else"
        context.took(self, branch, self.condition.explain(context.view), unknown=value is None)
        return self.places.get(branch, self.next)
