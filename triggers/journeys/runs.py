"""The life of a run: entered, waiting, held, and one of the ways in which it ends.

    entry ──▶ refused | skipped                      nothing starts
    entry ──▶ entered ──▶ step ─ wait ──▶ waiting ──▶ step ...
                           │               └─ journey paused ──▶ held ── resumed ──▶ step ...
                           ├─ send ──▶ sent | dry | failed | skipped (late)
                           └─ when false or unknown ──▶ exited
    any running or held run ── exit, on_change: exit, last step done ──▶ exited;  too many moves ──▶ failed

Every arrow that a person could ask about is a decision with its reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from triggers.base.model import MAX_ENTERED, MAX_MOVES, MAX_RUNS, NEVER
from triggers.base.moments import iso
from triggers.definitions.model import Send, Wait
from triggers.journeys.context import Visit
from triggers.journeys.plan import NO_JOURNEYS, NO_PROPERTIES, Change, JourneyPlan, Match, StepPlan
from triggers.language.templates import TemplateFailed
from triggers.records.decisions import Kind
from triggers.records.outbox import TooBig
from triggers.state.runs import Run
from triggers.state.sizes import run_bytes

FEW_RUNS: Final = 9
"""So many runs and one more always have room (`triggers.state.sizes`, `plan.MAX_ENTRY_PROPERTIES`)."""
_NO_VALUES: Final[dict[str, Any]] = {}


def run_id(visit: Visit, run: Run) -> str:
    """`<journey>@<version>:<user>:<log epoch>-o<offset>` or `-t<moment>`: never a counter, which an erase could reset (law 26)."""
    return f"{run.journey}@{run.version}:{visit.user_id}:{run.entry}"


def decide(
    visit: Visit, run: Run, kind: Kind, reason: str | None = None, step: str | None = None, values: dict[str, Any] | None = None
) -> None:
    """Records a decision about a run."""
    visit.outbox.decision(
        kind,
        reason,
        user=visit.user_id,
        at=visit.now,
        offset=run.cause,
        rule_set=run.rule_set,
        journey=run.journey,
        version=run.version,
        run=run_id(visit, run),
        step=step,
        due=run.moment,
        values=values,
    )


# ---- entries -----------------------------------------------------------------------------------------------------------


def enter(
    visit: Visit, plan: JourneyPlan, moment: int, offset: int | None, values: dict[str, Any], properties: Mapping[str, Any]
) -> Run | None:
    """Starts a run whose steps are still to be taken, or says why not. `offset` is that of the record that did it; None: time did."""
    user, journey = visit.user, plan.journey
    reason = _refusal(visit, plan)
    if reason is not None:
        _refuse(visit, plan, reason, values, moment)
        return None
    epoch = str(visit.position.epoch)
    if visit.is_foreign is not None and visit.is_foreign(visit.user_id):
        epoch += f"-p{visit.outbox.place.partition}"  # the same user may stand at the same offset of another partition
    run = Run(
        journey=journey.name,
        version=journey.version,
        rule_set=visit.plan.hash,
        entry=f"{epoch}-t{moment}" if offset is None else f"{epoch}-o{offset}",
        entered=visit.now,
        cause=user.offset,
        step="",
        moment=moment,
        properties={name: properties[name] for name in plan.properties if name in properties},
    )
    if len(user.runs) >= FEW_RUNS and _room(visit) + run_bytes(run, plan.longest_name) > MAX_RUNS:
        _refuse(visit, plan, "no room", values, moment)
        return None
    user.entered[journey.name] = visit.now
    if len(user.entered) > MAX_ENTERED:
        _forget_an_entry(visit)
    user.runs.append(run)
    decide(visit, run, "entered", values=values)
    return run


def _room(visit: Visit) -> int:
    """Bytes that the user's runs take, at most."""
    return sum(run_bytes(run, visit.journey_of(run).longest_name) for run in visit.user.runs)


def _refuse(visit: Visit, plan: JourneyPlan, reason: str, values: dict[str, Any], moment: int) -> None:
    """Says why nothing starts: once for each reason and local day; the next one says how many were left out."""
    untold = visit.tell(f"{plan.journey.name}\0{reason}")
    if untold >= 0:
        visit.say(plan, "refused", reason, {**values, "not_told": untold} if untold else values, moment)


