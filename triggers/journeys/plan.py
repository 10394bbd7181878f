"""A rule set compiled for the fold: one look-up finds everything that an event name affects.

Without it the fold would compare each event with each rule. With it the cost depends on the rules that name the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from triggers.base.moments import Zone, zone
from triggers.causes import exit_measures, keyed_exits, kind_of
from triggers.causes.cause import NO_PROPERTIES, Change, Signal, Where
from triggers.causes.lists import targets, where_of
from triggers.conditions.circumstances import Asked, Circumstanced, asked_by
from triggers.conditions.compiler import View, compile_condition, compile_where
from triggers.conditions.nodes import DayTest
from triggers.conditions.values import compile_values
from triggers.definitions.model import Condition, Journey, Measure, RuleSet, Segment
from triggers.definitions.words import words_of
from triggers.journeys.clocks import Clocks
from triggers.journeys.goal_plan import GoalPlan, control_goal
from triggers.journeys.keepable import keepable
from triggers.journeys.levels import NO_TIERS, TierPlan, Tiers
from triggers.measures.kind import Updater
from triggers.measures.kind import kind_of as kind_of_measure
from triggers.measures.shapes import Window
from triggers.measures.taking import Take
from triggers.policies.plan import PolicyPlan
from triggers.rules.bounds import windows_bytes
from triggers.steps import all_of
from triggers.steps.awaiting import Awaiting
from triggers.steps.program import Program


class SegmentPlan:
    """A segment's definition, compiled. `look` is that of `conditions.Compiled`."""

    def __init__(self, segment: Segment) -> None:
        self.name = segment.name
        self.key = segment.key
        compiled = compile_condition(segment.condition)
        self.look: Callable[[View], tuple[bool | None, int]] = compiled.look
        self.explain: Callable[[View], dict[str, Any]] = compiled.explain
        self.measures: dict[str, Measure] = {measure.key: measure for measure in compiled.measures}
        self.traits = compiled.traits
        self.tests = compiled.tests


class JourneyPlan:
    """One version of a journey, with all that a run pinned to it needs."""

    def __init__(self, journey: Journey, segments: Mapping[str, SegmentPlan]) -> None:
        self.journey = journey
        self.program = Program(journey.steps)
        self.entries: list[Signal] = [kind_of(cause).signal(segments) for cause in journey.entries]
        self.has_clock = any(signal.clock is not None for signal in self.entries)
        self.exits: list[Signal] = [kind_of(cause).signal(segments) for cause in journey.exits]
        self.exits_by_change = [signal for signal in self.exits if signal.change is not None]
        self.exit_measures: list[tuple[Measure, str]] = [(measure, words_of(measure)) for measure in exit_measures(journey)]
        """The windows that show whether an exit happened before the entry was read, with their text."""
        self.is_keyed = any(signal.key_of is not None for signal in self.entries)
        """It has one run for each key."""
        self.keyed_exits, self.keyed_exits_words = keyed_exits(journey)
        self.goal = None if journey.goal is None else GoalPlan(journey.goal, segments)
        for entry in self.program.entries:
            entry.bind(segments)
        self.waits: dict[str, Awaiting] = {entry.name: entry for entry in self.program.entries if isinstance(entry, Awaiting)}
        """The places at which runs rest for causes, by the name of the step."""
        watched = [name for cause in journey.exits for name in kind_of(cause).segment_names()]
        watched += [name for step in all_of(journey.steps) for name in step.segment_names()]
        self.watches: list[SegmentPlan] = [segments[name] for name in watched]
        self._by_event: dict[str, EventPlan] | None = None
        self.measures: dict[str, Measure] = {}
        for segment in self.watches:
            self.measures.update(segment.measures)
        conditions = [condition for entry in self.program.entries for condition in entry.conditions]
        self.counts_sends = any(condition.counts_sends for condition in conditions)
        self.values = compile_values(journey.values)
        asked = [asking.measures for asking in conditions] + [value.measures for value in self.values.values()]
        self.measures.update({measure.key: measure for measures in asked for measure in measures})
        templates = [template for entry in self.program.entries for template in entry.templates.values()]
        self.properties = sorted({name for template in templates for name in template.properties})
        self.event_properties = sorted({name for template in templates for name in template.event}) if self.waits else []
        """Of the events that end its waits, as far as the texts read them."""

    def decides_as(self, journey: Journey) -> bool:
        """Check whether a run of one can continue under the other."""
        return self.journey.hash == journey.hash != ""

    @property
    def by_event(self) -> dict[str, EventPlan]:
        """What a run pinned to this version needs of an event. It is compiled at first use."""
        if self._by_event is None:
            self._by_event = self._events()
        return self._by_event

    def _events(self) -> dict[str, EventPlan]:
        plans: dict[str, EventPlan] = {}
        _add_measures(plans, self.measures.values(), self.watches)
        for segment in self.watches:
            _add_segment(plans, segment)
        self.add_causes(plans)
        _complete(plans)
        return plans

    def add_causes(self, plans: dict[str, EventPlan]) -> None:
        """Add it to the plans of the events that end its runs, or their waits."""
        for signal in self.exits:
            if signal.event is not None:
                plan = plans.setdefault(signal.event, EventPlan())
                plan.exits.append((self, signal))
                plan.asks |= signal.asks
        for step, entry in self.waits.items():
            for signal in entry.signals:
                if signal.event is not None:
                    plan = plans.setdefault(signal.event, EventPlan())
                    plan.waits.setdefault(self, set()).add(step)
                    plan.asks |= signal.asks


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


