"""Decide for one user: at an event, at a moment, at a new rule set. docs/rules.md, "The order of things", describes it."""

from typing import Any

from triggers.base.model import MAX_WINDOWS
from triggers.base.moments import find_zone
from triggers.definitions.model import Measure
from triggers.journeys.awaited import end_waits, may_end_waits
from triggers.journeys.calendar import enter_by_clock, follow_traits, keep_calendar, meet_calendar, move_calendar
from triggers.journeys.context import UserContext
from triggers.journeys.continuing import continue_all, due_runs
from triggers.journeys.control import convert
from triggers.journeys.events import NO_EVENT, Match
from triggers.journeys.goals import keep_goals, reach, reach_by_changes
from triggers.journeys.keys import remember_exits
from triggers.journeys.moving import ask_again, move_timers
from triggers.journeys.plan import Plan, SegmentPlan
from triggers.journeys.progress import decide, drop, end, forget_unneeded, in_order
from triggers.journeys.runs import enter_all, exit_by_changes, exit_by_event
from triggers.journeys.segments import due_now, evaluate, look_first
from triggers.journeys.tiers import NO_MOVES, meet_tiers, move_by_event, move_by_time
from triggers.measures.taking import UNFIT
from triggers.measures.windows import new_window
from triggers.rules.bounds import kept_bytes
from triggers.state.position import since_of_absent
from triggers.state.runs import Run
from triggers.state.sections.calendar import CALENDAR


def apply_event(context: UserContext, match: Match, happened: int, changed_traits: dict[str, Any] | None, new: bool) -> bool:
    """Apply an event: windows, exits, segments, entries and their steps. Return whether a timer can have moved.

    `happened` is the event time, ms; `new`: it is the user's first record.
    """
    user = context.user
    context.offset = user.offset
    moved = has_moved = False
    if changed_traits and "timezone" in changed_traits:
        context.note_zone()
        before = context.zone_before or context.plan.zone
        moved = move_timers(context, before)
        has_moved = context.view.zone is not before
        if has_moved and move_calendar(context, before, changed_traits):
            moved = True
    touched = _update_windows(context, match, happened)
    if match.only_fills and not touched and not changed_traits and not new:
        return False  # what most events do: all that follows would find nothing
    plan, moves = context.plan, NO_MOVES
    if plan.tiers.plans or match.tiers or (changed_traits and user.runs):
        moves, has_looked = move_by_event(context, match, changed_traits, touched=touched, new=new)
        moved = moved or has_looked
    segments = match.segments if touched else []
    if match.goals:
        reach(context, match.goals, happened, match.properties)
    if match.is_control_goal:
        convert(context, match.properties)
    if moves:
        reach_by_changes(context, moves)
    if match.exits:
        remember_exits(context, match, happened)
    if match.exits and user.runs:
        exit_by_event(context, match.name, match.exits, happened)
        if match.pinned:  # segments that only the ended runs watched are no longer kept
            known, extra = plan.by_key, context.watched()
            segments = [segment for segment in segments if segment.key in known or segment.key in extra]
    if new:
        segments = plan.segments
    elif changed_traits:
        keys = {segment.key for segment in segments}
        segments = segments + [segment for segment in _read_traits(context, changed_traits) if segment.key not in keys]
    changes = evaluate(context, segments, "event", first=new) if segments else {}
    if plan.clocks is not None:
        if segments or new or has_moved:
            keep_calendar(context, segments, every=new or has_moved)
            moved = True
        if changed_traits and follow_traits(context, changed_traits):
            moved = True
    if changes or moves:
        reach_by_changes(context, changes)
        changes = {**moves, **changes}
        exit_by_changes(context, changes)
    looked = segments or moves
    ended: list[Run] = []
    if (looked or match.waits) and may_end_waits(context, match, looked):
        ended = end_waits(context, match, happened, changes, looked=bool(looked))
    if changes or match.entries or ended:
        context.moves = 0
        continue_all(context, enter_all(context, changes, match, happened, user.offset), ended)
    return moved or bool(segments or match.exits or match.entries or ended)


def _update_windows(context: UserContext, match: Match, happened: int) -> bool:
    """Add the event to its windows. Return whether that can have changed the value of a segment."""
    windows, view = context.user.windows, context.view
    today, day = view.today, view.zone.day(happened)
    touched = False
    for update, value in match.updates:
        window: Any = windows.get(update.key)
        if window is None:
            window = windows[update.key] = update.new(update.measure, context.since(update.key))
        if value is UNFIT:
            window.unfit = max(window.unfit, context.now + 1)
            touched = True
            continue
        tests = None if match.pinned else update.tests
        if not tests:
            update.apply(window, happened, day, value, context.now, today)
            touched = touched or tests is None
            continue
        before = window.panes.get(day, 0)
        update.apply(window, happened, day, value, context.now, today)
        after = window.panes.get(day, 0)
        for test in tests:
            if test(before) is not test(after):
                touched = True
    return touched


def _read_traits(context: UserContext, traits: dict[str, Any]) -> list[SegmentPlan]:
    """Return the segments whose condition reads one of these traits; all segments if the time zone has changed."""
    return context.segments() if "timezone" in traits else context.reading(traits)


