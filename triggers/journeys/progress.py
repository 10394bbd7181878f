"""The progress of a run: from step to step, until it rests or ends."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from triggers.base.draws import ARM
from triggers.base.model import MAX_MOVES, NEVER
from triggers.definitions.model import Journey
from triggers.definitions.policies import TRANSACTIONAL
from triggers.gates import AT_STAGE
from triggers.gates import gate as gates
from triggers.gates.gate import Answer, Skip
from triggers.journeys.arms import arms_of, forget_arms, keep_arm
from triggers.journeys.awaited import event_of, forget_event, take_cause
from triggers.journeys.begun import forget_begun
from triggers.journeys.context import UserContext
from triggers.journeys.keys import forget_keys, key_of
from triggers.journeys.levels import TierPlan
from triggers.journeys.plan import JourneyPlan
from triggers.journeys.tiers import keep_pinned
from triggers.language.templates import Template
from triggers.measures.reading import View
from triggers.policies.plan import PolicyPlan
from triggers.records.decisions import Kind
from triggers.records.events import Unreadable
from triggers.records.outbox import named_arms
from triggers.state.position import Position
from triggers.state.runs import Run, Standing
from triggers.state.sections.base import Needed
from triggers.state.sections.holds import HOLDS, Hold, of_run
from triggers.state.sections.sends import SENDS
from triggers.state.sends import add
from triggers.state.traits import merge
from triggers.state.user import User
from triggers.steps.context import Stage
from triggers.steps.program import Entry, Outcome, Rest


def run_id(context: UserContext, run: Run) -> str:
    """Return `<journey>@<version>:<user>:<log epoch>-o<offset>`, `-t<moment>` of time, or `-u<offset>` of a command.

    There is no counter, because an erase could reset it (law 26).
    """
    return f"{run.journey}@{run.version}:{context.user_id}:{run.entry}"


def decide(
    context: UserContext,
    run: Run,
    kind: Kind,
    reason: str | None = None,
    step: str | None = None,
    values: dict[str, Any] | None = None,
    path: list[dict[str, Any]] | None = None,
) -> None:
    """Record a decision about a run. `path`: the branches that it has taken since the last one."""
    context.outbox.decision(
        kind,
        reason,
        user=context.user_id,
        at=context.now,
        offset=run.cause,
        rule_set=run.rule_set,
        journey=run.journey,
        version=run.version,
        run=run_id(context, run),
        step=step,
        due=run.moment,
        values=values,
        path=path,
        arms=arms_of(context.user, run),
        key=key_of(context.user, run),
    )


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Sort the runs of one moment in the order in which they continue: by journey, those of one journey in the order of their entries."""
    return sorted(runs, key=_order)


def _order(run: Run) -> str:
    return run.journey


# ---- ends ---------------------------------------------------------------------------------------------------------------


def end(context: UserContext, run: Run, reason: str, step: str | None = None, values: dict[str, Any] | None = None) -> None:
    """End a run with a decision."""
    decide(context, run, "exited", reason, step, values)
    remove(context, run)


def drop(context: UserContext, run: Run) -> None:
    """Remove a run with everything that is kept of it."""
    context.user.runs.remove(run)
    forget_arms(context.user, run)
    drop_hold(context, run)
    forget_event(context.user, run)
    forget_begun(context.user, run)
    forget_keys(context.user)


def remove(context: UserContext, run: Run) -> None:
    """Remove a run, and what only its rules needed."""
    drop(context, run)
    if run.rule_set != context.plan.hash:
        forget_unneeded(context)


def _holds(context: UserContext) -> dict[str, Hold] | None:
    """Return the holds of a user who has any. For all others this costs two comparisons."""
    user = context.user
    return user.value(HOLDS) if user.more is not None or HOLDS.name in user.sections else None


def drop_hold(context: UserContext, run: Run) -> None:
    """Forget how a policy holds a run."""
    holds = _holds(context)
    if holds:
        holds.pop(of_run(run), None)


