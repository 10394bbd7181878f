"""Warn of journeys that can never act, or that act differently from what their author probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triggers.causes import kind_of
from triggers.definitions.model import Step
from triggers.language.documents import Problem
from triggers.rules.warnings.nodes import all_steps, items, steps, value, warning, ways
from triggers.rules.written import Written
from triggers.steps import all_of
from triggers.steps.kind import kind_of as kind_of_step


def entry_is_exit(written: Written) -> Iterator[Problem]:
    """Warn if each entry is also an exit, so that no user can enter."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        for cause, at in zip(journey.exits, items(value(node, "exit")), strict=True):
            exit_ = kind_of(cause)
            if all(exit_.comes_with(entry, written.rules.segments) for entry in journey.entries):
                hint = "make the where of entry and exit exclude each other" if exit_.also else "take another exit"
                yield warning(at, f'everything that enters "{name}" is also this exit ({exit_.words()}), so no user can enter', hint)


def sends_nothing(written: Written) -> Iterator[Problem]:
    for name, node in written.journeys.items():
        if not any(step.sends or step.sets for step in all_of(written.rules.journeys[name].steps)):
            yield warning(value(node, "steps") or node, f'the journey "{name}" sends nothing', "a step with send belongs here")


def waits_for_nothing(written: Written) -> Iterator[Problem]:
    """Warn if the last step waits. If nothing is sent at all, another warning says so."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        last = kind_of_step(journey.steps[-1])
        if last.waits and not tuple(last.inner()) and _sends(journey.steps):
            yield warning(steps(node)[-1], "the last step waits, and nothing comes after", "put a step after it, or leave it out")


def late_without_effect(written: Written) -> Iterator[Problem]:
    """Warn of `late` if nothing can be late. A wait before a send can be, and, only with `then: drop`, an event that enters."""
    for name, node in written.journeys.items():
        journey, at = written.rules.journeys[name], value(node, "late")
        if at is None or (journey.drops_late_entries and any(kind_of(entry).event_name() for entry in journey.entries)):
            continue
        every = list(all_of(journey.steps))
        wait = next((number for number, step in enumerate(every) if step.waits), len(every))
        if not _sends(every[wait:]):
            why = "a segment's change is never late" if journey.drops_late_entries else "sends before the first wait go out however late"
            yield warning(at, f'late has no effect in "{name}": no wait comes before a send, and {why}', "leave it out")


def guarded_sends(written: Written) -> Iterator[Problem]:
    """Warn of `when` next to a send that is not the last step: it ends the run, where its author may want to skip one message."""
    for node in written.journeys.values():
        for block in (steps(node), *(way for step in all_steps(node) for way in ways(step) or ())):
            for step in block[:-1]:
                guard = value(step, "when")
                if guard is not None and value(step, "send") is not None:
                    what = "when next to a send that is not the last step: where it is not true, the run ends and sends nothing more"
                    yield warning(guard, what, "if that is meant, make a step of its own of it")


def goal_without_key(written: Written) -> Iterator[Problem]:
    """Warn of a goal without a key in a journey with one run for each key: each event then counts for all runs of the user."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        goal = None if journey.goal is None else kind_of(journey.goal.cause)
        if goal is not None and goal.event_name() and not goal.key_path() and any(kind_of(entry).key_path() for entry in journey.entries):
            what = "a goal without a key: one event converts all runs of the user, whatever their keys are"
            yield warning(value(node, "goal") or node, what, "name the property, as in key: cart_id")


def _sends(steps: Iterable[Step]) -> bool:
    return any(step.sends for step in all_of(steps))
