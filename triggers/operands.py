"""Operands and comparisons, compiled: from a tree to one closure.

The same comparisons serve conditions about a user (of traits and measures, over a `View`) and `where=` (of an event's properties); a
`Scope` says where leaves come from. Numbers are exact: an operand has a static power p and its integer stands for value * SCALE**p, both
sides of a comparison are brought to one power, a product adds powers and a quotient is never taken: `a / b < c` is `a < c * b`, with the
sign of b.

Null on either side makes a comparison false; an interval (see `triggers.measures`) makes it unknown, unless all of it gives one answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

from triggers.measures import Interval, Reading, Value
from triggers.numbers import SCALE, Unfit, scaled
from triggers.rules.model import Arithmetic, Compare, Flag, In, Measure, Moment, Number, Operand, Property, Text, Trait

Truth = Callable[[Any], bool | None]
"""From a view, or an event's properties, to one of Kleene's three values."""
Fetch = Callable[[Any], Any]

COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Scope:
    """Where leaves come from. `fetch` compiles a trait or property, `read` a measure; both raise TypeError for what has no place here."""

    fetch: Callable[[Trait | Property], Fetch]
    read: Callable[[Measure], Reading]
    fit: Callable[[object], int | None]
    """What becomes of a JSON value where a number is asked for."""


def lenient(value: object) -> int | None:
    """Like `scaled`; null for a number that does not fit."""
    try:
        return scaled(value)
    except Unfit:
        return None


@dataclass(frozen=True)
class Comparison:
    """A comparison, and what it was made from."""

    value: Truth
    readings: tuple[Reading, ...] = ()
    against: tuple[Reading, Callable[[Any], Truth | None], bool] | None = None
    """Where one measure is compared with something that has none: its reading, what makes the test of its value (None: never true), and
    whether that is a test against a threshold."""


@dataclass(frozen=True)
class Side:
    """A numeric operand."""

    read: Callable[[Any], Any]
    power: int
    constant: int | None = None
    readings: tuple[Reading, ...] = ()
    is_measure: bool = field(default=False)


def compare(node: Compare, scope: Scope) -> Comparison:
    """Compiles a comparison. Raises TypeError for one that the checks should have refused."""
    kinds = {_kind(node.left), _kind(node.right)}
    if "text" in kinds and kinds <= {"text", "raw"}:
        return _compare_texts(node, scope)
    if "flag" in kinds and kinds <= {"flag", "raw"}:
        return _compare_flags(node, scope)
    if kinds == {"raw"}:
        return _compare_raw(node, scope)
    if kinds == {"moment"}:
        return _compare_sides(node.op, _moment(node.left, scope), _moment(node.right, scope))
    if kinds <= {"number", "raw"}:
        if _is_ratio(node.left) or _is_ratio(node.right):
            return _compare_ratios(node, scope)
        return _compare_sides(node.op, number(node.left, scope), number(node.right, scope))
    raise TypeError(f"cannot compare a {_kind(node.left)} with a {_kind(node.right)}")


def _kind(node: Operand) -> str:
    match node:
        case Text():
            return "text"
        case Flag():
            return "flag"
        case Trait() | Property():
            return "raw"
        case Moment():
            return "moment"
        case Measure():
            return "moment" if node.kind in ("first", "last") else "number"
        case _:
            return "number"


# ---- JSON values ----------------------------------------------------------------------------------------------------


def _raw(node: Operand, scope: Scope) -> Fetch:
    if isinstance(node, Text | Flag):
        value = node.value
        return lambda context: value  # noqa: ARG005
    assert isinstance(node, Trait | Property)
    return scope.fetch(node)


def _compare_texts(node: Compare, scope: Scope) -> Comparison:
    left, right, op = _raw(node.left, scope), _raw(node.right, scope), COMPARISONS[node.op]

    def value(context: object) -> bool:
        a, b = left(context), right(context)
        return type(a) is str and type(b) is str and op(a, b)

    return Comparison(value)


def _compare_flags(node: Compare, scope: Scope) -> Comparison:
    if node.op not in ("==", "!="):
        raise TypeError("True and False have no order")
    left, right, op = _raw(node.left, scope), _raw(node.right, scope), COMPARISONS[node.op]

    def value(context: object) -> bool:
        a, b = left(context), right(context)
        return type(a) is bool and type(b) is bool and op(a, b)

    return Comparison(value)


def _compare_raw(node: Compare, scope: Scope) -> Comparison:
    """Two JSON values: texts as texts, flags as flags, and as numbers where at least one is one."""
    left, right, op, fit = _raw(node.left, scope), _raw(node.right, scope), COMPARISONS[node.op], scope.fit
    ordered = node.op not in ("==", "!=")

    def value(context: object) -> bool:
        a, b = left(context), right(context)
        if type(a) is str and type(b) is str:
            return op(a, b)
        if type(a) is bool and type(b) is bool:
            return not ordered and op(a, b)
        x, y = fit(a), fit(b)
        return x is not None and y is not None and op(x, y)

    return Comparison(value)


def one_of(node: In, scope: Scope) -> Truth:
    """Compiles `in` for a trait or property; any other item is compared with each option."""
    fetch, fit = _raw(node.item, scope), scope.fit
    texts = frozenset(option.value for option in node.options if isinstance(option, Text))
    flags = frozenset(option.value for option in node.options if isinstance(option, Flag))
    numbers = frozenset(option.scaled for option in node.options if isinstance(option, Number))

    def value(context: object) -> bool:
        item = fetch(context)
        if type(item) is str and item in texts:
            return True
        if type(item) is bool:
            return item in flags
        return bool(numbers) and fit(item) in numbers

    return value


# ---- numbers --------------------------------------------------------------------------------------------------------


def number(node: Operand, scope: Scope) -> Side:
    """Compiles a numeric operand without a quotient. Raises TypeError for any other."""
    match node:
        case Number(units):
            whole, rest = divmod(units, SCALE)
            return _constant(units, 1) if rest else _constant(whole, 0)
        case Trait() | Property():
            fetch, fit = scope.fetch(node), scope.fit
            return Side(lambda context: fit(fetch(context)), 1)
        case Measure(kind="count" | "sum" | "distinct"):
            reading = scope.read(node)
            return Side(reading.read, 1 if node.kind == "sum" else 0, None, (reading,), is_measure=True)
        case Arithmetic(op="+" | "-" | "*"):
            return _arithmetic(node, scope)
        case _:
            raise TypeError(f"not a number here: {node!r}")


def _constant(value: int, power: int) -> Side:
    return Side(lambda context: value, power, value)  # noqa: ARG005


def _moment(node: Operand, scope: Scope) -> Side:
    if isinstance(node, Moment):
        return _constant(node.ms, 0)
    assert isinstance(node, Measure)
    reading = scope.read(node)
    return Side(reading.read, 0, None, (reading,), is_measure=True)


def _raised(side: Side, power: int) -> Side:
    """The same operand at a higher power."""
    if side.power == power:
        return side
    factor, read = SCALE ** (power - side.power), side.read
    if side.constant is not None:
        return _constant(side.constant * factor, power)
    return Side(lambda context: times(read(context), factor), power, None, side.readings, side.is_measure)


def _arithmetic(node: Arithmetic, scope: Scope) -> Side:
    left, right = number(node.left, scope), number(node.right, scope)
    if node.op == "*":
        power, combine = left.power + right.power, times
    else:
        power = max(left.power, right.power)
        left, right = _raised(left, power), _raised(right, power)
        combine = plus if node.op == "+" else minus
    if left.constant is not None and right.constant is not None:
        result = combine(left.constant, right.constant)
        assert type(result) is int
        return _constant(result, power)
    a, b = left.read, right.read
    return Side(lambda context: combine(a(context), b(context)), power, None, left.readings + right.readings)


def plus(a: Value, b: Value) -> Value:
    if type(a) is int and type(b) is int:
        return a + b
    if a is None or b is None:
        return None
    (low, high), (other_low, other_high) = _bounds(a), _bounds(b)
    return _sum(low, other_low), _sum(high, other_high)


def minus(a: Value, b: Value) -> Value:
    if type(a) is int and type(b) is int:
        return a - b
    if a is None or b is None:
        return None
    (low, high), (other_low, other_high) = _bounds(a), _bounds(b)
    return _sum(low, -other_high), _sum(high, -other_low)


def times(a: Value, b: Value) -> Value:
    if type(a) is int and type(b) is int:
        return a * b
    if a is None or b is None:
        return None
    corners = [_product(x, y) for x in _bounds(a) for y in _bounds(b)]
    return min(corners), max(corners)


def _bounds(value: int | Interval) -> Interval:
    return (value, value) if isinstance(value, int) else value


def _sum(a: float, b: float) -> float:
    """Of integers of any size and infinities; never of both infinities."""
    return a if a in (inf, -inf) else b if b in (inf, -inf) else a + b


def _product(a: float, b: float) -> float:
    """Of integers of any size and infinities; nothing times infinity is nothing, since every bound is reached."""
    if a == 0 or b == 0:
        return 0
    if a in (inf, -inf) or b in (inf, -inf):
        return inf if (a > 0) == (b > 0) else -inf
    return a * b


# ---- comparing ------------------------------------------------------------------------------------------------------


def judge(op: str, a: Value, b: Value) -> bool | None:
    """Compares two values of one power: false with null, unknown where an interval leaves it open."""
    if a is None or b is None:
        return False
    if type(a) is int and type(b) is int:
        return COMPARISONS[op](a, b)
    (low, high), (other_low, other_high) = _bounds(a), _bounds(b)
    if op in (">", "<="):
        return judge("<" if op == ">" else ">=", b, a)
    if op == "<":
        return True if high < other_low else False if low >= other_high else None
    if op == ">=":
        return True if low >= other_high else False if high < other_low else None
    apart = high < other_low or other_high < low
    equal = True if low == high == other_low == other_high else False if apart else None
    return equal if op == "==" or equal is None else not equal


def _compare_sides(op: str, left: Side, right: Side) -> Comparison:
    if left.constant is not None or (right.is_measure and not left.readings):
        op, left, right = _MIRRORED[op], right, left
    power = max(left.power, right.power)
    factor = SCALE ** (power - left.power)
    whole, other = _raised(left, power), _raised(right, power)
    readings = left.readings + right.readings
    test = _tester(op, factor, other)
    read, limit, exact = whole.read, other.read, COMPARISONS[op]
    against = (left.readings[0], test, op not in ("==", "!=")) if left.is_measure and not right.readings else None
    threshold = other.constant
    if threshold is not None:

        def value(context: object) -> bool | None:
            a = read(context)
            if type(a) is int:
                return exact(a, threshold)
            return judge(op, a, threshold)

        return Comparison(value, readings, against)

    def value_of_both(context: object) -> bool | None:
        a, b = read(context), limit(context)
        if type(a) is int and type(b) is int:
            return exact(a, b)
        return judge(op, a, b)

    return Comparison(value_of_both, readings, against)


def _tester(op: str, factor: int, other: Side) -> Callable[[Any], Truth | None]:
    exact, limit = COMPARISONS[op], other.read

    def tester(context: object) -> Truth | None:
        threshold = limit(context)
        if threshold is None:
            return None

        def test(value: Value) -> bool | None:
            if type(value) is int:
                return exact(value * factor, threshold)
            return judge(op, times(value, factor), threshold)

        return test

    return tester


def _is_ratio(node: Operand) -> bool:
    return isinstance(node, Arithmetic) and node.op == "/"


def _ratio(node: Operand, scope: Scope) -> tuple[Side, Side]:
    if isinstance(node, Arithmetic) and node.op == "/":
        return number(node.left, scope), number(node.right, scope)
    return number(node, scope), _constant(1, 0)


def _compare_ratios(node: Compare, scope: Scope) -> Comparison:
    """Compares `a / b` with `c / d` as `a * d` with `c * b`, once the signs have moved to a and c. A zero below the line gives null."""
    (a, b), (c, d) = _ratio(node.left, scope), _ratio(node.right, scope)
    over, under = a.power + d.power, c.power + b.power
    over_factor, under_factor = SCALE ** max(under - over, 0), SCALE ** max(over - under, 0)
    op, exact = node.op, COMPARISONS[node.op]

    def value(context: object) -> bool | None:
        top, below, other_top, other_below = a.read(context), b.read(context), c.read(context), d.read(context)
        if below is None or other_below is None or below == 0 or other_below == 0:
            return False
        top, below = _positive(top, below)
        other_top, other_below = _positive(other_top, other_below)
        left, right = times(times(top, other_below), over_factor), times(times(other_top, below), under_factor)
        if type(left) is int and type(right) is int:
            return exact(left, right)
        lowest = min(_bounds(below)[0], _bounds(other_below)[0])
        if left is None or right is None:
            return False
        if lowest < 0:
            return None
        # It may turn out to be zero, then it is null and false: only false is sure.
        answer = judge(op, left, right)
        return answer if lowest > 0 or answer is False else None

    return Comparison(value, a.readings + b.readings + c.readings + d.readings)


def _positive(top: Value, below: int | Interval) -> tuple[Value, int | Interval]:
    """The same quotient with nothing negative below the line, where the sign is known."""
    low, high = _bounds(below)
    if high >= 0:
        return top, below
    return times(top, -1), -below if isinstance(below, int) else (-high, -low)
