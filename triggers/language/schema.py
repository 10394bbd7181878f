"""The tracking plan: which events, properties and traits there are, and of which type. Without one, every name is right.

    schema:
      events:
        Order Completed: {total: {type: number, non-negative: true}, currency: text}
        Signed Up:
      traits:
        name: text
        address.city: text

An event or trait section that is there is complete: other names are refused. Nested values are declared by their dotted path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, cast

from triggers.language.documents import Map, Node, Scalar
from triggers.language.fields import Fields

Type = Literal["number", "text", "flag", "moment", "any", "texts"]
"""`any`: known by name, but of any type; and all that no schema declares. `texts`: a list that a function gives; no schema declares it."""
TYPES: Final[tuple[Type, ...]] = ("number", "text", "flag", "moment", "any")


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared property or trait."""

    type: Type = "any"
    non_negative: bool = False


ANY: Final = Declared()


@dataclass(frozen=True, slots=True)
class Schema:
    """What may be named; None: nothing is declared, so anything may."""

    events: Mapping[str, Mapping[str, Declared]] | None = None
    traits: Mapping[str, Declared] | None = None

    def property(self, event: str, path: tuple[str, ...]) -> Declared | None:
        """Return the declaration of a property; None if it is unknown. An unknown event has no declarations, so any property is right."""
        if self.events is None or event not in self.events:
            return ANY
        return _find(self.events[event], path)

    def trait(self, path: tuple[str, ...]) -> Declared | None:
        return ANY if self.traits is None else _find(self.traits, path)

    def properties(self, event: str) -> list[str]:
        return sorted((self.events or {}).get(event, ()))

    def split(self, text: str) -> tuple[str, str]:
        """Return the event and the dotted property of `E.p`: the longest declared event that fits, else the text before the first dot."""
        dots = [index for index, char in enumerate(text) if char == "."]
        for dot in reversed(dots):
            if self.events is not None and text[:dot] in self.events:
                return text[:dot], text[dot + 1 :]
        event, _, path = text.partition(".")
        return event, path


def _find(declared: Mapping[str, Declared], path: tuple[str, ...]) -> Declared | None:
    found = declared.get(".".join(path))
    if found is None and any(declared.get(".".join(path[:end])) == ANY for end in range(1, len(path))):
        return ANY  # inside a value of any type
    return found


class SchemaReader:
    """Puts the schema together from the `schema` sections of all files."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self._events: dict[str, dict[str, Declared]] | None = None
        self._traits: dict[str, Declared] | None = None
        self._seen: dict[tuple[str, str], Scalar] = {}

    def read(self, node: Node) -> None:
        parts = self.fields.keys(node, "schema", ("events", "traits"))
        if parts is None:
            return
        if "events" in parts and (events := self.fields.mapping(parts["events"], "events")):
            self._events = self._events or {}
            for key, value in events.entries:
                name = self.fields.event(key, "an event's name")
                if name and self._first("event", key):
                    self._events[name] = self._declarations(value, f'the event "{name}"')
        if "traits" in parts and (traits := self.fields.mapping(parts["traits"], "traits")):
            self._traits = self._traits or {}
            for name, declared, key in self._declared(traits, "traits"):
                if self._first("trait", key):
                    self._traits[name] = declared

    def schema(self) -> Schema:
        if self._traits is not None:
            self._traits.setdefault("timezone", Declared("text"))
        return Schema(self._events, self._traits)

    def _first(self, what: str, key: Scalar) -> bool:
        other = self._seen.setdefault((what, key.text), key)
        if other is not key:
            line, _ = other.source.place(other.start)
            self.fields.refuse(key, f'the {what} "{key.text}" is declared twice', f"first at {other.source.file}:{line}")
        return other is key

    def _declarations(self, node: Node, what: str) -> dict[str, Declared]:
        if isinstance(node, Scalar) and node.value is None:
            return {}
        found = self.fields.mapping(node, what)
        return {name: declared for name, declared, _ in self._declared(found, what)} if found else {}

    def _declared(self, found: Map, what: str) -> list[tuple[str, Declared, Scalar]]:
        declared = []
        for key, value in found.entries:
            if not key.text or not all(key.text.split(".")):
                self.fields.refuse(key, f'"{key.text}" in {what} is no name', "a name, or a path as address.city")
                continue
            declared.append((key.text, self._declaration(value, f'"{key.text}"'), key))
        return declared

    def _declaration(self, node: Node, what: str) -> Declared:
        if isinstance(node, Scalar):
            return Declared(self._type(node, what))
        keys = self.fields.keys(node, what, ("type", "non-negative"), required=("type",))
        if not keys or "type" not in keys:
            return ANY
        type_ = self._type(keys["type"], f"the type of {what}")
        flag = keys.get("non-negative")
        if flag is None:
            return Declared(type_)
        if not isinstance(flag, Scalar) or not isinstance(flag.value, bool):
            self.fields.refuse(flag, f"non-negative of {what} is neither true nor false")
        elif flag.value and type_ != "number":
            self.fields.refuse(flag, f"{what} is non-negative but no number")
        return Declared(type_, isinstance(flag, Scalar) and flag.value is True and type_ == "number")

    def _type(self, node: Node, what: str) -> Type:
        return cast(Type, self.fields.word(node, what, TYPES) or "any")
