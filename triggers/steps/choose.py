"""`choose: [{if: c, steps: [...]}, {steps: [...]}]`: the run takes the first list whose condition holds, then continues behind all of them.

A condition that is unknown does not hold. The next decision about the run names the list by its number, or null if none was taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from triggers.conditions.compiler import Compiled, compile_condition
from triggers.definitions.model import Condition, Step
from triggers.definitions.words import words_of
from triggers.language import later
from triggers.language.documents import Map
from triggers.language.shapes import EXPRESSION, STEPS, Shape, listed, mapping
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext


@dataclass(frozen=True, slots=True)
class Choose(StepKind):
    """Takes the block of the first condition that is true now. A block without a condition is the last, and always fits."""

    name: str
    conditions: tuple[Condition, ...]
    blocks: tuple[tuple[Step, ...], ...]
    when: Condition | None = None

    does: ClassVar[str] = "chooses"
    since: ClassVar[int] = 2
    life: ClassVar[tuple[Moment, ...]] = (Moment("`choose`", "at the first step of what was chosen, or behind it"),)

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": listed(mapping({"if": EXPRESSION, "steps": STEPS}, ["steps"]))}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Choose | None:
        if isinstance(node, Map):
            reader.fields.refuse(node, "choose is a mapping", _EXAMPLE)
            return None
        items = reader.fields.items(node, "choose")
        if items is None:
            return None
        if not items:
            reader.fields.refuse(node, "choose has no choices", _EXAMPLE)
            return None
        conditions: list[Condition | None] = []
        blocks: list[tuple[Step, ...] | None] = []
        for number, item in enumerate(items, 1):
            needs = () if isinstance(item, Map) and any(key.text in later.CHOICES for key, _ in item.entries) else ("steps",)
            parts = reader.fields.keys(item, "a choice", ("if", "steps"), required=needs, later=later.CHOICES)
            if parts is None:
                return None
            if "if" in parts:
                conditions.append(reader.condition(parts["if"], "if", None))
            elif number < len(items):
                reader.fields.refuse(item, "a choice without if before others", "it always fits, so it is the last one")
                return None
            blocks.append(reader.steps(parts["steps"], f"{name}.{number}.") if "steps" in parts else None)
        read, made = tuple(one for one in conditions if one is not None), tuple(one for one in blocks if one is not None)
        return cls(name, read, made, when) if len(read) == len(conditions) and len(made) == len(blocks) else None

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "conditions": self.conditions, "blocks": self.blocks}
        return "Choose", fields | ({} if self.when is None else {"when": self.when})

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        words = [words_of(condition) for condition in self.conditions]
        return list(zip([*words, "else"], self.blocks if len(self.blocks) > len(words) else (*self.blocks, ()), strict=True))

    def label(self) -> str:
        return "the first that holds"

    def compile(self, program: Program) -> None:
        entry = _Choosing(self)
        entry.places = program.fork(entry, self.blocks)


_EXAMPLE: Final = "as in choose: [{if: traits.vip, steps: [...]}, {steps: [...]}]"


class _Choosing(Entry):
    def __init__(self, step: Choose) -> None:
        super().__init__(step)
        self.choices: list[Compiled] = [compile_condition(condition) for condition in step.conditions]
        self.places: list[int] = []
        """The place at which each block begins."""

    @property
    def conditions(self) -> Sequence[Compiled]:
        return [*super().conditions, *self.choices]

    def carry_out(self, context: StepContext) -> Outcome:
        values: dict[str, Any] = {}
        unknown = False
        chosen = len(self.choices)
        for index, choice in enumerate(self.choices):
            values |= choice.explain(context.view)
            value = choice.value(context.view)
            if value:
                chosen = index
                break
            unknown = unknown or value is None
        is_one = chosen < len(self.places)
        context.took(self, str(chosen + 1) if is_one else None, values, unknown=unknown)
        return self.places[chosen] if is_one else self.next
