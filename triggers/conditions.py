"""Conditions: whether they hold for a user at a moment, and until when time alone leaves it so.

`compile_condition` turns a checked condition into closures, once for each rule set; they are asked after each record and at each timer.

**Three values.** True, False and None for unknown (Kleene). A missing trait is null, and comparing null is false, not unknown; unknown
comes only from windows that have not seen all of what a measure covers.

**Change.** `change(view)` promises: without an event, `value` stays what it is at every moment from now up to the one returned, that one
excluded. It may come too early, never too late. It is what makes a user's next timer, so that nobody ever sweeps over users. A false `and`
cannot turn before *all* of its false parts have, so it waits for the last of them (an `or` likewise for its true ones): a user who has no
purchases is not looked at again for a window that empties.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from triggers.measures import UNKNOWN, Reading, Value, View, day_did, day_reading, did, reading
from triggers.model import NEVER
from triggers.moments import iso, iso_day
from triggers.numbers import plain, scaled
from triggers.operands import Comparison, Scope, Truth, compare, lenient, one_of
from triggers.rules.model import And, Arithmetic, Compare, Condition, Did, EveryDay, Flag, In, Measure, Not, Operand, Or, Property, Trait
from triggers.wording import wording

__all__ = ["Compiled", "View", "compile_condition", "compile_where"]

Change = Callable[[View], int]
Explain = Callable[[View, dict[str, Any]], None]


class Compiled:
    """A condition, ready to be asked.

    `value(view)`: whether it holds. `change(view)`: the earliest moment after the view's at which time alone could change that, NEVER if
    none. `explain(view)`: the measures and traits that decided it, with the values they had, as JSON; a lower bound is `{"at_least": n}`.
    `measures`: one for each window that it needs; `traits`: the top-level names of the traits that it looks at.
    """

    __slots__ = ("change", "explain", "measures", "traits", "value")

    def __init__(self, value: Truth, change: Change, explain: Explain, measures: tuple[Measure, ...], traits: frozenset[str]) -> None:
        self.value: Callable[[View], bool | None] = value
        self.change = change
        self.measures = measures
        self.traits = traits

        def explained(view: View) -> dict[str, Any]:
            found: dict[str, Any] = {}
            explain(view, found)
            return found

        self.explain: Callable[[View], dict[str, Any]] = explained


def compile_condition(condition: Condition) -> Compiled:
    """Compiles a checked condition about a user. Raises TypeError for one that the checks should have refused."""
    compiler = _Compiler()
    node = compiler.node(condition)
    measures = {measure.key: measure for measure in reversed(compiler.measures)}
    unique = tuple(measures[key] for key in dict.fromkeys(measure.key for measure in compiler.measures))
    return Compiled(node.value, node.change, node.explain, unique, frozenset(compiler.traits))


def compile_where(condition: Condition) -> Callable[[Mapping[str, Any]], bool]:
    """Compiles a checked condition about an event's properties. What it returns raises `Unfit` for a number that does not fit.

    Raises TypeError for a condition that the checks should have refused.
    """
    truth = _where(condition)
    return lambda properties: truth(properties) is True


class _Node:
    """One condition of the tree; `days` are, inside `every_day`, what tells the last day that may be unlike an empty one."""

    __slots__ = ("change", "days", "explain", "value")

    def __init__(self, value: Truth, change: Change, explain: Explain, days: tuple[Change, ...] = ()) -> None:
        self.value = value
        self.change = change
        self.explain = explain
        self.days = days


class _Compiler:
    """Compiles one condition and collects what it needs."""

    def __init__(self) -> None:
        self.measures: list[Measure] = []
        self.traits: list[str] = []
        self.daily = False
        self.scope: Final = Scope(self._fetch, self._read, lenient)

    def node(self, condition: Condition) -> _Node:
        match condition:
            case Flag(flag):
                return _Node(lambda view: flag, _never, _nothing)  # noqa: ARG005
            case Compare():
                return self._comparison(condition)
            case In(item, options):
                if not isinstance(item, Trait):
                    return self.node(Or(tuple(Compare("==", item, option) for option in options)))
                return _Node(one_of(condition, self.scope), _never, self._explainer(item))
            case Did(measure):
                return self._did(measure)
            case EveryDay():
                return self._every_day(condition)
            case And(items):
                return _all_of([self.node(item) for item in items])
            case Or(items):
                return _any_of([self.node(item) for item in items])
            case Not(item):
                return _negated(self.node(item))

    def _fetch(self, leaf: Trait | Property) -> Callable[[View], Any]:
        if not isinstance(leaf, Trait):
            raise TypeError("a property has its place only in where=")
        self.traits.append(leaf.path[0])
        name, rest = leaf.path[0], leaf.path[1:]
        if rest:
            return lambda view: _walk(view.traits.get(name), rest)
        return lambda view: view.traits.get(name)

    def _read(self, measure: Measure) -> Reading:
        self.measures.append(measure)
        return day_reading(measure) if self.daily else reading(measure)

    def _did(self, measure: Measure) -> _Node:
        self.measures.append(measure)
        value, change = (day_did if self.daily else did)(measure)
        label, key = wording(measure), measure.key

        def explain(view: View, found: dict[str, Any]) -> None:
            answer = value(view)
            found[label] = answer if answer is not None else "unknown"
            window: Any = view.windows.get(key)
            if not measure.daily and window is not None and window.at >= 0:
                found[wording(Measure("last", measure.event, where=measure.where))] = iso(window.at)

        return _Node(value, change, explain, (change,) if self.daily else ())

    def _comparison(self, condition: Compare) -> _Node:
        made = compare(condition, self.scope)
        explain = self._explainer(condition.left, condition.right)
        days = tuple(each.next for each in made.readings) if self.daily else ()
        return _Node(made.value, _comparison_change(made), explain, days)

    def _explainer(self, *operands: Operand) -> Explain:
        shown: list[tuple[str, Callable[[View], Any]]] = []
        for operand in operands:
            self._collect(operand, shown)

        def explain(view: View, found: dict[str, Any]) -> None:
            for label, show in shown:
                found[label] = show(view)

        return explain

    def _collect(self, operand: Operand, shown: list[tuple[str, Callable[[View], Any]]]) -> None:
        if isinstance(operand, Arithmetic):
            self._collect(operand.left, shown)
            self._collect(operand.right, shown)
        elif isinstance(operand, Trait):
            shown.append((wording(operand), self._fetch(operand)))
        elif isinstance(operand, Measure):
            read = (day_reading if self.daily else reading)(operand).read
            present = plain if operand.kind == "sum" else iso if operand.kind in ("first", "last") else int
            shown.append((wording(operand), lambda view: _shown(read(view), present)))

    def _every_day(self, condition: EveryDay) -> _Node:
        if self.daily:
            raise TypeError("every_day inside every_day")
        before = len(self.measures)
        self.daily = True
        try:
            inner = self.node(condition.condition)
        finally:
            self.daily = False
        for measure in self.measures[before:]:
            if measure.length is None or measure.length < condition.days:
                raise TypeError(f"a window of {measure.length} days inside every_day({condition.days}, ...)")
        return _every_day(condition.days, inner, wording(condition))


# ---- leaves ---------------------------------------------------------------------------------------------------------


def _never(view: View) -> int:  # noqa: ARG001
    return NEVER


def _nothing(view: View, found: dict[str, Any]) -> None:
    """Nothing to explain."""


def _walk(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    for name in path:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def _shown(value: Value, present: Callable[[int], Any]) -> object:
    if value is None:
        return None
    if isinstance(value, int):
        return present(value)
    return "unknown" if value == UNKNOWN else {"at_least": present(int(value[0]))}


def _comparison_change(made: Comparison) -> Change:
    if not made.readings:
        return _never
    if made.against is not None:
        measured, tester, monotone = made.against
        flip = measured.flip

        def change_of_one(view: View) -> int:
            test = tester(view)
            return NEVER if test is None else flip(view, test, monotone)

        return change_of_one
    nexts = tuple(each.next for each in made.readings)
    return lambda view: min(next_(view) for next_ in nexts)


# ---- and, or, not ---------------------------------------------------------------------------------------------------


def _all_of(items: list[_Node]) -> _Node:
    return _joined(items, decided=False)


def _any_of(items: list[_Node]) -> _Node:
    return _joined(items, decided=True)


def _joined(items: list[_Node], *, decided: bool) -> _Node:
    """`and` (one False decides) and `or` (one True decides)."""
    values = tuple(item.value for item in items)
    changes = tuple(item.change for item in items)
    pairs = tuple(zip(values, changes, strict=True))

    def value(view: View) -> bool | None:
        answer: bool | None = not decided
        for value_of in values:
            part = value_of(view)
            if part is decided:
                return decided
            if part is None:
                answer = None
        return answer

    def change(view: View) -> int:
        latest = 0
        for value_of, change_of in pairs:
            if value_of(view) is decided:
                moment = change_of(view)
                if moment == NEVER:
                    return NEVER
                if moment > latest:
                    latest = moment
        if latest:
            return latest
        earliest = NEVER
        for change_of in changes:
            moment = change_of(view)
            if moment < earliest:
                earliest = moment
        return earliest

    def explain(view: View, found: dict[str, Any]) -> None:
        answer = value(view)
        for item in items:
            # Of an `and` that is false, say what is false; of one that is unknown, what is unknown.
            if item.value(view) is answer:
                item.explain(view, found)

    return _Node(value, change, explain, tuple(day for item in items for day in item.days))


def _negated(item: _Node) -> _Node:
    inner = item.value

    def value(view: View) -> bool | None:
        answer = inner(view)
        return None if answer is None else not answer

    return _Node(value, item.change, item.explain, item.days)


# ---- every_day ------------------------------------------------------------------------------------------------------


def _every_day(length: int, inner: _Node, label: str) -> _Node:
    holds, day_limits = inner.value, inner.days

    def value(view: View) -> bool | None:
        answer: bool | None = True
        today = view.today
        # Most users fail on one of the latest days.
        for day in range(today - 1, today - length - 1, -1):
            view.day = day
            part = holds(view)
            if part is False:
                return False
            if part is None:
                answer = None
        return answer

    def change(view: View) -> int:
        """The first midnight at which the answer is another one, given that no more events come."""
        today = view.today
        false_day = unknown_day = before = today - length - 1
        for day in range(today - 1, before, -1):
            view.day = day
            part = holds(view)
            if part is False:
                false_day = day
                break
            if part is None and unknown_day == before:
                unknown_day = day
        answer = False if false_day > before else None if unknown_day > before else True
        # Days that can be unlike an empty one: today, and what a zone further east has left behind.
        day = today
        last_day = max([limit(view) for limit in day_limits], default=-1)
        while day <= last_day:
            view.day = day
            part = holds(view)
            if part is False:
                false_day = day
            elif part is None:
                unknown_day = day
            day += 1
            first_day = day - length
            if (False if false_day >= first_day else None if unknown_day >= first_day else True) is not answer:
                return view.zone.start(day)
        view.day = day
        empty = holds(view)
        if empty is answer:
            return NEVER
        if empty is False or answer is True:
            return view.zone.start(day + 1)
        return view.zone.start((unknown_day if answer is None else false_day) + length + 1)

    def explain(view: View, found: dict[str, Any]) -> None:
        answer = value(view)
        for day in range(view.today - 1, view.today - length - 1, -1):
            view.day = day
            if answer is not True and holds(view) is answer:
                inside: dict[str, Any] = {}
                inner.explain(view, inside)
                found[label] = {"holds": "unknown" if answer is None else answer, "day": iso_day(day), **inside}
                return
        found[label] = {"holds": True}

    return _Node(value, change, explain)


# ---- where ----------------------------------------------------------------------------------------------------------


def _fetch_property(leaf: Trait | Property) -> Callable[[Mapping[str, Any]], Any]:
    if not isinstance(leaf, Property):
        raise TypeError("where= looks only at the event's properties")
    name, rest = leaf.path[0], leaf.path[1:]
    if rest:
        return lambda properties: _walk(properties.get(name), rest)
    return lambda properties: properties.get(name)


def _no_measure(measure: Measure) -> Reading:
    raise TypeError(f"{measure.kind} has no place in where=")


_WHERE: Final = Scope(_fetch_property, _no_measure, scaled)


def _where(condition: Condition) -> Truth:
    match condition:
        case Flag(flag):
            return lambda properties: flag  # noqa: ARG005
        case Compare():
            return compare(condition, _WHERE).value
        case In(item, options):
            if not isinstance(item, Property):
                return _where(Or(tuple(Compare("==", item, option) for option in options)))
            return one_of(condition, _WHERE)
        case And(items):
            return _until([_where(item) for item in items], decided=False)
        case Or(items):
            return _until([_where(item) for item in items], decided=True)
        case Not(item):
            part = _where(item)
            return lambda properties: not part(properties)
        case _:
            raise TypeError("did and every_day have no place in where=")


def _until(parts: list[Truth], *, decided: bool) -> Truth:
    def value(properties: Mapping[str, Any]) -> bool:
        for part in parts:
            if part(properties) is decided:
                return decided
        return not decided

    return value
