"""What follows when a run sets traits of its user: the same as after an `identify` at this moment.

Tiers, segments, goals and exits follow at once, also an exit of the run itself. At a new rule set no user enters.
"""

from collections.abc import Mapping
from typing import Any

from triggers.journeys.awaited import end_waits, may_end_waits
from triggers.journeys.calendar import follow_traits, keep_calendar
from triggers.journeys.context import UserContext
from triggers.journeys.events import NO_EVENT
from triggers.journeys.goals import reach_by_changes
from triggers.journeys.runs import enter_all, exit_by_changes
from triggers.journeys.segments import evaluate
from triggers.journeys.tiers import move_by_event
from triggers.state.runs import Run


def follow_set(context: UserContext, traits: Mapping[str, Any], *, enters: bool) -> tuple[list[Run], list[Run]]:
    """Decide what follows from traits that a run has changed. Return the runs that enter, and those whose wait ends."""
    plan, now = context.plan, context.now
    moves, looked_at_tiers = move_by_event(context, NO_EVENT, traits, touched=False, new=False)
    if moves:
        reach_by_changes(context, moves)
    segments = context.reading(traits)
    changes = evaluate(context, segments, "event") if segments else {}
    if plan.clocks is not None:
        keep_calendar(context, segments)
        follow_traits(context, traits)
    if changes:
        reach_by_changes(context, changes)
    changes = {**moves, **changes}
    if changes:
        exit_by_changes(context, changes)
    looked: list[object] = [*segments, *([True] if looked_at_tiers else [])]
    ended = end_waits(context, NO_EVENT, now, changes, looked=True) if may_end_waits(context, NO_EVENT, looked) else []
    entered = enter_all(context, changes, NO_EVENT, now, context.offset) if changes and enters else []
    return entered, ended
