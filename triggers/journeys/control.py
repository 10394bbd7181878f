"""The goal of the control group: each time a user does it, a decision says in which group the user is.

It belongs to no journey. The group is a draw of the user id, so no state keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from triggers.base.draws import ARM, PARTS, TREATED, draw, is_among
from triggers.causes.cause import NO_PROPERTIES, Change
from triggers.journeys.context import UserContext
from triggers.journeys.goal_plan import shown

if TYPE_CHECKING:
    from triggers.journeys.goal_plan import ControlGoal


def group_of(user: str, part: int) -> str:
    """Return `control` for the users who are in the control group, `treated` for all others. `part`: of 10,000 users."""
    return "control" if is_among(draw("control", "", user), part, PARTS) else TREATED


def convert(context: UserContext, properties: Mapping[str, Any]) -> None:
    """Report that the user has done what the control group is measured by."""
    goal = context.plan.control_goal
    assert goal is not None, "an event is its goal only if there is one"
    arm = group_of(context.user_id, goal.part)
    values: dict[str, Any] = {} if goal.value is None else {"value": shown(goal.value, properties)}
    if not context.position.live:
        values["dry"] = True
    context.outbox.decision(
        "converted",
        None,
        user=context.user_id,
        at=context.now,
        offset=context.user.offset,
        rule_set=context.plan.hash,
        values=values,
        arms={ARM: arm},
    )


def convert_by_changes(context: UserContext, goal: ControlGoal, changes: Mapping[str, Change]) -> None:
    """Report it if one of these changes is the goal."""
    if goal.signal.change is not None and changes.get(goal.signal.key) == goal.signal.change:
        convert(context, NO_PROPERTIES)
