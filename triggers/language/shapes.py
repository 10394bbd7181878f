"""Shapes of values in rule files, in the language of JSON Schema (draft 2020-12), for editors.

An editor knows no names and no types of a schema, so a shape says less than `cueline check`: which keys there are, and what a value looks
like. Each kind of step, wait and cause states its own shapes. A text with `$` fits everywhere, because `each` can put a value there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

Shape = dict[str, Any]

_FILLED: Final[Shape] = {"type": "string", "pattern": r"\$"}
TEXT: Final[Shape] = {"type": ["string", "number", "boolean"]}
"""Any scalar: a message text can be a bare number."""
NAME: Final[Shape] = {"type": ["string", "number"]}
EXPRESSION: Final[Shape] = {"type": ["string", "boolean", "number"]}
"""A condition or a value, in the language of expressions."""
ANYTHING: Final[Shape] = {}
STEPS: Final[Shape] = {"$ref": "#/$defs/steps"}
CAUSE: Final[Shape] = {"$ref": "#/$defs/cause"}


def text_like(pattern: str) -> Shape:
    """Return the shape of texts that match a regular expression as a whole."""
    return {"type": "string", "pattern": rf"^(?:{pattern}|.*\$.*)$"}


DURATION: Final = text_like("[0-9]{1,9}(?:ms|s|m|h|d|w)")
TIME: Final = text_like("[0-2][0-9]:[0-5][0-9]")
DATE: Final = text_like("[0-9]{4}-[0-9]{2}-[0-9]{2}")
FLAG: Final[Shape] = {"anyOf": [{"type": "boolean"}, _FILLED]}


def one_of(*words: str) -> Shape:
    """Return the shape of one of these words."""
    return {"anyOf": [{"enum": list(words)}, _FILLED]}


def whole(least: int, most: int) -> Shape:
    """Return the shape of a whole number."""
    return {"anyOf": [{"type": "integer", "minimum": least, "maximum": most}, _FILLED]}


def number(most: float) -> Shape:
    """Return the shape of a number above 0."""
    return {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": most}, _FILLED]}


def listed(item: Shape, most: int | None = None) -> Shape:
    """Return the shape of a list that is not empty."""
    return {"type": "array", "items": item, "minItems": 1} | ({} if most is None else {"maxItems": most})


def mapping(keys: Mapping[str, Shape], required: Iterable[str] = ()) -> Shape:
    """Return the shape of a mapping with no keys but these."""
    needed = list(required)
    return {"type": "object", "properties": dict(keys), "additionalProperties": False} | ({"required": needed} if needed else {})


def named(item: Shape) -> Shape:
    """Return the shape of a mapping from names that a person chooses."""
    return {"type": "object", "additionalProperties": item}


def either(*shapes: Shape) -> Shape:
    """Return the shape of what has one of these shapes."""
    return {"anyOf": list(shapes)}
