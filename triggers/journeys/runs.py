"""The life of a run: entered, waiting, held, and one of the ways in which it ends.

    entry ──▶ refused | skipped                      nothing starts
    entry ──▶ entered ──▶ step ─ wait ──▶ waiting ──▶ step ...
                           │               └─ journey paused ──▶ held ── resumed ──▶ step ...
                           ├─ send ──▶ sent | dry | failed | skipped (late)
                           └─ when false or unknown ──▶ exited
    any running or held run ── exit, on_change: exit, last step done ──▶ exited;  too many moves ──▶ failed

Each arrow that an operator could ask about is a decision with its reason.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from triggers.base.draws import ARM
from triggers.base.model import DAY, MAX_ENTERED, MAX_RUNS, MAX_RUNS_OF_ONE
from triggers.base.moments import iso
from triggers.causes.cause import NO_PROPERTIES, Change, Signal
from triggers.causes.event import exit_reason
from triggers.causes.lists import first_of
from triggers.gates import OF_ENTRIES
from triggers.journeys.arms import arms_of, draw_arm, ended_bytes, keep_arm, room_of
from triggers.journeys.awaited import room_of_events
from triggers.journeys.begun import is_older, note_begun, room_of_begun
from triggers.journeys.context import UserContext
from triggers.journeys.events import NO_JOURNEYS, Match, Target
from triggers.journeys.goals import forget_past_watches, room_of_watch, unwatch, watch, watched_bytes
from triggers.journeys.keys import entered_before, exited_at, keep_key, key_of, room_of_key
from triggers.journeys.plan import JourneyPlan
from triggers.journeys.progress import decide, end, in_order
from triggers.state.runs import Run

COMMANDED: Final = "u"
"""It is before the offset in the id of a run that an operator has entered by a command."""
FEW_RUNS: Final = 9
"""This many runs and one more always fit (`triggers.state.sizes`, `keepable.MAX_ENTRY_PROPERTIES`)."""
_NO_VALUES: Final[dict[str, Any]] = {}


# ---- entries -----------------------------------------------------------------------------------------------------------


def enter(
    context: UserContext,
    plan: JourneyPlan,
    moment: int,
    offset: int | None,
    values: dict[str, Any],
    properties: Mapping[str, Any],
    mark: str = "o",
    key: str | None = None,
) -> Run | None:
    """Start a run, without its first steps, or report the refusal. `offset` is that of the record that caused it; None: time did.

    `mark` is before the offset in the id of the run: `COMMANDED` if the record is a command about the user. `key`: of a journey with keys.
    """
    user, journey = context.user, plan.journey
    replaced = replaced_by(context, plan, key)
    reason = refusal(context, plan, key, restarts=bool(replaced))
    if reason is None and replaced and is_older(user, moment, replaced):
        reason = "older than the run"
    if reason is not None:
        refuse(context, plan, reason, values, moment, mark, key)
        return None
    epoch = str(context.position.epoch)
    if context.is_foreign is not None and context.is_foreign(context.user_id):
        epoch += f"-p{context.outbox.place.partition}"  # another partition may have the same user at the same offset
    run = Run(
        journey=journey.name,
        version=journey.version,
        rule_set=context.plan.hash,
        entry=f"{epoch}-t{moment}{context.mark}" if offset is None else f"{epoch}-{mark}{offset}",
        entered=context.now,
        cause=user.offset,
        step="",
        moment=moment,
        properties={name: properties[name] for name in plan.properties if name in properties},
    )
    if (run.journey, run.entry) in context.entries or (offset is None and user.entered.get(journey.name) == context.now):
        refuse(context, plan, "entered at this moment", values, moment, mark, key)
        return None
    arm = draw_arm(journey, context.plan.policies, context.user_id)
    forget_past_watches(context)
    kept = ended_bytes(user)
    if kept or len(user.runs) - len(replaced) >= FEW_RUNS:
        needed = kept + _room(context, replaced) + _room_of(run, plan, key, has_arm=arm is not None) + room_of_watch(plan, run, key)
        if needed > MAX_RUNS:
            refuse(context, plan, "no room", values, moment, mark, key)
            return None
    for other in replaced:
        end(context, other, "entered again")
        unwatch(context, other)
    user.entered[journey.name] = context.now
    if len(user.entered) > MAX_ENTERED:
        _forget_an_entry(context)
    context.entries.add((run.journey, run.entry))
    user.runs.append(run)
    note_begun(user, run, plan)
    if key is not None:
        keep_key(user, run, key, context.now)
    if arm is not None:
        keep_arm(user, run, ARM, arm)
    is_dry = not context.position.live and (arm is not None or plan.goal is not None)
    decide(context, run, "entered", values={**values, "dry": True} if is_dry else values)
    watch(context, run, plan)
    return run


def _room(context: UserContext, without: Collection[Run]) -> int:
    """Return the maximum bytes of the user's runs and watches, except those of some runs."""
    runs = [run for run in context.user.runs if run not in without]
    return watched_bytes(context, without) + sum(
        _room_of(run, context.journey_of(run), key_of(context.user, run), has_arm=ARM in arms_of(context.user, run)) for run in runs
    )


