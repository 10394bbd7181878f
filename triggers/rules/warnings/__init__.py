"""What is right in a rule set, but can hardly be meant: rules that can never act, and names that look misspelt.

One function for each kind of warning, in the module of what it looks at. Another kind is another function here in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from triggers.language.documents import Problem
from triggers.rules.warnings.circumstances import impossible_times, names_of_version_2
from triggers.rules.warnings.conditions import contradictions
from triggers.rules.warnings.constants import constant_conditions, repeated_choices
from triggers.rules.warnings.dates import dates_without_year, hardly_dates
from triggers.rules.warnings.journeys import (
    entry_is_exit,
    goal_without_key,
    guarded_sends,
    late_without_effect,
    sends_nothing,
    waits_for_nothing,
)
from triggers.rules.warnings.languages import unchosen_languages
from triggers.rules.warnings.messages import cut_texts, foreign_words, near_keys
from triggers.rules.warnings.names import near_names, scenario_events, segments_as_events
from triggers.rules.warnings.policies import (
    caps_without_effect,
    dropped_always,
    held_longer_than_it_lasts,
    nearly_whole_days,
    reserved_for_none,
    unknown_consents,
    whole_day_quiet_hours,
)
from triggers.rules.warnings.schedules import begun_again, outside_of_bounds, passed_over, same_time, schedules_for_all
from triggers.rules.warnings.sends import uncounted_sends
from triggers.rules.warnings.shown import single_braces, values_without_each
from triggers.rules.warnings.unquoted import unquoted_texts
from triggers.rules.warnings.unreachable import unreachable
from triggers.rules.warnings.unused import unused
from triggers.rules.warnings.waits import awaited_exits, empty_events, past_dates
from triggers.rules.written import Written

KINDS: Final[tuple[Callable[[Written], Iterator[Problem]], ...]] = (
    contradictions,
    entry_is_exit,
    sends_nothing,
    waits_for_nothing,
    late_without_effect,
    unreachable,
    near_keys,
    foreign_words,
    cut_texts,
    near_names,
    segments_as_events,
    unknown_consents,
    whole_day_quiet_hours,
    held_longer_than_it_lasts,
    schedules_for_all,
    passed_over,
    outside_of_bounds,
    begun_again,
    hardly_dates,
    dates_without_year,
    nearly_whole_days,
    caps_without_effect,
    reserved_for_none,
    impossible_times,
    names_of_version_2,
    constant_conditions,
    repeated_choices,
    past_dates,
    awaited_exits,
    empty_events,
    guarded_sends,
    unused,
    same_time,
    values_without_each,
    single_braces,
    unchosen_languages,
    dropped_always,
    goal_without_key,
    uncounted_sends,
    unquoted_texts,
)


def warnings(written: Written, scenarios: Mapping[str, str] | None = None) -> list[Problem]:
    """List all warnings, in the order of files and lines. `scenarios`: the texts of the scenario files by name."""
    complete = replace(written, in_scenarios=tuple(scenario_events(scenarios or {})))
    return sorted({warning for kind in KINDS for warning in kind(complete)})
