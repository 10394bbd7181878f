"""One user's state for people to read: what is kept of them, under the names that the rules give it.

A window in a state is named by the hash of its definition; which measure that is, the rule sets say: the one in force, and those that the
user's runs entered under. What no rule set names is shown under its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from msgspec.structs import asdict

from triggers.base.model import NEVER, Place
from triggers.base.moments import find_zone, iso, iso_day
from triggers.definitions.model import Measure
from triggers.definitions.words import wording
from triggers.journeys.context import Visit
from triggers.journeys.plan import NOTHING, JourneyPlan, Library, Plan
from triggers.measures.kind import kind_of, presented
from triggers.measures.limits import length_ms
from triggers.measures.reading import complete_at, reading, since_of
from triggers.measures.shapes import Window
from triggers.measures.view import View
from triggers.records.outbox import Outbox
from triggers.state.position import Position
from triggers.state.runs import Run
from triggers.state.user import User

_ID_BYTES: Final = 8


def portrait(user_id: str, user: User, position: Position, library: Library) -> dict[str, Any]:
    """The state as a JSON document; moments are ISO texts. Values of conditions are as of the partition's clock."""
    missing: list[str] = []

    def plan_of(rule_set: str) -> Plan:
        try:
            return library.plan(rule_set)
        except KeyError:
            missing.append(rule_set)
            return NOTHING

    plan = NOTHING if position.rule_set is None else plan_of(position.rule_set)
    visit = Visit(position, Outbox(Place("", 0)), plan, plan_of)
    visit.begin(user_id, user, max(position.clock, 0))
    journeys = [plan_of(run.rule_set).journeys.get(run.journey) for run in user.runs]
    segments = {segment.key: segment for known in (plan, *(plan_of(run.rule_set) for run in user.runs)) for segment in known.segments}
    measures = _measures([plan, *(plan_of(run.rule_set) for run in user.runs)])
    standings = []
    for key, standing in user.standings.items():
        segment = segments.get(key)
        standings.append(
            {
                "segment": segment.name if segment else f"({key}: of no rule set in force)",
                "inside": standing.inside,
                "next_look": _moment(standing.due),
                "values": segment.explain(visit.view) if segment else {},
            }
        )
    document: dict[str, Any] = {
        "user": user_id,
        "due": _moment(user.due),
        "traits": user.traits,
        "time_zone": visit.view.zone.name,
        "unknown_time_zone": None if find_zone(named := user.traits.get("timezone")) or named is None else str(named),
        "windows": [_window(key, window, measures.get(key), visit.view) for key, window in user.windows.items()],
        "segments": sorted(standings, key=lambda standing: str(standing["segment"])),
        "runs": [_run(user_id, run, journey) for run, journey in zip(user.runs, journeys, strict=True)],
        "refusals": _refusals(user),
        "entered": {journey: iso(at) for journey, at in sorted(user.entered.items())},
        "timers": _timers(user, lambda key: segments[key].name if key in segments else key),
        "last_record": user.offset,
        "met": user.met,
        "message_ids": (len(user.ids) + len(user.unread)) // _ID_BYTES,
    }
    if missing:
        document["unknown_rule_sets"] = sorted(set(missing))
    return document


def _moment(at: int) -> str | None:
    return None if at == NEVER or at < 0 else iso(at)


def _refusals(user: User) -> list[dict[str, Any]]:
    """The refusals that were reported, and how often they were left out since."""
    parts = [(*what.partition("\0")[::2], day, untold) for what, (day, untold) in sorted(user.refused.items())]
    return [{"journey": name, "reason": reason, "told": iso_day(day), "not_told": untold} for name, reason, day, untold in parts if name]


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
    """The step after the one at which the run rests; after the last one, its number."""
    entries, place = plan.program.entries, plan.program.find(run.step).wake()
    return entries[place].name if place < len(entries) else str(place + 1)


def _timers(user: User, name: Callable[[str], str]) -> list[dict[str, Any]]:
    """What the user waits for, the next first."""
    timers = [(standing.due, f"look at segment {name(key)}") for key, standing in user.standings.items() if standing.due != NEVER]
    timers += [(run.due, f"go on with journey {run.journey}") for run in user.runs if run.due != NEVER]
    return [{"at": iso(at), "what": what} for at, what in sorted(timers)]


# ---- windows ---------------------------------------------------------------------------------------------------------


def _window(key: str, window: Window, measure: Measure | None, view: View) -> dict[str, Any]:
    """What a window holds, and what a condition reads in it now (not of single days, which have no value together)."""
    if measure is None:
        held = {name: value for name, value in asdict(window).items() if name != "since"}
        return {"measure": f"({key}: of no rule set in force)", **held, "complete_since": _moment(window.since) if window.since else None}
    kind = kind_of(measure)
    held_for = kind.held(measure)
    document: dict[str, Any] = {"measure": f"{wording(held_for)} of each day" if measure.daily else wording(held_for)}
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