def keeps_sends(context: UserContext) -> bool:
    """Check whether the active rules, or a pinned run, can ask what went out to the user."""
    return context.plan.keeps_sends or any(plan.counts_sends for plan in context.pinned())


def forget_unneeded(context: UserContext) -> None:
    """Drop windows and standings that neither the active rules nor a pinned run need, and the send log."""
    if context.user.has(SENDS) and not keeps_sends(context):
        context.user.put(SENDS, SENDS.empty())
    pinned = context.pinned()
    windows = {key for plan in pinned for key in plan.measures}
    standings = {segment.key for plan in pinned for segment in plan.watches}
    tiers: Mapping[str, TierPlan] = context.plan.tiers.by_name
    if pinned and (only_pinned := [one.tier for one in context.pinned_tiers(context.user.runs).values()]):
        keep_pinned(context, only_pinned)
        windows.update(key for tier in only_pinned for key in tier.measures)
        tiers = {**tiers, **{tier.name: tier for tier in only_pinned}}
    context.user.forget(Needed(context.plan.measures, windows, context.plan.by_key, standings, context.plan.journeys, tiers))


# ---- steps --------------------------------------------------------------------------------------------------------------


class RunContext:
    """Implement `triggers.steps.context.StepContext` for one run at one moment."""

    __slots__ = (
        "channel",
        "context",
        "hold",
        "journey",
        "kept_back",
        "not_after",
        "now",
        "path",
        "policies",
        "position",
        "run",
        "user",
        "values",
        "view",
    )

    def __init__(self, context: UserContext, run: Run, plan: JourneyPlan) -> None:
        self.context = context
        self.run = run
        self.user: User = context.user
        self.journey: Journey = plan.journey
        self.values = plan.values
        self.now: int = context.now
        self.view: View = context.view
        self.position: Position = context.position
        self.policies: PolicyPlan | None = context.plan.policies
        self.channel = ""
        self.not_after: int | None = None
        self.hold: Hold | None = None
        """How a policy holds the message at which the run rests."""
        self.kept_back = False
        """A pause or a policy has kept the run back. Later steps count from when it continues, not from its own moment."""
        self.path: list[dict[str, Any]] = []
        """The branches since the last decision. A run that rests or ends makes one, so no state keeps them."""

    def pass_gates(self, entry: Entry, stage: Stage) -> Outcome | None:
        self.channel, self.not_after = entry.channel, entry.not_after
        answer = self._ask(stage)
        return None if answer is None else self._obey(entry, answer)

    def _ask(self, stage: Stage) -> Answer:
        longest: gates.Hold | None = None
        for gate in AT_STAGE[stage]:
            answer = gate.ask(self)
            if answer is None:
                continue
            if isinstance(answer, Skip):
                return answer
            if longest is None or answer.until > longest.until:
                longest = answer
        return longest

    def _obey(self, entry: Entry, answer: Skip | gates.Hold) -> Outcome:
        if isinstance(answer, gates.Hold):
            return Rest(answer.until, answer.kind, answer.reason, answer.values, is_held=True)
        self.decide(entry, answer.kind, answer.reason, answer.values)
        return entry.next

    def decide(self, entry: Entry, kind: Kind, reason: str | None = None, values: dict[str, Any] | None = None) -> None:
        self.tell(kind, reason, entry.name, values)

    def tell(self, kind: Kind, reason: str | None, step: str | None = None, values: dict[str, Any] | None = None) -> None:
        """Record a decision about the run with the branches that it has taken."""
        decide(self.context, self.run, kind, reason, step, values, self.path)
        self.path = []

    @property
    def user_id(self) -> str:
        return self.context.user_id

    def keep_arm(self, split: str, arm: str) -> None:
        keep_arm(self.context.user, self.run, split, arm)

    def took(self, entry: Entry, branch: str | None, values: Mapping[str, Any], *, unknown: bool = False) -> None:
        taken: dict[str, Any] = {"step": entry.name, "branch": branch, "values": dict(values)}
        if unknown:
            taken["unknown"] = True
        self.path.append(taken)

    def render(self, templates: Mapping[str, Template]) -> dict[str, str]:
        run, view, traits = self.run, self.view, self.context.user.traits
        of_run = {"id": run_id(self.context, run), "journey": run.journey, "entered": run.entered}
        data: dict[str, object] = {"traits": traits, "properties": run.properties, "run": of_run, "user": self.context.user_id}
        if self.values:
            data["values"] = {name: value.show(view) for name, value in self.values.items()}
        if any(template.event for template in templates.values()):
            data["event"] = event_of(self.context.user, run)
        return {name: template.render(view.zone, **data) for name, template in templates.items()}

    @property
    def standings(self) -> Mapping[str, Standing]:
        return self.context.user.standings

    def take_cause(self) -> int:
        return take_cause(self.context.user, self.run)

    def forget_event(self) -> None:
        forget_event(self.context.user, self.run)

    def set_traits(self, entry: Entry, traits: Mapping[str, Any]) -> None:
        context = self.context
        given = dict(traits)
        try:
            merged = merge(context.user, given, self.now, self.now)
        except Unreadable:
            self.decide(entry, "failed", "traits too big", {"traits": given})
            return
        context.take_over(context.user, merged)
        if merged.changed:
            context.changed_traits = merged.changed
        self.decide(entry, "set", None, {"traits": given})

    def hand_over(self, entry: Entry, content: Mapping[str, Any], not_after: int | None) -> Outcome | None:
        context, run = self.context, self.run
        identity = run_id(context, run)
        answer = self._ask("hand over")
        arms, key = named_arms(arms_of(context.user, run)), key_of(context.user, run)
        context.outbox.action(
            {
                "schema": 1,
                "id": f"{identity}:{entry.name}",
                "user": context.user_id,
                "journey": run.journey,
                "version": run.version,
                "run": identity,
                "step": entry.name,
                **content,
                **self._marks(),
                "at": context.now,
                "due": run.moment,
                "not_after": None if not_after is None else run.moment + not_after,
                "cause": context.outbox.cause(run.cause),
                "rule_set": run.rule_set,
                **({} if key is None else {"key": key}),
                **arms,
            },
            dry=answer is not None,
        )
        if answer is None or answer.kind == "dry":
            self._log(dry=answer is not None)
        if answer is not None:
            return self._obey(entry, answer)
        self.decide(entry, "sent")
        return None

    def _marks(self) -> dict[str, Any]:
        """Return what the policies add to an action. Without policies an action is what it was before there were any."""
        return _NO_MARKS if self.policies is None else self.policies.marks(self.channel, self.journey.category, self.view.zone.name)

    @property
    def sends(self) -> bytes:
        log: bytes = self.context.user.value(SENDS)
        return log

    def _log(self, *, dry: bool) -> None:
        """Note in the send log what caps and `sent` can count."""
        category = self.journey.category
        if category != TRANSACTIONAL and keeps_sends(self.context):
            log = add(self.sends, self.now, dry=dry, channel=self.channel, category=category, journey=self.run.journey)
            self.context.user.put(SENDS, log)

    @property
    def arm(self) -> str | None:
        return arms_of(self.context.user, self.run).get(ARM)

    @property
    def was_held(self) -> bool:
        return self.hold is not None

    def rest(self, entry: Entry, rest: Rest) -> None:
        """Leave the run at an entry. A policy that holds it again until the same moment is not reported again."""
        run = self.run
        run.step, run.due, run.held = entry.name, rest.until, rest.is_held
        if rest.kind == "held":
            hold = rest.until, rest.reason or ""
            if hold == self.hold:
                return
            self.context.user.value(HOLDS)[of_run(run)] = hold
        self.decide(entry, rest.kind, rest.reason, rest.values)

    def release(self) -> None:
        """Note that nothing keeps the run back any longer: later steps count from now."""
        self.hold = None
        self.kept_back = False
        self.run.moment = self.now
        drop_hold(self.context, self.run)


