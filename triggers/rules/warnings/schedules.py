"""Warn of schedules that look at all users, or that `re_entry` keeps from entering."""

from __future__ import annotations

from collections.abc import Iterator

from triggers.base.model import DAY, HOUR
from triggers.causes import kind_of
from triggers.language.documents import Problem
from triggers.rules.warnings.nodes import items, value, warning
from triggers.rules.written import Written

_SHORTER = 26 * HOUR
"""The least time between two occurrences is shorter than the period by so much, where a user moves to another zone."""


def schedules_for_all(written: Written) -> Iterator[Problem]:
    """Warn of a schedule without a segment."""
    for name, node in written.journeys.items():
        for cause, at in zip(written.rules.journeys[name].entries, items(value(node, "entry")), strict=True):
            kind = kind_of(cause)
            if kind.by_clock and not kind.segment_names():
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
