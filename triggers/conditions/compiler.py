"""Conditions: whether they hold for a user at a moment, and until when time alone leaves it so.

`compile_condition` makes closures of a checked condition, once for each rule set. They run after each record and at each timer.

**Three values.** True, False and None for unknown (Kleene). A missing trait is null, and comparing null is false, not unknown. Only a
window that has not seen all that a measure covers makes a condition unknown.

**Change.** `change(view)` returns a moment. Without an event, `value` stays the same from now until just before that moment. The moment may
be too early, but never too late. It becomes the user's next timer, so the engine never sweeps over users. A false `and` cannot change
before *all* of its false parts have, so it waits for the last of them. An `or` waits for its true parts in the same way. So a window that
empties costs nothing for a user without purchases.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from triggers.base.intervals import COMPARISONS
from triggers.base.model import NEVER
from triggers.base.moments import iso
from triggers.base.numbers import SCALE
from triggers.conditions.circumstances import local_time
from triggers.conditions.comparisons import MIRRORED, Comparison, Scope, Truth, compare, contains, one_of
from triggers.conditions.nodes import Change, DayTest, Explain, Node, all_of, any_of, every_day, negated, never, nothing, streak
from triggers.conditions.sends import counted
from triggers.definitions.model import (
    LOCAL,
    MAX_LISTED,
    And,
    Arithmetic,
    Circumstance,
    Compare,
    Condition,
    Contains,
    Did,
    EveryDay,
    Flag,
    In,
    Measure,
    Not,
    Number,
    OfList,
    Operand,
    Or,
    Property,
    Sent,
    Trait,
)
from triggers.definitions.words import words_of
from triggers.measures.kind import explainer, kind_of, presented
from triggers.measures.reading import complete_at, day_reading, reading, since_of
from triggers.measures.view import Reading, View

__all__ = ["Compiled", "View", "compile_condition", "compile_where"]

_STEPS: Final = 4
"""How many panes a comparison of several measures looks ahead."""


class Compiled:
    """A condition, ready to be asked.

    `value(view)`: whether it holds. `change(view)`: the earliest moment after the view's at which time alone could change that, NEVER if
    none. `look(view)`: both, for less. `explain(view)`: the measures and traits that decided it, with the values they had, as JSON; a lower
    bound is `{"at_least": n}`; where the condition is unknown, `incomplete` says until when each window does not know all.
    `measures`: one for each window that it needs; `traits`: the top-level names of the traits that it looks at.
    `tests`: for windows of which it asks nothing but whether each day's number passes these tests, the tests; an event that changes none
    of their outcomes changes neither value nor `change`. `counts_sends`: it asks how many messages went out. Such a condition is
    asked only at moments of runs, so `change` does not know of it.
    """

    __slots__ = ("change", "counts_sends", "explain", "look", "measures", "tests", "traits", "value")

    def __init__(
        self,
        node: Node,
        measures: tuple[Measure, ...],
        traits: frozenset[str],
        tests: Mapping[str, tuple[DayTest, ...]],
        used: tuple[Measure, ...] = (),
        *,
        counts_sends: bool = False,
    ) -> None:
        """Take the measures as they are written in `used`, also where several share a window."""
        self.value: Callable[[View], bool | None] = node.value
        self.change = node.change
        self.look = node.look
        self.measures = measures
        self.traits = traits
        self.tests = tests
        self.counts_sends = counts_sends

        def explained(view: View) -> dict[str, Any]:
            found: dict[str, Any] = {}
            node.explain(view, found)
            if node.value(view) is None and (missing := _incomplete(view, used)):
                found["incomplete"] = missing
            return found

        self.explain: Callable[[View], dict[str, Any]] = explained


def _incomplete(view: View, measures: tuple[Measure, ...]) -> dict[str, str]:
    """Return the measures whose windows have not seen all that they cover, with the moment at which they have."""
    found: dict[str, str] = {}
    for measure in measures:
        window: Any = view.windows.get(measure.key)
        since = 0 if window is None else since_of(measure)(window)
        if since:
            until = complete_at(measure, since, view.zone)
            if until is None or until > view.now:
                found[words_of(measure)] = "for ever" if until is None else iso(until)
    return found


def compile_condition(condition: Condition) -> Compiled:
    """Compile a checked condition about a user. Raises TypeError for one that the checks should have refused."""
    compiler = _Compiler()
    node = compiler.node(condition)
    measures = {measure.key: measure for measure in reversed(compiler.measures)}
    unique = tuple(measures[key] for key in dict.fromkeys(measure.key for measure in compiler.measures))
    uses = Counter(measure.key for measure in compiler.measures)
    tests = {key: tuple(tests) for key, tests in compiler.tests.items() if len(tests) == uses[key]}
    return Compiled(node, unique, frozenset(compiler.traits), tests, tuple(compiler.measures), counts_sends=compiler.counts_sends)


def compile_where(condition: Condition) -> Callable[[Mapping[str, Any]], bool]:
    """Compile a checked condition about an event's properties; a number that does not fit is null there.

    Raises TypeError for a condition that the checks should have refused.
    """
    truth = _where(condition)
    return lambda properties: truth(properties) is True


class _Compiler:
    """Compile one condition and collect what it needs."""

    def __init__(self) -> None:
        self.measures: list[Measure] = []
        self.traits: list[str] = []
        self.tests: defaultdict[str, list[DayTest]] = defaultdict(list)
        self.daily = False
        self.counts_sends = False
        self.scope: Final = Scope(self._fetch, self._read, self._count)

    def node(self, condition: Condition) -> Node:
        match condition:
            case Flag(flag):
                return Node(lambda view: flag, never, nothing)  # noqa: ARG005
            case Compare():
                return self._comparison(condition)
            case In(item, options):
                if not isinstance(item, Trait | Circumstance):
                    return self.node(Or(tuple(Compare("==", item, option) for option in options)))
                return Node(one_of(condition, self.scope), never, self._explainer(item))
            case Contains(_, path):
                return Node(contains(condition, self.scope), never, self._explainer(path))
            case OfList():
                raise TypeError("any and all have their place only in where=")
            case Did(measure):
                return self._did(measure)
            case EveryDay():
                return self._every_day(condition)
            case And(items):
                return all_of([self.node(item) for item in items])
            case Or(items):
                return any_of([self.node(item) for item in items])
            case Not(item):
                return negated(self.node(item))

    def _fetch(self, leaf: Trait | Property) -> Callable[[View], Any]:
        if isinstance(leaf, Circumstance) and leaf.path[0] == LOCAL:
            part = leaf.path[1]
            return lambda view: local_time(view.now, view.zone)[part]
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

    def _count(self, node: Sent) -> Callable[[View], Any]:
        self.counts_sends = True
        return counted(node)

    def _did(self, measure: Measure) -> Node:
        if kind_of(measure).gives != "truth":
            raise TypeError(f"{measure.kind} is no condition")
        made = self._read(measure)
        return Node(made.read, made.next, explainer(measure, made), (made.next,) if self.daily else ())

    def _comparison(self, condition: Compare) -> Node:
        made = compare(condition, self.scope)
        explain = self._explainer(condition.left, condition.right)
        days = tuple(each.next for each in made.readings) if self.daily else ()
        return Node(made.value, _comparison_change(made), explain, days)

    def _explainer(self, *operands: Operand) -> Explain:
        parts: list[Explain] = []
        for operand in operands:
            self._collect(operand, parts)

        def explain(view: View, found: dict[str, Any]) -> None:
            for part in parts:
                part(view, found)

        return explain

    def _collect(self, operand: Operand, parts: list[Explain]) -> None:
        if isinstance(operand, Arithmetic):
            self._collect(operand.left, parts)
            self._collect(operand.right, parts)
        elif isinstance(operand, Trait | Circumstance):
            parts.append(_shown(words_of(operand), self._fetch(operand)))
        elif isinstance(operand, Sent):
            parts.append(_counted(words_of(operand), counted(operand)))
        elif isinstance(operand, Measure):
            parts.append(explainer(operand, (day_reading if self.daily else reading)(operand)))

    def _every_day(self, condition: EveryDay) -> Node:
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
        general = every_day(condition.days, inner, words_of(condition))
        match condition.condition:
            case Compare(op, Measure() as measure, Number(threshold)) if kind_of(measure).adds_up:
                test = _day_test(op, threshold, kind_of(measure).power)
            case _:
                return general
        if test(0):
            return general
        # A day that was not seen whole is unknown below the number of an `==`, and false above it. Neither passes, so no test can
        # distinguish them.
        if op != "==":
            self.tests[measure.key].append(test)
        return streak(condition.days, general, measure.key, test, rising=op in (">", ">="))


# ---- leaves ---------------------------------------------------------------------------------------------------------


def _walk(value: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401
    for name in path:
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def _shown(label: str, fetch: Callable[[View], Any]) -> Explain:
    def explain(view: View, found: dict[str, Any]) -> None:
        found[label] = fetch(view)

    return explain


def _counted(label: str, count: Callable[[View], Any]) -> Explain:
    def explain(view: View, found: dict[str, Any]) -> None:
        found[label] = presented(count(view), int)

    return explain


def _day_test(op: str, threshold: int, power: int) -> DayTest:
    """Return the test of one day's number against a scaled one."""
    if power == 1:
        return partial(COMPARISONS[MIRRORED[op]], threshold)
    exact = COMPARISONS[op]
    return lambda number: exact(number * SCALE, threshold)


