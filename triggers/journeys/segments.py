"""Who is inside which segment, and when time alone could change that.

    last known value   now       by an event        by time or a new rule set
    none               true      enters             inside already: no entry
    none               false     outside            outside
    false              true      enters             enters
    true               false     leaves             leaves
    any                unknown   stays as it was    stays as it was

A new rule set can move whom it finds inside or outside only by another default zone. That ends runs, as every move does, but nobody enters
by a rule set.

A standing that is not there says "false", and that time alone cannot change it: who is outside of a segment carries nothing for it.

Who is kept out of a journey by the first line, or at an event by a value that is unknown, gets a decision that says so; the latter once
until the value is known.
"""

from collections.abc import Iterable
from typing import Literal

from triggers.base.model import NEVER
from triggers.causes.cause import Change
from triggers.journeys.context import UserContext
from triggers.journeys.plan import NO_JOURNEYS, SegmentPlan
from triggers.records.decisions import Kind
from triggers.state.runs import Standing

By = Literal["event", "time", "rules"]


def evaluate(context: UserContext, segments: Iterable[SegmentPlan], by: By) -> dict[str, Change]:
    """Looks at the segments in their order, sets the next moment for each, and returns the moves by key of definition."""
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
            standing = standings[key] = Standing(inside=False)
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
    """Marks segments as unknown that are looked at for the first time."""
    standings = context.user.standings
    for segment in segments:
        if segment.key not in standings:
            standings[segment.key] = Standing()


def _say(context: UserContext, segment: SegmentPlan, kind: Kind, reason: str) -> None:
    """Tells each journey that is entered by this segment why nobody enters."""
    for plan in context.plan.entered_by.get((segment.key, "enters"), NO_JOURNEYS):
        context.say(plan, kind, reason, segment.explain(context.view))


def due_now(context: UserContext) -> list[SegmentPlan]:
    """The segments whose moment has come."""
    now = context.now
    due = [key for key, standing in context.user.standings.items() if standing.due <= now]
    return context.segments_of(due) if due else []
