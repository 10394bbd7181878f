"""Warn of waits that cannot do what they say: for a date that is over, for an event that ends the run, and texts that show no event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from triggers.causes import kind_of
from triggers.language.documents import Map, Problem, Scalar
from triggers.language.templates import EVENT, TemplateError, compile_template
from triggers.rules.warnings.nodes import maps, steps, texts_of, value, warning, ways
from triggers.rules.written import Written
from triggers.steps import StepKind, all_of

MAX_EXITS: Final = 20
"""How many exits of a journey are compared with what it waits for."""
_LONG_AGO: Final = -(10**15)


def _by_node(written: Written, journey: str) -> Mapping[int, StepKind]:
    """Return the steps of a journey by the id of their node."""
    nodes = written.steps.get(journey, {})
    return {id(nodes[step.name]): step for step in all_of(written.rules.journeys[journey].steps) if step.name in nodes}


class _Since(NamedTuple):
    """How long a run lasts, in ms: until the moment that the next step counts from, and until now; at least."""

    moment: int
    now: int


def past_dates(written: Written) -> Iterator[Problem]:
    """Warn of a wait for a date that is always over when a run reaches it."""
    for name, node in written.journeys.items():
        found: list[Map] = []
        _walk(steps(node), _Since(0, 0), _by_node(written, name), found)
        for step in found:
            at = value(step, "wait") or step
            yield warning(
                at, "no run waits here: the date is always over when a run reaches the step", "take a later date, or leave it out"
            )


def _walk(block: list[Map], since: _Since, known: Mapping[int, StepKind], found: list[Map]) -> _Since:
    moment, now = since
    for node in block:
        step = known.get(id(node))
        if step is None:
            continue
        latest = step.latest()
        if latest is None:
            moment += step.takes()
        else:
            if latest <= now:
                found.append(node)
            moment = _LONG_AGO
        now = max(now, moment)
        ends = [_walk(way, _Since(moment, now), known, found) for way in ways(node) or ()]
        if ends:
            moment, now = min(end.moment for end in ends), min(end.now for end in ends)
    return _Since(moment, now)


def awaited_exits(written: Written) -> Iterator[Problem]:
    """Warn of a wait for what is also an exit: it ends the run."""
    for name in written.journeys:
        journey = written.rules.journeys[name]
        exits = [] if journey.exit_is_goal else [kind_of(cause) for cause in journey.exits[:MAX_EXITS]]  # a goal ends no run after `within`
        for step in all_of(journey.steps) if exits else ():
            for cause in step.awaits():
                if any(exit_.comes_with(cause, written.rules.segments) for exit_ in exits):
                    what = f'{kind_of(cause).words()} ends the run, as an exit of "{name}": no run continues here by it'
                    at = written.steps[name][step.name]
                    yield warning((value(at, "wait") if isinstance(at, Map) else None) or at, what, "leave out the exit, or this wait")


def empty_events(written: Written) -> Iterator[Problem]:
    """Warn of texts that show `event.*` where no event has ended a wait, as under `timed_out`."""
    for journey in written.journeys.values():
        found: list[Scalar] = []
        _show(steps(journey), False, found)
        for text in found:
            what = "event is always empty here: no event has ended the wait before it"
            yield warning(text, what, "show it under came, or show properties of the entry")


def _show(block: list[Map], before: bool, found: list[Scalar]) -> bool:
    """Find the texts of a list of steps that show an event where there is none. Return whether there can be one behind the list."""
    has_event = before
    for step in block:
        wait, send = value(step, "wait"), value(step, "send")
        if isinstance(send, Map) and not has_event:
            found += [text for text in texts_of(send) if _asks(text)]
        if isinstance(wait, Map) and value(wait, "timeout") is not None:
            comes = any(value(cause, "event") is not None for cause in maps(value(wait, "any")) or [wait])
            came = _show(maps(value(step, "came")), comes, found)
            has_event = _show(maps(value(step, "timed_out")), False, found) or came
        elif (blocks := ways(step)) is not None:
            ends = [_show(way, has_event, found) for way in blocks]
            has_event = True in ends
    return has_event


def _asks(text: Scalar) -> bool:
    if EVENT not in text.text:
        return False
    with suppress(TemplateError):
        return any(path[0] == EVENT for path in compile_template(text.text).paths)
    return False