def _comparison_change(made: Comparison) -> Change:
    if not made.readings:
        return never
    if made.against is not None:
        measured, tester, monotone = made.against
        flip = measured.flip

        def change_of_one(view: View) -> int:
            test = tester(view)
            return NEVER if test is None else flip(view, test, monotone)

        return change_of_one
    value, nexts, probe = made.value, tuple(each.next for each in made.readings), View()

    def change(view: View) -> int:
        """Look a few steps ahead, then give the next step: too early is harmless, and far ahead something will have happened."""
        probe.windows, probe.traits, probe.zone = view.windows, view.traits, view.zone
        probe.now, probe.today = view.now, view.today
        current = value(view)
        steps = 0
        while (moment := min([next_(probe) for next_ in nexts])) < NEVER and steps < _STEPS:
            steps += 1
            probe.now, probe.today = moment, view.zone.day(moment)
            if value(probe) is not current:
                break
        return moment

    return change


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


_WHERE: Final = Scope(_fetch_property, _no_measure)


def _where(condition: Condition, scope: Scope = _WHERE) -> Truth:
    match condition:
        case Flag(flag):
            return lambda properties: flag  # noqa: ARG005
        case Compare():
            return compare(condition, scope).value
        case In(item, options):
            if not isinstance(item, Property):
                return _where(Or(tuple(Compare("==", item, option) for option in options)), scope)
            return one_of(condition, scope)
        case Contains():
            return contains(condition, scope)
        case OfList():
            return _of_list(condition)
        case And(items):
            return _until([_where(item, scope) for item in items], decided=False)
        case Or(items):
            return _until([_where(item, scope) for item in items], decided=True)
        case Not(item):
            return _opposite(_where(item, scope))
        case _:
            raise TypeError("did and every_day have no place in where=")


