"""Timers by local time move with the user's time zone."""

from triggers.base.model import NEVER
from triggers.base.moments import Zone
from triggers.journeys.context import UserContext


def ask_again(context: UserContext, before: Zone) -> None:
    """Ask the policies now about each message that they hold, if the user was in another zone before. A pause holds on."""
    if context.view.zone is not before:
        for run in context.user.runs:
            if run.held and run.due != NEVER:
                run.due = context.now


def move_timers(context: UserContext, before: Zone) -> bool:
    """Keep the local date and time of all timers by local time of a user who was in the zone `before`. Return whether one has moved.

    A time that has passed in the new zone comes now. So it is not late.
    """
    after, any_moved = context.view.zone, False
    if after is before:
        return False
    for run in context.user.runs:
        if run.held or run.due == NEVER:
            continue
        moment = context.journey_of(run).program.find(run.step).moved(run.moment, before, after)
        if moment != run.moment:
            run.moment = run.due = max(moment, context.now)
            any_moved = True
    return any_moved
