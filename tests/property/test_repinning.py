"""The name of a rule set decides nothing: rule sets that differ by a comment alone decide alike, however often they follow each other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings

from tests.property.test_reference import records
from tests.reference.log import Command, Entry
from tests.reference.strategies import CHANGING, Case, cases
from triggers.base.model import Place
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import documents, run


def decided(folders: Sequence[Mapping[str, str]], log: Sequence[Entry], original: Sequence[int]) -> list[dict[str, Any]]:
    """All decisions, with the number of the original folder in place of each rule set. The log names folders by number."""
    rule_sets = [load(folder) for folder in folders]
    numbers = {rules.hash: original[place] for place, rules in enumerate(rule_sets)}
    library = Library(rule_sets)
    named = [
        replace(entry, rule_set=rule_sets[int(entry.rule_set)].hash) if isinstance(entry, Command) and entry.rule_set else entry
        for entry in log
    ]
    partition = Partition(Place("events", 0), Table(), library, Position())
    run(partition, records(named))
    found = documents(partition.take().decisions)
    for decision in found:
        decision["rule_set"] = numbers.get(decision["rule_set"])
        decision["values"] = {name: value for name, value in decision["values"].items() if name != "rule_set"}
    return found


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases(CHANGING))
def test_a_comment_in_each_new_rule_set_changes_no_decision(case: Case) -> None:
    first = [case.folders.index(folder) for folder in case.folders]  # of equal folders
    folders: list[Mapping[str, str]] = []
    log: list[Entry] = []
    original: list[int] = []
    for entry in case.log:
        if isinstance(entry, Command) and entry.rule_set is not None:
            number = int(entry.rule_set)
            original.append(first[number])
            folders.append({name: f"{text}\n# {len(folders)}\n" for name, text in case.folders[number].items()})
            log.append(replace(entry, rule_set=str(len(folders) - 1)))
        else:
            log.append(entry)
    plain = decided(case.folders, case.log, first)
    assert decided(folders, log, original) == plain
