"""The goals of journeys, and that of the control group, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triggers.base.canonical import digest
from triggers.base.numbers import plain
from triggers.causes import kind_of
from triggers.causes.cause import Signal, WatchedSegment
from triggers.measures.taking import UNFIT, Take, numbers

if TYPE_CHECKING:
    from triggers.definitions.model import Goal
    from triggers.definitions.policies import Control, Policies


class GoalPlan:
    """The goal of a journey, compiled."""

    def __init__(self, goal: Goal, segments: Mapping[str, WatchedSegment]) -> None:
        cause = kind_of(goal.cause)
        self.within = goal.within
        self.signal: Signal = cause.signal(segments)
        self.key = digest([goal, [segments[name].key for name in cause.segment_names()]], 8)
        """Names the goal in the state of a user. It covers the conditions of the segments."""
        self.value: Take | None = numbers(goal.value) if goal.value else None


class ControlGoal:
    """The goal of the control group, compiled."""

    def __init__(self, control: Control, segments: Mapping[str, WatchedSegment]) -> None:
        assert control.goal is not None, "the control group has a goal"
        self.part = control.part
        """How many of 10,000 users are in the group."""
        self.signal: Signal = kind_of(control.goal).signal(segments)
        self.value: Take | None = numbers(control.value) if control.value else None


def control_goal(policies: Policies | None, segments: Mapping[str, WatchedSegment]) -> ControlGoal | None:
    """Return the goal of the control group; None: it has none."""
    control = None if policies is None else policies.control
    return None if control is None or control.goal is None else ControlGoal(control, segments)


def shown(take: Take, properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a number, or None
    """Return what a conversion is worth: the number that an event has; None if it has none."""
    value = take(properties)
    return None if value is None or value is UNFIT else plain(value)
