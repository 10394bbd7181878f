"""Conditions in words: the expression that a person would write for a checked condition. For explanations, never for decisions."""

from __future__ import annotations

from typing import Final

from triggers.base.model import DAY, HOUR, MINUTE, SECOND
from triggers.base.moments import iso
from triggers.base.numbers import plain
from triggers.definitions.model import (
    And,
    Arithmetic,
    Circumstance,
    Compare,
    Condition,
    Contains,
    Did,
    EveryDay,
    Flag,
    In,
    Measure,
    Moment,
    Not,
    Number,
    OfList,
    Operand,
    Or,
    Property,
    Sent,
    Text,
    Trait,
)


def words_of(node: Condition | Operand) -> str:
    """Return the text of a condition or operand, such as `count("Order Completed", days=90) >= 2`."""
    match node:
        case Number(scaled):
            return str(plain(scaled))
        case Text(value):
            return _quoted(value)
        case Flag(flag):
            return str(flag)
        case Moment(ms):
            return _quoted(iso(ms))
        case Trait(path):
            return ".".join(("traits", *path))
        case Circumstance(path):
            return ".".join((path[0][1:], *path[1:]))
        case Property(path):
            return ".".join(path)
        case Measure():
            return _measure(node)
        case Sent(days, channel, journey):
            named = [f"{name}={_quoted(value)}" for name, value in (("channel", channel), ("journey", journey)) if value is not None]
            return f"sent({', '.join([f'days={days}', *named])})"
        case Arithmetic(op, left, right):
            return f"{_inner(left)} {op} {_inner(right)}"
        case Compare(op, left, right):
            return f"{words_of(left)} {op} {words_of(right)}"
        case In(item, options):
            return f"{words_of(item)} in [{', '.join(map(words_of, options))}]"
        case Contains(item, path):
            return f"{words_of(item)} in {words_of(path)}"
        case OfList(quantifier, _, condition):
            return f"{quantifier}({words_of(condition)})"
        case Did(measure):
            return _measure(measure)
        case EveryDay(days, condition):
            return f"every_day({days}, {words_of(condition)})"
        case And(items):
            return " and ".join(map(_inner, items))
        case Or(items):
            return " or ".join(map(_inner, items))
        case Not(item):
            return f"not {_inner(item)}"


def _measure(measure: Measure) -> str:
    parts = [_quoted(".".join((measure.event, *measure.path)))]
    if measure.n:
        parts.append(f"n={measure.n}")
    if measure.length is not None and not measure.daily:
        parts.append(f"{measure.unit}s={measure.length}")
    if measure.where is not None:
        parts.append(f"where={words_of(measure.where)}")
    return f"{measure.kind}({', '.join(parts)})"


def _inner(node: Condition | Operand) -> str:
    """Add parentheses if the text could be read differently without them."""
    text = words_of(node)
    return f"({text})" if isinstance(node, And | Or | Arithmetic | Compare | In | Contains) else text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def duration_words(length: int) -> str:
    """Return a length of time, ms, as rule files write it: `3d`, `90m`. A negative one is `-3d`."""
    sign, rest = ("-", -length) if length < 0 else ("", length)
    unit, size = next(((unit, size) for unit, size in _UNITS.items() if rest % size == 0), ("ms", 1))
    return f"{sign}{rest // size}{unit}"


_UNITS: Final = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND}


def clock_words(time: int) -> str:
    """Return a time of day, ms from midnight, as `08:00`."""
    minutes = time // MINUTE
    return f"{minutes // 60:02}:{minutes % 60:02}"
