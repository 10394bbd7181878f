"""Values of operands and the three-valued comparisons between them.

A value is null (`None`), `UNKNOWN`, a text, a flag, an `Instant`, or a `Between`: a number of which only bounds may be known.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import cache
from math import isfinite, ulp
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
    if isinstance(value, float):
        return of_double(value)
    written = value if isinstance(value, str) else repr(value)
    return fitting(Fraction(written)) if NUMERIC.fullmatch(written) else None


def is_number(value: Any) -> bool:
    """Whether it is a number or written like one, fit or not."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float) or (isinstance(value, str) and NUMERIC.fullmatch(value) is not None)


LIMIT: Final = 9_007_199_254


def fitting(value: Fraction) -> Fraction | None:
    """Null for more than 6 decimals and beyond the limit."""
    return value if (value * 10**6).denominator == 1 and abs(value) <= LIMIT else None


@cache
def of_double(value: float) -> Fraction | None:
    """The number of 6 decimals that a double is within 16 units of its last place, where these are below 10**-7; else as it is written."""
    if not isfinite(value):
        return None
    error = 16 * Fraction(ulp(value))
    near = Fraction(round(Fraction(value) * 10**6), 10**6)
    if error < Fraction(1, 10**7) and abs(Fraction(value) - near) <= error:
        return fitting(near)
    return fitting(Fraction(repr(value)))


def identity(value: Any) -> Fraction | None:
    """As `number`, for `==`, `!=` and `in`: whole numbers of up to 19 digits fit too."""
    if isinstance(value, str) and re.fullmatch(r"-?[1-9][0-9]{0,18}", value):
        return Fraction(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return Fraction(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**19:
        return Fraction(value)
    return number(value)


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
    read = identity if op == "==" else number
    left, right = as_number_beside(right, left, read), as_number_beside(left, right, read)
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


def as_number_beside(other: Value, value: Value, read: Callable[[Any], Fraction | None] = number) -> Value:
    """Next to a number, a text counts as a number if it is written like one."""
    if isinstance(other, Between) and isinstance(value, str) and (found := read(value)) is not None:
        return exactly(found)
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