def _forget_an_entry(visit: Visit) -> None:
    """Makes room: the oldest entry of a journey that is neither in force nor under way goes."""
    entered, needed, under_way = visit.user.entered, visit.plan.journeys, {run.journey for run in visit.user.runs}
    gone = [name for name in entered if name not in needed and name not in under_way]
    if gone:
        del entered[min(gone, key=lambda name: (entered[name], name))]


def _refusal(visit: Visit, plan: JourneyPlan) -> str | None:
    journey = plan.journey
    if journey.name in visit.position.paused:
        return "the journey is paused"
    for run in visit.user.runs:
        if run.journey == journey.name:
            return "a run of this journey is under way"
    last = visit.user.entered.get(journey.name)
    if last is None:
        return None
    if journey.re_entry is None:
        return "re-entry: never"
    if visit.now - last < journey.re_entry:
        return "re-entry: too soon"
    return None


def _is_exit(plan: JourneyPlan, exits: Iterable[JourneyPlan], changes: Mapping[str, Change]) -> bool:
    return any(other is plan for other in exits) or any(changes.get(segment.key) == change for segment, change in plan.exits_by_segment)


def _exit_before(visit: Visit, plan: JourneyPlan, moment: int) -> dict[str, Any] | None:
    """The exit event that happened after the entry but stood before it in the log, for the decision; None: there is none.

    An incomplete window counts as it is: what it does not know did not happen.
    """
    for measure, label in plan.exit_measures:
        window: Any = visit.user.windows.get(measure.key)
        if window is not None and window.at > moment:
            return {label: iso(window.at)}
    return None


def _name(plan: JourneyPlan) -> str:
    return plan.journey.name


def enter_all(visit: Visit, changes: Mapping[str, Change], match: Match, happened: int, offset: int | None) -> None:
    """The entries of one record or moment, by segments that have changed and by the event, in the order of journey names; then steps.

    What is an exit as well starts nothing. `offset` is that of the record; None: time alone has changed the segments.
    """
    plans = match.entries
    if changes:
        entered_by = visit.plan.entered_by
        by_segment = [plan for change in changes.items() for plan in entered_by.get(change, NO_JOURNEYS)]
        if by_segment:
            plans = sorted(plans + by_segment, key=_name)
    entered: list[tuple[Run, JourneyPlan]] = []
    for plan in plans:
        moment, values, properties = happened, _NO_VALUES, match.properties
        if plan.is_entered_by_segment:
            moment, values, properties = visit.now, plan.entry_segment[0].explain(visit.view), NO_PROPERTIES
        if _is_exit(plan, match.exits, changes):
            visit.say(plan, "skipped", "what would enter it is also an exit", values, moment)
        elif not plan.is_entered_by_segment and (happened_before := _exit_before(visit, plan, moment)) is not None:
            visit.say(plan, "skipped", "the exit had happened already", happened_before, moment)
        elif (run := enter(visit, plan, moment, offset, values, properties)) is not None:
            run.late = plan.journey.drops_late_entries and _is_late(plan, moment, visit.now)
            entered.append((run, plan))
    for run, plan in entered:
        proceed(visit, run, plan, 0)


# ---- exits -------------------------------------------------------------------------------------------------------------


def end(visit: Visit, run: Run, reason: str, step: str | None = None, values: dict[str, Any] | None = None) -> None:
    """Ends a run with a decision."""
    decide(visit, run, "exited", reason, step, values)
    _remove(visit, run)


def _remove(visit: Visit, run: Run) -> None:
    visit.user.runs.remove(run)
    if run.rule_set != visit.plan.hash:
        forget_unneeded(visit)


def exit_by_event(visit: Visit, name: str, plans: Sequence[JourneyPlan]) -> None:
    """Ends the runs of these journey versions: an exit event has come."""
    for run in in_order(visit.user.runs):
        if visit.journey_of(run) in plans:
            end(visit, run, f"exit event: {name}")


def exit_by_changes(visit: Visit, changes: Mapping[str, Change]) -> None:
    """Ends the runs that leave by one of these moves."""
    for run in in_order(visit.user.runs):
        for segment, change in visit.journey_of(run).exits_by_segment:
            if changes.get(segment.key) == change:
                end(visit, run, f"exit: {change} {segment.name}", values=segment.explain(visit.view))
                break


