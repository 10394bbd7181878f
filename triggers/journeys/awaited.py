"""End the waits of runs whose cause has come, and keep what the event said for later texts."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from triggers.base.model import NEVER
from triggers.base.numbers import storable
from triggers.causes.cause import Change
from triggers.journeys.context import UserContext
from triggers.journeys.events import Match
from triggers.journeys.keepable import MAX_ENTRY_PROPERTIES
from triggers.journeys.keys import key_of
from triggers.journeys.plan import JourneyPlan
from triggers.state.runs import Run, name_of
from triggers.state.sections.came import CAME
from triggers.state.user import User
from triggers.steps.awaiting import NOT_YET

_NOTHING: Final[dict[str, Any]] = {}
_KEY: Final = 16
"""Most bytes of a run in the section `came`, in addition to its names and the properties."""
_encode = msgspec.msgpack.Encoder().encode


def may_end_waits(context: UserContext, match: Match, looked: Collection[object]) -> bool:
    """Check whether the user may wait for this event, or for a segment that was evaluated or a move in a tier."""
    runs = context.user.held_runs
    if not runs and (runs is not None or "runs" not in context.user.sections):
        return False
    if match.waits:
        return True
    plan = context.plan
    return bool(looked) and (plan.awaits_segments or any(run.rule_set != plan.hash for run in context.user.runs))


def end_waits(context: UserContext, match: Match, happened: int, changes: Mapping[str, Change], *, looked: bool) -> list[Run]:
    """End the waits whose cause is this event, or one of these changes. Return the runs, which can continue.

    `happened` is the event's own time; `looked`: segments have been evaluated.
    """
    user = context.user
    ended: list[Run] = []
    for run in user.runs:
        plan = context.journey_of(run)
        entry = None if run.held or run.due == NEVER else plan.waits.get(run.step)  # NEVER: it is at its steps, or its wait has ended
        if entry is None or not ((looked and entry.asks_segments) or run.step in match.waits.get(plan, ())):
            continue
        cause = entry.comes(match.name, match.properties, changes, user.standings, key_of(user, run))
        if cause == NOT_YET:
            continue
        is_event = entry.is_event(cause)
        user.value(CAME)[name_of(run)] = (cause, _kept(plan, run, match.properties) if is_event else {})
        run.moment = max(happened, entry.began(run.moment)) if is_event else context.now
        run.late = plan.journey.late.drops(run.moment, context.now)
        run.due = NEVER
        ended.append(run)
    return ended


def take_cause(user: User, run: Run) -> int:
    """Return the number of the cause that has ended the wait of a run, and forget it; NOT_YET: its time is out."""
    if not _has_any(user):
        return NOT_YET
    came = user.value(CAME)
    found: tuple[int, dict[str, Any]] = came.pop(name_of(run), (NOT_YET, _NOTHING))
    cause, properties = found
    if properties:
        came[name_of(run)] = (NOT_YET, properties)
    return cause


def event_of(user: User, run: Run) -> dict[str, Any]:
    """Return the properties of the event that has ended the last wait of a run."""
    if not _has_any(user):
        return _NOTHING
    properties: dict[str, Any] = user.value(CAME).get(name_of(run), (NOT_YET, _NOTHING))[1]
    return properties


def forget_event(user: User, run: Run) -> None:
    """Forget what has ended the last wait of a run."""
    if _has_any(user):
        user.value(CAME).pop(name_of(run), None)


def room_of_events(plan: JourneyPlan, run: Run) -> int:
    """Return the maximum bytes that a run needs in addition to `run_bytes`, for the events that end its waits."""
    if not plan.waits:
        return 0
    room = MAX_ENTRY_PROPERTIES if plan.event_properties else 0
    return _KEY + len(run.journey.encode()) + len(run.entry) + room


def _has_any(user: User) -> bool:
    return "came" in user.sections or user.more is not None


def _kept(plan: JourneyPlan, run: Run, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that texts of the journey show, as a state can hold them; none if they are too big."""
    kept = {name: properties[name] for name in plan.event_properties if name in properties}
    if not kept:
        return _NOTHING
    try:
        size = len(_encode(kept))
    except OverflowError:
        kept = storable(kept)
        size = len(_encode(kept))
    return kept if size + len(_encode(run.properties)) <= MAX_ENTRY_PROPERTIES else _NOTHING
