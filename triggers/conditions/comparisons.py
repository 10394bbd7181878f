"""Operands and comparisons, compiled: from a tree to one closure.

The same comparisons serve conditions about a user (of traits and measures, over a `View`) and `where=` (of an event's properties); a
`Scope` says where leaves come from. Numbers are exact: an operand has a static power p and its integer means value * SCALE**p, both
sides of a comparison are brought to one power, a product adds powers and a quotient is never taken: `a / b < c` is `a < c * b`, with the
sign of b.

Null on either side makes a comparison false; an interval (see `triggers.measures.view`) makes it unknown, unless all of it gives one
answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from triggers.base.intervals import COMPARISONS, OTHER, UNKNOWN, bounds, judge, minus, plus, times
from triggers.base.numbers import SCALE, exactly, lenient
from triggers.definitions.model import (
    MAX_LISTED,
    Arithmetic,
    Compare,
    Contains,
    Flag,
    In,
    Measure,
    Moment,
    Number,
    Operand,
    Property,
    Sent,
    Text,
    Trait,
)
from triggers.measures.kind import kind_of
from triggers.measures.view import Reading

Truth = Callable[[Any], bool | None]
"""From a view, or an event's properties, to one of Kleene's three values."""
Fetch = Callable[[Any], Any]

MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _no_sends(node: Sent) -> Fetch:
    raise TypeError(f"{node} has no place here")


@dataclass(frozen=True)
class Scope:
    """Where leaves come from. `fetch` compiles a trait or property, `read` a measure, `count` a number of messages.

    All raise TypeError for what has no place here.
    """

    fetch: Callable[[Trait | Property], Fetch]
    read: Callable[[Measure], Reading]
    count: Callable[[Sent], Fetch] = _no_sends


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
    """Compile a comparison. Raises TypeError for one that the checks should have refused."""
    left, right = _kind(node.left), _kind(node.right)
    if left == right == "moment":
        return _compare_sides(node.op, _moment(node.left, scope), _moment(node.right, scope))
    if left == right == "any":
        return _compare_json(node, scope)
    if _is_ratio(node.left) or _is_ratio(node.right):
        return _compare_ratios(node, scope)
    fit = exactly if node.op in ("==", "!=") else lenient
    return _compare_sides(node.op, _side(node.left, scope, fit), _side(node.right, scope, fit))


def _kind(node: Operand) -> str:
    match node:
        case Text() | Flag() | Trait() | Property():
            return "any"
        case Moment():
            return "moment"
        case Measure():
            return kind_of(node).gives
        case _:
            return "number"


# ---- JSON values ----------------------------------------------------------------------------------------------------


def _json(node: Operand, scope: Scope) -> Fetch:
    if isinstance(node, Text | Flag):
        value = node.value
        return lambda context: value  # noqa: ARG005
    if isinstance(node, Measure):
        return scope.read(node).read
    assert isinstance(node, Trait | Property)
    return scope.fetch(node)


def _compare_json(node: Compare, scope: Scope) -> Comparison:
    """Compare two JSON values: flags as flags, a number and a text written like one as numbers.

    Two texts are equal as texts, and have an order only as numbers. Values of different kinds are different and have no order; lists and
    objects compare as null.
    """
    readings = tuple(scope.read(each) for each in (node.left, node.right) if isinstance(each, Measure))
    left, right, op = _json(node.left, scope), _json(node.right, scope), COMPARISONS[node.op]
    differ, same = node.op == "!=", node.op == "=="
    fit = exactly if same or differ else lenient

    def value(context: object) -> bool | None:
        a, b = left(context), right(context)
        kind, other = type(a), type(b)
        if kind is str and other is str and (same or differ):
            return op(a, b)
        if kind not in _SCALARS or other not in _SCALARS:
            # Null first: it makes a comparison false, whatever the other side is.
            is_unknown = (a is UNKNOWN or kind in _SCALARS) and (b is UNKNOWN or other in _SCALARS)
            return None if is_unknown else False
        if kind is bool or other is bool:
            return op(a, b) if kind is other and (same or differ) else differ
        # The text first: next to one that is no number, the other side is not read as a number, so it cannot be unfit.
        if kind is str:
            x = fit(a)
            y = None if x is None else fit(b)
            return differ if x is None else y is not None and op(x, y)
        y = fit(b)
        if y is None:
            return differ and other is str
        x = fit(a)
        return x is not None and op(x, y)

    return Comparison(value, readings)


_SCALARS: Final = frozenset({str, bool, int, float})


def one_of(node: In, scope: Scope) -> Truth:
    """Compile `in` for a trait or property: equal to one of the options."""
    fetch, test = _json(node.item, scope), _equal_to_one(node.options)
    return lambda context: test(fetch(context))


def contains(node: Contains, scope: Scope) -> Truth:
    """Compile `in` for a list: unknown if the value is not among the items that are looked at and there are more."""
    fetch, test = scope.fetch(node.path), _equal_to_one((node.item,))

    def value(context: object) -> bool | None:
        items = fetch(context)
        if type(items) is not list:
            return False
        for item in items[:MAX_LISTED]:
            if test(item):
                return True
        return None if len(items) > MAX_LISTED else False

    return value


def _equal_to_one(options: tuple[Number | Text | Flag, ...]) -> Callable[[Any], bool]:
    """Return the test whether a JSON value is equal to one of the options."""
    texts = frozenset(option.value for option in options if isinstance(option, Text))
    flags = frozenset(option.value for option in options if isinstance(option, Flag))
    numbers = frozenset(option.scaled for option in options if isinstance(option, Number))
    all_numbers = numbers | {units for text in texts if (units := exactly(text)) is not None}

    def test(item: Any) -> bool:  # noqa: ANN401
        kind = type(item)
        if kind is str:
            return item in texts or (bool(numbers) and exactly(item) in numbers)
        if kind is bool:
            return item in flags
        return bool(all_numbers) and exactly(item) in all_numbers

    return test


# ---- numbers --------------------------------------------------------------------------------------------------------


def number(node: Operand, scope: Scope) -> Side:
    """Compile a numeric operand without a quotient. Raises TypeError for any other."""
    match node:
        case Number(units):
            whole, rest = divmod(units, SCALE)
            return _constant(units, 1) if rest else _constant(whole, 0)
        case Trait() | Property():
            fetch = scope.fetch(node)
            return Side(lambda context: lenient(fetch(context)), 1)
        case Sent():
            return Side(scope.count(node), 0)
        case Measure() if kind_of(node).gives == "number":
            reading = scope.read(node)
            return Side(reading.read, kind_of(node).power, None, (reading,), is_measure=True)
        case Measure() if kind_of(node).gives == "any":
            return _measured_value(node, scope, lenient, None)
        case Arithmetic(op="+" | "-" | "*"):
            return _arithmetic(node, scope)
        case _:
            raise TypeError(f"not a number here: {node!r}")


def _side(node: Operand, scope: Scope, fit: Callable[[object], int | None] = lenient) -> Side:
    """Compile a whole side of a comparison, as `number` does; but here a text or flag is not null but a different value."""
    if isinstance(node, Measure) and kind_of(node).gives == "any":
        return _measured_value(node, scope, fit, OTHER)
    if not isinstance(node, Trait | Property):
        return number(node, scope)
    fetch = scope.fetch(node)

    def read(context: object) -> Any:  # noqa: ANN401
        value = fetch(context)
        units = fit(value)
        return OTHER if units is None and type(value) in (str, bool) else units

    return Side(read, 1)


def _measured_value(node: Measure, scope: Scope, fit: Callable[[object], int | None], other: Any) -> Side:  # noqa: ANN401
    """Compile a measure that gives a JSON value, as a number; a text or flag that is none is `other`."""
    reading = scope.read(node)

    def read(context: Any) -> Any:  # noqa: ANN401
        value = reading.read(context)
        if value is UNKNOWN:
            return UNKNOWN
        units = fit(value)
        return other if units is None and type(value) in (str, bool) else units

    return Side(read, 1, None, (reading,))


def _constant(value: int, power: int) -> Side:
    return Side(lambda context: value, power, value)  # noqa: ARG005


def _moment(node: Operand, scope: Scope) -> Side:
    if isinstance(node, Moment):
        return _constant(node.ms, 0)
    assert isinstance(node, Measure)
    reading = scope.read(node)
    return Side(reading.read, 0, None, (reading,), is_measure=True)


def _raised(side: Side, power: int) -> Side:
    """Return the same operand at a higher power."""
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


# ---- comparing ------------------------------------------------------------------------------------------------------


def _compare_sides(op: str, left: Side, right: Side) -> Comparison:
    if left.constant is not None or (right.is_measure and not left.readings):
        op, left, right = MIRRORED[op], right, left
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

        def test(value: Any) -> bool | None:  # noqa: ANN401
            if type(value) is int and type(threshold) is int:
                return exact(value * factor, threshold)
            return judge(op, times(value, factor), threshold)

        return test

    return tester


def _is_ratio(node: Operand) -> bool:
    return isinstance(node, Arithmetic) and node.op == "/"


def _ratio(node: Operand, scope: Scope) -> tuple[Side, Side]:
    if isinstance(node, Arithmetic) and node.op == "/":
        return number(node.left, scope), number(node.right, scope)
    return _side(node, scope), _constant(1, 0)


def _compare_ratios(node: Compare, scope: Scope) -> Comparison:
    """Compare `a / b` with `c / d` as `a * d` with `c * b`, once the signs have moved to a and c. A zero below the line gives null."""
    (a, b), (c, d) = _ratio(node.left, scope), _ratio(node.right, scope)
    over, under = a.power + d.power, c.power + b.power
    over_factor, under_factor = SCALE ** max(under - over, 0), SCALE ** max(over - under, 0)
    op, exact = node.op, COMPARISONS[node.op]

    def value(context: object) -> bool | None:
        top, below, other_top, other_below = a.read(context), b.read(context), c.read(context), d.read(context)
        if None in (top, below, other_top, other_below) or below == 0 or other_below == 0:
            return False
        top, below = _positive(top, below)
        other_top, other_below = _positive(other_top, other_below)
        if bounds(below)[0] <= 0 or bounds(other_below)[0] <= 0:
            # It may be zero, and the quotient null.
            return None
        left, right = times(times(top, other_below), over_factor), times(times(other_top, below), under_factor)
        if type(left) is int and type(right) is int:
            return exact(left, right)
        return judge(op, left, right)

    return Comparison(value, a.readings + b.readings + c.readings + d.readings)


def _positive(top: Any, below: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Return the same quotient with nothing negative below the line, where the sign is known."""
    low, high = bounds(below)
    if high >= 0:
        return top, below
    return times(top, -1), -below if isinstance(below, int) else (-high, -low)
