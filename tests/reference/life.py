"""One user's life under the rules: what is known of them, their runs, and what each record and each moment does."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.reference import days, policies, walls
from tests.reference.by_clock import enter_by_clock, keep, refusal, refuse
from tests.reference.causes import Changes, about, answers, decides, ends, event_exits, exits_seen, watched
from tests.reference.conditions import Happened, Sight, Since, holds, moments, seen
from tests.reference.goals import Goals, named_goal
from tests.reference.keys import Exits, key_in
from tests.reference.log import Outcome, Said
from tests.reference.measuring import about_goals, may_exit, reach, start
from tests.reference.programs import arm_of, drawn_arm, named
from tests.reference.reading import is_known, is_read, needed, remember
from tests.reference.runs import MOST_ROOM, Run, Switches, is_past, room_with
from tests.reference.schedules import Schedules
from tests.reference.sending import outcome_of
from tests.reference.setting import set_traits
from tests.reference.tiers import Tiers, conditions_of, known_tiers, tiers_for
from tests.reference.traits import set_traits as put_traits
from triggers.causes.event import OnEvent
from triggers.definitions.model import Condition, RuleSet, Segment, Step
from triggers.steps.choice import If
from triggers.steps.choose import Choose
from triggers.steps.end import Ending
from triggers.steps.send import Send
from triggers.steps.set_traits import SetTraits
from triggers.steps.split import Split
from triggers.steps.waits import Delay, WaitForm
from triggers.steps.waits.cause import CauseWait
from triggers.steps.waits.side import SegmentWait

MOST_MOVES = 1_000


@dataclass
class Life:
    """Everything about one user. All that ever happened is kept."""

    user: str
    switches: Switches
    epoch: int
    outcomes: list[Outcome]
    now: int = 0
    traits: dict[str, Any] = field(default_factory=dict)
    events: list[Happened] = field(default_factory=list)
    since: dict[str, Since] = field(default_factory=dict)
    inside: dict[str, bool] = field(default_factory=dict)
    """By `Segment.key`: the latest value that was known."""
    runs: dict[str, Run] = field(default_factory=dict)
    """By id, the oldest first: at most one of each journey and key."""
    entered: dict[str, int] = field(default_factory=dict)
    """By journey, over all its versions: the logical time of the latest entry."""
    entered_keys: dict[tuple[str, str | None], int] = field(default_factory=dict)
    exits: Exits = field(default_factory=Exits)
    told: dict[tuple[str, str], int] = field(default_factory=dict)
    """By journey and reason: the latest local day on which a refusal was reported."""
    message_ids: list[tuple[str, int, bool]] = field(default_factory=list)
    """Id, hour of the clock, whether a rule reads the call; oldest first."""
    trait_times: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)
    suppressed: set[str | None] = field(default_factory=set)
    """Channels; None: all."""
    gone: list[policies.Gone] = field(default_factory=list)
    """What went out while there were policies."""
    goals: Goals = field(default_factory=Goals)
    tiers: Tiers = field(default_factory=Tiers)
    schedules: Schedules = field(default_factory=lambda: Schedules(""))
    mark: str = ""
    """The end of the ids of entries by time."""
    suffix: str = ""
    """What begins a run now: the end of its id."""
    ids: set[str] = field(default_factory=set)
    """Of all runs that there were."""
    joined: list[Run] = field(default_factory=list)
    moves: int = 0
    is_meeting: bool = False
    """Another rule set is coming: nothing enters."""
    ties: int = 0
    """How many there were."""
    tie: int = 0
    """The current one; 0: the order is certain."""

    def __post_init__(self) -> None:
        self.schedules.user, self.schedules.traits = self.user, self.traits

    # ---- what there is to look at -------------------------------------------------------------------------------------

    @property
    def zone(self) -> str:
        name = self.traits.get("timezone")
        if isinstance(name, str) and (known := days.known(name)) is not None:
            return known
        return self.switches.rules.time_zone if self.switches.rules else "UTC"

    @property
    def sight(self) -> Sight:
        return Sight(self.now, self.zone, self.traits, self.events, self.since, self.gone, not self.switches.live)

    def holds(self, condition: Condition) -> bool | None:
        return holds(condition, self.sight)

    def segments(self) -> dict[str, Segment]:
        """By key: those of the rule set, and those that a running run still needs for its exits."""
        current = self.switches.rules.segments.values() if self.switches.rules else ()
        kept = [run.segment(name) for run in self.runs.values() for name in sorted(watched(run.journey))]
        return {segment.key: segment for segment in [*current, *kept]}

    def say(
        self, kind: str, journey: str, run: str, *, step: str = "", due: int | None = None, reason: str = "", rules: RuleSet | None = None
    ) -> None:
        under = rules or self.switches.rules
        self.outcomes.append(
            Outcome(self.user, kind, journey, step, self.now, due, run, reason, None if under is None else under.hash, self.tie)
        )

    def say_of(self, run: Run, kind: str, *, step: str = "", reason: str = "") -> None:
        """A decision about a run, with the branches that it has taken since the one before."""
        self.say(kind, run.journey.name, run.id, step=step, due=run.moment, reason=reason, rules=run.rules)
        self.outcomes[-1] = self.outcomes[-1]._replace(path=run.path, arms=run.arms, key=run.key, arm=run.arm)
        run.path = ()

    @contextmanager
    def in_any_order(self) -> Iterator[None]:
        """Which run comes first is open."""
        self.ties += 1
        self.tie = self.ties
        yield
        self.tie = 0

    # ---- time ---------------------------------------------------------------------------------------------------------

    def advance(self, clock: int, record: int | None = None) -> None:
        """Does what was due up to `clock`, moment by moment; `record`: because of this record, whose offset ends the ids of entries."""
        self.mark = "" if record is None else f"-o{record}"
        while (moment := self.next_moment(clock)) is not None:
            self.now, self.moves, self.suffix = moment, 0, f"t{moment}{self.mark}"
            before = dict(self.inside)
            moves = self.climb("time")
            reach(self, None, moves)
            changes = self.look("time")
            keep(self, before)
            reach(self, None, changes)
            changes |= moves
            self.exit_by(None, changes)
            self.end_waits(None, changes)
            self.enter_by(None, changes, self.suffix)
            enter_by_clock(self, changes)
            self.steps(self.by_turn())

    def next_moment(self, clock: int) -> int | None:
        """The earliest moment at which a wait ends or a segment could change."""
        waits = {run.rests for run in self.runs.values() if run.waits and not run.held and run.rests <= clock}
        conditions = [segment.condition for segment in self.segments().values()] + conditions_of(known_tiers(self))
        waits |= {one for one in self.tiers.ends(known_tiers(self)) if self.now < one <= clock}
        waits |= {one for one in self.schedules.moments() if one <= clock}
        return min(waits | moments(conditions, self.sight, clock), default=None)

    # ---- a record -----------------------------------------------------------------------------------------------------

    def record(self, said: Said, clock: int) -> None:
        self.advance(clock)
        self.now, self.moves, self.suffix = clock, 0, f"o{said.offset}"
        if said.message_id is not None:
            hour = clock // days.HOUR
            if is_known(self, said.message_id, hour):
                return
            remember(self, said.message_id, hour, is_read(self, said))
        before, traits = self.zone, dict(self.traits)
        self.fold(said)
        if self.switches.rules is None:
            return
        self.move(before, traits)
        moves = self.climb("event")
        reach(self, said, {})
        reach(self, None, moves)
        self.exits.known += exits_seen(self.switches.rules, said, self.zone)
        with self.in_any_order():
            self.exit_by(said, {})
        changes = self.look("event")
        self.schedules.follow(self.switches.rules, traits)
        keep(self)
        reach(self, None, changes)
        changes |= moves
        self.exit_by(None, changes)
        self.end_waits(said, changes)
        self.enter_by(said, changes, f"o{said.offset}")
        self.steps([run for run in self.by_turn() if not run.waits or run.came])
        self.advance(clock, said.offset)

    def fold(self, said: Said) -> None:
        put_traits(self, said.traits, said.event_time)
        if said.event is not None:
            day = days.day(self.zone, said.event_time)
            self.events.append(Happened(said.event, said.properties, said.event_time, day, said.offset, self.now, about(said, self.zone)))

    # ---- segments -----------------------------------------------------------------------------------------------------

    def look(self, cause: str) -> Changes:
        """Evaluates all segments. The first value that is known counts as entering only if an event made it known."""
        changes: Changes = {}
        for key, segment in self.segments().items():
            value = self.holds(segment.condition)
            if value is None:
                continue
            before = self.inside.get(key)
            self.inside[key] = value
            if value and (before is False or (before is None and cause == "event")):
                changes[key] = "enters"
            elif before and not value:
                changes[key] = "leaves"
        return changes

    def climb(self, cause: str) -> Changes:
        """Looks at all tiers."""
        return self.tiers.look(known_tiers(self), self.holds, self.now, cause, lambda tier, level: self.say("tier", tier, "", step=level))

    def forget(self) -> None:
        """Drops what is not needed any more, so that it restarts if it is needed again."""
        self.inside = {key: value for key, value in self.inside.items() if key in self.segments()}
        self.since = {key: since for key, since in self.since.items() if key in needed(self)}
        self.gone = self.gone if policies.counts_sends(self) else []

    # ---- exits and entries --------------------------------------------------------------------------------------------

    def exit_by(self, said: Said | None, changes: Changes) -> None:
        happened = self.now if said is None else said.event_time
        for run in self.by_name():
            if may_exit(run, happened, self.now) and any(
                answers(cause, run.rules, said, changes, self.zone, run.key) for cause in run.journey.exits
            ):
                self.end(run, "exited", "exit")

    def end_waits(self, said: Said | None, changes: Changes) -> list[Run]:
        """Ends the waits whose cause has come; returns the runs, which continue with the others."""
        ended = []
        for run in self.by_name():
            if not run.waits or run.held or run.ends is None or run.came:
                continue
            cause = None
            if isinstance(run.ends, CauseWait):
                cause = next((cause for cause in run.ends.causes if answers(cause, run.rules, said, changes, self.zone, run.key)), None)
            if cause is not None or (isinstance(run.ends, SegmentWait) and self.is_there(run, run.ends)):
                run.came = True
                run.moment = ends(run.ends, cause, 0 if said is None else said.event_time, self.now, run.moment)
                ended.append(run)
        return ended

    def is_there(self, run: Run, step: SegmentWait) -> bool:
        """By the latest value that was known."""
        return self.inside.get(run.segment(step.segment).key) is step.inside

    def enter_by(self, said: Said | None, changes: Changes, suffix: str) -> bool:
        """Says of each journey that is asked for whether it is entered; returns whether one was."""
        rules, entered = self.switches.rules, False
        if rules is None:
            return False
        for name in sorted(rules.journeys):
            journey = rules.journeys[name]
            cause = next((entry for entry in journey.entries if answers(entry, rules, said, changes, self.zone)), None)
            if cause is None:
                continue
            moment = said.event_time if said is not None and isinstance(cause, OnEvent) else self.now
            run = Run(f"{name}@{journey.version}:{self.user}:{self.epoch}-{suffix}", journey, rules, moment)
            if said is not None and isinstance(cause, OnEvent):
                run.key = key_in(cause, said)
                run.properties = {key: said.properties[key] for key in named(journey) if key in said.properties}
            if any(answers(cause, rules, said, changes, self.zone, run.key) for cause in journey.exits):
                self.say("skipped", name, run.id, due=moment, reason="exit")
            elif any(event.at > moment for measure in event_exits(journey) for event in seen(measure, self.sight)) or (
                run.key is not None and self.exits.any_after(journey, run.key, moment)
            ):
                self.say("skipped", name, run.id, due=moment, reason="exit before")
            else:
                entered |= self.begin(run, refusal(self, journey, run.key))
        return entered

    def begin(self, run: Run, why: str | None) -> bool:
        """Starts a run, unless there is a reason why not."""
        journey, name, moment = run.journey, run.journey.name, run.moment
        if why is not None:
            refuse(self, name, run.id, moment, why)
            return False
        replaced = self.running(name, run.key)
        if any(moment < other.began for other in replaced):
            refuse(self, name, run.id, moment, "older")
            return False
        if run.id in self.ids or ("-t" in run.id.rpartition(":")[2] and self.entered.get(name) == self.now):
            refuse(self, name, run.id, moment, "entered at this moment")
            return False
        run.arm = drawn_arm(journey, run.rules, self.user)
        if room_with(run, replaced, self.runs.values(), self.goals, self.now) > MOST_ROOM:
            refuse(self, name, run.id, moment, "no room")
            return False
        self.ids.add(run.id)
        for other in replaced:
            self.goals.forget(other.id)
            self.end(other, "exited", "entered again")
        run.dropping = journey.drops_late_entries and self.is_late(run)
        start(self, run)
        return True

    def running(self, journey: str, key: str | None) -> list[Run]:
        """The runs of a journey with this key; None: all."""
        return [run for run in self.runs.values() if run.journey.name == journey and key in (None, run.key)]

    # ---- runs ---------------------------------------------------------------------------------------------------------

    def by_name(self) -> list[Run]:
        return sorted(self.runs.values(), key=lambda run: run.journey.name)

    def by_turn(self, runs: Iterable[Run] | None = None) -> list[Run]:
        found = self.by_name() if runs is None else sorted(runs, key=lambda run: run.journey.name)
        return sorted(found, key=lambda run: (-run.journey.priority, run.left is not None))

    def end(self, run: Run, kind: str, reason: str, step: str = "") -> None:
        self.say_of(run, kind, step=step or run.waiting_for, reason=reason)
        del self.runs[run.id]
        if run.rules is not self.switches.rules:
            self.tiers.set(tiers_for(None, self.runs.values()), self.holds, without=self.switches.rules)

    def steps(self, runs: Iterable[Run]) -> None:
        """Continues these runs until each waits: those that have just entered, and those whose moment has come."""
        queue = list(runs)
        while queue:
            run = queue.pop(0)
            if run.id not in self.runs or (run.waits and run.rests > self.now):
                continue
            if run.waits and run.journey.name in self.switches.paused:
                if not run.held:
                    run.held = True
                    self.say_of(run, "paused", step=run.waiting_for)
                continue
            if run.waits:
                # What was held is as late as it was held; what was waited for is not late, however long the worker was down.
                run.dropping = (run.held or run.came) and self.is_late(run)
                run.kept_back = run.held
                run.waits = run.held = False
                if run.ends is not None:
                    self.end_wait(run, run.ends, came=run.came)
            self.walk(run)
            if self.joined:
                queue, self.joined = self.by_turn([*queue, *(one for one in self.joined if one not in queue)]), []

    def is_late(self, run: Run) -> bool:
        return is_past(run, max(run.moment, run.asks or 0), self.now)

    def walk(self, run: Run) -> None:
        for step in self.steps_left(run):
            if self.moves >= MOST_MOVES:
                self.end(run, "failed", "too many moves", step.name)
                return
            self.moves += 1
            if step.when is not None and (value := self.holds(step.when)) is not True:
                self.end(run, "exited", "when is unknown" if value is None else "when is false", step.name)
                return
            if isinstance(step, WaitForm) and run.kept_back:
                run.moment, run.kept_back = self.now, False
            if isinstance(step, WaitForm) and not isinstance(step, CauseWait | SegmentWait):
                if isinstance(step, Delay):
                    planned, run.shown = run.moment + step.length, None
                else:
                    planned, run.shown = walls.target(step, self.zone, run.moment, run.entered)
                    run.keeps = getattr(step, "at", None) is not None
                was_late, run.moment = run.dropping and is_past(run, planned, self.now), max(run.moment, planned)
                if run.moment > self.now:
                    run.waits = True
                    self.say_of(run, "waiting", step=step.name)
                    return
                run.dropping = self.is_late(run) or (was_late and planned < run.moment)
            if isinstance(step, SegmentWait) and self.is_there(run, step):
                self.end_wait(run, step, came=True)
            elif isinstance(step, CauseWait | SegmentWait):
                run.moment, run.shown = run.moment + step.timeout, None
                if run.moment > self.now:
                    run.waits, run.ends = True, step
                    self.say_of(run, "waiting", step=step.name)
                    return
                run.dropping = self.is_late(run)
                self.end_wait(run, step, came=False)
            if isinstance(step, Send):
                outcome = outcome_of(self, run, step)
                self.say_of(run, "held" if isinstance(outcome, int) else outcome, step=step.name)
                if isinstance(outcome, int):
                    run.left, run.asks, run.waits = (step, *(run.left or ())), outcome, True
                    return
                run.moment = self.now if run.kept_back or run.asks is not None else run.moment
                run.asks, run.kept_back = None, False
                if outcome in ("sent", "dry") and policies.counts_sends(self):
                    self.gone.append(policies.Gone(self.now, outcome == "dry", run.journey, step))
            if isinstance(step, SetTraits) and not set_traits(self, run, step.traits):
                return
            if isinstance(step, If):
                value = self.holds(step.condition)
                self.branch(run, step, "then" if value else "else", step.then if value else step.otherwise, value is None)
            if isinstance(step, Choose):
                values = [self.holds(condition) for condition in step.conditions]
                first = values.index(True) if True in values else len(values)
                there = first < len(step.blocks)
                self.branch(run, step, str(first + 1) if there else None, step.blocks[first] if there else (), None in values[:first])
            if isinstance(step, Split):
                number = arm_of(step, run.journey.name, self.user)
                run.arms = (*run.arms, (step.split, step.arms[number]))
                self.goals.pass_split(run.id, run.arms)
                self.branch(run, step, step.arms[number], step.blocks[number], unknown=False)
            if isinstance(step, Ending):
                self.end(run, "exited", "end", step.name)
                return
        self.end(run, "exited", "completed")

    def move(self, before: str, traits: dict[str, Any], *, skips: bool = False) -> None:
        """Keeps what the clock shows at the ends of waits when the user's zone is another one; what has passed there comes now."""
        for run in self.runs.values():
            if self.zone == before or run.shown is None or not run.waits or run.held or run.asks is not None:
                continue
            moment = walls.first(self.zone, run.shown)
            if moment != run.moment:
                run.moment = max(moment, self.now)
            if not run.keeps:
                run.shown = walls.wall(self.zone, run.moment)
        if self.zone != before:
            self.schedules.move(self.switches.rules, (before, self.zone), self.now, traits, skips=skips)

    def end_wait(self, run: Run, step: CauseWait | SegmentWait, *, came: bool) -> None:
        run.ends, run.came = None, False
        self.branch(run, step, "came" if came else "timed_out", step.came if came else step.timed_out, unknown=False)

    def branch(self, run: Run, step: Step, name: str | None, steps: tuple[Step, ...], unknown: bool) -> None:
        """Puts the steps of a branch before those behind it."""
        run.path = (*run.path, (step.name, name, unknown))
        run.left = steps + (run.left or ())

    def steps_left(self, run: Run) -> Iterator[Step]:
        run.left = run.journey.steps if run.left is None else run.left
        while run.left:
            step, run.left = run.left[0], run.left[1:]
            run.at = step.name
            yield step

    # ---- commands -----------------------------------------------------------------------------------------------------

    def meet(self, before: set[str], zone: str, offset: int, clock: int) -> None:
        """Brings the user to the rule set in the switches; `before` are the windows that were needed until now, in the zone `zone`."""
        assert self.switches.rules is not None
        self.now, self.moves, self.suffix = clock, 0, f"t{clock}"
        with self.in_any_order():
            for run in self.by_name():
                new = self.switches.rules.journeys.get(run.journey.name)
                if (new or run.journey).on_change == "exit" and (new is None or new.version != run.journey.version):
                    self.end(run, "exited", "changed")
                elif new is not None and decides(run.journey, run.rules) == decides(new, self.switches.rules):
                    run.journey, run.rules = new, self.switches.rules
        self.schedules.meet(self.switches.rules)
        self.move(zone, self.traits, skips=True)
        for run in self.runs.values() if zone != self.zone else ():
            if run.waits and run.asks is not None and not run.held:
                run.asks = clock
        self.forget()
        self.told = {told: day for told, day in self.told.items() if told[0] in self.switches.rules.journeys}
        self.since.update({key: Since(offset, clock) for key in needed(self) - before})
        self.goals.meet(self.switches.rules, clock, about_goals(self), named_goal)
        self.tiers.forget(known_tiers(self))
        self.tiers.set(known_tiers(self), self.holds)
        moves = self.climb("rules")
        reach(self, None, moves)
        changes = self.look("rules")
        keep(self)
        reach(self, None, changes)
        changes |= moves
        self.exit_by(None, changes)
        self.exits.keep(list(self.switches.rules.journeys.values()))
        ended = self.end_waits(None, changes)
        self.is_meeting = True
        self.steps([run for run in self.by_turn() if run in ended])
        self.is_meeting = False

    def resume(self, journey: str, clock: int) -> None:
        self.now, self.moves, self.suffix = clock, 0, f"t{clock}"
        self.steps([run for run in self.by_name() if run.journey.name == journey and run.held])
        self.advance(clock)
