"""Warns of conditions that are never true: `count("E") > 5 and count("E") < 3`.

What is joined by `and` is taken apart into claims about one operand each. Claims about the same operand are compared with each other: as
bounds of a number, as values that it may equal, as an order of two operands. Whatever this does not understand is left alone, so a warning
is never wrong (tests/property/test_warnings.py); a contradiction may go unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from triggers.base.numbers import SCALE, exactly
from triggers.definitions.model import (
    And,
    Compare,
    Comparison,
    Condition,
    Flag,
    In,
    Measure,
    Moment,
    Not,
    Number,
    Operand,
    Or,
    Property,
    Text,
    Trait,
)
from triggers.definitions.words import words_of
from triggers.language.documents import Problem
from triggers.measures.kind import kind_of
from triggers.rules.written import Expression, Written

MIRRORED: Final[dict[Comparison, Comparison]] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
OPPOSITE: Final[dict[Comparison, Comparison]] = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_ORDERS: Final[dict[Comparison, frozenset[str]]] = {
    "==": frozenset("="),
    "!=": frozenset("<>"),
    "<": frozenset("<"),
    "<=": frozenset("<="),
    ">": frozenset(">"),
    ">=": frozenset(">="),
}
Constant = Number | Text | Flag | Moment
Claims = tuple[Condition, ...]
Key = tuple[str, int | str | bool]
"""What a trait is when it equals a constant: a number, however it is written, or else a text or a flag."""


def contradictions(written: Written) -> Iterator[Problem]:
    for expression in written.expressions:
        for offset, _, claims in never_true(expression):
            yield expression.node.source.problem(expression.node.index(offset), *_words(claims))


def never_true(expression: Expression) -> Iterator[tuple[int, Condition, Claims]]:
    """Yield the conditions in an expression that are never true, each with its offset and the parts that exclude each other."""
    seen: set[int] = set()
    for offset, condition in reversed(expression.parts):  # outer ones first
        if id(condition) not in seen and isinstance(condition, And | Not | Compare):
            found = _never(list(_claims(condition, seen)))
            if found is not None:
                yield offset, condition, found


def exclude_each_other(condition: Condition) -> bool:
    """Check whether a condition is never true, as far as its own parts show it."""
    return _never(list(_claims(condition, set()))) is not None


def _words(found: Claims) -> tuple[str, str]:
    if len(found) == 1:
        return f"{words_of(found[0])} is never true", "a count is a whole number, and not below 0"
    return f"{' and '.join(map(words_of, found))} are never true together", "fix one of them, or join them with or"


def _claims(condition: Condition, seen: set[int]) -> Iterator[Condition]:
    """List what must be true so that the condition is: the parts of `and`, and the opposite of parts of `not (... or ...)`."""
    seen.add(id(condition))
    match condition:
        case And(items):
            for item in items:
                yield from _claims(item, seen)
        case Not(Not(item)):
            yield from _claims(item, seen)
        case Not(Or(items)):
            for item in items:
                yield from _claims(Not(item), seen)
        case Not(Compare(op, left, right)) if _is_never_null(left) and _is_never_null(right):
            yield Compare(OPPOSITE[op], left, right)
        case _:
            yield condition


def _is_never_null(operand: Operand) -> bool:
    return isinstance(operand, Number) or (isinstance(operand, Measure) and kind_of(operand).is_count)


def _never(claims: list[Condition]) -> Claims | None:
    """Find two claims that exclude each other, or one that is never true; None: they may all be true."""
    stated: dict[Condition, None] = dict.fromkeys(claim for claim in claims if not isinstance(claim, Not))
    about: dict[Operand, _Operand] = {}
    orders: dict[tuple[Operand, Operand], _Order] = {}
    for claim in claims:
        found: Claims | None = None
        match claim:
            case Not(item) if item in stated:
                found = (item, claim)
            case Compare(op, left, right) if isinstance(right, Constant):
                found = about.setdefault(left, _Operand(left)).compared(claim, op, right)
            case Compare(op, left, right) if isinstance(left, Constant):
                found = about.setdefault(right, _Operand(right)).compared(claim, MIRRORED[op], left)
            case In(item, options):
                found = about.setdefault(item, _Operand(item)).one_of(claim, options)
            case Compare(op, left, right):
                if (right, left) in orders:
                    op, left, right = MIRRORED[op], right, left
                found = orders.setdefault((left, right), _Order(left, right)).take(claim, op)
        if found is not None:
            return found
    return next((found for one in about.values() if (found := one.emptied()) is not None), None)


class _Order:
    """The claims about the order of two operands, of which neither is a constant."""

    def __init__(self, left: Operand, right: Operand) -> None:
        self._is_json = isinstance(left, Trait | Property) and isinstance(right, Trait | Property)
        self._possible = _ORDERS["<="] | _ORDERS[">="]
        self._claims: list[tuple[Comparison, Condition]] = []

    def take(self, claim: Condition, op: Comparison) -> Claims | None:
        """Add a claim. Two texts such as "5" and "5.0" are different, and yet neither is less: `!=` excludes only `==`."""
        for other, said in self._claims:
            if not _ORDERS[op] & _ORDERS[other]:
                return said, claim
        self._claims.append((op, claim))
        if self._is_json and op == "!=":
            return None
        self._possible &= _ORDERS[op]
        return None if self._possible else tuple(said for _, said in self._claims)


class _Bound(NamedTuple):
    value: int
    claim: Condition | None
    """None: it lies in the nature of the operand."""


class _Operand:
    """The claims that compare one operand with constants."""

    def __init__(self, operand: Operand) -> None:
        self._is_json = isinstance(operand, Trait | Property)
        is_count = isinstance(operand, Measure) and kind_of(operand).is_count
        self._step = SCALE if is_count else 1
        """Scaled numbers, and milliseconds, are whole; a count is a multiple of `SCALE`. A calculated number may lie between."""
        self._is_whole = is_count or isinstance(operand, Measure)
        self._low: _Bound | None = _Bound(0, None) if is_count else None
        self._high: _Bound | None = None
        self._keys: set[Key] = set()
        """What it may equal, where that is claimed."""
        self._equals: list[tuple[Condition, set[Key]]] = []
        self._unequal: dict[Key, Condition] = {}

    def compared(self, claim: Condition, op: Comparison, constant: Constant) -> Claims | None:
        key = _key(constant)
        if op == "!=":
            if key[0] == "number" and isinstance(constant, Text):
                return None  # "5.0" is another text than "5", but the same number
            self._unequal.setdefault(key, claim)
            return None
        if op == "==" and (self._is_json or isinstance(constant, Text | Flag)):
            return self._equal(claim, {key})
        if not isinstance(constant, Number | Moment):
            return None
        value = constant.scaled if isinstance(constant, Number) else constant.ms
        return self._bounded(claim, op, value)

    def one_of(self, claim: Condition, options: Iterable[Number | Text | Flag]) -> Claims | None:
        return self._equal(claim, set(map(_key, options)))

    def _equal(self, claim: Condition, keys: set[Key]) -> Claims | None:
        self._keys = self._keys & keys if self._equals else keys
        self._equals.append((claim, keys))
        if self._keys:
            return None
        apart = next((other for other, allowed in self._equals if not allowed & keys), None)
        return tuple(other for other, _ in self._equals) if apart is None else (apart, claim)

    def _bounded(self, claim: Condition, op: Comparison, value: int) -> Claims | None:
        """Add a bound. A strict one moves to the next whole number; for fractions, all are doubled to have a value between."""
        if op in (">", ">=", "=="):
            low = _Bound(self._up(value, strict=op == ">"), claim)
            self._low = low if self._low is None or low.value > self._low.value else self._low
        if op in ("<", "<=", "=="):
            high = _Bound(-self._up(-value, strict=op == "<"), claim)
            self._high = high if self._high is None or high.value < self._high.value else self._high
        if self._low is None or self._high is None or self._low.value <= self._high.value:
            return None
        return _distinct(self._low.claim, self._high.claim)

    def _up(self, value: int, *, strict: bool) -> int:
        """Return the least possible value, in half units, that is not below `value`; above it if `strict`."""
        if not self._is_whole:
            return 2 * value + strict
        steps = value // self._step + 1 if strict else -(-value // self._step)
        return 2 * steps * self._step

    def emptied(self) -> Claims | None:
        """Return the claims that exclude each other when all are known: no value that it may equal is within the bounds and allowed."""
        low, high = self._low, self._high
        equal = [claim for claim, _ in self._equals]
        if equal:
            for bound in (low, high):
                if bound is not None and not any(self._allows(key, bound, is_low=bound is low) for key in self._keys):
                    return _distinct(*equal, bound.claim)
            if all(key in self._unequal for key in self._keys):
                return _distinct(*equal, *(self._unequal[key] for key in sorted(self._keys, key=str)))
        if low is not None and high is not None and low.value == high.value and low.value % 2 == 0:
            unequal = self._unequal.get(("number", low.value // 2))
            return None if unequal is None else _distinct(low.claim, high.claim, unequal)
        return None

    @staticmethod
    def _allows(key: Key, bound: _Bound, *, is_low: bool) -> bool:
        """Return whether a value that equals this constant can be on this side of the bound; only numbers have an order."""
        kind, value = key
        if kind != "number" or not isinstance(value, int):
            return False
        return 2 * value >= bound.value if is_low else 2 * value <= bound.value


def _key(constant: Constant) -> Key:
    match constant:
        case Number(scaled):
            return "number", scaled
        case Moment(ms):
            return "number", ms
        case Flag(flag):
            return "flag", flag
        case Text(text):
            number = exactly(text)
            return ("text", text) if number is None else ("number", number)


def _distinct(*claims: Condition | None) -> Claims:
    return tuple(dict.fromkeys(claim for claim in claims if claim is not None))
