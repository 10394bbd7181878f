"""What happens to one user: an event, a moment, a new rule set. The order of things is that of RULES.md."""

from typing import Any

from triggers.base.model import MAX_WINDOWS
from triggers.journeys.context import Visit
from triggers.journeys.plan import NO_EVENT, JourneyPlan, Match, Plan, SegmentPlan
from triggers.journeys.progress import decide, end, fire_due, forget_unneeded, go_on, in_order
from triggers.journeys.runs import enter_all, exit_by_changes, exit_by_event
from triggers.journeys.segments import due_now, evaluate, look_first
from triggers.measures.taking import UNFIT
from triggers.measures.windows import new_window
from triggers.rules.bounds import kept_bytes
from triggers.state.position import since_of_absent
from triggers.state.runs import Run


def apply_event(visit: Visit, match: Match, happened: int, changed_traits: dict[str, Any] | None, new: bool) -> bool:
    """Windows, exits, segments, entries and their steps. `happened` is the event time, ms; `new`: it is the user's first record.

    Returns whether a timer can have moved.
    """
    user = visit.user
    if changed_traits and "timezone" in changed_traits:
        visit.note_zone()
    touched = _update_windows(visit, match, happened)
    segments = match.segments if touched else []
    if match.exits and user.runs:
        exit_by_event(visit, match.name, match.exits)
        if match.pinned:  # what only the runs that have just ended watched is not kept any more
            known, extra = visit.plan.by_key, visit.watched()
            segments = [segment for segment in segments if segment.key in known or segment.key in extra]
    if new:
        segments = visit.plan.segments
        look_first(visit, segments)
    elif changed_traits:
        keys = {segment.key for segment in segments}
        segments = segments + [segment for segment in _read_traits(visit, changed_traits) if segment.key not in keys]
    changes = evaluate(visit, segments, "event") if segments else {}
    if changes:
        exit_by_changes(visit, changes)
    if changes or match.entries:
        visit.moves = 0
        enter_all(visit, changes, match, happened, user.offset)
    return bool(segments or match.exits or match.entries)


def _update_windows(visit: Visit, match: Match, happened: int) -> bool:
    """Adds the event to its windows. Returns whether that can have changed what a segment sees."""
    windows, view = visit.user.windows, visit.view
    today, day = view.today, view.zone.day(happened)
    touched = False
    for update, value in match.updates:
        window: Any = windows.get(update.key)
        if window is None:
            window = windows[update.key] = update.new(update.measure, visit.since(update.key))
        if value is UNFIT:
            window.unfit = max(window.unfit, visit.now + 1)
            touched = True
            continue
        tests = None if match.pinned else update.tests
        if not tests:
            update.apply(window, happened, day, value, visit.now, today)
            touched = touched or tests is None
            continue
        before = window.panes.get(day, 0)
        update.apply(window, happened, day, value, visit.now, today)
        after = window.panes.get(day, 0)
        for test in tests:
            if test(before) is not test(after):
                touched = True
    return touched


def _read_traits(visit: Visit, traits: dict[str, Any]) -> list[SegmentPlan]:
    """The segments whose condition reads one of these traits; all when the time zone has moved."""
    return visit.segments() if "timezone" in traits else visit.reading(traits)


def fire(visit: Visit, until: int, limit: int | None = None) -> int:
    """Fires the user's timers up to a moment, each at its own logical time: segment changes, then exits, then steps.

    Returns how many moments it was; after `limit` of them it stops, and the user stays due.
    """
    user = visit.user
    moments = 0
    while user.due <= until and moments != limit:
        moments += 1
        now = max(user.due, 0)
        visit.at(now)
        visit.moves = 0
        segments = due_now(visit)
        changes = evaluate(visit, segments, "time") if segments else {}
        if changes:
            exit_by_changes(visit, changes)
            enter_all(visit, changes, NO_EVENT, now, None)
        fire_due(visit)
        user.reckon_due()
        if user.due <= now:  # a timer that nobody is there to answer must not ring for ever
            forget_unneeded(visit)
            user.reckon_due()
            assert user.due > now, "every timer that is answered moves on"
    return moments


def meet(visit: Visit, previous: Plan) -> None:
    """Brings a user to the rule set in force, at the logical time of its command. Nobody enters by it."""
    user, plan = visit.user, visit.plan
    visit.set_zone()
    visit.at(visit.now)
    crossing = visit.crossing(previous)
    under_way = [visit.journey_of(run) for run in user.runs]
    keep_begun(visit, under_way)
    known = {segment.key for journey in under_way for segment in journey.watches}
    for run in in_order(run for run in user.runs if run.rule_set != plan.hash):
        newer = plan.journeys.get(run.journey, visit.journey_of(run))
        if newer.journey.on_change == "exit" and (newer.journey.version != run.version or run.journey not in plan.journeys):
            end(visit, run, "on_change: exit")
        elif run.journey in plan.journeys and visit.journey_of(run).decides_as(newer.journey):
            run.rule_set = plan.hash
    new = [segment for segment in crossing.segments if segment.key not in known]
    look_first(visit, new)
    changes = evaluate(visit, visit.segments() if crossing.moved else new, "rules")
    if changes:
        exit_by_changes(visit, changes)
    shed(visit)
    forget_unneeded(visit)
    for journey, segment in crossing.entries:  # this is no entry
        standing = user.standings.get(segment.key)
        if standing is not None and standing.inside:
            visit.say(journey, "met", f"inside {segment.name} already", segment.explain(visit.view))
    user.reckon_due()


def keep_begun(visit: Visit, under_way: list[JourneyPlan]) -> None:
    """Writes down the empty windows of runs under way of which the position no longer says, or says otherwise, since when they are kept.

    Such a window was needed by an older rule set, and the run needs it still. The position knows only the rule set in force.
    """
    windows, position, first = visit.user.windows, visit.position, visit.user.first
    for journey in under_way:
        for key, measure in journey.measures.items():
            if key in windows:
                continue
            if key in position.left or position.windows.get(key, (0, 0))[0] == position.applied:
                before = since_of_absent(position.left, key, first)
                if before != since_of_absent(position.windows, key, first):
                    windows[key] = new_window(measure, before)


def shed(visit: Visit) -> None:
    """Ends the runs of older rule sets, oldest first, until all windows that are kept for this user fit into a state (PROTOCOL law 12)."""
    user, plan = visit.user, visit.plan
    for run in [run for run in user.runs if run.rule_set != plan.hash]:
        extra = {key: measure for journey in visit.pinned() for key, measure in journey.measures.items() if key not in plan.measures}
        entered = len(plan.journeys) + sum(name not in plan.journeys for name in user.entered)
        segments = len(plan.segments) + len(visit.watched())
        if plan.window_bytes + kept_bytes(extra.values(), entered, segments) <= MAX_WINDOWS:
            return
        decide(visit, run, "failed", "the user's state would be too big with the windows of older rules")
        user.runs.remove(run)


def release_held(visit: Visit, held: list[Run]) -> None:
    """Lets the held runs of a resumed journey go on."""
    visit.moves = 0
    for run in held:
        go_on(visit, run)
    visit.user.reckon_due()
