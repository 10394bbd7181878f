"""Warn of conditions that are always the same, and of choices that an earlier one of the same condition takes."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.definitions.model import And, Compare, Condition, Flag, Not, Or
from triggers.definitions.words import words_of
from triggers.language.documents import Problem, Scalar
from triggers.rules.warnings.conditions import exclude_each_other, never_true
from triggers.rules.warnings.nodes import all_steps, maps, value, warning
from triggers.rules.written import Expression, Written


def constant_conditions(written: Written) -> Iterator[Problem]:
    """Warn of `True` and `False` in steps, entries and policies; in a segment `True` means all users. And of what is never false."""
    segments = {id(node) for node in written.named.get("segments", {}).values()}
    seen: set[int] = set()
    for expression in written.expressions:
        node, whole = expression.node, expression.parts[-1][1] if expression.parts else None
        if isinstance(whole, Flag) and id(node) not in segments:
            hint = "leave the condition out" if whole.value else "leave out what depends on it"
            yield node.source.problem(node.index(0), f"a condition that is always {words_of(whole)}", hint)
            continue
        found = list(_never_false(expression, seen))
        if found and next(never_true(expression), None) is None:
            for offset, condition in found:
                yield node.source.problem(node.index(offset), f"{words_of(condition)} is never false", "leave it out, or correct it")


def _never_false(expression: Expression, seen: set[int]) -> Iterator[tuple[int, Condition]]:
    """Yield the conditions in an expression that are never false, outer ones first; of those inside others the outer one."""
    own = {id(part) for _, part in expression.parts}
    for offset, condition in reversed(expression.parts):
        if id(condition) in seen:
            continue
        seen.add(id(condition))
        if isinstance(condition, Compare | Or) and exclude_each_other(Not(condition)):
            seen.update(map(id, condition.items if isinstance(condition, Or) else ()))
            yield offset, condition
        elif isinstance(condition, And):
            # of a chain such as 0 <= count("A") <= 5 the parts have no place of their own
            for item in condition.items:
                if id(item) not in own and isinstance(item, Compare) and exclude_each_other(Not(item)):
                    yield offset, item


def repeated_choices(written: Written) -> Iterator[Problem]:
    """Warn of a choice whose condition is that of an earlier one, so that it is never taken."""
    conditions = {id(expression.node): expression.parts[-1][1] for expression in written.expressions if expression.parts}
    for journey in written.journeys.values():
        for step in all_steps(journey):
            first: dict[Condition, Scalar] = {}
            for choice in maps(value(step, "choose")):
                at = value(choice, "if")
                condition = conditions.get(id(at))
                if condition is None or not isinstance(at, Scalar):
                    continue
                if condition in first:
                    line, _ = first[condition].source.place(first[condition].start)
                    yield warning(at, "no run takes this choice: an earlier one has the same condition", f"that is on line {line}")
                first.setdefault(condition, at)