def _room_of(run: Run, plan: JourneyPlan, key: str | None, *, has_arm: bool) -> int:
    kept = room_of_events(plan, run) + room_of_begun(plan, run) + room_of_key(run, key)
    return room_of(run, plan.program, has_arm=has_arm) + kept


def refuse(
    context: UserContext, plan: JourneyPlan, reason: str, values: dict[str, Any], moment: int, mark: str = "o", key: str | None = None
) -> None:
    """Report why nothing starts: once for each reason and local day. The next report says how many were left out.

    A command of an operator is answered each time.
    """
    if mark == COMMANDED:
        context.say(plan, "refused", reason, values, moment, key)
        return
    unreported = context.report_once(f"{plan.journey.name}\0{reason}")
    if unreported >= 0:
        context.say(plan, "refused", reason, {**values, "not_told": unreported} if unreported else values, moment, key)


def _forget_an_entry(context: UserContext) -> None:
    """Forget the oldest entry of a journey that is neither active nor running."""
    entered, needed, running = context.user.entered, context.plan.journeys, {run.journey for run in context.user.runs}
    gone = [name for name in entered if name not in needed and name not in running]
    if gone:
        del entered[min(gone, key=lambda name: (entered[name], name))]


def replaced_by(context: UserContext, plan: JourneyPlan, key: str | None = None) -> list[Run]:
    """List the runs that an entry would end, because the journey has `while_running: restart`."""
    return _running(context, plan, key) if plan.journey.while_running == "restart" and context.user.runs else []


def _running(context: UserContext, plan: JourneyPlan, key: str | None) -> list[Run]:
    """List the runs of a journey: those with this key, or all of them."""
    user, name = context.user, plan.journey.name
    return [run for run in user.runs if run.journey == name and (key is None or key_of(user, run) == key)]


def refusal(context: UserContext, plan: JourneyPlan, key: str | None = None, *, restarts: bool) -> str | None:
    """Return why nothing starts. `restarts`: it ends a run of its own, so re-entry is not asked."""
    if plan.is_keyed and key is None:
        return "no key"
    reason = refused_by_gate(context, plan)
    if reason is not None or restarts:
        return reason
    if _running(context, plan, key):
        return "a run of this journey is under way"
    if plan.is_keyed and len(_running(context, plan, None)) >= MAX_RUNS_OF_ONE:
        return "too many runs"
    return re_entry_refusal(context, plan, key)


def refused_by_gate(context: UserContext, plan: JourneyPlan) -> str | None:
    """Return why a gate, or a bound by date, lets the user not enter."""
    for gate in OF_ENTRIES:
        reason = gate.refuse(plan.journey, context.position)
        if reason is not None:
            return reason
    opens, closes = plan.journey.opens, plan.journey.closes
    if opens is None and closes is None:
        return None
    today = context.view.zone.local(context.now) // DAY
    return "not now" if (opens is not None and today < opens) or (closes is not None and today > closes) else None


def re_entry_refusal(context: UserContext, plan: JourneyPlan, key: str | None = None) -> str | None:
    """Return why the last entry, or that with the key, lets nothing start yet."""
    journey = plan.journey
    last = context.user.entered.get(journey.name) if key is None else entered_before(context.user, journey.name, key)
    if last is None:
        return None
    if journey.re_entry is None:
        return "re-entry: never"
    if context.now - last < journey.re_entry:
        return "re-entry: too soon"
    return None


