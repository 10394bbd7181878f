"""Decide whether a user is inside each segment, and when time alone could change that.

    last known value   now       by an event        by time or a new rule set
    none               true      enters             inside already: no entry
    none               false     outside            outside
    false              true      enters             enters
    true               false     leaves             leaves
    any                unknown   stays as it was    stays as it was

A new rule set can change a known value only by another default zone. Such a change ends runs, as each change does, but it
enters no journey.

An absent standing means "false, and time alone cannot change it": a user who is outside of a segment stores nothing for it.

If the first line keeps a user out of a journey, a decision says so. So it does if the value is unknown at an event, but only once until the
value is known.
"""

from collections.abc import Iterable
from typing import Literal

from triggers.base.model import NEVER
from triggers.causes.cause import Change
from triggers.journeys.context import UserContext
from triggers.journeys.events import NO_JOURNEYS
from triggers.journeys.plan import SegmentPlan
from triggers.records.decisions import Kind
from triggers.state.runs import Standing

By = Literal["event", "time", "rules"]


def evaluate(context: UserContext, segments: Iterable[SegmentPlan], by: By, *, first: bool = False) -> dict[str, Change]:
    """Evaluate the segments in their order, set the next moment for each, and return the changes by key of definition.

    `first`: it is the user's first record, so a segment without a standing has no known value.
    """
    changes: dict[str, Change] = {}
    standings = context.user.held_standings
    if standings is None:
        standings = context.user.standings
    view = context.view
    for segment in segments:
        key = segment.key
        standing = standings.get(key)
        value, due = segment.look(view)
        if standing is None:
            if value is False and due == NEVER:
                continue
            standing = standings[key] = Standing(inside=None if first else False)
        standing.due = due
        before = standing.inside
        if value is None:
            if by == "event" and not before and not standing.asked:
                standing.asked = True
                _say(context, segment, "refused", "unknown")
        else:
            standing.asked = False
            standing.inside = value
        if standing.inside is False and due == NEVER and not standing.asked:
            del standings[key]
        if value is None or value is before:
            continue
        if before is None and not (value and by == "event"):
            if value and by == "time":
                _say(context, segment, "met", f"inside {segment.name} already: time made it known")
            continue
        changes[key] = "enters" if value else "leaves"
    return changes


def look_first(context: UserContext, segments: Iterable[SegmentPlan]) -> None:
    """Mark segments without a standing as unknown."""
    standings = context.user.standings
    for segment in segments:
        if segment.key not in standings:
            standings[segment.key] = Standing()


def _say(context: UserContext, segment: SegmentPlan, kind: Kind, reason: str) -> None:
    """Report for each journey that this segment enters why the user does not enter."""
    for plan in context.plan.entered_by.get((segment.key, "enters"), NO_JOURNEYS):
        context.say(plan, kind, reason, segment.explain(context.view))


def due_now(context: UserContext) -> list[SegmentPlan]:
    """List the segments that are due."""
    now = context.now
    due = [key for key, standing in context.user.standings.items() if standing.due <= now]
    return context.segments_of(due) if due else []
