"""Warn of schedules that look at all users or that `re_entry` keeps from entering, and of waits that end where they begin."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.base.model import DAY, HOUR
from triggers.causes import kind_of
from triggers.language.documents import Map, Problem, Scalar
from triggers.rules.warnings.nodes import blocks, items, value, warning
from triggers.rules.written import Written

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
