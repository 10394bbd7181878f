"""How large the state of one user can get under a rule set: it must fit into one record (PROTOCOL law 12)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from triggers.model import MAX_TRAITS, MESSAGE_IDS
from triggers.rules.model import Journey, Measure, Send

MAX_STATE: Final = 512 * 1024
"""Largest state of one user in bytes: half of Kafka's usual `max.message.bytes`."""
MAX_DISTINCT: Final = 1_000
"""Most different values that a `distinct` keeps."""

_ONE: Final = 64
"""A window's frame: key, tag, moments."""
_PANE: Final = {"count": 10, "sum": 16, "first": 16, "distinct": 10}
_VALUE: Final = 24
_RUN: Final = 9 * 1024
"""One run with its timers and the entry event's properties that its texts need (`plan.MAX_ENTRY_PROPERTIES`)."""
_ID: Final = 40


def window_bytes(measure: Measure) -> int:
    """Most bytes of one window, about."""
    if measure.kind in ("did", "last") or measure.length is None:
        return _ONE
    # Panes: those of the length, today's, and for every_day the days that it looks back.
    size = _ONE + (measure.length + 1) * _PANE[measure.kind]
    return size + MAX_DISTINCT * _VALUE if measure.kind == "distinct" else size


def state_bytes(measures: Iterable[Measure], journeys: Mapping[str, Journey]) -> int:
    """Most bytes of a user's state, about: every window that is kept once, however many rules ask for it."""
    windows = {measure.key: window_bytes(measure) for measure in measures}
    runs = sum(_RUN if any(isinstance(step, Send) and step.message for step in journey.steps) else 256 for journey in journeys.values())
    return MAX_TRAITS + MESSAGE_IDS * _ID + sum(windows.values()) + runs
