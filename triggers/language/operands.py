"""Literals and names in expressions: what a side of a comparison is, and of which type."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from triggers.base.numbers import LIMIT, SCALE, Unfit, scaled
from triggers.definitions.model import Condition, Flag, Measure, Number, Operand, Property, Text, Trait
from triggers.language import later
from triggers.language.characters import known
from triggers.language.circumstances import ROOTS, circumstance
from triggers.language.fields import nearest
from triggers.language.references import NO_REFERENCES, VALUES, References, value
from triggers.language.schema import ANY, Schema, Type
from triggers.language.syntax import Expression, without_strings
from triggers.measures.kind import Kind, functions

MAX_PATH: Final = 8
"""Most parts of the path of a trait or property."""
MAX_PART: Final = 200
"""Longest part of a path in characters."""
MEASURES: Final[dict[str, Kind]] = dict(functions())
"""The functions that measure a user's events, with their kinds."""
FUNCTIONS: Final = (*MEASURES, "every_day")
A: Final = {"number": "a number", "text": "a text", "flag": "a flag", "moment": "a moment", "any": "a value", "texts": "a list of texts"}
"""Types as messages name them."""

NOTHING: Final = ("null", "none", "NULL")
"""Words of other languages for None."""
_WORDS: Final = {
    **dict.fromkeys(("true", "TRUE"), "True is meant"),
    **dict.fromkeys(("false", "FALSE"), "False is meant"),
    **dict.fromkeys(NOTHING, "what is missing compares as false"),
}
"""Words of other languages for values."""

Scope = Literal["user", "day", "event"]
"""What an expression is about: a user; one day of a user, inside `every_day`; one event, inside `where`."""


@dataclass(frozen=True, slots=True)
class Typed:
    operand: Operand
    type: Type


@dataclass(frozen=True)
class Context:
    """What the reading of a part of an expression depends on."""

    expression: Expression
    schema: Schema
    measures: dict[Measure, int]
    """Each measure that was met, with its offset."""
    scope: Scope = "user"
    event: str = ""
    """In the scope `event`: whose properties bare names are."""
    days: int = 0
    """In the scope `day`: the days of the `every_day` around."""
    segments: Collection[str] = ()
    """The names of all segments, for a hint: a bare name does not refer to one."""
    references: References = NO_REFERENCES
    """What the expression can refer to by name."""
    has_moment: bool = False
    """It is asked at one moment, as in a step, and can ask for the local time of it."""
    has_sends: bool = False
    """It is asked of a run or a message, and can ask how many messages went out."""
    time_zone: str = "UTC"
    """Of the rule set: dates are midnights there."""
    whole: bool = False
    """What happened before the rules counts as nothing."""
    applied: bool = False
    """The rules were applied before: what releases refuse since then keeps the meaning that it had."""
    listed: bool = False
    """Inside `any` or `all`."""
    parts: list[tuple[int, Condition]] | None = None
    """Takes each condition that was read, inner ones first, with its offset."""


def example(name: str) -> str:
    """Return a call of a function, for hints."""
    kind = MEASURES.get(name)
    if kind is None:
        return 'every_day(30, count("chapter_read") >= 1)'
    return kind.example.replace(f"{kind.name}(", f"{name}(")


# ---- literals -------------------------------------------------------------------------------------------------------


def literal(expression: Expression, node: ast.expr) -> Typed | None:
    """Read a number, with a sign or not, a text, True or False."""
    sign, inner = "", node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        sign, inner = ("-" if isinstance(node.op, ast.USub) else ""), node.operand
    if not isinstance(inner, ast.Constant):
        hint = f'a text is written in quotes: "{inner.id}"' if isinstance(inner, ast.Name) else "a number, a text in quotes, True or False"
        expression.refuse(node, "a plain value is expected", hint)
        return None
    match inner.value:
        case bool(flag) if inner is node:
            return Typed(Flag(flag), "flag")
        case str(text) if inner is node:
            if any("\ud800" <= char <= "\udfff" for char in text):
                expression.refuse(node, "half of a character (a surrogate) in a text")
            return Typed(Text(text), "text")
        case None:
            expression.refuse(node, "None is no value here", "what is missing compares as false")
            return None
        case int() | float() as value if not isinstance(value, bool):
            return _number(expression, node, inner, sign, value)
    expression.refuse(node, f"{expression.source(node)[:40]} is no value here", "there are numbers, texts in quotes, True and False")
    return None


