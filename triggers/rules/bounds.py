"""How large the state of one user can get under a rule set: it must fit into one record of the changelog (PROTOCOL law 12)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from triggers.base.model import MAX_REPORTED, MAX_RUNS, MAX_RUNS_OF_ONE, MAX_TRAITS
from triggers.causes import exit_measures
from triggers.causes import kind_of as kind_of_cause
from triggers.definitions.model import Journey, Measure
from triggers.definitions.policies import Policies
from triggers.language.templates import compile_template
from triggers.measures.kind import kind_of
from triggers.measures.limits import FRAME_BYTES
from triggers.state.duplicates import MAX_IDS
from triggers.state.moments_of_keys import MOST as MOST_KEYS
from triggers.state.moments_of_keys import MOST_OF_ONE, SIZE
from triggers.state.sections.suppressed import SUPPRESSED_BYTES
from triggers.state.sends import MAX_BYTES
from triggers.state.watches import MOST, MOST_OF_JOURNEY
from triggers.steps import all_of
from triggers.steps.waits import WaitForm

MAX_STATE: Final = 512 * 1024
"""Largest state of one user in bytes: half of Kafka's usual `max.message.bytes`.

The other half is room for the windows of earlier rule sets that a run still needs.
"""

# Sizes in MessagePack.
_STANDING: Final = 32
_ENTERED: Final = 80
_RUN: Final = 512
"""One run without properties: journey, version, rule set, ids and moments."""
_NAME: Final = 256
"""Of them, the longest name that a step has that is inside no other."""
_ARMS: Final = 400
"""The arms of one run without the names of splits and arms."""
_CAME: Final = 352
"""What has ended the wait of one run, without the properties of the event."""
_PROPERTIES: Final = 8 * 1024
"""Most bytes of the properties of all its events that a run keeps for its texts (`keepable.MAX_ENTRY_PROPERTIES`)."""
_TIMER: Final = 128
"""One timer of an entry by the clock."""
_KEY: Final = 512
"""The key of one run, with the names of the journey and the run."""
_TIER: Final = 48
"""The level of one tier without the name."""
_HOLD: Final = 96
"""One hold without names."""
_FITTING: Final = MAX_RUNS // 160
"""The number of runs that fit into a state."""
_WATCH: Final = 192
"""One watch of a goal without the name of the journey."""
_REFUSAL: Final = 120
"""One refusal that was reported: journey, reason, day and count."""


def window_bytes(measure: Measure) -> int:
    """Return the maximum bytes of one window."""
    return kind_of(measure).most_bytes(measure)


def windows_bytes(measures: Iterable[Measure]) -> int:
    """Return the maximum bytes of all windows; a window of several rules is kept once."""
    return sum({measure.key: window_bytes(measure) for measure in measures}.values())


def run_bytes(journey: Journey) -> int:
    """Return the maximum bytes of a journey in a state: one run at a time, or one for each key, and when it was entered."""
    templates = [compile_template(text) for step in all_of(journey.steps) for text in step.texts()]
    keeps = any(template.properties or template.event for template in templates)
    longest = max((len(step.name.encode()) for step in all_of(journey.steps)), default=0)
    arms = sum(step.kept() for step in all_of(journey.steps))
    came = _CAME if any(isinstance(step, WaitForm) and step.branches for step in all_of(journey.steps)) else 0
    run = _RUN + came + max(0, longest - _NAME) + (arms and arms + _ARMS) + (_PROPERTIES if keeps else 0)
    return _ENTERED + (MAX_RUNS_OF_ONE * (run + _KEY) if is_keyed(journey) else run)


def is_keyed(journey: Journey) -> bool:
    """Check whether a journey has one run for each key."""
    return any(kind_of_cause(entry).key_path() for entry in journey.entries)


def keys_bytes(journeys: Iterable[Journey]) -> int:
    """Return the maximum bytes of the last entries by key, and of the last exits by key."""
    listed = list(journeys)
    exits = {tuple(cause for cause in journey.exits if kind_of_cause(cause).key_path()) for journey in listed} - {()}
    return sum(min(names * MOST_OF_ONE, MOST_KEYS) * SIZE + names * _ENTERED for names in (sum(map(is_keyed, listed)), len(exits)))


def _exit_windows(journey: Journey) -> int:
    """Count the windows that keep the last moment of an exit event: of journeys that an event enters."""
    return len(exit_measures(journey))


def state_bytes(measures: Iterable[Measure], journeys: Mapping[str, Journey], segments: int) -> int:
    """Return the maximum bytes of one user's state."""
    runs = sum(run_bytes(journey) for journey in journeys.values()) - _ENTERED * len(journeys)
    exits = sum(map(_exit_windows, journeys.values())) * FRAME_BYTES
    exits += _TIMER * sum(kind_of_cause(cause).by_clock for journey in journeys.values() for cause in journey.entries)
    always = MAX_TRAITS + MAX_IDS + MAX_REPORTED * _REFUSAL + SUPPRESSED_BYTES
    always += keys_bytes(journeys.values())
    return always + kept_bytes(measures, len(journeys), segments) + exits + min(runs + watches_bytes(journeys.values()), MAX_RUNS)


def watches_bytes(journeys: Iterable[Journey]) -> int:
    """Return the maximum bytes of a user's watches. They share the room of the runs."""
    watches = sorted((_WATCH + len(journey.name.encode()) for journey in journeys if journey.goal is not None), reverse=True)
    return sum(MOST_OF_JOURNEY * watch for watch in watches[: MOST // MOST_OF_JOURNEY])


def policy_bytes(policies: Policies, journeys: Iterable[str], keyed: Collection[str] = ()) -> int:
    """Return the maximum bytes of what policies keep of one user: the send log, and a hold for each run that fits.

    `keyed`: the journeys that have one run for each key.
    """
    names = [rule.name for rules in (policies.quiet_hours, policies.caps) for rule in rules]
    reason = _HOLD + max((len(name.encode()) for name in names), default=0)
    runs = [name for name in journeys for _ in range(MAX_RUNS_OF_ONE if name in keyed else 1)] if names else []
    holds = sorted((reason + len(journey.encode()) for journey in runs), reverse=True)
    return MAX_BYTES + sum(holds[:_FITTING])


def tier_bytes(tiers: Iterable[str]) -> int:
    """Return the maximum bytes of a user's levels in the tiers of these names."""
    return sum(_TIER + len(name.encode()) for name in tiers)


def kept_bytes(measures: Iterable[Measure], journeys: int, segments: int) -> int:
    """Return the maximum bytes of windows, standings and remembered entries."""
    return windows_bytes(measures) + segments * _STANDING + journeys * _ENTERED