def fire(context: UserContext, until: int, limit: int | None = None, mark: str = "") -> int:
    """Fire the user's timers up to a moment, each at its own logical time: segment changes, then exits, then steps.

    Return the number of moments. After `limit` of them it stops, and the user stays due. `mark`: see `UserContext.mark`.
    """
    user, context.mark, context.offset = context.user, mark, None
    moments = 0
    while user.due <= until and moments != limit:
        moments += 1
        now = max(user.due, 0)
        context.at(now)
        context.moves = 0
        moves = move_by_time(context)
        if moves:
            reach_by_changes(context, moves)
        segments = due_now(context)
        changes = evaluate(context, segments, "time") if segments else {}
        if segments and context.plan.clocks is not None:
            keep_calendar(context, segments, by_time=True)
        if changes or moves:
            reach_by_changes(context, changes)
            changes = {**moves, **changes}
            exit_by_changes(context, changes)
        ended = end_waits(context, NO_EVENT, now, changes, looked=True) if may_end_waits(context, NO_EVENT, segments or moves) else []
        entered = enter_all(context, changes, NO_EVENT, now, None) if changes else []
        if user.has(CALENDAR):
            entered += enter_by_clock(context, changes, entered)
        continue_all(context, entered, ended + due_runs(context))
        user.set_due()
        if user.due <= now:  # a timer that no rule needs must not fire again and again
            forget_unneeded(context)
            user.set_due()
            assert user.due > now, "each timer that has fired moves to a later moment"
    return moments


def meet(context: UserContext, previous: Plan) -> None:
    """Migrate a user to the active rule set, at the logical time of its command. This enters no journey."""
    user, plan = context.user, context.plan
    context.set_zone()
    context.at(context.now)
    crossing = context.crossing(previous)
    running = [context.journey_of(run) for run in user.runs]
    keep_begun(
        context, [*(journey.measures for journey in running), *(one.tier.measures for one in context.pinned_tiers(user.runs).values())]
    )
    known = {segment.key for journey in running for segment in journey.watches}
    for run in in_order(run for run in user.runs if run.rule_set != plan.hash):
        newer = plan.journeys.get(run.journey, context.journey_of(run))
        if newer.journey.on_change == "exit" and (newer.journey.version != run.version or run.journey not in plan.journeys):
            end(context, run, "on_change: exit")
        elif run.journey in plan.journeys and context.journey_of(run).decides_as(newer.journey):
            run.rule_set = plan.hash
    keep_goals(context)
    if crossing.moved and user.runs:
        before = find_zone(user.traits.get("timezone")) or previous.zone
        move_timers(context, before)
        ask_again(context, before)
    moves = meet_tiers(context, crossing)
    new = [segment for segment in crossing.segments if segment.key not in known]
    look_first(context, new)
    looked = context.segments() if crossing.moved else new
    changes = {**moves, **evaluate(context, looked, "rules")}
    if changes:
        reach_by_changes(context, changes)
        exit_by_changes(context, changes)
    meet_calendar(context, previous)
    if may_end_waits(context, NO_EVENT, looked or moves):
        context.moves = 0
        continue_all(context, (), end_waits(context, NO_EVENT, context.now, changes, looked=True), enters=False)
    shed(context)
    forget_unneeded(context)
    for journey, segment in crossing.entries:  # a user who is already inside does not enter
        standing = user.standings.get(segment.key)
        if standing is not None and standing.inside:
            context.say(journey, "met", f"inside {segment.name} already", segment.explain(context.view))
    user.set_due()


def keep_begun(context: UserContext, needed: list[dict[str, Measure]]) -> None:
    """Write the empty windows that running runs need into the state, if the position no longer says correctly since when they are kept.

    An older rule set needed such a window, and the run still needs it. The position knows only the active rule set.
    """
    windows, position, first = context.user.windows, context.position, context.user.first
    for measures in needed:
        for key, measure in measures.items():
            if key in windows:
                continue
            if key in position.left or position.windows.get(key, (0, 0))[0] == position.applied:
                before = since_of_absent(position.left, key, first)
                if before != since_of_absent(position.windows, key, first):
                    windows[key] = new_window(measure, before)


def shed(context: UserContext) -> None:
    """End runs of older rule sets, oldest first, until all windows of this user fit into a state (PROTOCOL law 12)."""
    user, plan = context.user, context.plan
    for run in [run for run in user.runs if run.rule_set != plan.hash]:
        pinned = [*(one.measures for one in context.pinned()), *(one.tier.measures for one in context.pinned_tiers(user.runs).values())]
        extra = {key: measure for measures in pinned for key, measure in measures.items() if key not in plan.measures}
        entered = len(plan.journeys) + sum(name not in plan.journeys for name in user.entered)
        segments = len(plan.segments) + len(context.watched())
        if plan.window_bytes + kept_bytes(extra.values(), entered, segments) <= MAX_WINDOWS:
            return
        decide(context, run, "failed", "the user's state would be too big with the windows of older rules")
        drop(context, run)


def release_held(context: UserContext, held: list[Run]) -> None:
    """Continue the held runs of a resumed journey."""
    context.moves = 0
    continue_all(context, (), held)
    context.user.set_due()