def _number(expression: Expression, node: ast.expr, inner: ast.Constant, sign: str, value: float) -> Typed | None:
    # A float has lost what was written, so its text is read again, exactly.
    try:
        text = str(value) if isinstance(value, int) else str(Decimal(expression.source(inner).replace("_", "")))
    except (InvalidOperation, ValueError):  # brackets in between; more digits than Python turns into text
        text = "9e99"
    if isinstance(value, int) and abs(value) < 10**19:
        return Typed(Number(int(sign + text) * SCALE), "number")
    try:
        found = scaled(sign + text)
    except Unfit as error:
        unfit(expression, node, str(error))
        return None
    return None if found is None else Typed(Number(found), "number")


def unfit(expression: Expression, node: ast.expr, reason: str) -> None:
    expression.refuse(node, f"{expression.source(node)[:40]} does not fit: {reason}", f"at most 6 decimals and {LIMIT:,}")


def folded(expression: Expression, node: ast.BinOp, op: str, left: int, right: int) -> Typed | None:
    """Calculate with two scaled numbers, now."""
    units, rest = divmod(left * right, SCALE) if op == "*" else (left + right if op == "+" else left - right, 0)
    if rest:
        unfit(expression, node, "number of more than 6 decimals")
        return None
    if abs(units) > LIMIT * SCALE:
        unfit(expression, node, f"number beyond {LIMIT}")
        return None
    return Typed(Number(units), "number")


def whole(expression: Expression, node: ast.expr, what: str, most: int) -> int | None:
    """Read a whole number above zero, such as the length of a window."""
    if isinstance(node, ast.Constant) and type(node.value) is int and 0 < node.value <= most:
        return node.value
    expression.refuse(node, f"{what} is {expression.source(node)[:40]}", f"a whole number from 1 to {most:,} belongs here")
    return None


# ---- names ----------------------------------------------------------------------------------------------------------


def path(context: Context, node: ast.expr) -> Typed | None:
    """Read a trait, or inside `where` a property."""
    parts = _parts(context.expression, node)
    if parts is None:
        return None
    root, rest = parts[0], tuple(parts[1:])
    if not rest and root in _WORDS:
        # Also over an event: as a property it would be missing, and the comparison always false.
        context.expression.refuse(node, f'unknown name "{root}"', _WORDS[root])
        return None
    if context.scope == "event":
        if root == "traits" and rest:
            context.expression.refuse(node, "traits inside where=", "where= sees the event's properties alone; compare traits outside")
            return None
        is_root = root in ("run", "user") and not context.applied
        if rest and (is_root or (root == VALUES and context.references.version > 1)):
            hint = f'where= sees the event\'s properties alone; a property of that name is properties["{root}"]'
            context.expression.refuse(node, f"{root} inside where=", hint)
            return None
        if root in ROOTS and context.references.version > 1:
            return _circumstance(context, node, root, rest)
        return _property(context, node, rest if root == "properties" and rest else tuple(parts))
    if root == "traits" and rest:
        return _trait(context, node, rest)
    if root == VALUES and rest:
        return value(context, node, rest)
    if root in ROOTS:
        return _circumstance(context, node, root, rest)
    if root == "traits":
        context.expression.refuse(node, "traits needs a name", "as in traits.country")
    elif root in context.segments:
        better = (
            f'write segment("{root}")'
            if context.references.version > 1
            else "conditions do not refer to segments: write its condition here"
        )
        context.expression.refuse(node, f"{root} is a segment", better)
    elif root == "properties":
        hint = 'properties belong in where= of an entry, an exit or a function, as in did("Order Completed", where=total > 10)'
        context.expression.refuse(node, "properties have no place in a condition about a user", hint)
    elif rest and root in later.ROOTS:
        context.expression.refuse(node, f'unknown name "{root}"', _meant(context, root, ".".join(rest)))
    elif root in later.FUNCTIONS:
        context.expression.refuse(node, f'unknown name "{root}"', later.FUNCTIONS[root])
    elif root in FUNCTIONS:
        context.expression.refuse(node, f"{root} is a function", f"as in {example(root)}")
    else:
        close = nearest(root, ("traits",))
        if root.isupper():
            context.expression.refuse(node, f'unknown name "{root}"', f'a text is written in quotes: "{root}"')
            return None
        hint = close if close.startswith("did") else f'a trait is written traits.{root}, a text in quotes: "{root}"'
        context.expression.refuse(node, f'unknown name "{root}"', hint)
    return None


