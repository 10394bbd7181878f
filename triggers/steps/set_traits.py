"""`set: {traits: {plan: trial, favourite: "{{ values.favourite[0] }}"}}`: sets traits of the user, as an `identify` at this moment would.

A value is JSON; null removes the trait. A text is a template. What follows from the traits follows at once: tiers, segments, exits (also
of this run) and entries. What has entered takes its first steps when this run rests or has ended (`triggers.journeys.continuing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from triggers.definitions.model import Condition
from triggers.language.characters import is_printable
from triggers.language.documents import Map, Node, Scalar
from triggers.language.fields import MAX_NAME, kind, nearest
from triggers.language.shapes import ANYTHING, Shape, mapping, named
from triggers.language.templates import Template, TemplateFailed, compile_template
from triggers.steps.kind import Moment, Reader, StepKind
from triggers.steps.program import Entry, Outcome, Program
from triggers.steps.send import read_json, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triggers.steps.context import StepContext

MAX_SET: Final = 4 * 1024
"""Most bytes of the traits that one step sets, as JSON in the rule file."""
MAX_TRAITS_SET: Final = 50
"""Most traits that one step sets."""
_EXAMPLE: Final = "as in set: {traits: {plan: trial}}"
_ZONE: Final = "timezone"


@dataclass(frozen=True, slots=True)
class SetTraits(StepKind):
    """Sets traits. The texts among the values are templates."""

    name: str
    traits: Mapping[str, object]
    when: Condition | None = None

    does: ClassVar[str] = "sets traits"
    since: ClassVar[int] = 2
    sets: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`set`", "at the next step", "set"),
        Moment("`set`, the traits become too big, or a text fails", "at the next step", "failed"),
        Moment("`set`, an exit follows from the traits", "ended", "exited"),
    )

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": mapping({"traits": named(ANYTHING)}, ["traits"])}

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> SetTraits | None:
        fields = reader.fields
        if isinstance(node, Map) and node.entries and "traits" not in (keys := [key.text for key, _ in node.entries]):
            fields.refuse(node, 'set has no "traits"', f"the traits are under it, as in set: {{traits: {{{keys[0][:MAX_NAME]}: ...}}}}")
            return None
        parts = fields.keys(node, "set", ("traits",), required=("traits",), example=_EXAMPLE)
        found = fields.mapping(parts["traits"], "set: traits") if parts and "traits" in parts else None
        if found is None:
            return None
        if not 0 < len(found.entries) <= MAX_TRAITS_SET:
            fields.refuse(found, f"set has {len(found.entries)} traits", f"1 to {MAX_TRAITS_SET} belong here, {_EXAMPLE}")
            return None
        before = len(fields.problems)
        traits: dict[str, object] = {}
        for key, value in found.entries:
            _check_name(key, value, reader)
            is_text = isinstance(value, Scalar) and isinstance(value.value, str)
            traits[key.text] = read_text(reader, value) if isinstance(value, Scalar) and is_text else read_json(reader, value)
        if len(fields.problems) == before and len(orjson.dumps(traits)) > MAX_SET:
            fields.refuse(found, "set has too many bytes", f"at most {MAX_SET:,}")
        return cls(name, traits, when) if len(fields.problems) == before else None

    def wire(self) -> tuple[str, dict[str, object]]:
        return "SetTraits", {"name": self.name, "traits": self.traits} | ({} if self.when is None else {"when": self.when})

    def label(self) -> str:
        return f"set {', '.join(f'{name} {value}' for name, value in self.traits.items())}"

    def texts(self) -> Iterable[str]:
        return [value for value in self.traits.values() if isinstance(value, str)]

    def compile(self, program: Program) -> None:
        program.add(_Setting(self))


class _Setting(Entry):
    def __init__(self, step: SetTraits) -> None:
        super().__init__(step)
        self.traits = step.traits
        templates: dict[str, Template] = {name: compile_template(value) for name, value in step.traits.items() if isinstance(value, str)}
        self.templates = templates

    def carry_out(self, context: StepContext) -> Outcome:
        outcome = context.pass_gates(self, "set")
        if outcome is not None:
            return outcome
        try:
            context.set_traits(self, {**self.traits, **context.render(self.templates)})
        except TemplateFailed as failure:
            context.decide(self, "failed", str(failure))
        return self.next


def _check_name(key: Scalar, value: Node, reader: Reader) -> None:
    """Refuse a trait that cannot be set, or that the schema does not have, or has with another type."""
    fields, declared = reader.fields, reader.schema.traits
    if not key.text or len(key.text) > MAX_NAME or not is_printable(key.text):
        fields.refuse(key, "a name of a trait that is empty, too long or cannot be printed", f"at most {MAX_NAME} characters")
    elif key.text == _ZONE:
        fields.refuse(key, f"set changes {_ZONE}", "where a user is comes from the user's own calls, and decides when all else happens")
    elif declared is not None and reader.schema.trait((key.text,)) is None:
        if not any(name.startswith(f"{key.text}.") for name in declared):
            fields.refuse(key, f'unknown trait "{key.text}"', nearest(key.text, declared))
    else:
        trait = reader.schema.trait((key.text,))
        type_ = "any" if trait is None else trait.type
        found = value.value if isinstance(value, Scalar) else value
        is_right = {
            "number": isinstance(found, int | float | str) and not isinstance(found, bool),
            "text": isinstance(found, str),
            "flag": isinstance(found, bool),
            "moment": isinstance(found, int | float | str) and not isinstance(found, bool),
        }.get(type_, True)
        if found is not None and not is_right:
            fields.refuse(value, f'the trait "{key.text}" is a {type_}, and this is {kind(value)}', "write what the schema says of it")
