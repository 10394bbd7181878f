"""What an expression refers to by name, which is put in its place.

`segment("S")` is the condition of the segment S, `values.V` the operand that the section `values` calls V.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from triggers.definitions.model import Arithmetic, Condition, Measure, Operand
from triggers.language.fields import NEEDS_2, NEWEST, nearest
from triggers.language.syntax import MAX_DEPTH, MAX_NODES, Expression, children

if TYPE_CHECKING:
    from triggers.language.operands import Context, Typed

SEGMENT: Final = "segment"
"""The function that refers to a segment."""
VALUES: Final = "values"
"""What the name of a value follows."""
_USAGE: Final = 'as in segment("bedtime-reader") and did("order_paid")'


@dataclass(frozen=True)
class Extent:
    """The levels and parts of an expression, with those of all that it refers to."""

    depth: int
    size: int


Meaning = TypeVar("Meaning")


@dataclass(frozen=True)
class Part(Generic[Meaning]):
    """A condition or operand that has a name, and the text that states it."""

    meaning: Meaning
    text: str
    references: References

    @cached_property
    def extent(self) -> Extent:
        """What it adds to an expression that refers to it."""
        body = Expression(self.text, lambda *_: None).body
        assert body is not None, "its text has no errors"
        return extent(body, self.references.part)


@dataclass(frozen=True)
class References:
    """What the names in an expression mean."""

    segments: Mapping[str, Part[Condition] | None] = field(default_factory=dict)
    """By name; None: it has errors, which are reported already."""
    values: Mapping[str, Part[Typed] | None] = field(default_factory=dict)
    version: int = NEWEST
    """Of the file that contains the expression."""
    channels: Collection[str] | None = None
    """The names of all channels; None: any name is one."""
    journeys: Collection[str] | None = None
    """The names of all journeys, in the same way."""

    def part(self, node: ast.AST) -> Part[Any] | None:
        """Return what a node of an expression refers to."""
        if self.version < 2:
            return None
        if (name := segment_name(node)) is not None:
            return self.segments.get(name)
        return None if (name := value_name(node)) is None else self.values.get(name)


NO_REFERENCES: Final = References()


def segment_name(node: ast.AST) -> str | None:
    """Return the segment that a node refers to: `segment("S")`."""
    match node:
        case ast.Call(func=ast.Name(id="segment"), args=[ast.Constant(value=str(name))], keywords=[]):
            return name
    return None


def value_name(node: ast.AST) -> str | None:
    """Return the value that a node refers to: `values.V` or `values["V"]`."""
    match node:
        case ast.Attribute(value=ast.Name(id="values"), attr=name):
            return name
        case ast.Subscript(value=ast.Name(id="values"), slice=ast.Constant(value=str(name))):
            return name
    return None


def named_segments(text: str) -> list[tuple[str, int]]:
    """List the segments that the text of an expression refers to, each with its offset. An expression that cannot be read has none."""
    return _named(text, SEGMENT, segment_name)


def named_values(text: str) -> list[tuple[str, int]]:
    """List the values that it refers to in the same way."""
    return _named(text, VALUES, value_name)


def _named(text: str, word: str, name_of: Callable[[ast.AST], str | None]) -> list[tuple[str, int]]:
    if word not in text:
        return []
    expression = Expression(text, lambda *_: None)
    if expression.body is None:
        return []
    found = [(name, expression.offset(node)) for node in ast.walk(expression.body) if (name := name_of(node)) is not None]
    return sorted(found, key=lambda one: one[1])


def extent(body: ast.expr, part_of: Callable[[ast.AST], Part[Any] | None]) -> Extent:
    """Measure an expression as if all that it refers to were in its place."""
    level = deepest = size = 0
    layer: list[ast.AST] = [body]
    while layer:
        level, size = level + 1, size + len(layer)
        for node in layer:
            part = part_of(node)
            if part is not None:
                deepest, size = max(deepest, level + part.extent.depth), size + part.extent.size
        layer = [child for node in layer for child in children(node)]
    return Extent(max(level, deepest), size)


def is_small_enough(expression: Expression, references: References) -> bool:
    """Check the limits of an expression that was read, with all that it refers to. Refuse one that is too big."""
    if expression.body is None or references.version < 2 or not any(word in expression.text for word in (SEGMENT, VALUES)):
        return True
    whole = extent(expression.body, references.part)
    if whole.depth <= MAX_DEPTH and whole.size <= MAX_NODES:
        return True
    hint = f"at most {MAX_DEPTH} levels and {MAX_NODES:,} parts, with those of all that it names"
    expression.refuse(0, f"the expression is too big: {whole.depth:,} levels and {whole.size:,} parts", hint)
    return False


def segment(context: Context, node: ast.Call) -> Condition | None:
    """Return the condition of the segment that a call refers to."""
    expression, references = context.expression, context.references
    if references.version < 2:
        expression.refuse(node, "segment(...) is not known in version 1", NEEDS_2)
        return None
    if context.scope != "user":
        where = "where=" if context.scope == "event" else "every_day"
        expression.refuse(node, f"segment(...) inside {where}", "a segment is about the user now: join it with and outside")
        return None
    name = segment_name(node)
    if name is None:
        expression.refuse(node, "segment takes the name of one segment in quotes", _USAGE)
        return None
    if name not in references.segments:
        expression.refuse(node.args[0], f'unknown segment "{name}"', nearest(name, references.segments))
        return None
    part = references.segments[name]
    if part is None:
        expression.failed = True  # the fault is reported where it was written
        return None
    return part.meaning


def value(context: Context, node: ast.expr, path: tuple[str, ...]) -> Typed | None:
    """Return the operand of the value that `values.V` refers to."""
    expression, references = context.expression, context.references
    if references.version < 2:
        expression.refuse(node, "values.x is not known in version 1", NEEDS_2)
        return None
    name = path[0]
    if name not in references.values:
        expression.refuse(node, f'unknown value "{name}"', nearest(name, references.values) or "values are named in the section values")
        return None
    part = references.values[name]
    if part is None:
        expression.failed = True  # the fault is reported where it was written
        return None
    if len(path) > 1:
        expression.refuse(node, f"values.{'.'.join(path)}", f"a value has no parts: write values.{name}")
        return None
    if context.scope == "day" and any(isinstance(leaf, Measure) for leaf in leaves(part.meaning.operand)):
        expression.refuse(
            node, f"values.{name} inside every_day", "each day is measured by itself: write the function out, without a length"
        )
        return None
    return part.meaning


def leaves(operand: Operand) -> Iterator[Operand]:
    """Yield the operands that an operand is calculated from; itself, if it is not calculated."""
    if isinstance(operand, Arithmetic):
        yield from leaves(operand.left)
        yield from leaves(operand.right)
    else:
        yield operand
