"""`wait: {event: Paid, timeout: 3d}` with `came: [...]` and `timed_out: [...]`: the run rests until a cause comes, at most for a time.

The cause is any cause, or a list: `wait: {any: [{event: Paid}, {leaves: trial}], timeout: 3d}`. Only what comes while the run
rests here counts.

The time-out counts from the moment of the step before. The moment of an event is its own time, but not before that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.causes import KINDS as CAUSES
from triggers.causes.cause import kind_of, shape_of
from triggers.definitions.model import Cause, Condition, Step
from triggers.definitions.words import duration_words
from triggers.language.documents import List, Map
from triggers.language.shapes import CAUSE, DURATION, Shape, either, listed, mapping
from triggers.steps.awaiting import LIFE, Awaiting, branches_of, fork, timeout_of, ways, written
from triggers.steps.kind import Moment
from triggers.steps.waits.form import WaitForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from triggers.language.documents import Node
    from triggers.steps.kind import Reader
    from triggers.steps.program import Program

MAX_AWAITED: Final = 20
"""Most causes of one wait."""


@dataclass(frozen=True, slots=True)
class CauseWait(WaitForm):
    """A wait for the first of these causes, for `timeout` ms at most."""

    name: str
    causes: tuple[Cause, ...]
    timeout: int
    came: tuple[Step, ...] = ()
    timed_out: tuple[Step, ...] = ()
    when: Condition | None = None

    since: ClassVar[int] = 2
    example: ClassVar[str] = "wait: {event: E, timeout: 3d}"
    marks: ClassVar[tuple[str, ...]] = (*(word for word, kind in CAUSES.items() if not kind.by_clock), "any")
    branches: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = LIFE

    @classmethod
    def shape(cls) -> Shape:
        return either(
            *(shape_of(kind_, word, {"timeout": DURATION}) for word, kind_ in CAUSES.items() if not kind_.by_clock),
            mapping({"any": listed(CAUSE, MAX_AWAITED), "timeout": DURATION}, ["any", "timeout"]),
        )

    @classmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> CauseWait | None:
        assert isinstance(node, Map)
        parts = {key.text: part for key, part in node.entries}
        timeout = timeout_of(node, parts.get("timeout"), reader)
        if "any" in parts:
            reader.fields.keys(node, "wait", ("any", "timeout"))
            causes = _listed(parts["any"], reader)
        else:
            cause = reader.cause(node, "wait", ("timeout",))
            causes = None if cause is None else (cause,)
        if causes is not None:
            reader.await_causes(causes)
        came, timed_out = branches_of(name, reader, extra)
        if causes is None or timeout is None or came is None or timed_out is None:
            return None
        return cls(name, causes, timeout, came, timed_out, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "causes": self.causes, "timeout": self.timeout}
        return "CauseWait", fields | written(self.came, self.timed_out, self.when)

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        return ways(self.came, self.timed_out)

    def label(self) -> str:
        causes = " or ".join(kind_of(cause).label(enters=False) for cause in self.causes)
        return f"wait for {causes}, {duration_words(self.timeout)} at most"

    def awaits(self) -> Iterable[Cause]:
        return self.causes

    def segment_names(self) -> Iterable[str]:
        return [name for cause in self.causes for name in kind_of(cause).segment_names()]

    def compile(self, program: Program) -> None:
        fork(program, Awaiting(self, self.timeout, self.causes), self.came, self.timed_out)


def _listed(node: Node, reader: Reader) -> tuple[Cause, ...] | None:
    if not isinstance(node, List) or not 0 < len(node.items) <= MAX_AWAITED:
        reader.fields.refuse(node, "wait: any is no list of causes", f"1 to {MAX_AWAITED} belong in it: any: [{{event: E}}, {{enters: S}}]")
        return None
    causes = [reader.cause(item, "wait: any", ()) for item in node.items]
    return None if None in causes else tuple(cause for cause in causes if cause is not None)
