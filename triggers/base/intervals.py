"""Calculate with numbers and compare them, even if only bounds are known.

A value is an integer, an interval, null (None), or `OTHER`. Nothing is ever rounded: infinities are the only floats.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from enum import Enum
from math import inf
from typing import Any, Final

Interval = tuple[Any, ...]
"""The lowest and highest possible value; integers (of any size) or infinities. (Not `tuple[float, float]`: compiled, that would make
doubles of integers.)
"""
UNKNOWN: Final[Interval] = tuple([-inf, inf])  # noqa: C409 -- compiled, a literal would have no identity
"""Nothing is known, not even that there is a value. Compared by identity: every calculation with it is also unknown, even times 0."""


class Other(Enum):
    """Represents a text or flag where a number is needed: different from every number, and without an order."""

    OTHER = "other"


OTHER: Final = Other.OTHER
Value = int | Interval | None

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def plus(a: Value, b: Value) -> Value:
    if type(a) is int and type(b) is int:
        return a + b
    if a is None or b is None:
        return None
    if a is UNKNOWN or b is UNKNOWN:
        return UNKNOWN
    (low, high), (other_low, other_high) = bounds(a), bounds(b)
    return _sum(low, other_low), _sum(high, other_high)


def minus(a: Value, b: Value) -> Value:
    if type(a) is int and type(b) is int:
        return a - b
    if a is None or b is None:
        return None
    if a is UNKNOWN or b is UNKNOWN:
        return UNKNOWN
    (low, high), (other_low, other_high) = bounds(a), bounds(b)
    return _sum(low, -other_high), _sum(high, -other_low)


def times(a: Any, b: Any) -> Any:  # noqa: ANN401
    if type(a) is int and type(b) is int:
        return a * b
    if a is None or b is None:
        return None
    if a is OTHER:
        return OTHER
    if a is UNKNOWN or b is UNKNOWN:
        return UNKNOWN
    corners = [_product(x, y) for x in bounds(a) for y in bounds(b)]
    return min(corners), max(corners)


def bounds(value: int | Interval) -> Interval:
    return (value, value) if isinstance(value, int) else value


def _sum(a: Any, b: Any) -> Any:  # noqa: ANN401
    """Add integers of any size and infinities; never both infinities."""
    return a if a in (inf, -inf) else b if b in (inf, -inf) else a + b


def _product(a: Any, b: Any) -> Any:  # noqa: ANN401
    """Multiply integers of any size and infinities; zero times anything is zero."""
    if a == 0 or b == 0:
        return 0
    if a in (inf, -inf) or b in (inf, -inf):
        return inf if (a > 0) == (b > 0) else -inf
    return a * b


def judge(op: str, a: Any, b: Any) -> bool | None:  # noqa: ANN401
    """Compare two values of one power: false with null, unknown if an interval does not decide it."""
    if a is None or b is None:
        return False
    if a is OTHER or b is OTHER:
        return None if a is UNKNOWN or b is UNKNOWN else op == "!="
    if type(a) is int and type(b) is int:
        return COMPARISONS[op](a, b)
    (low, high), (other_low, other_high) = bounds(a), bounds(b)
    if op in (">", "<="):
        return judge("<" if op == ">" else ">=", b, a)
    if op == "<":
        return True if high < other_low else False if low >= other_high else None
    if op == ">=":
        return True if low >= other_high else False if high < other_low else None
    apart = high < other_low or other_high < low
    equal = True if low == high == other_low == other_high else False if apart else None
    return equal if op == "==" or equal is None else not equal
