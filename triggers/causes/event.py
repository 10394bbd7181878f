"""`{event: Order Completed, where: total > 50}`: an event of the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.causes.cause import CauseKind, Reader, Signal, WatchedSegment
from triggers.conditions.circumstances import asked_by
from triggers.conditions.compiler import compile_where
from triggers.definitions.model import And, Cause, Condition, Measure, Segment
from triggers.language.fields import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node


@dataclass(frozen=True, slots=True)
class OnEvent(CauseKind):
    """An event of this name whose properties satisfy the condition."""

    event: str
    where: Condition | None = None

    example: ClassVar[Mapping[str, str]] = {"event": "{event: E}"}
    also: ClassVar[Mapping[str, str]] = {"where": "where filters an event"}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> OnEvent | None:
        fields, schema = reader.fields, reader.schema
        event = fields.event(parts[word], f"{what}: {word}")
        if event is not None and schema.events is not None and event not in schema.events:
            fields.refuse(parts[word], f'unknown event "{event}"', nearest(event, schema.events))
            return None
        where = reader.condition(parts["where"], f"{what}: where", event or "") if "where" in parts else None
        return None if event is None else cls(event, where)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "OnEvent", {"event": self.event} | ({} if self.where is None else {"where": self.where})

    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        where = None if self.where is None else compile_where(self.where)
        return Signal(exit_reason(self.event), event=self.event, where=where, asks=asked_by(self.where))

    def words(self) -> str:
        return f"the event {self.event}"

    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        return isinstance(other, OnEvent) and self.event == other.event and _parts(self.where) <= _parts(other.where)

    def event_name(self) -> str | None:
        return self.event

    def last(self) -> Measure | None:
        return Measure("last", self.event, where=self.where)


def exit_reason(event: str) -> str:
    """Return the reason of a decision about a run that an event ends."""
    return f"exit event: {event}"


def _parts(where: Condition | None) -> set[Condition]:
    """Return the conditions joined by `and`."""
    if where is None:
        return set()
    return {part for item in where.items for part in _parts(item)} if isinstance(where, And) else {where}
