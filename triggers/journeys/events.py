"""What an event of one name affects: windows, segments, tiers, entries, exits, goals and waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from triggers.causes.cause import NO_PROPERTIES, Signal, Where
from triggers.causes.lists import targets
from triggers.conditions.circumstances import Asked, Circumstanced, asked_by
from triggers.conditions.compiler import compile_where
from triggers.journeys.keepable import keepable
from triggers.journeys.levels import NO_TIERS, TierPlan
from triggers.measures.kind import Updater
from triggers.measures.kind import kind_of as kind_of_measure

if TYPE_CHECKING:
    from triggers.conditions.nodes import DayTest
    from triggers.definitions.model import Condition, Measure
    from triggers.journeys.plan import JourneyPlan, SegmentPlan
    from triggers.measures.shapes import Window
    from triggers.measures.taking import Take


class Update:
    """How one window takes in an event."""

    __slots__ = ("apply", "key", "measure", "new", "tests", "value", "where")

    def __init__(self, measure: Measure, tests: tuple[DayTest, ...] | None) -> None:
        self.key: str = measure.key
        self.measure = measure
        kind = kind_of_measure(measure)
        self.where: Where | None = _where(measure.where)
        self.value: Take | None = None if kind.take is None else kind.take(measure.path)
        """What it takes of the event's properties; None: the event itself is enough."""
        self.new: Callable[[Measure, int], Window] = kind.new
        self.apply: Updater = kind.updater(measure)
        self.tests = tests
        """All that any segment asks of this window's days; None: the segments must be looked at after every event. See `Compiled.tests`."""


