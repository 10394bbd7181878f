"""Small questions about trees: of the syntax of an expression, and of the condition that it states."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile
from typing import Literal

from triggers.definitions.model import And, Arithmetic, Compare, Condition, Contains, Did, In, Not, OfList, Operand, Or
from triggers.language.operands import NOTHING
from triggers.language.references import SEGMENT
from triggers.language.syntax import Expression


def is_none(node: ast.expr) -> bool:
    return (isinstance(node, ast.Constant) and node.value is None) or (isinstance(node, ast.Name) and node.id in NOTHING)


def quantifier_of(node: ast.Call) -> Literal["any", "all"] | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    return "any" if name == "any" else "all" if name == "all" else None


def is_segment(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == SEGMENT


def common(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the parts that all paths begin with."""
    return tuple(parts[0] for parts in takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False)))


def parts_of(item: Condition | Operand) -> Iterator[Condition | Operand]:
    """Return the item and all that it is made of."""
    yield item
    match item:
        case And(items=items) | Or(items=items):
            for inner in items:
                yield from parts_of(inner)
        case Not(item=inner) | In(item=inner) | OfList(condition=inner) | Contains(path=inner):
            yield from parts_of(inner)
        case Did(measure=of):
            yield of
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            yield from parts_of(left)
            yield from parts_of(right)


def asks_for_nothing(expression: Expression, node: ast.Compare, nodes: list[ast.expr]) -> bool:
    """Refuse a comparison with None, or with a word of another language for it, and say how to ask for a missing value."""
    for before, op, other in zip(nodes, node.ops, nodes[1:], strict=False):
        none = other if is_none(other) else before if is_none(before) else None
        if none is None or isinstance(op, ast.In | ast.NotIn):
            continue
        what = expression.source(before if none is other else other)
        asks = f"to ask whether it is there, write {what} == {what}"
        if isinstance(op, ast.Is | ast.Eq):
            asks = f"to ask whether it is missing, write not ({what} == {what})"
        expression.refuse(none, f"{expression.source(none)} is no value here", asks)
        return True
    return False