def is_exit(plan: JourneyPlan, exits: Iterable[Target], changes: Mapping[str, Change], key: str | None = None) -> bool:
    """Check whether what happens now is an exit of the journey. `exits`: what the event ends; `key`: of the run that would enter."""
    if any(other is plan and of in (None, key) for other, of in exits):
        return True
    return any(changes.get(signal.key) == signal.change for signal in plan.exits_by_change)


def _exit_before(context: UserContext, plan: JourneyPlan, moment: int, key: str | None) -> dict[str, Any] | None:
    """Return the exit event that happened after the entry but is before it in the log, for the decision; None: there is none.

    An incomplete window is used as it is: an event that it does not contain did not happen.
    """
    for measure, label in plan.exit_measures:
        window: Any = context.user.windows.get(measure.key)
        if window is not None and window.at > moment:
            return {label: iso(window.at)}
    if key is not None:
        for name, (_, label) in plan.keyed_exits.items():
            at = exited_at(context.user, name, key)
            if at is not None and at > moment:
                return {label: iso(at)}
    return None


def _name(plan: JourneyPlan) -> str:
    return plan.journey.name


def enter_all(context: UserContext, changes: Mapping[str, Change], match: Match, happened: int, offset: int | None) -> list[Run]:
    """Enter journeys by changed segments and by the event, in the order of journey names. Return the new runs.

    An entry that is also an exit starts nothing. `offset` is that of the record; None: only time has changed the segments.
    """
    plans = match.entries
    if changes:
        entered_by = context.plan.entered_by
        by_segment = [plan for change in changes.items() for plan in entered_by.get(change, NO_JOURNEYS)]
        if by_segment:
            plans = sorted(dict.fromkeys(plans + by_segment), key=_name)
    entered: list[Run] = []
    for plan in plans:
        signal: Signal | None = plan.entries[0]
        if len(plan.entries) > 1:
            signal = first_of(plan.entries, match.name, match.properties, changes)
        if signal is None:
            continue
        moment, values, properties = happened, _NO_VALUES, match.properties
        if signal.event is None:
            moment, values, properties = context.now, signal.values(context.view), NO_PROPERTIES
        key = None if signal.key_of is None else signal.key_of(match.properties)
        if is_exit(plan, match.exits, changes, key):
            context.say(plan, "skipped", "what would enter it is also an exit", values, moment, key)
        elif (plan.exit_measures or key is not None) and (before := _exit_before(context, plan, moment, key)) is not None:
            context.say(plan, "skipped", "the exit had happened already", before, moment, key)
        elif (run := enter(context, plan, moment, offset, values, properties, key=key)) is not None:
            run.late = plan.journey.drops_late_entries and plan.journey.late.drops(moment, context.now)
            entered.append(run)
    return entered


# ---- exits -------------------------------------------------------------------------------------------------------------


def _may_exit(context: UserContext, run: Run, plan: JourneyPlan, happened: int) -> bool:
    """Check whether an exit ends a run. `exit: goal` is only what converts the run too."""
    goal = plan.goal if plan.journey.exit_is_goal else None
    return goal is None or (run.entered <= happened and context.now < run.entered + goal.within)


def exit_by_event(context: UserContext, name: str, targets: Sequence[Target], happened: int) -> None:
    """End the runs of these journey versions at an exit event. `happened`: its own time, ms."""
    for run in in_order(context.user.runs):
        plan = context.journey_of(run)
        is_named = any(other is plan and key in (None, key_of(context.user, run)) for other, key in targets)
        if is_named and _may_exit(context, run, plan, happened):
            end(context, run, exit_reason(name))


def exit_by_changes(context: UserContext, changes: Mapping[str, Change]) -> None:
    """End the runs that exit by one of these changes."""
    for run in in_order(context.user.runs):
        plan = context.journey_of(run)
        for signal in plan.exits_by_change:
            if changes.get(signal.key) == signal.change and _may_exit(context, run, plan, context.now):
                end(context, run, signal.reason, values=signal.values(context.view))
                break
