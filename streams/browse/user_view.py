"""Show the state of one user, with the names that the rules give to its parts.

A state names a window by the hash of its definition. The rule sets say which measure that is: the active one, and those under which the
user's runs entered. What no rule set names is shown under its hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import asdict

from triggers.base.draws import ARM
from triggers.base.model import NEVER, Place
from triggers.base.moments import find_zone, iso
from triggers.definitions.model import MAX_PRIORITY, Measure
from triggers.definitions.words import words_of
from triggers.journeys.arms import arms_of
from triggers.journeys.context import UserContext
from triggers.journeys.control import group_of
from triggers.journeys.keys import key_of
from triggers.journeys.library import Library
from triggers.journeys.plan import NOTHING, JourneyPlan, Plan
from triggers.measures.kind import kind_of, presented
from triggers.measures.limits import length_ms
from triggers.measures.reading import complete_at, reading, since_of
from triggers.measures.shapes import Window
from triggers.measures.view import View
from triggers.records.outbox import Outbox
from triggers.state.position import Position
from triggers.state.runs import Run, Standing
from triggers.state.sections import SECTIONS
from triggers.state.sections.holds import HOLDS, of_run
from triggers.state.tiers import TierStanding
from triggers.state.user import User
from triggers.state.watches import Watch


def user_view(user_id: str, user: User, position: Position, library: Library) -> dict[str, Any]:
    """Return the state as a JSON document, section by section. Moments are ISO texts; values of conditions are as of the partition's clock.

    Raises `msgspec.DecodeError` where a section is none.
    """
    user.open()
    legend = _Legend(user_id, user, position, library)
    context = legend.context
    named = user.traits.get("timezone")
    document: dict[str, Any] = {
        "user": user_id,
        "due": _moment(user.due),
        "time_zone": context.view.zone.name,
        "unknown_time_zone": None if find_zone(named) or named is None else str(named),
        "last_record": user.offset,
        "met": user.met,
    }
    policies = legend.context.plan.policies
    if policies is not None and policies.control:
        document["arm"] = group_of(user_id, policies.control)
    timers: list[tuple[int, str]] = []
    for section in SECTIONS:
        value = user.value(section)
        document.update(section.show(value, legend))
        timers += section.timers(value, legend)
    document["timers"] = [{"at": iso(at), "what": what} for at, what in sorted(timers)]
    if legend.missing:
        document["unknown_rule_sets"] = sorted(set(legend.missing))
    return document


class _Legend:
    """The names that rules have for the parts of one user's state: the active rules, and those under which the user's runs entered."""

    def __init__(self, user_id: str, user: User, position: Position, library: Library) -> None:
        self.missing: list[str] = []
        """Rule sets that are not at hand."""
        self._library = library
        plan = NOTHING if position.rule_set is None else self._plan(position.rule_set)
        plans = [plan, *(self._plan(run.rule_set) for run in user.runs)]
        self.context = UserContext(position, Outbox(Place("", 0)), plan, self._plan)
        self.context.begin(user_id, user, max(position.clock, 0))
        self._segments = {segment.key: segment for known in plans for segment in known.segments}
        self._measures = _measures(plans)

    def _plan(self, rule_set: str) -> Plan:
        try:
            return self._library.plan(rule_set)
        except KeyError:
            self.missing.append(rule_set)
            return NOTHING

    def windows(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        absent = self.context.absent(self.context.user.first)
        found = {**held, **{key: window for key, window in absent.items() if key not in held}}
        return [_window(key, window, self._measures.get(key), self.context.view) for key, window in found.items()]

    def segments(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        absent = {segment.key: Standing(inside=False) for segment in self.context.plan.segments if segment.key not in held}
        found = []
        for key, standing in {**held, **absent}.items():
            segment = self._segments.get(key)
            found.append(
                {
                    "segment": segment.name if segment else f"({key}: of no active rule set)",
                    "inside": standing.inside,
                    "next_look": _moment(standing.due),
                    "values": segment.explain(self.context.view) if segment else {},
                }
            )
        return sorted(found, key=lambda standing: str(standing["segment"]))

    def segment(self, key: str) -> str:
        return self._segments[key].name if key in self._segments else key

    def tiers(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for plan in self.context.plan.tiers.plans:
            standing = held.get(plan.name) or TierStanding(plan.key, since=-1)
            falls = NEVER if standing.below < 0 else standing.below + plan.keep
            level = plan.tier.level(standing.level)
            found.append({"tier": plan.name, "level": level, "since": _moment(standing.since), "until": _moment(falls)})
        return found

    def caps(self, log: bytes) -> list[dict[str, Any]]:
        context, policies = self.context, self.context.plan.policies
        found = []
        for plan in policies.all_caps if policies is not None else ():
            cap = plan.cap
            used = plan.used(log, context.view.zone, context.now, dry=not context.position.live, priority=MAX_PRIORITY)
            until = None if used.until is None else iso(used.until)
            shown: dict[str, Any] = {"cap": cap.name, "used": used.sent, "most": cap.most, "per": cap.text, "room_from": until}
            if cap.reserved is not None:
                shown["reserved"] = {"places": cap.reserved.places, "priority": cap.reserved.priority}
            found.append(shown)
        return found

    def run(self, run: Run) -> dict[str, Any]:
        shown = _run(self.context.user_id, run, self._plan(run.rule_set).journeys.get(run.journey))
        hold = self.context.user.value(HOLDS).get(of_run(run))
        held = {} if hold is None else {"hold": {"until": iso(hold[0]), "reason": hold[1]}}
        return {**shown, **self.kept(run), **held}

    def kept(self, run: Run | Watch) -> dict[str, Any]:
        user = self.context.user
        key, arms = key_of(user, run), arms_of(user, run)
        splits = {split: arm for split, arm in arms.items() if split != ARM}
        parts = {"key": key, "arm": arms.get(ARM), "arms": splits or None}
        return {name: part for name, part in parts.items() if part is not None}


def _moment(at: int) -> str | None:
    return None if at == NEVER or at < 0 else iso(at)


def _measures(plans: Iterable[Plan]) -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for plan in plans:
        for key, measure in plan.measures.items():
            other = found.setdefault(key, measure)
            if (length_ms(measure) or NEVER) > (length_ms(other) or NEVER):  # one window of several lengths: the longest
                found[key] = measure
    return found


def _run(user_id: str, run: Run, plan: JourneyPlan | None) -> dict[str, Any]:
    return {
        "run": f"{run.journey}@{run.version}:{user_id}:{run.entry}",
        "journey": run.journey,
        "entered": iso(run.entered),
        "next_step": None if plan is None else _next_step(run, plan),
        "steps": len(plan.program.entries) if plan else None,
        "moment": iso(run.moment),
        "due": _moment(run.due),
        "late": run.late,
        "held": run.held,
        "rule_set": run.rule_set,
        "properties": run.properties,
    }


def _next_step(run: Run, plan: JourneyPlan) -> str:
    """Return the step after the one at which the run waits; after the last one, its number."""
    entries, place = plan.program.entries, plan.program.find(run.step).wake()
    return entries[place].name if place < len(entries) else str(place + 1)


# ---- windows ---------------------------------------------------------------------------------------------------------


def _window(key: str, window: Window, measure: Measure | None, view: View) -> dict[str, Any]:
    """Describe what a window holds, and what a condition reads in it now (not of single days, which have no common value)."""
    if measure is None:
        held = {name: value for name, value in asdict(window).items() if name != "since"}
        return {"measure": f"({key}: of no active rule set)", **held, "complete_since": _moment(window.since) if window.since else None}
    kind = kind_of(measure)
    held_for = kind.held(measure)
    document: dict[str, Any] = {"measure": f"{words_of(held_for)} of each day" if measure.daily else words_of(held_for)}
    if not measure.daily and held_for is measure:  # else several measures share it, and each reads something else
        document["value"] = presented(reading(measure).read(view), kind.shown)
    document.update(kind.contents(measure, window))
    since = since_of(measure)(window)
    document["complete_since"] = iso(since) if since else None
    if since:
        until = complete_at(measure, since, view.zone)
        if until is None or until > view.now:
            document["incomplete_until"] = "for ever" if until is None else iso(until)
    return document
