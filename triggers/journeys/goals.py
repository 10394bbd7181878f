"""Goals: which runs an event or a change of a segment converts.

Each entry of a journey with a goal begins a watch, and a watch lasts for the goal's `within`, also after its run has ended. An event
converts if it is read before that time is over, and if it did not happen before the entry. So the same holds for each arm, however late a
phone sends. Goals are those of the active rule set: a watch for another goal ends at the next migration.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from triggers.causes.cause import NO_PROPERTIES, Change
from triggers.journeys.arms import arms_of, forget_arms
from triggers.journeys.context import UserContext
from triggers.journeys.control import convert_by_changes
from triggers.journeys.goal_plan import shown
from triggers.journeys.keys import forget_keys, key_of, room_of_key
from triggers.state.sections.watches import WATCH, WATCHES, watch_bytes
from triggers.state.watches import MOST, MOST_OF_JOURNEY, Watch

if TYPE_CHECKING:
    from triggers.journeys.events import Target
    from triggers.journeys.plan import JourneyPlan
    from triggers.records.decisions import Kind
    from triggers.state.runs import Run


def watched_bytes(context: UserContext, without: Collection[Run] = ()) -> int:
    """Return the bytes of the user's watches, which share the room of the runs, except those of some runs."""
    if not context.user.has(WATCHES):
        return 0
    watches: list[Watch] = context.user.value(WATCHES)
    gone = {(run.journey, run.entry) for run in without}
    counted = [one for one in watches if one.until > context.now and (one.journey, one.entry) not in gone]
    return sum(watch_bytes(one) + room_of_key(one, key_of(context.user, one)) for one in counted)


def room_of_watch(plan: JourneyPlan, run: Run, key: str | None) -> int:
    """Return the bytes of the watch that a run begins when it enters."""
    return 0 if plan.goal is None else WATCH + len(run.journey.encode()) + len(run.entry) + room_of_key(run, key)


def watch(context: UserContext, run: Run, plan: JourneyPlan) -> None:
    """Begin to watch the goal of a run that enters now. If there are too many watches, the oldest one ends."""
    goal = plan.goal
    if goal is None:
        return
    watches: list[Watch] = context.user.value(WATCHES)
    _forget_past(context, watches)
    of_journey = [one for one in watches if one.journey == run.journey]
    if len(of_journey) >= MOST_OF_JOURNEY:
        _end(context, watches, of_journey[0], "too many watches")
    elif len(watches) >= MOST:
        _end(context, watches, watches[0], "too many watches")
    watches.append(
        Watch(
            journey=run.journey,
            version=run.version,
            entry=run.entry,
            goal=goal.key,
            entered=run.entered,
            until=run.entered + goal.within,
            dry=not context.position.live,
        )
    )


def unwatch(context: UserContext, run: Run) -> None:
    """Forget the watch of a run that another entry has replaced. The new run is watched; one event is not two conversions."""
    if context.user.has(WATCHES):
        watches: list[Watch] = context.user.value(WATCHES)
        watches[:] = [one for one in watches if (one.journey, one.entry) != (run.journey, run.entry)]
        forget_keys(context.user)
        forget_arms(context.user, run)


def reach(context: UserContext, targets: Sequence[Target], happened: int, properties: Mapping[str, Any]) -> None:
    """Convert the runs whose goal this event or change is. `happened`: its own time, ms."""
    if not context.user.has(WATCHES):
        return
    watches: list[Watch] = context.user.value(WATCHES)
    _forget_past(context, watches)
    for plan, key in targets:
        goal = plan.goal
        for one in watches:
            if goal is None or one.journey != plan.journey.name or one.goal != goal.key or happened < one.entered:
                continue
            if key is not None and key_of(context.user, one) != key:
                continue
            one.conversions += 1
            values: dict[str, Any] = {"ordinal": one.conversions, "after_ms": context.now - one.entered}
            if goal.value is not None:
                values["value"] = shown(goal.value, properties)
            if one.dry:
                values["dry"] = True
            _decide(context, one, "converted", None, values)


def reach_by_changes(context: UserContext, changes: Mapping[str, Change]) -> None:
    """Convert the runs of journeys whose goal is one of these changes, and the user if it is the goal of the control group."""
    reached_by = context.plan.reached_by
    if reached_by:
        targets: list[Target] = [(plan, None) for change in changes.items() for plan in reached_by.get(change, ())]
        if targets:
            targets.sort(key=_journey)
            reach(context, targets, context.now, NO_PROPERTIES)
    if context.plan.control_goal is not None:
        convert_by_changes(context, context.plan.control_goal, changes)


def _journey(target: Target) -> str:
    return target[0].journey.name


def keep_goals(context: UserContext) -> None:
    """End the watches whose goal the active rule set does not have. At a migration."""
    if not context.user.has(WATCHES):
        return
    watches: list[Watch] = context.user.value(WATCHES)
    _forget_past(context, watches)
    journeys = context.plan.journeys
    for one in list(watches):
        plan = journeys.get(one.journey)
        if plan is None or plan.goal is None or plan.goal.key != one.goal:
            _end(context, watches, one, "goal changed")


def forget_past_watches(context: UserContext) -> None:
    """Remove the watches whose time is over, with what is kept for them: they must take no room."""
    if context.user.has(WATCHES):
        _forget_past(context, context.user.value(WATCHES))


def _forget_past(context: UserContext, watches: list[Watch]) -> None:
    """Remove the watches whose time is over. Nothing else looks at them, so no timer is needed."""
    past = [one for one in watches if one.until <= context.now]
    if past:
        watches[:] = [one for one in watches if one.until > context.now]
        forget_keys(context.user)
        for one in past:
            forget_arms(context.user, one)


def _end(context: UserContext, watches: list[Watch], one: Watch, reason: str) -> None:
    _decide(context, one, "ended", reason, {"conversions": one.conversions})
    watches.remove(one)
    forget_keys(context.user)
    forget_arms(context.user, one)


def _decide(context: UserContext, one: Watch, kind: Kind, reason: str | None, values: dict[str, Any]) -> None:
    context.outbox.decision(
        kind,
        reason,
        user=context.user_id,
        at=context.now,
        offset=context.user.offset,
        rule_set=context.plan.hash,
        journey=one.journey,
        version=one.version,
        run=f"{one.journey}@{one.version}:{context.user_id}:{one.entry}",
        values=values,
        arms=arms_of(context.user, one),
        key=key_of(context.user, one),
    )
