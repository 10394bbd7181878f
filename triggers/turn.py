"""What happens to one user: an event, a moment, a new rule set. The order of things is that of RULES.md."""

from typing import Any

from triggers.journeys import end, enter_all, exit_by_changes, exit_by_event, fire_due, forget_unneeded, release
from triggers.plan import NO_EVENT, Match, Plan, SegmentPlan
from triggers.segments import due_now, evaluate
from triggers.user import Run
from triggers.visit import Visit
from triggers.windows import new_window


def apply_traits(visit: Visit, traits: dict[str, Any]) -> None:
    """Folds an `identify`: null deletes, everything else is kept as sent."""
    kept = visit.user.traits
    for name, value in traits.items():
        if value is None:
            kept.pop(name, None)
        else:
            kept[name] = value
    if "timezone" in traits:
        visit.set_zone()
        visit.at(visit.now)


def apply_event(visit: Visit, match: Match, happened: int, changed_traits: dict[str, Any] | None, new: bool) -> None:
    """Windows, exits, segments, entries and their steps. `happened` is the event time, ms; `new`: it is the user's first record."""
    user = visit.user
    touched = _update_windows(visit, match, happened)
    if match.exits and user.runs:
        exit_by_event(visit, match.name, match.exits)
    segments = match.segments if touched else []
    if new:
        segments = visit.plan.segments
    elif changed_traits:
        segments = _read_traits(visit, changed_traits)
    changes = evaluate(visit, segments, "event") if segments else {}
    if changes:
        exit_by_changes(visit, changes)
    if changes or match.entries:
        enter_all(visit, changes, match, happened, user.offset)


def _update_windows(visit: Visit, match: Match, happened: int) -> bool:
    """Adds the event to its windows. Returns whether that can have changed what a segment sees."""
    windows, view = visit.user.windows, visit.view
    today, day = view.today, view.zone.day(happened)
    touched = False
    for update, value in match.updates:
        window: Any = windows.get(update.key)
        if window is None:
            window = windows[update.key] = new_window(update.measure, 0)
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
    if "timezone" in traits:
        return visit.segments()
    return [segment for segment in visit.segments() if not segment.traits.isdisjoint(traits)]


def fire(visit: Visit, until: int) -> None:
    """Fires the user's timers up to a moment, each at its own logical time: segment changes, then exits, then steps."""
    user = visit.user
    while user.due <= until:
        visit.at(max(user.due, 0))
        segments = due_now(visit)
        changes = evaluate(visit, segments, "time") if segments else {}
        if changes:
            exit_by_changes(visit, changes)
            enter_all(visit, changes, NO_EVENT, visit.now, None)
        fire_due(visit)
        user.reckon_due()


def meet(visit: Visit, previous: Plan) -> None:
    """Brings a user to the rule set in force, at the logical time of its command. Nobody enters by it."""
    user, plan = visit.user, visit.plan
    visit.set_zone()
    visit.at(visit.now)
    for run in [run for run in user.runs if run.rule_set != plan.hash]:
        newer = plan.journeys.get(run.journey, visit.journey_of(run))
        if newer.journey.on_change == "exit" and (newer.journey.version != run.version or run.journey not in plan.journeys):
            end(visit, run, "on_change: exit")
    tracked = previous.measures.keys() | {key for pinned in visit.pinned() for key in pinned.measures}
    for key, measure in plan.measures.items():
        if key not in tracked:
            user.windows[key] = new_window(measure, visit.now)
    known = {segment.key for pinned in visit.pinned() for segment in pinned.watches}
    if plan.zone is previous.zone:
        known.update(segment.key for segment in previous.segments)
    evaluate(visit, [segment for segment in plan.segments if segment.key not in known], "rules")
    forget_unneeded(visit)
    _say_met(visit, known)
    user.reckon_due()


def _say_met(visit: Visit, known: set[str]) -> None:
    """Tells of the segments with a journey behind them that the user is inside already: this is no entry."""
    for plan in visit.plan.entered_by_segments:
        segment, change = plan.entry_segment
        standing = visit.user.standings.get(segment.key)
        if change == "enters" and segment.key not in known and standing is not None and standing.inside:
            visit.outbox.decision(
                "met",
                f"inside {segment.name} already",
                user=visit.user_id,
                at=visit.now,
                offset=visit.user.offset,
                rule_set=visit.plan.hash,
                journey=plan.journey.name,
                version=plan.journey.version,
                values=segment.explain(visit.view),
            )


def release_held(visit: Visit, held: list[Run]) -> None:
    """Lets the held runs of a resumed journey go on."""
    for run in held:
        release(visit, run)
    visit.user.reckon_due()