class EventPlan:
    """What an event of one name affects."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.segments: list[SegmentPlan] = []
        self.tiers: list[TierPlan] = []
        self.entries: list[tuple[JourneyPlan, Where | None]] = []
        self.exits: list[tuple[JourneyPlan, Signal]] = []
        self.asks: frozenset[str] = frozenset()
        """The circumstances of the event that some `where=` asks for."""
        self.waits: dict[JourneyPlan, set[str]] = {}
        """The steps at which runs wait for it."""
        self.goals: list[tuple[JourneyPlan, Signal]] = []
        self.control: Signal | None = None
        """The goal of the control group, if it is this event."""
        self.only_fills = False
        """Whether no entry, exit, wait, goal or tier names the event. Set when the plan is complete."""

    def measure(self, control: Signal) -> None:
        self.control = control
        self.asks |= control.asks

    def match(self, name: str, properties: Mapping[str, Any]) -> Match:
        """Look up what an event means, as `Plan.match` does. Raises `Unreadable`."""
        updates: list[tuple[Update, Any]] = []
        for update in self.updates:
            where, value_of = update.where, update.value
            if where is not None and not where(properties):
                continue
            if value_of is None:
                updates.append((update, None))
            elif (value := value_of(properties)) is not None:
                updates.append((update, value))
        if self.only_fills:
            return Match(name, properties, updates, self.segments, NO_JOURNEYS, NO_TARGETS, NO_TARGETS, self.waits, only_fills=True)
        entries = [journey for journey, where in self.entries if where is None or where(properties)] if self.entries else NO_JOURNEYS
        for journey in entries:
            properties = keepable(journey.journey.name, journey.properties, properties)
        exits = targets(self.exits, properties) if self.exits else NO_TARGETS
        goals = targets(self.goals, properties) if self.goals else NO_TARGETS
        control = self.control
        is_control_goal = control is not None and (control.where is None or control.where(properties))
        return Match(
            name, properties, updates, self.segments, entries, exits, goals, self.waits, tiers=self.tiers, is_control_goal=is_control_goal
        )


class AskingEventPlan(EventPlan):
    """The same for an event of which a rule asks the circumstances. Other events pay nothing for those."""

    def __init__(self, plan: EventPlan) -> None:
        super().__init__()
        self.updates, self.segments, self.entries, self.asks = plan.updates, plan.segments, plan.entries, plan.asks
        self.exits, self.goals = plan.exits, plan.goals
        self.waits, self.tiers, self.control = plan.waits, plan.tiers, plan.control
        self.only_fills = plan.only_fills

    def match(self, name: str, properties: Mapping[str, Any]) -> Match:
        """Look up what an event means. Raises `Asked` for properties without what the rules ask for."""
        if not isinstance(properties, Circumstanced) or not all(root in properties for root in self.asks):
            raise Asked(self.asks)
        return super().match(name, properties)


def complete(plans: dict[str, EventPlan]) -> None:
    """Note which events only fill windows, and replace the plans of those of which a rule asks the circumstances."""
    for name, plan in plans.items():
        plan.only_fills = not (plan.entries or plan.exits or plan.waits or plan.goals or plan.tiers or plan.control)
        if plan.asks:
            plans[name] = AskingEventPlan(plan)


class PinnedTier:
    """A tier that the active rules do not have, and that runs of older ones need."""

    def __init__(self, tier: TierPlan) -> None:
        self.tier = tier
        self.by_event: dict[str, EventPlan] = {}
        add_measures(self.by_event, tier.measures.values(), [tier])
        for plan in self.by_event.values():
            plan.tiers = [tier]
        complete(self.by_event)


class Match:
    """What one event means to the rules. It is made before anything changes, because making it can fail."""

    __slots__ = (
        "entries",
        "exits",
        "goals",
        "is_control_goal",
        "name",
        "only_fills",
        "pinned",
        "properties",
        "segments",
        "tiers",
        "updates",
        "waits",
    )

    def __init__(
        self,
        name: str,
        properties: Mapping[str, Any],
        updates: list[tuple[Update, Any]],
        segments: list[SegmentPlan],
        entries: list[JourneyPlan],
        exits: list[Target],
        goals: list[Target],
        waits: Mapping[JourneyPlan, set[str]],
        *,
        tiers: list[TierPlan] = NO_TIERS,
        pinned: bool = False,
        is_control_goal: bool = False,
        only_fills: bool = False,
    ) -> None:
        self.name = name
        self.properties = properties
        self.updates = updates
        self.segments = segments
        self.entries = entries
        self.exits = exits
        self.goals = goals
        self.waits = waits
        """The steps at which runs wait for it, whatever its properties."""
        self.tiers = tiers
        self.pinned = pinned
        """It includes older versions of journeys, so `tests` cannot show whether segments must be evaluated."""
        self.is_control_goal = is_control_goal
        """It is the goal of the control group."""
        self.only_fills = only_fills
        """It fills windows, and can do no more than that if it changes no segment. False is always right."""


Target = tuple["JourneyPlan", str | None]
"""The runs of a journey that an event is about: those with this key, or all of them."""


NO_JOURNEYS: Final[list[JourneyPlan]] = []


NO_TARGETS: Final[list[Target]] = []


NO_EVENT: Final = Match("", NO_PROPERTIES, [], [], NO_JOURNEYS, NO_TARGETS, NO_TARGETS, {})
"""Of a call that is no event, and of time. No code may change it."""


def joined(match: Match, extra: Match) -> Match:
    """Join both, with each window and segment once."""
    keys = {update.key for update, _ in match.updates}
    segments = {segment.key for segment in match.segments}
    return Match(
        extra.name,
        extra.properties if match is NO_EVENT else match.properties,
        match.updates + [(update, value) for update, value in extra.updates if update.key not in keys],
        match.segments + [segment for segment in extra.segments if segment.key not in segments],
        match.entries,
        match.exits + extra.exits,
        match.goals,
        {**match.waits, **extra.waits},
        tiers=match.tiers + extra.tiers,
        pinned=True,
        is_control_goal=match.is_control_goal,
    )


def _where(condition: Condition | None) -> Where | None:
    return None if condition is None else compile_where(condition)


def add_measures(plans: dict[str, EventPlan], measures: Iterable[Measure], segments: Iterable[SegmentPlan | TierPlan]) -> None:
    watching = list(segments)
    for measure in measures:
        key = measure.key
        asked = [segment.tests.get(key) for segment in watching if key in segment.measures]
        tests = None if None in asked else tuple(test for tests in asked for test in tests or ())
        plan = plans.setdefault(measure.event, EventPlan())
        plan.updates.append(Update(measure, tests))
        plan.asks |= asked_by(measure.where)


def add_segment(plans: dict[str, EventPlan], segment: SegmentPlan) -> None:
    for event in dict.fromkeys(measure.event for measure in segment.measures.values()):
        plans.setdefault(event, EventPlan()).segments.append(segment)
