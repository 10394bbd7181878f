"""Parse tiers: `member: {keep: 90d, levels: [{silver: values.spent >= 100}, {gold: values.spent >= 1000}]}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from triggers.definitions.model import Condition
from triggers.definitions.tiers import Level, Tier
from triggers.language.documents import List, Map, Node, Scalar
from triggers.language.fields import Fields, kind

MAX_LEVELS: Final = 20
"""Most levels of a tier."""
MAX_TIERS: Final = 100
"""Most tiers of a rule set."""
_EXAMPLE: Final = 'as in levels: [{silver: count("Order") >= 3}, {gold: count("Order") >= 10}]'
_WHOLE: Final = 'as in member: {keep: 90d, levels: [{silver: count("Order") >= 3}, {gold: count("Order") >= 10}]}'

Compile = Callable[[Scalar, str | None], Condition | None]


def read_tier(fields: Fields, compile_: Compile, name: str, node: Node) -> Tier | None:
    """Read a tier. Return None after reporting an error."""
    if "." in name:
        fields.refuse(node, f'the tier "{name}" has a dot in its name', "a level of it is written after a dot, as in member.gold")
    parts = fields.keys(node, f'the tier "{name}"', ("keep", "levels"), required=("keep", "levels"), example=_WHOLE)
    if parts is None:
        return None
    keep = fields.duration(parts["keep"], "keep", zero=True) if "keep" in parts else None
    levels = _levels(fields, compile_, parts["levels"]) if "levels" in parts else None
    return None if keep is None or levels is None else Tier(name, keep, levels)


def _levels(fields: Fields, compile_: Compile, node: Node) -> tuple[Level, ...] | None:
    if not isinstance(node, List):
        fields.refuse(node, f"levels is {kind(node)}", f"a list belongs here, the lowest level first, {_EXAMPLE}")
        return None
    items = node.items
    if not 0 < len(items) <= MAX_LEVELS:
        fields.refuse(node, f"{len(items)} levels", f"1 to {MAX_LEVELS} belong here, the lowest first")
        return None
    first: dict[str, Scalar] = {}
    levels = [_level(fields, compile_, item, first) for item in items]
    return None if None in levels else tuple(level for level in levels if level is not None)


def _level(fields: Fields, compile_: Compile, node: Node, first: dict[str, Scalar]) -> Level | None:
    """Read `{gold: condition}`. `first`: the levels so far, by name."""
    if not isinstance(node, Map) or len(node.entries) != 1:
        what = f"{len(node.entries)} keys" if isinstance(node, Map) else kind(node)
        fields.refuse(node, f"a level is {what}", f"a name and its condition belong here, {_EXAMPLE}")
        return None
    key, value = node.entries[0]
    name = fields.name(key, "a level")
    if name is not None and name in first:
        line, _ = first[name].source.place(first[name].start)
        fields.refuse(key, f'a second level named "{name}"', f"the first is on line {line}")
        return None
    if name is not None:
        first[name] = key
    if not isinstance(value, Scalar):
        fields.refuse(value, f'the level "{key.text}" is {kind(value)}', "a condition belongs here")
        return None
    condition = compile_(value, None)
    return None if name is None or condition is None else Level(name, condition)
