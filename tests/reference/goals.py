"""Goals, as JOURNEYS.md F reads: which entries an event or a change of a segment converts."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from tests.reference.keys import room_for_key
from tests.reference.programs import room
from triggers.causes.segment import OnSegment
from triggers.definitions.model import Cause, Goal, Journey, RuleSet

MOST_OF_ONE = 20
MOST = 100


@dataclass
class Entered:
    """One entry whose goal is watched."""

    journey: str
    run: str
    goal: Goal
    rules: RuleSet
    """The rule set that the goal is of: it says what the segments mean."""
    at: int
    arm: str | None
    """Of control and holdout."""
    arms: tuple[tuple[str, str], ...] = ()
    """Split and arm of each that its run has passed so far."""
    dry: bool = False
    key: str | None = None
    """Of the run."""

    @property
    def until(self) -> int:
        return self.at + self.goal.within


Say = Callable[[str, Entered], None]
"""Kind, and the entry that it is about."""


@dataclass
class Goals:
    """All entries of one user whose goal can still be reached, the oldest first."""

    watched: list[Entered] = field(default_factory=list)

    def room(self, now: int, without: Collection[str]) -> int:
        """Bytes that they count for, together with the runs."""
        counted = [one for one in self.watched if now < one.until and one.run not in without]
        names = sum(64 + len(one.journey.encode()) + len(one.run.rpartition(":")[2]) for one in counted)
        return names + sum(room_for_key(one.journey, one.run, one.key) for one in counted)

    def room_for_arms(self, now: int, running: Collection[str]) -> int:
        """Bytes of the arms of entries whose runs are over."""
        over = [one for one in self.watched if now < one.until and one.run not in running and (one.arm or one.arms)]
        return sum(
            room({f"{one.journey}:{one.run.rpartition(':')[2]}": {"": one.arm, **dict(one.arms)} if one.arm else dict(one.arms)})
            for one in over
        )

    def forget(self, run: str) -> None:
        """Another entry has taken the place of this run."""
        self.watched = [one for one in self.watched if one.run != run]

    def enter(self, entry: Entered, say: Say) -> None:
        self.drop(entry.at)
        same = [one for one in self.watched if one.journey == entry.journey]
        for gone in same[:1] if len(same) == MOST_OF_ONE else self.watched[:1] if len(self.watched) == MOST else []:
            self.watched.remove(gone)
            say("ended", gone)
        self.watched.append(entry)

    def pass_split(self, run: str, arms: tuple[tuple[str, str], ...]) -> None:
        for one in self.watched:
            if one.run == run:
                one.arms = arms

    def reach(self, happened: int, now: int, is_it: Callable[[Cause, RuleSet, str | None], bool], say: Say) -> None:
        """Something happened: it converts each entry that it is the goal of, once."""
        self.drop(now)
        for one in sorted(self.watched, key=lambda one: one.journey):
            if one.at <= happened and is_it(one.goal.cause, one.rules, one.key):
                say("converted", one)

    def meet(self, rules: RuleSet, now: int, say: Say, named: Callable[[Goal, RuleSet], object]) -> None:
        """Another rule set is active: goals that it does not have are over."""
        self.drop(now)
        for one in list(self.watched):
            journey = rules.journeys.get(one.journey)
            if journey is None or journey.goal is None or named(journey.goal, rules) != named(one.goal, one.rules):
                self.watched.remove(one)
                say("ended", one)

    def drop(self, now: int) -> None:
        self.watched = [one for one in self.watched if now < one.until]


def causes(journeys: Iterable[Journey]) -> list[Cause]:
    return [journey.goal.cause for journey in journeys if journey.goal is not None]


def control_goal(rules: RuleSet | None) -> list[Cause]:
    """What the control group is measured by."""
    control = rules.policies.control if rules is not None and rules.policies is not None else None
    return [] if control is None or control.goal is None else [control.goal]


def named_goal(goal: Goal, rules: RuleSet) -> object:
    """A goal with what its segment means."""
    return goal, rules.segments[goal.cause.segment].condition if isinstance(goal.cause, OnSegment) else None
