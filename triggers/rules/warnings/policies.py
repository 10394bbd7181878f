"""Warn of policies that keep back more than their author probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triggers.base.model import DAY, MINUTE
from triggers.causes import kind_of
from triggers.definitions.model import Step
from triggers.definitions.policies import TRANSACTIONAL, QuietHours
from triggers.definitions.words import clock_words
from triggers.language.documents import Map, Node, Problem, Scalar
from triggers.policies.quiet import remaining
from triggers.rules.warnings.nodes import items, value, warning
from triggers.rules.written import Written
from triggers.steps import all_of
from triggers.steps.kind import kind_of as kind_of_step
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
_NEARLY = 15 * MINUTE
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


def nearly_whole_days(written: Written) -> Iterator[Problem]:
    """Warn of quiet hours such as 00:00 to 23:59, which probably mean the whole day."""
    policies = written.rules.policies
    nodes = dict(_all(written, "quiet_hours"))
    for rule in policies.quiet_hours if policies else ():
        if DAY - rule.length <= _NEARLY and rule.name in nodes:
            open_ = f"{clock_words(rule.end)} to {clock_words(rule.begin)}"
            hint = 'two policies make a whole day, as in {from: "00:00", to: "12:00"} and {from: "12:00", to: "00:00"}'
            yield warning(nodes[rule.name], f'the quiet hours "{rule.name}" let messages go out from {open_}', hint)


def _leaves_a_minute(rules: tuple[QuietHours, ...]) -> bool:
    if sum(rule.length * (7 if rule.days is None else len(rule.days)) for rule in rules) < 7 * DAY:
        return True
    return any(all(remaining(rule, clock) == 0 for rule in rules) for clock in _WEEK)


def held_longer_than_it_lasts(written: Written) -> Iterator[Problem]:
    """Warn of `not_after` and `hold_at_most` that are shorter than quiet hours that hold the message."""
    policies = written.rules.policies
    for name, node in written.journeys.items() if policies and policies.quiet_hours else ():
        journey, at_most = written.rules.journeys[name], value(node, "hold_at_most")
        for step in all_of(journey.steps):
            place = written.steps[name].get(step.name)
            send = value(place, "send") if isinstance(step, Send) and isinstance(place, Map) else None
            if not isinstance(step, Send) or not isinstance(send, Map):
                continue
            for what, length, at in (
                ("not_after", step.not_after, value(send, "not_after")),
                ("hold_at_most", journey.hold_at_most, at_most),
            ):
                rule = None if at is None or not length else _longer(written, step.channel, journey.category, length)
                if rule is not None and at is not None:
                    text = f'{what} is shorter than the quiet hours "{rule.name}": a message of their first minutes is dropped'
                    yield warning(at, text, "make it longer, or leave it out")


def _longer(written: Written, channel: str, category: str, length: int) -> QuietHours | None:
    """Return quiet hours that hold messages of a channel and a category for longer than this."""
    policies = written.rules.policies
    for rule in policies.quiet_hours if policies else ():
        if rule.then == "hold" and rule.scope.covers(channel, category) and rule.length + rule.spread > length:
            return rule
    return None


def dropped_always(written: Written) -> Iterator[Problem]:
    """Warn of a message whose time of day is always in quiet hours that drop it."""
    policies = written.rules.policies
    rules = [rule for rule in policies.quiet_hours if rule.then == "drop" and rule.days is None] if policies else []
    for name in written.journeys if rules else ():
        journey = written.rules.journeys[name]
        times = {getattr(cause, "at", None) if kind_of(cause).by_clock else None for cause in journey.entries}
        begin = times.pop() if len(times) == 1 and not journey.spread else None
        found: list[tuple[Send, int]] = []
        _timed(journey.steps, begin, found)
        for step, time in found:
            rule = next(
                (rule for rule in rules if rule.scope.covers(step.channel, journey.category) and remaining(rule, DAY + time) > 0), None
            )
            place = written.steps[name].get(step.name)
            if rule is not None and place is not None:
                what = f'this message would go out at {clock_words(time)}, and the quiet hours "{rule.name}" drop it then'
                yield warning(place, what, "take another time, or then: hold")


def _timed(steps: Iterable[Step], time: int | None, found: list[tuple[Send, int]]) -> int | None:
    """Collect the messages whose local time of day is known. Return that behind the steps."""
    for step in map(kind_of_step, steps):
        if isinstance(step, Send) and time is not None:
            found.append((step, time))
        time = step.clock(time)
        ends = {time, *(_timed(inside, time, found) for _, inside in step.ways())}
        time = time if len(ends) == 1 else None
    return time


def reserved_for_none(written: Written) -> Iterator[Problem]:
    """Warn of reserved places of a cap that no journey may take: they only make the cap smaller."""
    policies = written.rules.policies
    nodes = dict(_all(written, "caps"))
    for cap in policies.caps if policies else ():
        at = value(nodes[cap.name], "reserved") if cap.name in nodes else None
        if cap.reserved is None or at is None:
            continue
        bound = [one for one in written.rules.journeys.values() if cap.journeys is None or one.name in cap.journeys]
        if bound and all(journey.priority < cap.reserved.priority for journey in bound):
            why = f"has a priority of {cap.reserved.priority} or more, so its reserved places stay empty"
            what = f'no journey under the cap "{cap.name}" {why}'
            yield warning(at, what, "raise the priority of a journey, or lower this one")


def caps_without_effect(written: Written) -> Iterator[Problem]:
    """Warn of a cap that names a journey and counts none of its messages."""
    policies = written.rules.policies
    nodes = dict(_all(written, "caps"))
    channels: dict[str, set[str]] = {}
    for cap in policies.caps if policies else ():
        listed = value(nodes[cap.name], "journeys") if cap.name in nodes else None
        for at in items(listed):
            journey = written.rules.journeys.get(at.text) if isinstance(at, Scalar) else None
            if journey is None:
                continue
            if journey.name not in channels:
                channels[journey.name] = {step.channel for step in all_of(journey.steps) if isinstance(step, Send)}
            if any(cap.scope.covers(channel, journey.category) for channel in channels[journey.name]):
                continue
            is_exempt = journey.category == TRANSACTIONAL
            why = "it is transactional" if is_exempt else "it sends nothing in the channels and categories of the cap"
            hint = (
                "leave it out, or change the category of the journey" if is_exempt else "name its channels and categories, or leave it out"
            )
            yield warning(at, f'the cap "{cap.name}" does not bind the journey "{journey.name}": {why}', hint)