def _until(parts: list[Truth], *, decided: bool) -> Truth:
    def value(context: object) -> bool | None:
        found: bool | None = not decided
        for part in parts:
            truth = part(context)
            if truth is decided:
                return decided
            if truth is None:
                found = None
        return found

    return value


def _opposite(part: Truth) -> Truth:
    def value(context: object) -> bool | None:
        truth = part(context)
        return None if truth is None else not truth

    return value


def _of_list(condition: OfList) -> Truth:
    """Compile `any` or `all`.

    Any value on the path may be the list, so the condition is compiled for each: over an item, properties continue from there.
    """
    path, decided = condition.path, condition.quantifier == "any"
    tests = [_where(condition.condition, Scope(partial(_fetch_inside, depth), _no_measure)) for depth in range(1, len(path) + 1)]

    def value(properties: Mapping[str, Any]) -> bool | None:
        found: Any = properties
        for name, test in zip(path, tests, strict=True):
            if not isinstance(found, Mapping):
                return False
            found = found.get(name)
            if type(found) is list:
                return _decided(test, found, decided)
        return False

    return value


def _decided(test: Truth, items: list[Any], decided: bool) -> bool | None:
    result: bool | None = None if len(items) > MAX_LISTED else bool(items) and not decided
    for item in items[:MAX_LISTED]:
        truth = test(item)
        if truth is decided:
            return decided
        if truth is None:
            result = None
    return result


def _fetch_inside(depth: int, leaf: Trait | Property) -> Callable[[Any], Any]:
    if not isinstance(leaf, Property):
        raise TypeError("where= looks only at the event's properties")
    rest = leaf.path[depth:]
    return lambda item: _walk(item, rest)