_NO_MARKS: Final[dict[str, Any]] = {}


class Interrupted:
    """A run that has set traits. The engine decides what follows before the run continues, at a place of its program."""

    __slots__ = ("place", "plan", "run", "step_context")

    def __init__(self, step_context: RunContext, plan: JourneyPlan, place: int) -> None:
        self.step_context = step_context
        self.plan = plan
        self.place = place
        self.run: Run = step_context.run


def begin(context: UserContext, run: Run, plan: JourneyPlan) -> Interrupted | None:
    """Carry out the first steps of a run that has just entered, until it rests, ends, or has set traits."""
    return _proceed(RunContext(context, run, plan), plan, 0)


def proceed(interrupted: Interrupted) -> Interrupted | None:
    """Continue a run that has set traits."""
    return _proceed(interrupted.step_context, interrupted.plan, interrupted.place)


def continue_run(context: UserContext, run: Run) -> Interrupted | None:
    """Continue a run whose rest has ended, or that was held, if the gates allow it. A held run may be late now."""
    plan = context.journey_of(run)
    entry = plan.program.find(run.step)
    run.step = entry.name  # a run of release 0.1.0 gets its name here
    was_paused = run.held and run.due == NEVER
    run.due = NEVER
    step_context = RunContext(context, run, plan)
    if run.held and (holds := _holds(context)):
        step_context.hold = holds.get(of_run(run))
    step_context.kept_back = was_paused or step_context.hold is not None
    outcome = step_context.pass_gates(entry, "continue")
    if outcome is None:
        if run.held:
            run.held = False
            since = run.moment if step_context.hold is None else max(run.moment, step_context.hold[0])  # what a policy held is not late
            run.late = was_paused and plan.journey.late.drops(since, context.now)
        outcome = entry.resume(step_context)
    return _take(step_context, plan, entry, outcome)


