"""Causes of entries, exits and waits, as they read: what happens now, what a run waits for, and how the wait ends."""

from typing import Any

from tests.reference.conditions import About, measures, passes
from tests.reference.goals import causes as goal_causes
from tests.reference.keys import ANY, exits_by_key, key_in
from tests.reference.log import Said
from tests.reference.programs import asked_by, every, in_all_languages
from triggers.causes.clock import ByClock
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.causes.tier import OnTier
from triggers.definitions.model import Cause, Journey, Measure, RuleSet
from triggers.steps.send import Send
from triggers.steps.waits.cause import CauseWait
from triggers.steps.waits.side import SegmentWait

Changes = dict[str, str]
"""`Segment.key` to "enters" or "leaves", and what moves in tiers are called to "rises", "falls" or "reaches"."""
BY_LOCAL_DAY = ("count", "sum", "distinct", "max", "min")


def awaited(journey: Journey) -> list[Cause]:
    """The causes that its waits are for; of a side of a segment, the change to it."""
    found: list[Cause] = []
    for step in every(journey.steps):
        if isinstance(step, CauseWait):
            found += step.causes
        if isinstance(step, SegmentWait):
            found.append(OnSegment(step.segment, "enters" if step.inside else "leaves"))
    return found


def watched(journey: Journey) -> set[str]:
    """The names of the segments that end its runs or their waits."""
    return {cause.segment for cause in (*journey.exits, *awaited(journey)) if isinstance(cause, OnSegment)}


def of_event(cause: Cause) -> bool:
    return isinstance(cause, OnEvent)


def room_for_waits(journey: Journey, run: str) -> int:
    """Bytes that a run counts for in addition because it can wait for causes. No text of a random case shows an event."""
    return 16 + len(journey.name.encode()) + len(run) if awaited(journey) else 0


def ends(step: Any, cause: Cause | None, happened: int, now: int, until: int) -> int:
    """The moment after a wait that this cause ends, or the side of a segment (None). It began `timeout` before `until`."""
    if cause is None or not of_event(cause):
        return now
    began: int = until - step.timeout
    return max(happened, began)


def event_exits(journey: Journey) -> list[Measure]:
    """The windows of the exit events of a journey that an event enters."""
    if not any(isinstance(cause, OnEvent) for cause in journey.entries):
        return []
    return [Measure("did", cause.event, where=cause.where) for cause in journey.exits if isinstance(cause, OnEvent) and not cause.key]


def about(said: Said, zone: str) -> About:
    """What a `where=` can see of it next to its properties."""
    return About(said.event_time, zone, said.context)


def answers(cause: Cause, rules: RuleSet, said: Said | None, changes: Changes, zone: str, key: str | None = ANY) -> bool:
    """Whether this record or these changes are what the cause asks for; `key`: for the run with this key."""
    if isinstance(cause, OnEvent) and cause.key and key != ANY and (key is None or key_in(cause, said) != key):
        return False
    if isinstance(cause, OnEvent):
        return said is not None and said.event == cause.event and passes(cause.where, said.properties, about(said, zone))
    if isinstance(cause, OnTier):
        return changes.get(f"tier {cause.tier} {cause.level}" if cause.level else f"tier {cause.tier}") == cause.change
    return isinstance(cause, OnSegment) and changes.get(rules.segments[cause.segment].key) == cause.change


def decides(journey: Journey, rules: RuleSet) -> tuple[object, ...]:
    """Everything on which it depends what a journey does: what it says, the segments that it names, and the zone where it counts days."""
    causes = (*journey.entries, *journey.exits, *awaited(journey), *goal_causes([journey]))
    named = {cause.segment: rules.segments[cause.segment].condition for cause in causes if isinstance(cause, OnSegment)}
    insides = [cause.inside for cause in journey.entries if isinstance(cause, ByClock) and cause.inside is not None]
    named |= {inside: rules.segments[inside].condition for inside in insides}
    asked = [*named.values(), *asked_by(journey), *(cause.where for cause in causes if isinstance(cause, OnEvent))]
    in_days = [one for condition in asked for one in measures(condition) if one.daily or (one.unit == "day" and one.kind in BY_LOCAL_DAY)]
    dated = [text for step in every(journey.steps) if isinstance(step, Send) for text in in_all_languages(step) if "|date" in text]
    clocked = any(part in repr((journey, named)) for part in ("\\x00local", "Sent("))
    return journey, named, rules.time_zone if in_days or dated or clocked else None


def exits_seen(rules: RuleSet, said: Said, zone: str) -> list[tuple[Cause, str, int]]:
    """The exits with keys that a record is, each with the key, and when."""
    return [
        (cause, key, said.event_time)
        for journey in rules.journeys.values()
        for cause in exits_by_key(journey)
        if answers(cause, rules, said, {}, zone) and (key := key_in(cause, said)) is not None
    ]