def forget_unneeded(visit: Visit) -> None:
    """Drops windows and standings that neither the rules in force nor a pinned run need."""
    user = visit.user
    pinned = visit.pinned()
    windows, standings = visit.plan.measures, visit.plan.by_key
    pinned_windows = {key for plan in pinned for key in plan.measures}
    pinned_standings = {segment.key for plan in pinned for segment in plan.watches}
    for key in [key for key in user.windows if key not in windows and key not in pinned_windows]:
        del user.windows[key]
    for key in [key for key in user.standings if key not in standings and key not in pinned_standings]:
        del user.standings[key]
    journeys = visit.plan.journeys
    for told in [told for told in user.refused if (name := told.partition("\0")[0]) and name not in journeys]:
        del user.refused[told]


# ---- steps -------------------------------------------------------------------------------------------------------------


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Runs of one moment, as they take their turns: by journey and entry."""
    return sorted(runs, key=_order)


def _order(run: Run) -> tuple[str, str]:
    return run.journey, run.entry


def fire_due(visit: Visit) -> None:
    """Carries on the runs whose wait ends now, by journey and entry."""
    now = visit.now
    for run in in_order(run for run in visit.user.runs if run.due <= now):
        if run.due > now or run not in visit.user.runs:
            continue
        run.due = NEVER
        plan = visit.journey_of(run)
        place = _place(run, plan)
        if run.journey in visit.position.paused:
            run.held = True
            decide(visit, run, "paused", "the journey is paused", run.step)
            continue
        proceed(visit, run, plan, place + 1)


def release(visit: Visit, run: Run) -> None:
    """Lets a held run go on after `resume`, by its journey's late policy."""
    plan = visit.journey_of(run)
    run.held = False
    run.late = _is_late(plan, run.moment, visit.now)
    proceed(visit, run, plan, _place(run, plan) + 1)


def _place(run: Run, plan: JourneyPlan) -> int:
    """Where the step stands at which a run rests. A run of release 0.1.0 gets its name."""
    place = plan.place(run.step)
    run.step = plan.steps[place].name
    return place


def _is_late(plan: JourneyPlan, moment: int, now: int) -> bool:
    late = plan.journey.late
    return late.then == "drop" and now - moment > late.after


def proceed(visit: Visit, run: Run, plan: JourneyPlan, place: int) -> None:
    """Carries out steps from a place on until the run waits or ends."""
    steps = plan.steps
    moves = 0
    while place < len(steps):
        step = steps[place]
        moves += 1
        if moves > MAX_MOVES:
            decide(visit, run, "failed", "too many moves at one moment", step.name)
            _remove(visit, run)
            return
        if step.value is not None:
            value = step.value(visit.view)
            if value is not True:
                end(visit, run, "when: unknown" if value is None else "when: false", step.name, step.explain(visit.view))
                return
        place += 1
        if isinstance(step.step, Wait):
            run.moment += step.step.length
            if run.moment > visit.now:
                run.step = step.name
                run.late = False
                run.due = run.moment
                decide(visit, run, "waiting", None, step.name)
                return
            run.late = _is_late(plan, run.moment, visit.now)
        elif isinstance(step.step, Send):
            _send(visit, run, step, step.step)
    end(visit, run, "completed")


def _send(visit: Visit, run: Run, plan: StepPlan, step: Send) -> None:
    """One message or grant: sent, dry before go-live, failed, or skipped because its moment is long past."""
    if run.late:
        decide(visit, run, "skipped", "late", step.name)
        return
    identity = run_id(visit, run)
    message: dict[str, str] | None = None
    try:
        if plan.templates:
            traits = visit.user.traits
            context = {"id": identity, "journey": run.journey, "entered": run.entered}
            message = {
                name: template.render(visit.view.zone, traits=traits, properties=run.properties, run=context, user=visit.user_id)
                for name, template in plan.templates
            }
        dry = not visit.position.live
        visit.outbox.action(
            {
                "schema": 1,
                "id": f"{identity}:{step.name}",
                "user": visit.user_id,
                "journey": run.journey,
                "version": run.version,
                "run": identity,
                "step": step.name,
                "channel": step.channel,
                "message": message,
                "grant": step.grant,
                "at": visit.now,
                "due": run.moment,
                "not_after": None if step.not_after is None else run.moment + step.not_after,
                "cause": visit.outbox.cause(run.cause),
                "rule_set": run.rule_set,
            },
            dry=dry,
        )
    except (TemplateFailed, TooBig) as failure:
        decide(visit, run, "failed", str(failure), step.name)
        return
    decide(visit, run, "dry" if dry else "sent", "before go-live" if dry else None, step.name)
