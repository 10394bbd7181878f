"""Warns of journeys that can never act, or not as somebody must have meant."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.definitions.model import And, Cause, Condition, OnEvent, OnSegment, Send, Wait
from triggers.language.documents import Problem
from triggers.rules.warnings.nodes import items, steps, value, warning
from triggers.rules.written import Written


def entry_is_exit(written: Written) -> Iterator[Problem]:
    """What would enter is always an exit too, so nobody ever enters."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        for cause, at in zip(journey.exits, items(value(node, "exit")), strict=True):
            if _comes_with(written, cause, journey.entry):
                what = f"the event {cause.event}" if isinstance(cause, OnEvent) else f"{cause.change} {cause.segment}"
                hint = "make the where of entry and exit exclude each other" if isinstance(cause, OnEvent) else "take another exit"
                yield warning(at, f'whatever enters "{name}" is also this exit ({what}), so nobody ever enters', hint)


def sends_nothing(written: Written) -> Iterator[Problem]:
    for name, node in written.journeys.items():
        if not any(isinstance(step, Send) for step in written.rules.journeys[name].steps):
            yield warning(value(node, "steps") or node, f'the journey "{name}" sends nothing', "a step with send belongs here")


def waits_for_nothing(written: Written) -> Iterator[Problem]:
    """The last step waits. Where nothing is sent at all, that is said already."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        if isinstance(journey.steps[-1], Wait) and any(isinstance(step, Send) for step in journey.steps):
            yield warning(steps(node)[-1], "the last step waits, and nothing comes after", "put a step after it, or leave it out")


def late_without_effect(written: Written) -> Iterator[Problem]:
    """`late` where nothing can be late: a wait can, before a send, and an event that enters, which `then: drop` alone asks for."""
    for name, node in written.journeys.items():
        journey, at = written.rules.journeys[name], value(node, "late")
        if at is None or (journey.drops_late_entries and isinstance(journey.entry, OnEvent)):
            continue
        wait = next((number for number, step in enumerate(journey.steps) if isinstance(step, Wait)), len(journey.steps))
        if not any(isinstance(step, Send) for step in journey.steps[wait:]):
            why = "a segment's change is never late" if journey.drops_late_entries else "sends before the first wait go out however late"
            yield warning(at, f'late has no effect in "{name}": no wait stands before a send, and {why}', "leave it out")


def _comes_with(written: Written, exit_: Cause, entry: Cause) -> bool:
    """Whether this exit comes whenever the entry does."""
    if isinstance(exit_, OnEvent) and isinstance(entry, OnEvent):
        return exit_.event == entry.event and _parts(exit_.where) <= _parts(entry.where)
    if isinstance(exit_, OnSegment) and isinstance(entry, OnSegment):
        segments = written.rules.segments
        return exit_.change == entry.change and segments[exit_.segment].key == segments[entry.segment].key
    return False


def _parts(where: Condition | None) -> set[Condition]:
    """The conditions that are joined by `and`."""
    if where is None:
        return set()
    return {part for item in where.items for part in _parts(item)} if isinstance(where, And) else {where}
