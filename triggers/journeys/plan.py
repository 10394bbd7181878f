"""A rule set compiled for the fold: one look-up finds everything that an event name affects.

Without it the fold would compare each event with each rule. With it the cost depends on the rules that name the event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from triggers.base.moments import Zone, zone
from triggers.causes import exit_measures, keyed_exits, kind_of
from triggers.causes.cause import Change, Signal
from triggers.causes.lists import where_of
from triggers.conditions.compiler import View, compile_condition
from triggers.conditions.values import compile_values
from triggers.definitions.model import Journey, Measure, RuleSet, Segment
from triggers.definitions.words import words_of
from triggers.journeys.clocks import Clocks
from triggers.journeys.events import NO_EVENT, EventPlan, Match, PinnedTier, add_measures, add_segment, complete, joined
from triggers.journeys.goal_plan import GoalPlan, control_goal
from triggers.journeys.levels import Tiers
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
        self.keyed_exits: dict[str, tuple[Signal, str]] = {name: (cause.signal({}), cause.words()) for name, cause in keyed_exits(journey)}
        """Its exits with a key and their words, by the name in the state of a user."""
        self.goal = None if journey.goal is None else GoalPlan(journey.goal, segments)
        for entry in self.program.entries:
            entry.bind(segments)
        self.waits: dict[str, Awaiting] = {entry.name: entry for entry in self.program.entries if isinstance(entry, Awaiting)}
        """The places at which runs rest for causes, by the name of the step."""
        watched = [name for cause in journey.exits for name in kind_of(cause).segment_names()]
        watched += [name for step in all_of(journey.steps) for name in step.segment_names()]
        self.watches: list[SegmentPlan] = [segments[name] for name in watched]
        awaited = [cause for step in all_of(journey.steps) for cause in step.awaits()]
        climbs = [kind_of(cause).tier_name() for cause in (*journey.exits, *awaited)]
        self.tiers = tuple(dict.fromkeys(name for name in climbs if name is not None))
        """The names of the tiers whose moves end its runs or their waits."""
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
        add_measures(plans, self.measures.values(), self.watches)
        for segment in self.watches:
            add_segment(plans, segment)
        self.add_causes(plans)
        complete(plans)
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


Pinned = JourneyPlan | PinnedTier
"""What an event is looked up for in addition to the active rules."""


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
        self.pinned_tiers: dict[str, PinnedTier] = {}
        """Those that runs of these rules have needed under later ones, by name. They are compiled at first use."""
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
        self.policies = None if rules.policies is None else PolicyPlan(rules.policies, rules.journeys)
        self.keeps_sends = self.policies is not None or any(plan.counts_sends for plan in self.journeys.values())
        consents = {} if self.policies is None else {measure.key: measure for measure in self.policies.measures}
        self.measures.update(consents)
        asked = [consents, self.tiers.measures, *(segment.measures for segment in self.segments)]
        self.asked = frozenset(key for keys in (*asked, *(plan.measures for plan in self.journeys.values())) for key in keys)
        """Keys of the windows that conditions read; the others only show whether an exit happened before the entry was read."""
        self.by_event: dict[str, EventPlan] = {}
        add_measures(self.by_event, self.measures.values(), [*self.segments, *self.tiers.plans])
        for segment in self.segments:
            add_segment(self.by_event, segment)
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
        complete(self.by_event)
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

    def pinned_tier(self, name: str) -> PinnedTier:
        """Return a tier of these rules for runs under later rules that do not have it."""
        found = self.pinned_tiers.get(name)
        if found is None:
            found = self.pinned_tiers[name] = PinnedTier(self.tiers.by_name[name])
        return found

    def in_order(self, keys: Iterable[str]) -> list[SegmentPlan]:
        """Return the segments with these keys that belong to these rules, in the order of the rules."""
        by_key = self.by_key
        found = [key for key in keys if key in by_key]
        if len(found) > 1:
            found.sort(key=self.order.__getitem__)
        return [by_key[key] for key in found]

    def match(self, name: str, properties: Mapping[str, Any], pinned: Sequence[Pinned]) -> Match:
        """Look up what an event means. Raises `Unreadable` for properties that a run could not keep."""
        plan = self.by_event.get(name)
        match = NO_EVENT if plan is None else plan.match(name, properties)
        for part in pinned:
            extra = part.by_event.get(name)
            if extra is not None:
                match = joined(match, extra.match(name, properties))
        return match


def compile_plan(rules: RuleSet) -> Plan:
    """Compile a checked rule set."""
    return Plan(rules)


NOTHING: Final = Plan(RuleSet(hash="", files={}))
"""The plan before any rule set was applied."""
