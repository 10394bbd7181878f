"""Warn of schedules that look at all users, that never come, or that keep their own runs from sending; and of waits that end at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triggers.base.model import DAY, HOUR
from triggers.causes import kind_of
from triggers.definitions.model import Step
from triggers.language.documents import Map, Problem, Scalar
from triggers.rules.warnings.nodes import blocks, items, value, warning
from triggers.rules.written import Written
from triggers.steps.kind import kind_of as kind_of_step
from triggers.steps.waits.form import CLOCK_CHANGES

_SHORTER = 26 * HOUR
"""The least time between two occurrences is shorter than the period by so much, where a user moves to another zone."""


def schedules_for_all(written: Written) -> Iterator[Problem]:
    """Warn of a schedule without a segment."""
    for name, node in written.journeys.items():
        for cause, at in zip(written.rules.journeys[name].entries, items(value(node, "entry")), strict=True):
            kind = kind_of(cause)
            if kind.is_for_all and not kind.segment_names():
                yield warning(
                    at, "an entry by the clock without inside: every user is looked at each time", "name a segment, as in inside: S"
                )


def passed_over(written: Written) -> Iterator[Problem]:
    """Warn if `re_entry` can be longer than the time from one occurrence to the next."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        for cause in journey.entries:
            days = kind_of(cause).shortest()
            if days is not None and journey.re_entry and journey.re_entry > days * DAY - _SHORTER:
                yield warning(
                    value(node, "re_entry") or node,
                    "re_entry is longer than the time from one occurrence to the next less 26h, so occurrences are passed over",
                    "take a shorter time, or re_entry: always",
                )
                break


def outside_of_bounds(written: Written) -> Iterator[Problem]:
    """Warn of an entry by the clock without an occurrence between `from` and `until`."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        opens = None if journey.opens is None else journey.opens - (journey.spread > 0)  # a spread can end on the next date
        for cause, at in zip(journey.entries, items(value(node, "entry")), strict=True):
            if not kind_of(cause).occurs(opens, journey.closes):
                yield warning(
                    at, "no user enters here: no occurrence is between from and until", "change the dates, or leave this entry out"
                )


def begun_again(written: Written) -> Iterator[Problem]:
    """Warn of a schedule with `restart` whose next occurrence always comes before the first message of a run."""
    for name, node in written.journeys.items():
        journey = written.rules.journeys[name]
        first, _ = _to_message(journey.steps)
        for cause, at in zip(journey.entries, items(value(node, "entry")), strict=True):
            days = kind_of(cause).longest()
            if journey.while_running == "restart" and days is not None and first is not None and first >= days * DAY + CLOCK_CHANGES:
                hint = "take shorter waits, or while_running: refuse"
                yield warning(at, "while_running: restart begins each run again before its first message, so it sends nothing", hint)


def _to_message(steps: Iterable[Step]) -> tuple[int | None, int | None]:
    """Return the shortest time from the entry to the first message, and to the end of the steps without one, ms; None: there is no way."""
    found: list[int] = []
    now = 0
    for step in map(kind_of_step, steps):
        if step.sends:
            return min([*found, now]), None
        if step.stops:
            return min(found, default=None), None
        now += step.takes()
        ways = [_to_message(inner) for _, inner in step.ways()]
        found += [now + first for first, _ in ways if first is not None]
        ends = [end for _, end in ways if end is not None]
        if ways and not ends:
            return min(found, default=None), None
        now += min(ends, default=0)
    return min(found, default=None), now


def same_time(written: Written) -> Iterator[Problem]:
    """Warn of a second wait for the same time of day: it ends at the moment at which the first has ended."""
    for node in written.journeys.values():
        for block in blocks(node):
            before = None
            for step in block:
                wait = value(step, "wait")
                at = value(wait, "at") if isinstance(wait, Map) and _is_clock(wait) else None
                if wait is None and all(key.text in _PASSES for key, _ in step.entries):
                    continue
                clock = at.text if isinstance(at, Scalar) else None
                if clock is not None and clock == before:
                    hint = f'take wait: {{days: 1, at: "{clock}"}} for the next day'
                    yield warning(step, f"the wait before has ended at {clock} already, so this one ends at once", hint)
                before = clock


_PASSES = ("send", "skip_unless", "when", "name")
"""Keys of a step that takes no time."""


def _is_clock(wait: Map) -> bool:
    return all(key.text == "at" for key, _ in wait.entries)
