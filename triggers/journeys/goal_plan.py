"""The goal of a journey, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from triggers.base.canonical import digest
from triggers.causes import kind_of
from triggers.causes.cause import Signal, WatchedSegment
from triggers.measures.taking import Take, numbers

if TYPE_CHECKING:
    from triggers.definitions.model import Goal


class GoalPlan:
    """The goal of a journey, compiled."""

    def __init__(self, goal: Goal, segments: Mapping[str, WatchedSegment]) -> None:
        cause = kind_of(goal.cause)
        self.within = goal.within
        self.signal: Signal = cause.signal(segments)
        self.key = digest([goal, [segments[name].key for name in cause.segment_names()]], 8)
        """Names the goal in the state of a user. It covers the conditions of the segments."""
        self.value: Take | None = numbers(goal.value) if goal.value else None
