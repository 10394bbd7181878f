"""`wait: {inside: S, timeout: 3d}` and `{outside: S, timeout: 3d}`: the run rests until the user is on that side of a segment.

The last known value counts. If it says so when the wait is reached, the run continues at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.definitions.model import Condition, Step
from triggers.definitions.words import duration_words
from triggers.language.fields import nearest
from triggers.language.shapes import DURATION, TEXT, Shape, either, mapping
from triggers.steps.awaiting import LIFE, Awaiting, Inside, branches_of, fork, timeout_of, ways, written
from triggers.steps.kind import Moment
from triggers.steps.waits.form import WaitForm

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from triggers.language.documents import Node
    from triggers.steps.kind import Reader
    from triggers.steps.program import Program


@dataclass(frozen=True, slots=True)
class SegmentWait(WaitForm):
    """A wait until the user is inside a segment, or outside of it, for `timeout` ms at most."""

    name: str
    segment: str
    inside: bool
    timeout: int
    came: tuple[Step, ...] = ()
    timed_out: tuple[Step, ...] = ()
    when: Condition | None = None

    since: ClassVar[int] = 2
    example: ClassVar[str] = "wait: {inside: S, timeout: 3d}"
    marks: ClassVar[tuple[str, ...]] = ("inside", "outside")
    branches: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = LIFE

    @classmethod
    def shape(cls) -> Shape:
        return either(*(mapping({word: TEXT, "timeout": DURATION}, [word, "timeout"]) for word in cls.marks))

    @classmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> SegmentWait | None:
        fields = reader.fields
        parts = fields.keys(node, "wait", (*cls.marks, "timeout"))
        assert parts is not None
        timeout = timeout_of(node, parts.get("timeout"), reader)
        words = [word for word in cls.marks if word in parts]
        if len(words) > 1:
            fields.refuse(node, "wait has inside and outside", "one of them belongs here; make two steps of it")
        segment = fields.text(parts[words[0]], f"wait: {words[0]}")
        if segment is not None and segment not in reader.segments:
            fields.refuse(parts[words[0]], f'unknown segment "{segment}"', nearest(segment, reader.segments))
            segment = None
        came, timed_out = branches_of(name, reader, extra)
        if segment is None or timeout is None or came is None or timed_out is None:
            return None
        return cls(name, segment, words[0] == "inside", timeout, came, timed_out, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "segment": self.segment, "inside": self.inside, "timeout": self.timeout}
        return "SegmentWait", fields | written(self.came, self.timed_out, self.when)

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        return ways(self.came, self.timed_out)

    def label(self) -> str:
        side = "inside" if self.inside else "outside"
        return f"wait until {side} {self.segment}, {duration_words(self.timeout)} at most"

    def segment_names(self) -> Iterable[str]:
        return (self.segment,)

    def compile(self, program: Program) -> None:
        fork(program, Awaiting(self, self.timeout, (), Inside(self.segment, self.inside)), self.came, self.timed_out)