def _meant(context: Context, root: str, rest: str) -> str:
    """Return the hint for a name whose root is one of other languages: `segments.S`."""
    if root in ("segment", "segments") and context.references.version > 1 and context.scope == "user":
        return f'write segment("{rest}")' if rest in context.segments else f"{later.ROOTS[root]}; {nearest(rest, context.segments)}"
    if root == "value" and rest in context.references.values:
        return f"write values.{rest}"
    return f"write traits.{rest}" if root == "user" else later.ROOTS[root]


def _trait(context: Context, node: ast.expr, path: tuple[str, ...]) -> Typed:
    declared = context.schema.trait(path)
    if declared is None:
        name = ".".join(path)
        context.expression.refuse(node, f'unknown trait "{name}"', nearest(name, context.schema.traits or ()))
    return Typed(Trait(path), (declared or ANY).type)


def _circumstance(context: Context, node: ast.expr, root: str, path: tuple[str, ...]) -> Typed | None:
    found = circumstance(context, node, root, path)
    return None if found is None else Typed(*found)


def _property(context: Context, node: ast.expr, path: tuple[str, ...]) -> Typed:
    declared = context.schema.property(context.event, path)
    if declared is None:
        name = ".".join(path)
        context.expression.refuse(
            node, f'"{context.event}" has no property "{name}"', nearest(name, context.schema.properties(context.event))
        )
    return Typed(Property(path), (declared or ANY).type)


def _parts(expression: Expression, node: ast.expr) -> list[str] | None:
    """Split `traits.a["b c"]` into its parts."""
    parts: list[str] = []
    bare = without_strings(expression.source(node))
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=value, attr=attr):
                parts.append(attr)
            case ast.Subscript(value=value, slice=ast.Constant(value=str(key))):
                parts.append(key)
            case ast.Subscript():
                expression.refuse(node, "only a name in quotes belongs in [...]", 'as in traits["first name"]')
                return None
            case _:
                expression.refuse(node, "a value has no attributes", "names are traits.x, and inside where= the event's properties")
                return None
        node = value
    parts.append(node.id)
    if any(part.startswith("__") for part in parts):
        expression.refuse(node, "a name that begins with two underscores", "there is nothing behind it")
        return None
    if known(bare) != bare:
        expression.refuse(node, "a name with letters newer than Unicode 3.2", 'put it in quotes, as in traits["..."]')
        return None
    if len(parts) > MAX_PATH + 1 or any(not part or len(part) > MAX_PART or not _is_text(part) for part in parts):
        expression.refuse(node, "a path that cannot be", f"at most {MAX_PATH} parts of 1 to {MAX_PART} characters")
        return None
    return parts[::-1]


def _is_text(part: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in part)
