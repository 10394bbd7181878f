"""`split: offer-test` with `arms`: each user takes one of several lists of steps, by a draw that is always the same for this user.

A run keeps its arms. Later decisions and actions of the run name them, so that what came of each arm can be counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.draws import draw, pick
from triggers.definitions.model import Condition, Step
from triggers.language.characters import is_printable
from triggers.language.documents import Map, Scalar
from triggers.language.fields import kind, without_quotes
from triggers.language.shapes import STEPS, TEXT, Shape, mapping, named, whole
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext

MAX_WEIGHT: Final = 1_000_000
MAX_ARMS: Final = 20
MAX_SALT: Final = 200


@dataclass(frozen=True, slots=True)
class Split(StepKind):
    """Takes the block of the user's arm. A block may be empty."""

    name: str
    split: str
    arms: tuple[str, ...]
    weights: tuple[int, ...]
    blocks: tuple[tuple[Step, ...], ...]
    salt: str = ""
    """Empty: the names of journey and split."""
    when: Condition | None = None

    does: ClassVar[str] = "splits"
    since: ClassVar[int] = 2
    also: ClassVar[tuple[str, ...]] = ("arms", "salt")
    life: ClassVar[tuple[Moment, ...]] = (Moment("`split`", "at the first step of the arm, or behind it"),)

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {
            "": TEXT,
            "arms": named(mapping({"weight": whole(0, MAX_WEIGHT), "steps": STEPS}, ["weight"])),
            "salt": TEXT,
        }

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Split | None:
        if not isinstance(node, Scalar) or _SHARE.fullmatch(node.text):
            what = kind(node) if not isinstance(node, Scalar) else f'"{node.text}"'
            example = _EXAMPLE.removeprefix("as in ")
            reader.fields.refuse(node, f"split is {what}", f"a name belongs here, as in split: offer-test, with {example}")
            return None
        split = reader.fields.name(node, "a split")
        salt = _salt(extra["salt"], reader) if "salt" in extra else ""
        if "arms" not in extra:
            reader.fields.refuse(node, "split without arms", _EXAMPLE)
            return None
        if not isinstance(extra["arms"], Map):
            reader.fields.refuse(extra["arms"], f"arms is {kind(extra['arms'])}", _EXAMPLE)
            return None
        found = extra["arms"]
        if not 2 <= len(found.entries) <= MAX_ARMS:
            reader.fields.refuse(extra["arms"], f"{len(found.entries)} arms", f"2 to {MAX_ARMS} arms belong here; {_EXAMPLE}")
            return None
        before = len(reader.fields.problems)
        arms: list[str] = []
        weights: list[int] = []
        blocks: list[tuple[Step, ...]] = []
        for key, value in found.entries:
            arm = reader.fields.name(key, "an arm")
            parts = reader.fields.keys(value, f'the arm "{key.text}"', ("weight", "steps"), required=("weight",), example=_EXAMPLE) or {}
            arms.append(arm or "")
            weights.append(_weight(parts["weight"], reader) if "weight" in parts else 0)
            blocks.append((reader.steps(parts["steps"], f"{name}.{arm}.") if "steps" in parts else ()) or ())
        if len(reader.fields.problems) > before or split is None or salt is None:
            return None
        if not any(weights):
            reader.fields.refuse(extra["arms"], "no arm has a weight above 0", _EXAMPLE)
            return None
        return cls(name, split, tuple(arms), tuple(weights), tuple(blocks), salt, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "split": self.split, "arms": self.arms, "weights": self.weights}
        fields |= {"blocks": self.blocks} | ({"salt": self.salt} if self.salt else {})
        return "Split", fields | ({} if self.when is None else {"when": self.when})

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        total = sum(self.weights)
        shares = [f"{arm} {100 * weight / total:g} %" for arm, weight in zip(self.arms, self.weights, strict=True)]
        return list(zip(shares, self.blocks, strict=True))

    def label(self) -> str:
        return f"split {self.split}"

    def claim(self) -> str:
        return f'a second split named "{self.split}" in the journey'

    def kept(self) -> int:
        return len(self.split.encode()) + max(len(arm.encode()) for arm in self.arms) + _KEPT

    def compile(self, program: Program) -> None:
        entry = _Splitting(self)
        filled = [index for index, block in enumerate(self.blocks) if block]
        entry.places = dict(zip(filled, program.fork(entry, [self.blocks[index] for index in filled]), strict=True))


class _Splitting(Entry):
    def __init__(self, step: Split) -> None:
        super().__init__(step)
        self.step = step
        self.places: dict[int, int] = {}
        """The place at which the block of each arm begins, by the number of the arm."""

    def carry_out(self, context: StepContext) -> Outcome:
        step = self.step
        salt = step.salt or f"{context.run.journey}/{step.split}"
        index = pick(draw("split", salt, context.user_id), step.weights)
        context.keep_arm(step.split, step.arms[index])
        context.took(self, step.arms[index], {})
        return self.places.get(index, self.next)


_EXAMPLE: Final = "as in arms: {plain: {weight: 50}, offer: {weight: 50, steps: [...]}}"
_SHARE: Final = re.compile(r"[0-9.]+ ?%?(?:[/:] ?[0-9.]+ ?%?)?")
_KEPT: Final = 10
"""Most bytes of a split that a run keeps, in addition to the names."""


def _weight(node: Node, reader: Reader) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_WEIGHT:
        return value
    shown = f'"{node.text[:40]}"' if isinstance(node, Scalar) and node.text else kind(node)
    text = node.text if isinstance(node, Scalar) else ""
    meant = text.removesuffix("%")
    hint = f"a whole number from 0 to {MAX_WEIGHT:,}, in relation to the other arms{without_quotes(node)}"
    reader.fields.refuse(node, f"weight is {shown}", f"weight: {meant} is meant" if meant.isdecimal() and meant != text else hint)
    return 0


def _salt(node: Node, reader: Reader) -> str | None:
    salt = reader.fields.text(node, "salt")
    if salt is not None and (len(salt) > MAX_SALT or not is_printable(salt)):
        reader.fields.refuse(node, "a salt that is too long or cannot be printed", f"at most {MAX_SALT} characters on one line")
        return None
    return salt
