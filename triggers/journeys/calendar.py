"""Entries by the clock: their timers, and what happens when a moment comes.

There is no sweep over users. A user has a timer for the next occurrence while the last known value of the segment is inside; the value at
that moment decides. A timer keeps the local date and time, and moves with the user's zone. The state keeps the latest date that has come,
so a date comes once, whatever the zone. The date of a moment in a trait is that of the new zone, and so is what is kept of it.

A timer belongs to the definition of its entry. If a rule set has other entries by the clock for a journey, the new ones do not come on the
dates on which those have come that are gone: which of them replaces which would be a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from triggers.base.draws import draw, spread
from triggers.base.model import DAY, NEVER
from triggers.base.moments import find_zone
from triggers.causes.cause import NO_PROPERTIES
from triggers.journeys.runs import enter, is_exit, re_entry_refusal, refuse, refused_by_gate, replaced_by
from triggers.state.sections.calendar import CALENDAR, Calendar, family_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from triggers.base.moments import Zone
    from triggers.causes.cause import Change
    from triggers.journeys.clocks import ClockEntry
    from triggers.journeys.context import UserContext
    from triggers.journeys.plan import Plan, SegmentPlan
    from triggers.state.runs import Run


def keep_calendar(context: UserContext, looked: Iterable[SegmentPlan], *, every: bool = False, by_time: bool = False) -> None:
    """Set or drop the timers of entries whose segments were evaluated, or of every entry. `by_time`: by time alone.

    A segment that the user enters by time alone counts for an occurrence at this moment.
    """
    clocks = context.plan.clocks
    if clocks is None:
        return
    if every:
        entries = clocks.entries
    else:
        by_segment = clocks.by_segment
        entries = [entry for segment in looked if segment.key in by_segment for entry in by_segment[segment.key]]
    for entry in entries:
        _keep(context, entry, context.now + (not by_time))


def meet_calendar(context: UserContext, previous: Plan) -> None:
    """Bring the timers of a user to the active rule set.

    What was due up to now is not made up for, also if it has passed only in a new default zone.
    """
    clocks, user = context.plan.clocks, context.user
    if user.has(CALENDAR):
        _take_over(context, previous)
        before = find_zone(user.traits.get("timezone")) or previous.zone
        if before is not context.view.zone:
            _move(context, before, (), skips=True)
    if clocks is not None:
        for entry in clocks.entries:
            _keep(context, entry, context.now + 1)


def _take_over(context: UserContext, previous: Plan) -> None:
    """Drop the timers of entries that are gone. New entries of the journey know the latest date on which one of those has come."""
    by_name = {} if context.plan.clocks is None else context.plan.clocks.by_name
    known = {} if previous.clocks is None else previous.clocks.by_name
    timers: Calendar = context.user.value(CALENDAR)
    gone: dict[str, int] = {}
    for name, (key, _, _, done) in list(timers.items()):
        entry = by_name.get(name)
        if entry is None:
            del timers[name]
            gone[family_of(name)] = max(done, gone.get(family_of(name), -1))
        elif entry.key != key:
            _unset(timers, entry, done)
    for name, entry in by_name.items() if gone else ():
        if name not in known and name not in timers:
            _unset(timers, entry, gone.get(family_of(name), -1))


def _unset(timers: Calendar, entry: ClockEntry, done: int) -> None:
    """Wait for nothing, and keep the latest date that has come."""
    if done < 0:
        timers.pop(entry.name, None)
    else:
        timers[entry.name] = (entry.key, NEVER, 0, done)


def follow_traits(context: UserContext, changed: Iterable[str]) -> bool:
    """Set the timers again whose dates depend on a trait that has changed. Return whether there are any."""
    clocks = context.plan.clocks
    if clocks is None or not clocks.by_trait:
        return False
    user = context.user
    entries = [entry for trait in changed if trait in clocks.by_trait for entry in clocks.by_trait[trait]]
    for entry in entries:
        if user.has(CALENDAR) and entry.name in user.value(CALENDAR):
            _unset(user.value(CALENDAR), entry, user.value(CALENDAR)[entry.name][3])
        _keep(context, entry, context.now + 1)
    return bool(entries)


def move_calendar(context: UserContext, before: Zone, changed: Collection[str]) -> bool:
    """Keep the local date and time of the timers of a user who was in the zone `before`. Return whether there are any.

    What has passed in the new zone comes now. `changed`: the traits that have changed too. `follow_traits` does the rest for those.
    """
    if not context.user.has(CALENDAR):
        return False
    _move(context, before, changed, skips=False)
    return True


def enter_by_clock(context: UserContext, changes: Mapping[str, Change], entered: Iterable[Run]) -> list[Run]:
    """Enter the journeys whose moment is now, and set the timers of their next occurrences. Return the new runs.

    `entered`: the runs that a change of a segment has begun at this moment.
    """
    clocks, now = context.plan.clocks, context.now
    timers: Calendar = context.user.value(CALENDAR)
    if clocks is None:
        return []
    due = [entry for entry in clocks.entries if entry.name in timers and timers[entry.name][1] <= now]
    asked = {run.journey for run in entered}
    runs: list[Run] = []
    for entry in due:
        _, _, local, _ = timers[entry.name]
        timers[entry.name] = (entry.key, NEVER, 0, entry.clock.ordinal(local // DAY))
        journey = entry.plan.journey.name
        if journey not in asked and _is_inside(context, entry):
            asked.add(journey)
            run = _enter(context, entry, changes)
            if run is not None:
                runs.append(run)
    for entry in due:
        _keep(context, entry, now + 1)
    return runs


def _is_inside(context: UserContext, entry: ClockEntry) -> bool:
    """Ask for the value now. An unknown one is reported once until it is known."""
    if entry.segment is None:
        return True
    value, _ = entry.segment.look(context.view)
    standing = context.user.standings.get(entry.segment.key)
    if value is None and standing is not None and not standing.asked:
        standing.asked = True
        context.say(entry.plan, "refused", "unknown", entry.segment.explain(context.view))
    return value is True


def _enter(context: UserContext, entry: ClockEntry, changes: Mapping[str, Change]) -> Run | None:
    plan, now = entry.plan, context.now
    values = entry.signal.values(context.view)
    if is_exit(plan, (), changes):
        context.say(plan, "skipped", "what would enter it is also an exit", values, now)
        return None
    restarts = bool(replaced_by(context, plan))
    if refused_by_gate(context, plan) is not None or (not restarts and re_entry_refusal(context, plan) is not None):
        return None  # it enters at a later occurrence
    if context.user.entered.get(plan.journey.name) == now:
        refuse(context, plan, "entered at this moment", values, now)
        return None
    return enter(context, plan, now, None, values, NO_PROPERTIES)


def _keep(context: UserContext, entry: ClockEntry, earliest: int) -> None:
    """Set the timer of an entry if the user is inside its segment and it has none, or drop it if the user is not."""
    user = context.user
    timer = user.value(CALENDAR).get(entry.name) if user.has(CALENDAR) else None
    is_set = timer is not None and timer[1] != NEVER
    if entry.is_for(user.standings) is is_set:
        return
    done = -1 if timer is None else timer[3]
    if is_set:
        _unset(user.value(CALENDAR), entry, done)
    else:
        _set(context, entry, earliest, done)


def _set(context: UserContext, entry: ClockEntry, earliest: int, done: int) -> None:
    """Set the timer of the first occurrence that is not before a moment, on a date after `done`."""
    journey, zone = entry.plan.journey, context.view.zone
    if journey.re_entry is None and journey.while_running == "refuse" and journey.name in context.user.entered:
        return
    delay = delay_of(context, entry)
    day, clock, view = zone.local(earliest - delay) // DAY - 1, entry.clock, context.view
    fault = clock.fault(view)
    if fault is not None:
        _report(context, entry, fault)
    if journey.opens is not None:
        day = max(day, journey.opens - 1)  # a spread can end on the next date
    while (date := clock.first_date(day, view)) is not None and (journey.closes is None or date <= journey.closes):
        local = date * DAY + clock.at
        moment = zone.at(local) + delay
        if (
            moment >= earliest and clock.ordinal(date) > done and zone.start(date) < zone.start(date + 1)
        ):  # a date that the zone skips has no occurrence
            context.user.value(CALENDAR)[entry.name] = (entry.key, moment, local, done)
            return
        day = date + 1


def _report(context: UserContext, entry: ClockEntry, fault: str) -> None:
    """Say once of each value that it is no date."""
    what = f"{entry.plan.journey.name}\0{fault}"
    if what not in context.user.refused and context.report_once(what) >= 0:
        context.say(entry.plan, "refused", fault, {})


def _move(context: UserContext, before: Zone, changed: Collection[str], *, skips: bool) -> None:
    """Move the timers from the zone `before` to the user's. `skips`: leave out what has passed there, else it comes now."""
    by_name, view, now = {} if context.plan.clocks is None else context.plan.clocks.by_name, context.view, context.now
    timers: Calendar = context.user.value(CALENDAR)
    for name, (key, due, local, known) in list(timers.items()):
        entry = by_name.get(name)
        if entry is None or entry.clock.reads in changed:
            continue
        clock, zone = entry.clock, view.zone
        date, done = clock.moved(local // DAY, known, before, view)
        if due == NEVER:
            _unset(timers, entry, done)
            continue
        moment = zone.at(date * DAY + clock.at) + delay_of(context, entry)
        if (skips and moment <= now) or zone.start(date) == zone.start(date + 1):
            done = max(done, clock.ordinal(date))
        if clock.ordinal(date) > done:
            timers[name] = (key, max(moment, now), date * DAY + clock.at, done)
        else:
            _unset(timers, entry, done)
            _keep(context, entry, now + 1)


def delay_of(context: UserContext, entry: ClockEntry) -> int:
    """Return how much later than the others this user enters, ms."""
    journey = entry.plan.journey
    return spread(draw("spread", f"journeys/{journey.name}", context.user_id), journey.spread) if journey.spread else 0
