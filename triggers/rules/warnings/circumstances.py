"""Warn of comparisons with a local time that no clock shows, and of `local` in files that do not know it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from operator import eq, ge, gt, le, lt, ne
from typing import Final

from triggers.base.calendar import WEEKDAYS
from triggers.base.numbers import SCALE
from triggers.definitions.model import (
    LOCAL,
    And,
    Circumstance,
    Compare,
    Comparison,
    Condition,
    Contains,
    In,
    Number,
    Operand,
    Property,
    Text,
)
from triggers.definitions.words import words_of
from triggers.language.circumstances import PARTS, ROOTS
from triggers.language.documents import Problem
from triggers.language.fields import NEEDS_2, nearest
from triggers.rules.warnings.conditions import MIRRORED
from triggers.rules.written import Expression, Written

_RANGES: Final = {"hour": range(24), "day": range(1, 32), "month": range(1, 13)}
_COMPARE: Final[Mapping[Comparison, Callable[[int, int], bool]]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_QUOTED: Final = re.compile(r"""properties\s*(?:\.|\[\s*["'])\s*(?:local|context|values)\b""")


def impossible_times(written: Written) -> Iterator[Problem]:
    """Warn of a weekday that has another name, and of an hour, day or month that no clock shows."""
    for expression, offset, condition in _comparisons(written):
        claims: list[tuple[Operand, Comparison, Operand]]
        if isinstance(condition, In):
            claims = [(condition.item, "==", option) for option in condition.options]
        else:
            op, left, right = condition.op, condition.left, condition.right
            claims = [(right, MIRRORED[op], left)] if isinstance(right, Circumstance) else [(left, op, right)]
        for operand, op, constant in claims:
            found = _fault(operand, op, constant) if isinstance(operand, Circumstance) and operand.path[0] == LOCAL else None
            if found is not None:
                yield expression.node.source.problem(expression.node.index(offset), *found)


def _comparisons(written: Written) -> Iterator[tuple[Expression, int, Compare | In]]:
    """Yield the comparisons of all expressions, each once, with its offset. Those of a chain have the offset of the chain."""
    seen: set[int] = set()
    for expression in written.expressions:
        for offset, condition in expression.parts:
            if isinstance(condition, And) and id(condition) in seen:
                continue
            seen.update((id(condition),) if isinstance(condition, And) else ())
            for part in (condition, *(condition.items if isinstance(condition, And) else ())):
                if isinstance(part, Compare | In) and id(part) not in seen:
                    seen.add(id(part))
                    yield expression, offset, part


def _fault(operand: Circumstance, op: Comparison, constant: Operand) -> tuple[str, str] | None:
    name, shown = operand.path[1], words_of(Compare(op, operand, constant))
    if name == "weekday":
        if not isinstance(constant, Text) or constant.value in WEEKDAYS:
            return None
        always = "always" if op == "!=" else "never"
        return f"{shown} is {always} true: no day of the week is written like that", nearest(constant.value, WEEKDAYS)
    values = _RANGES[name]
    if not isinstance(constant, Number):
        return None
    results = {_COMPARE[op](value * SCALE, constant.scaled) for value in values}
    if len(results) > 1:
        return None
    return f"{shown} is {'always' if True in results else 'never'} true", f"local.{name} is {values[0]} to {values[-1]}"


def names_of_version_2(written: Written) -> Iterator[Problem]:
    """Warn of `local.hour` in `where=` of a file of version 1, where it is a property of the event."""
    if written.declared:
        return  # the schema says that it is a property
    for expression in written.expressions:
        text = expression.node.text
        if written.versions.get(expression.node.source.file, 2) > 1 or not any(root in text for root in _ROOTS) or _QUOTED.search(text):
            continue
        for offset, condition in expression.parts:
            parts = (condition, *(condition.items if isinstance(condition, And) else ()))
            path = next((path for part in parts for path in _paths(part) if _is_newer(path)), None)
            if path is not None:
                what = f"{'.'.join(path)} is a property of the event in a file of version 1"
                hint = f'{_MEANT[path[0]]} {NEEDS_2}; a property of that name is properties["{path[0]}"]'
                yield expression.node.source.problem(expression.node.index(offset), what, hint)
                break


_MEANT: Final = {"local": "the local time", "context": "the context of the event", "values": "a value"}
_ROOTS: Final = tuple(ROOTS)


def _paths(condition: Condition) -> Iterator[tuple[str, ...]]:
    match condition:
        case Compare(_, left, right):
            operands: tuple[Operand, ...] = (left, right)
        case In(item, _):
            operands = (item,)
        case Contains(_, path):
            operands = (path,)
        case _:
            return
    yield from (operand.path for operand in operands if isinstance(operand, Property))


def _is_newer(path: tuple[str, ...]) -> bool:
    if len(path) < 2 or path[0] not in _ROOTS:
        return False
    return path[0] != "local" or (len(path) == 2 and path[1] in PARTS)
