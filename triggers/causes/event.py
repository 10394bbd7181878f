"""`{event: Order Completed, where: total > 50, key: cart_id}`: an event of the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.canonical import optional
from triggers.causes.cause import CauseKind, Reader, Signal, WatchedSegment
from triggers.causes.keys import key_at
from triggers.conditions.circumstances import asked_by
from triggers.conditions.compiler import compile_where
from triggers.definitions.model import And, Cause, Condition, Measure, Segment
from triggers.definitions.words import words_of
from triggers.language.documents import List
from triggers.language.fields import MAX_NAME, nearest
from triggers.language.shapes import EXPRESSION, TEXT, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node


@dataclass(frozen=True, slots=True)
class OnEvent(CauseKind):
    """An event of this name whose properties satisfy the condition."""

    event: str
    where: Condition | None = None
    key: tuple[str, ...] = ()
    """The path of the property that says which run it is about."""

    example: ClassVar[Mapping[str, str]] = {"event": "{event: E}"}
    also: ClassVar[Mapping[str, str]] = {"where": "where filters an event", "key": "a key is a property of an event"}

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"event": TEXT, "where": EXPRESSION, "key": TEXT}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> OnEvent | None:
        fields, schema = reader.fields, reader.schema
        if isinstance(parts[word], List):
            hint = "several causes are a list, as in [{event: A}, {event: B}]; in a wait, any: [{event: A}, {event: B}]"
            fields.refuse(parts[word], f"{what}: {word} is a list", hint)
            return None
        event = fields.event(parts[word], f"{what}: {word}")
        if event is not None and schema.events is not None and event not in schema.events:
            fields.refuse(parts[word], f'unknown event "{event}"', nearest(event, schema.events))
            return None
        where = reader.condition(parts["where"], f"{what}: where", event or "") if "where" in parts else None
        path = _key(parts["key"], what, event or "", reader) if "key" in parts else ()
        return None if event is None or path is None else cls(event, where, path)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "OnEvent", {"event": self.event} | optional(where=(self.where, None), key=(self.key, ()))

    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        where = None if self.where is None else compile_where(self.where)
        key_of = key_at(self.key) if self.key else None
        return Signal(exit_reason(self.event), event=self.event, where=where, asks=asked_by(self.where), key_of=key_of)

    def words(self) -> str:
        return f"the event {self.event}" + (f" with the same {'.'.join(self.key)}" if self.key else "")

    def label(self, *, enters: bool) -> str:
        where = "" if self.where is None else f" where {words_of(self.where)}"
        return f"the event {self.event}{where}" if enters else f"{self.words()}{where}"

    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        if not isinstance(other, OnEvent) or self.event != other.event or self.key not in ((), other.key):
            return False
        return _parts(self.where) <= _parts(other.where)

    def event_name(self) -> str | None:
        return self.event

    def key_path(self) -> tuple[str, ...]:
        return self.key

    def last(self) -> Measure | None:
        return Measure("last", self.event, where=self.where)


_ROOTS: Final = ("properties", "traits", "run", "event", "user", "context", "local", "values")
"""What begins a path in other places. A key has no such root."""


def _key(node: Node, what: str, event: str, reader: Reader) -> tuple[str, ...] | None:
    """Read the path of the property that is the key. Return None after reporting an error."""
    fields, schema = reader.fields, reader.schema
    text = fields.text(node, f"{what}: key")
    if text is None:
        return None
    path = tuple(text.split("."))
    declared = schema.property(event, path)
    if len(path) > 1 and path[0] in _ROOTS:
        alone = ".".join(path[1:])[:MAX_NAME]
        fields.refuse(node, f'{what}: key is "{text[:MAX_NAME]}"', f"the name of a property of the event alone, as in key: {alone}")
    elif not all(path) or not text.isprintable() or any(mark in text for mark in "[]{}()\"'"):
        fields.refuse(node, f'{what}: key cannot be "{text[:MAX_NAME]}"', "the name of a property of the event, as in key: cart_id")
    elif declared is None:
        fields.refuse(node, f'unknown property "{text[:MAX_NAME]}" of "{event}"', nearest(text, schema.properties(event)))
    elif declared.type not in ("text", "number", "any"):
        fields.refuse(node, f'{what}: key "{text[:MAX_NAME]}" is a {declared.type}', "a key is a text or a whole number")
    else:
        return path
    return None


def exit_reason(event: str) -> str:
    """Return the reason of a decision about a run that an event ends."""
    return f"exit event: {event}"


def _parts(where: Condition | None) -> set[Condition]:
    """Return the conditions joined by `and`."""
    if where is None:
        return set()
    return {part for item in where.items for part in _parts(item)} if isinstance(where, And) else {where}
