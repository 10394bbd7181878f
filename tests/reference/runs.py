"""One run of a user, and what commands have set for all."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.reference.causes import room_for_waits
from tests.reference.goals import Goals
from tests.reference.keys import room_for_key
from tests.reference.programs import every, room
from triggers.definitions.model import Journey, RuleSet, Segment, Step
from triggers.steps.split import Split
from triggers.steps.waits.cause import CauseWait
from triggers.steps.waits.side import SegmentWait

MOST_ROOM = 128 * 1024
"""Bytes for all runs of a user."""


@dataclass
class Switches:
    """What commands have set for the whole partition."""

    rules: RuleSet | None = None
    paused: set[str] = field(default_factory=set)
    live: bool = False


@dataclass
class Run:
    id: str
    journey: Journey
    rules: RuleSet
    """The rule set that it entered under; it keeps it."""
    moment: int
    """Of the latest step: at first the entry, then where each wait ends, whether it is waited for or had come already."""
    left: tuple[Step, ...] | None = None
    """The steps still to come; None: it has taken none. Those of a branch come before those behind the branch."""
    at: str = ""
    """The name of the latest step."""
    path: tuple[tuple[str, str | None, bool], ...] = ()
    """The branches since the last decision."""
    arm: str | None = None
    """Of control and holdout; None: it had neither when it entered."""
    arms: tuple[tuple[str, str], ...] = ()
    """Split and arm of each that it has passed."""
    shown: datetime | None = None
    """What the user's clock shows at the moment that it waits for, if that is a local time."""
    keeps: bool = False
    """Its time of day is written in the rules."""
    ends: CauseWait | SegmentWait | None = None
    """The wait for a cause at which it rests."""
    came: bool = False
    """The cause has come; else the time is out when the wait ends."""
    waits: bool = False
    """For `moment`; the step that comes next is the one after the wait."""
    held: bool = False
    """By a pause: the moment has come and nothing was done."""
    kept_back: bool = False
    """By a pause that is over; what comes next counts from when it continued."""
    asks: int | None = None
    """When a message that a policy holds is asked for again; it is that of the latest step, and of the next."""
    dropping: bool = False
    """The latest moment was too late: sends are skipped until the next wait."""
    properties: Mapping[str, Any] = field(default_factory=dict)
    """Of the entry event, those that a text of the journey names."""
    key: str | None = None
    """None: the journey has no keys."""
    entered: int = 0
    """The logical time of the entry."""
    began: int = field(init=False)
    """The moment of the entry, where the journey has `while_running: restart`; else the logical time, which is all that is remembered."""

    def __post_init__(self) -> None:
        self.began = self.moment

    @property
    def room(self) -> int:
        """Bytes that it counts for: 160, the names of journey and run, properties; of the longest name of a step all beyond 32."""
        beyond = max([len(step.name.encode()) - 32 for step in every(self.journey.steps)] + [0])
        names = len(self.journey.name.encode()) + len(self.id.rpartition(":")[2])
        splits = [step for step in every(self.journey.steps) if isinstance(step, Split)]
        arms = [10 + len(step.split.encode()) + max(len(arm.encode()) for arm in step.arms) for step in splits] + ([10] if self.arm else [])
        began = 16 + names if self.journey.while_running == "restart" else 0
        return (
            began + 160 + beyond + names + room(self.properties) + (10 + names + sum(arms) if splits or self.arm else 0) + self._for_waits()
        )

    def _for_waits(self) -> int:
        return room_for_waits(self.journey, self.id.rpartition(":")[2]) + room_for_key(self.journey.name, self.id, self.key)

    @property
    def rests(self) -> int:
        """Until when it does nothing."""
        return self.moment if self.asks is None else self.asks

    @property
    def waiting_for(self) -> str:
        return self.at if self.waits else ""

    def segment(self, name: str) -> Segment:
        return self.rules.segments[name]


def is_past(run: Run, moment: int, now: int) -> bool:
    """Whether it is too late for what was meant for a moment."""
    return run.journey.late.then == "drop" and now - moment > run.journey.late.after


def room_with(run: Run, replaced: Collection[Run], runs: Collection[Run], goals: Goals, now: int) -> int:
    """Bytes of all runs and watches, with a run that enters now, and without those that it would replace."""
    names = 64 + len(run.journey.name.encode()) + len(run.id.rpartition(":")[2]) + room_for_key(run.journey.name, run.id, run.key)
    watch = names if run.journey.goal is not None else 0
    others = [other for other in runs if other not in replaced]
    ended = goals.room_for_arms(now, [other.id for other in runs])
    return sum(other.room for other in others) + run.room + watch + ended + goals.room(now, [other.id for other in replaced])
