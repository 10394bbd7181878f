"""Named values, compiled for texts: `{{ values.spent }}` shows what is held, complete or not.

A condition is unknown where its window has not seen everything. A text shows what the window holds, also where there was more before it.
So a value is read over copies of its windows that say that they have seen everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import inf
from typing import Any, Final

from msgspec.structs import replace

from triggers.base.numbers import SCALE, plain
from triggers.conditions.comparisons import Scope, Side, number
from triggers.definitions.model import Arithmetic, Flag, Measure, Moment, Number, Operand, Property, Sent, Text, Trait
from triggers.measures.kind import kind_of
from triggers.measures.reading import reading
from triggers.measures.view import Reading, View

Show = Callable[[View], Any]
"""Gives a JSON value; null where there is none."""

_KNOWN: Final = {"since": 0, "unfit": 0, "lost": -1, "lost_from": -1, "lost_to": -1}
"""The fields of a window that has seen everything, and found room for it."""


class Value:
    """A value, ready to be shown."""

    def __init__(self, operand: Operand) -> None:
        self.measures: list[Measure] = []
        self._scope = Scope(self._fetch, self._read)
        self._show = self._shown(operand)

    def show(self, view: View) -> Any:  # noqa: ANN401 -- JSON
        """Return it as JSON."""
        held = {measure.key: window for measure in self.measures if (window := view.windows.get(measure.key)) is not None}
        known = View({key: _as_known(window) for key, window in held.items()}, view.traits, view.now, view.zone)
        return self._show(known)

    def _fetch(self, leaf: Trait | Property) -> Callable[[View], Any]:
        if not isinstance(leaf, Trait):
            raise TypeError("a property is no part of a value")
        first, rest = leaf.path[0], leaf.path[1:]

        def fetch(view: View) -> Any:  # noqa: ANN401 -- JSON
            found = view.traits.get(first)
            for name in rest:
                found = found.get(name) if isinstance(found, dict) else None
            return found

        return fetch

    def _read(self, measure: Measure) -> Reading:
        self.measures.append(measure)
        return reading(measure)

    def _shown(self, operand: Operand) -> Show:
        match operand:
            case Text(value) | Flag(value):
                return lambda view: value  # noqa: ARG005
            case Number(scaled):
                return lambda view: plain(scaled)  # noqa: ARG005
            case Trait():
                return self._fetch(operand)
            case Measure():
                read, shown = self._read(operand).read, kind_of(operand).shown
                return lambda view: None if (found := _exact(read(view))) is None else shown(found)
            case Arithmetic("/", left, right):
                return _quotient(number(left, self._scope), number(right, self._scope))
            case Arithmetic():
                side = number(operand, self._scope)
                return lambda view: _rounded(_fraction(side, view))
            case Moment() | Property() | Sent():
                raise TypeError(f"not a value: {operand!r}")


def _as_known(window: Any) -> Any:  # noqa: ANN401 -- a window of any kind
    return replace(window, **{name: known for name, known in _KNOWN.items() if name in window.__struct_fields__})


def _exact(value: Any) -> Any:  # noqa: ANN401 -- what a reading gives
    """Return a number that was read; of an interval, the end that is known."""
    if not isinstance(value, tuple):
        return value
    low, high = value
    return next((end for end in (low, high) if end not in (-inf, inf)), None)


def _fraction(side: Side, view: View) -> Fraction | None:
    found = _exact(side.read(view))
    return None if found is None else Fraction(found, SCALE**side.power)


def _quotient(left: Side, right: Side) -> Show:
    def show(view: View) -> Any:  # noqa: ANN401 -- JSON
        above, below = _fraction(left, view), _fraction(right, view)
        return None if above is None or not below else _rounded(above / below)

    return show


def _rounded(value: Fraction | None) -> int | float | None:
    """Return a number of at most 6 decimals, half to even."""
    return None if value is None else plain(round(value * SCALE))


def compile_values(values: Mapping[str, Operand]) -> dict[str, Value]:
    return {name: Value(operand) for name, operand in values.items()}