def _complete(plans: dict[str, EventPlan]) -> None:
    """Note which events only fill windows, and replace the plans of those of which a rule asks the circumstances."""
    for name, plan in plans.items():
        plan.only_fills = not (plan.entries or plan.exits or plan.waits or plan.goals or plan.tiers or plan.control)
        if plan.asks:
            plans[name] = AskingEventPlan(plan)


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


Target = tuple[JourneyPlan, str | None]
"""The runs of a journey that an event is about: those with this key, or all of them."""
NO_JOURNEYS: Final[list[JourneyPlan]] = []
NO_TARGETS: Final[list[Target]] = []
NO_EVENT: Final = Match("", NO_PROPERTIES, [], [], NO_JOURNEYS, NO_TARGETS, NO_TARGETS, {})
"""Of a call that is no event, and of time. No code may change it."""


Known = Callable[[Journey], "JourneyPlan | None"]
"""Find a compiled journey that decides the same."""


class Plan:
    """One rule set, compiled. `known` finds journeys of other rule sets that decide the same, so that each is compiled once."""

    def __init__(self, rules: RuleSet, known: Known = lambda _: None) -> None:
        self.rules = rules
        self.hash = rules.hash
        self.zone: Zone = zone(rules.time_zone)
        by_name = {name: SegmentPlan(segment) for name, segment in sorted(rules.segments.items())}
        self.segments: list[SegmentPlan] = list({segment.key: segment for segment in by_name.values()}.values())
        self.by_key: dict[str, SegmentPlan] = {segment.key: segment for segment in self.segments}
        self.order: dict[str, int] = {segment.key: place for place, segment in enumerate(self.segments)}
        """Place of a segment among all, by its key."""
        self.by_trait: dict[str, list[SegmentPlan]] = {}
        for segment in self.segments:
            for trait in sorted(segment.traits):
                self.by_trait.setdefault(trait, []).append(segment)
        self.tiers = Tiers(rules.tiers.values())
        self.journeys: dict[str, JourneyPlan] = {
            name: known(journey) or JourneyPlan(journey, by_name) for name, journey in sorted(rules.journeys.items())
        }
        self.entered_by: dict[tuple[str, Change], list[JourneyPlan]] = {}
        """The journeys that a change of a segment enters, by the segment's key and the change, each list by name."""
        for plan in self.journeys.values():
            for signal in plan.entries:
                if signal.change is not None:
                    entered = self.entered_by.setdefault((signal.key, signal.change), [])
                    if plan not in entered:
                        entered.append(plan)
        self.reached_by: dict[tuple[str, Change], list[JourneyPlan]] = {}
        """The journeys whose goal is a change of a segment, by the segment's key and the change."""
        self.measures: dict[str, Measure] = {}
        for segment in self.segments:
            self.measures.update(segment.measures)
        self.measures.update(self.tiers.measures)
        for plan in self.journeys.values():
            self.measures.update(plan.measures)
            for measure, _ in plan.exit_measures:
                self.measures.setdefault(measure.key, measure)
        self.policies = None if rules.policies is None else PolicyPlan(rules.policies)
        self.keeps_sends = self.policies is not None or any(plan.counts_sends for plan in self.journeys.values())
        consents = {} if self.policies is None else {measure.key: measure for measure in self.policies.measures}
        self.measures.update(consents)
        asked = [consents, self.tiers.measures, *(segment.measures for segment in self.segments)]
        self.asked = frozenset(key for keys in (*asked, *(plan.measures for plan in self.journeys.values())) for key in keys)
        """Keys of the windows that conditions read; the others only show whether an exit happened before the entry was read."""
        self.by_event: dict[str, EventPlan] = {}
        _add_measures(self.by_event, self.measures.values(), [*self.segments, *self.tiers.plans])
        for segment in self.segments:
            _add_segment(self.by_event, segment)
        for event, tiers in self.tiers.by_event.items():
            self.by_event.setdefault(event, EventPlan()).tiers = tiers
        for plan in self.journeys.values():
            self._add_entries(plan)
            plan.add_causes(self.by_event)
            if plan.goal is not None:
                self._add_goal(plan, plan.goal.signal)
        self.control_goal = control_goal(rules.policies, by_name)
        if self.control_goal is not None and self.control_goal.signal.event is not None:
            self.by_event.setdefault(self.control_goal.signal.event, EventPlan()).measure(self.control_goal.signal)
        _complete(self.by_event)
        self.awaits_segments = any(entry.asks_segments for plan in self.journeys.values() for entry in plan.waits.values())
        """A run can wait for a segment's change."""
        self.clocks = Clocks(self.journeys.values()) if any(journey.has_clock for journey in self.journeys.values()) else None
        """The entries by the clock; None: no journey has one."""
        self.window_bytes = windows_bytes(self.measures.values())
        """Most bytes of a user's windows under these rules alone."""

    def _add_entries(self, plan: JourneyPlan) -> None:
        for event in dict.fromkeys(signal.event for signal in plan.entries if signal.event is not None):
            of_event = self.by_event.setdefault(event, EventPlan())
            of_event.entries.append((plan, where_of(plan.entries, event)))
            of_event.asks = of_event.asks.union(*(signal.asks for signal in plan.entries if signal.event == event))

    def _add_goal(self, plan: JourneyPlan, signal: Signal) -> None:
        if signal.event is not None:
            of_event = self.by_event.setdefault(signal.event, EventPlan())
            of_event.goals.append((plan, signal))
            of_event.asks |= signal.asks
        elif signal.change is not None:
            self.reached_by.setdefault((signal.key, signal.change), []).append(plan)

    def in_order(self, keys: Iterable[str]) -> list[SegmentPlan]:
        """Return the segments with these keys that belong to these rules, in the order of the rules."""
        by_key = self.by_key
        found = [key for key in keys if key in by_key]
        if len(found) > 1:
            found.sort(key=self.order.__getitem__)
        return [by_key[key] for key in found]

    def match(self, name: str, properties: Mapping[str, Any], pinned: list[JourneyPlan]) -> Match:
        """Look up what an event means. Raises `Unreadable` for properties that a run could not keep."""
        plan = self.by_event.get(name)
        match = NO_EVENT if plan is None else plan.match(name, properties)
        for journey in pinned:
            extra = journey.by_event.get(name)
            if extra is not None:
                match = _joined(match, extra.match(name, properties))
        return match


def _joined(match: Match, extra: Match) -> Match:
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
        tiers=match.tiers,
        pinned=True,
        is_control_goal=match.is_control_goal,
    )


def _where(condition: Condition | None) -> Where | None:
    return None if condition is None else compile_where(condition)


def _add_measures(plans: dict[str, EventPlan], measures: Iterable[Measure], segments: Iterable[SegmentPlan | TierPlan]) -> None:
    watching = list(segments)
    for measure in measures:
        key = measure.key
        asked = [segment.tests.get(key) for segment in watching if key in segment.measures]
        tests = None if None in asked else tuple(test for tests in asked for test in tests or ())
        plan = plans.setdefault(measure.event, EventPlan())
        plan.updates.append(Update(measure, tests))
        plan.asks |= asked_by(measure.where)


def _add_segment(plans: dict[str, EventPlan], segment: SegmentPlan) -> None:
    for event in dict.fromkeys(measure.event for measure in segment.measures.values()):
        plans.setdefault(event, EventPlan()).segments.append(segment)


def compile_plan(rules: RuleSet) -> Plan:
    """Compile a checked rule set."""
    return Plan(rules)


NOTHING: Final = Plan(RuleSet(hash="", files={}))
"""The plan before any rule set was applied."""
