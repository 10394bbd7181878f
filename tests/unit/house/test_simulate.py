"""The simulated reading app: the same seed gives the same people, and the log alone gives the same decisions."""

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from triggers import Engine, load_rules, read_folder

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def simulate() -> Any:
    spec = spec_from_file_location("simulate", EXAMPLES / "simulate.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["simulate"] = module_from_spec(spec)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def outcomes(simulate: Any) -> list[Any]:
    return list(simulate.simulate(30, 3, load_rules(read_folder(EXAMPLES / "reading-app"))))


def test_what_people_are_sent_does_not_depend_on_when_the_engine_was_asked(outcomes: list[Any], simulate: Any) -> None:
    """A replay of a person's log, without a stop on the way, decides the same."""
    rules = load_rules(read_folder(EXAMPLES / "reading-app"))
    for outcome in outcomes:
        begin = simulate._ms(simulate.datetime.combine(simulate.FIRST, simulate.time(), simulate.UTC)) - simulate.DAY
        engine = Engine.begin(rules, at=begin)
        engine.fold(outcome.log)
        engine.until(begin + (simulate.LAST - simulate.FIRST).days * simulate.DAY + 2 * simulate.DAY)
        assert [json.loads(out.value or b"") for out in engine.take().decisions] == outcome.decisions


def test_the_first_people_of_a_larger_number_are_the_same(outcomes: list[Any], simulate: Any) -> None:
    rules = load_rules(read_folder(EXAMPLES / "reading-app"))
    few = list(simulate.simulate(3, 3, rules))
    assert [outcome.actions for outcome in few] == [outcome.actions for outcome in outcomes[:3]]


def test_people_live_in_zones_of_the_whole_world_and_some_phones_are_late(outcomes: list[Any], simulate: Any) -> None:
    zones = [outcome.person.traits["timezone"] for outcome in outcomes]
    assert len(set(zones)) > 10
    assert any(person.offline for person in simulate.people(100, 3))


def test_the_table_has_a_row_for_each_journey(outcomes: list[Any], simulate: Any) -> None:
    counts: dict[str, Any] = {}
    for outcome in outcomes:
        for decision in outcome.decisions:
            if decision["journey"] is not None:
                counts.setdefault(decision["journey"], simulate.Counter())[decision["kind"]] += 1
    lines = simulate.table(counts).splitlines()
    assert [line.split()[0] for line in lines[1:]] == sorted(counts)
    assert {"cart", "digest", "welcome-series", "win-back"} <= counts.keys()
    assert "sent" in lines[0]
