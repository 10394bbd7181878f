"""Values of operands and the three-valued comparisons between them.

A value is null (`None`), `UNKNOWN`, a text, a flag, an `Instant`, or a `Between`: a number of which only bounds may be known.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Any, Final, NamedTuple

INF: Final = float("inf")
NUMERIC: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Unknown(Enum):
    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN


class Instant(NamedTuple):
    """A moment, ms."""

    ms: int


Bound = Fraction | float
"""A float only where it is infinite."""


@dataclass(frozen=True)
class Between:
    """A number that is surely not below `low` and not above `high`."""

    low: Bound
    high: Bound


Value = None | Unknown | str | bool | Instant | Between


def exactly(number: Fraction | int) -> Between:
    return Between(Fraction(number), Fraction(number))


def number(value: Any) -> Fraction | None:
    """A JSON number, or a text that is written like one, as it is written; null for all else, also for flags."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    written = value if isinstance(value, str) else repr(value)
    return Fraction(written) if NUMERIC.fullmatch(written) else None


# ---- three values -----------------------------------------------------------------------------------------------------


def both(values: Iterable[bool | None]) -> bool | None:
    """And: one false decides, else one unknown does."""
    seen = list(values)
    return False if False in seen else None if None in seen else True


def negated(value: bool | None) -> bool | None:
    return None if value is None else not value


def either(values: Iterable[bool | None]) -> bool | None:
    return negated(both(negated(value) for value in values))


# ---- comparisons ------------------------------------------------------------------------------------------------------


def compare(op: str, left: Value, right: Value) -> bool | None:
    """Null makes it false, then unknown makes it unknown; things of different kinds are different and in no order."""
    if left is None or right is None:
        return False
    if left is UNKNOWN or right is UNKNOWN:
        return None
    if op == "!=":
        return negated(compare("==", left, right))
    if op in {">", ">="}:
        return compare("<" if op == ">" else "<=", right, left)
    left, right = as_number_beside(right, left), as_number_beside(left, right)
    if isinstance(left, Between) and isinstance(right, Between):
        return compare_numbers(op, left, right)
    if type(left) is not type(right):
        return False
    if op == "==":
        return left == right
    if isinstance(left, bool):
        return False
    if isinstance(left, str) and isinstance(right, str):
        return in_order_as_numbers(op, left, right)
    assert isinstance(left, Instant)
    return left < right if op == "<" else left <= right  # type: ignore[operator]


def in_order_as_numbers(op: str, left: str, right: str) -> bool | None:
    """Texts have no order, unless both are written like numbers."""
    one, other = number(left), number(right)
    return False if one is None or other is None else compare_numbers(op, exactly(one), exactly(other))


def as_number_beside(other: Value, value: Value) -> Value:
    """A text beside a number is read as one if it is written like one."""
    if isinstance(other, Between) and isinstance(value, str) and (read := number(value)) is not None:
        return exactly(read)
    return value


def compare_numbers(op: str, left: Between, right: Between) -> bool | None:
    if op == "==":
        if left.low == left.high == right.low == right.high:
            return True
        return False if left.high < right.low or right.high < left.low else None
    if op == "<":
        return True if left.high < right.low else False if left.low >= right.high else None
    return True if left.high <= right.low else False if left.low > right.high else None


# ---- arithmetic -------------------------------------------------------------------------------------------------------


def arithmetic(op: str, left: Value, right: Value) -> Value:
    """Of numbers, and of texts written like numbers; with anything else null. Dividing by zero is null."""
    left, right = as_number_beside(exactly(0), left), as_number_beside(exactly(0), right)
    if left is UNKNOWN or right is UNKNOWN:
        return None if left is None or right is None else UNKNOWN
    if not isinstance(left, Between) or not isinstance(right, Between):
        return None
    if op == "+":
        return Between(left.low + right.low, left.high + right.high)
    if op == "-":
        return Between(left.low - right.high, left.high - right.low)
    if op == "*":
        corners = [times(one, other) for one in (left.low, left.high) for other in (right.low, right.high)]
        return Between(min(corners), max(corners))
    if right.low == right.high == 0:
        return None
    if right.low <= 0 <= right.high:
        return UNKNOWN
    return arithmetic("*", left, Between(inverse(right.high), inverse(right.low)))


def times(one: Bound, other: Bound) -> Bound:
    """Nothing times without-bound is nothing."""
    return Fraction(0) if one == 0 or other == 0 else one * other


def inverse(bound: Bound) -> Bound:
    return Fraction(0) if isinstance(bound, float) else 1 / bound
