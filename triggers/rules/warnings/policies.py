"""Warn of policies that keep back more than their author probably meant."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.base.model import DAY, MINUTE
from triggers.definitions.policies import QuietHours
from triggers.language.documents import Map, Node, Problem, Scalar
from triggers.policies.quiet import remaining
from triggers.rules.warnings.nodes import all_steps, value, warning
from triggers.rules.written import Written
from triggers.steps import all_of
from triggers.steps.send import Send


def _all(written: Written, kind: str) -> Iterator[tuple[str, Map]]:
    """Yield the policies of one kind: name and node."""
    for section in written.policies:
        found = value(section, kind) if isinstance(section, Map) else None
        for name, node in found.entries if isinstance(found, Map) else ():
            if isinstance(node, Map):
                yield name.text, node


def unknown_consents(written: Written) -> Iterator[Problem]:
    """Warn of a consent over incomplete windows, unless it says what that means."""
    for name, node in _all(written, "consent"):
        condition = value(node, "if")
        if value(node, "unknown") is None and condition is not None and _can_be_unknown(written, condition):
            what = f'the consent "{name}" can be unknown for users who were here before these rules, and unknown blocks'
            yield warning(condition, what, "write unknown: block or unknown: allow next to it")


def _can_be_unknown(written: Written, condition: Node) -> bool:
    return any(not measure.whole for expression in written.expressions if expression.node is condition for measure in expression.measures)


_WEEK = range(0, 7 * DAY, MINUTE)
MAX_TOGETHER = 16
"""Most quiet hours of one channel for which a warning looks at each minute of the week."""


def whole_day_quiet_hours(written: Written) -> Iterator[Problem]:
    """Warn of quiet hours that leave a channel no minute of the week."""
    policies = written.rules.policies
    rules = () if policies is None else policies.quiet_hours
    nodes = dict(_all(written, "quiet_hours"))
    found: dict[tuple[str, ...], str] = {}
    for channel in sorted({channel for rule in rules for channel in rule.scope.channels}):
        binding = tuple(rule for rule in rules if channel in rule.scope.channels and rule.scope.categories is None)
        if 0 < len(binding) <= MAX_TOGETHER and not _leaves_a_minute(binding):
            found.setdefault(tuple(rule.name for rule in binding), channel)
    for names, channel in found.items():
        listed = " and ".join(f'"{name}"' for name in names)
        yield warning(nodes[names[-1]], f"the quiet hours {listed} leave no minute of the week for {channel}", "make them shorter")


def _leaves_a_minute(rules: tuple[QuietHours, ...]) -> bool:
    if sum(rule.length * (7 if rule.days is None else len(rule.days)) for rule in rules) < 7 * DAY:
        return True
    return any(all(remaining(rule, clock) == 0 for rule in rules) for clock in _WEEK)


def held_longer_than_it_lasts(written: Written) -> Iterator[Problem]:
    """Warn of a `not_after` that is shorter than quiet hours that hold its message."""
    policies = written.rules.policies
    for name, node in written.journeys.items() if policies and policies.quiet_hours else ():
        journey = written.rules.journeys[name]
        sends = [send for step in all_steps(node) if isinstance(send := value(step, "send"), Map)]
        for send, step in zip(sends, (step for step in all_of(journey.steps) if isinstance(step, Send)), strict=True):
            at = value(send, "not_after")
            if step.not_after is None or not isinstance(at, Scalar):
                continue
            for rule in policies.quiet_hours if policies else ():
                longest = rule.length + rule.spread
                if rule.then == "hold" and rule.scope.covers(step.channel, journey.category) and longest > step.not_after:
                    what = f'not_after is shorter than the quiet hours "{rule.name}": a message of their first minutes is dropped'
                    yield warning(at, what, "make it longer, or leave it out")
                    break
