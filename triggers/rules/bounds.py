"""How large the state of one user can get under a rule set: it must fit into one record of the changelog (PROTOCOL law 12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from triggers.base.model import MAX_RUNS, MAX_TOLD, MAX_TRAITS
from triggers.causes import exit_measures
from triggers.definitions.model import Journey, Measure
from triggers.language.templates import compile_template
from triggers.measures.windows import MOST, SLACK
from triggers.state.duplicates import MAX_IDS
from triggers.steps import all_of

MAX_STATE: Final = 512 * 1024
"""Largest state of one user in bytes: half of Kafka's usual `max.message.bytes`.

The other half is room for the windows of earlier rule sets that a run still needs.
"""

# Sizes in MessagePack. Panes are numbered since 1970: days in 3 bytes, hours and minutes in 5.
_WINDOW: Final = 64
"""A window's key, moments and frame."""
_MOMENT: Final = 9
_VALUE: Final = 67
"""One value of a distinct: 16 characters of at most 4 bytes, or a hash."""
_COUNT: Final = 5
_SUM: Final = 9
_STANDING: Final = 32
_ENTERED: Final = 80
_RUN: Final = 512
"""One run without properties: journey, version, rule set, ids and moments."""
_PROPERTIES: Final = 8 * 1024
"""Most bytes of the entry event's properties that a run keeps for its texts (`plan.MAX_ENTRY_PROPERTIES`)."""
_TOLD: Final = 120
"""One refusal that was reported: journey, reason, day and count."""


def window_bytes(measure: Measure) -> int:
    """Most bytes of one window."""
    if measure.length is None or (measure.kind in ("did", "last") and not measure.daily):
        return _WINDOW
    if measure.kind == "first" and not measure.daily:
        return _WINDOW + MOST * _MOMENT
    number = 3 if measure.unit == "day" else 5
    panes = measure.length + 2 * SLACK  # late, and early by the zone that the user has left
    if measure.kind == "distinct":
        return _WINDOW + MOST * (_VALUE + number) + min(panes, MOST) * (number + 3)
    return _WINDOW + panes * (number + (_SUM if measure.kind == "sum" else _COUNT))


def windows_bytes(measures: Iterable[Measure]) -> int:
    """Most bytes of all windows; one that several rules ask for is kept once."""
    return sum({measure.key: window_bytes(measure) for measure in measures}.values())


def run_bytes(journey: Journey) -> int:
    """Most bytes of a journey in a state: one run at a time, and when it was entered."""
    keeps = any(compile_template(text).properties for step in all_of(journey.steps) for text in step.texts())
    return _ENTERED + _RUN + (_PROPERTIES if keeps else 0)


def _exit_windows(journey: Journey) -> int:
    """How many windows keep the last moment of an exit event: of journeys that an event enters."""
    return len(exit_measures(journey))


def state_bytes(measures: Iterable[Measure], journeys: Mapping[str, Journey], segments: int) -> int:
    """Most bytes of one user's state."""
    runs = min(sum(run_bytes(journey) for journey in journeys.values()) - _ENTERED * len(journeys), MAX_RUNS)
    exits = sum(map(_exit_windows, journeys.values())) * _WINDOW
    return MAX_TRAITS + MAX_IDS + MAX_TOLD * _TOLD + kept_bytes(measures, len(journeys), segments) + exits + runs


def kept_bytes(measures: Iterable[Measure], journeys: int, segments: int) -> int:
    """Most bytes of windows, standings and remembered entries."""
    return windows_bytes(measures) + segments * _STANDING + journeys * _ENTERED