def _proceed(step_context: RunContext, plan: JourneyPlan, place: int) -> Interrupted | None:
    """Carry out steps, beginning at a place, until the run rests, ends, or has set traits."""
    context, run, entries = step_context.context, step_context.run, plan.program.entries
    while place < len(entries):
        entry = entries[place]
        context.moves += 1
        if context.moves > MAX_MOVES:
            step_context.decide(entry, "failed", "too many moves at one moment")
            remove(context, run)
            return None
        guard = entry.guard
        if guard is not None:
            value = guard.value(context.view)
            if value is not True:
                step_context.decide(entry, "exited", "when: unknown" if value is None else "when: false", guard.explain(context.view))
                remove(context, run)
                return None
        if step_context.kept_back and entry.counts:
            step_context.release()
        outcome = entry.carry_out(step_context)
        if step_context.kept_back and entry.channel and not (isinstance(outcome, Rest) and outcome.is_held):
            step_context.release()
        if not isinstance(outcome, int):
            return _take(step_context, plan, entry, outcome)
        place = outcome
        if context.changed_traits is not None:
            return Interrupted(step_context, plan, place)
    step_context.tell("exited", "completed")
    remove(context, run)
    return None


def _take(step_context: RunContext, plan: JourneyPlan, entry: Entry, outcome: Outcome) -> Interrupted | None:
    """Apply the result of an entry."""
    if isinstance(outcome, int):
        return _proceed(step_context, plan, outcome)
    if isinstance(outcome, Rest):
        step_context.rest(entry, outcome)
    else:
        step_context.decide(entry, outcome.kind, outcome.reason, outcome.values)
        remove(step_context.context, step_context.run)
    return None
