"""Laws of scenarios: what really came is always found, each outcome once; and no file makes the reader stumble."""

import json
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from triggers.language.documents import Problem
from triggers.records.decisions import KINDS
from triggers.records.expectations import Expectation, Leaf, Wanted, assign, unmet
from triggers.rules.checks import load
from triggers.scenarios.running import Result, ScenarioErrors, run_scenarios

GRAPHS = st.integers(0, 6).flatmap(
    lambda things: st.lists(st.lists(st.integers(0, things - 1), unique=True) if things else st.just([]), max_size=6)
)
"""Which things fit each seeker."""


def first_to_last(fitting: list[list[int]]) -> list[bool]:
    """Who gets something, by trying every way: of the ways that serve most, the one that serves the earlier before the later."""
    things = sorted({thing for one in fitting for thing in one})
    ways = permutations([*things, *[-1] * len(fitting)], len(fitting))
    return max(
        ([thing in one for thing, one in zip(way, fitting, strict=True)] for way in ways),
        key=lambda served: (sum(served), served),
        default=[],
    )


@given(GRAPHS.filter(lambda fitting: len({thing for one in fitting for thing in one}) + len(fitting) <= 8))
def test_as_many_as_can_get_a_thing_of_their_own_and_the_earlier_first(fitting: list[list[int]]) -> None:
    given_ = assign(fitting)
    taken = [thing for thing in given_ if thing is not None]
    assert len(set(taken)) == len(taken)
    assert all(thing is None or thing in one for thing, one in zip(given_, fitting, strict=True))
    assert [thing is not None for thing in given_] == first_to_last(fitting)


OUTCOMES = st.lists(
    st.fixed_dictionaries(
        {"user": st.sampled_from("ab"), "journey": st.sampled_from("jk"), "step": st.sampled_from("12"), "at": st.just(0)}
    ),
    max_size=6,
)


def expecting(outcome: dict[str, Any], keys: set[str]) -> Expectation:
    wanted: dict[str, Wanted] = {key: Leaf(outcome[key], str(outcome[key])) for key in outcome if key in keys}
    return Expectation(wanted)


@given(OUTCOMES, st.data())
def test_whatever_is_said_of_what_came_it_is_found_in_any_order(outcomes: list[dict[str, Any]], data: st.DataObject) -> None:
    """Each outcome is asked for by some of its fields. Once more than it came, exactly one goes without."""
    keys = st.sets(st.sampled_from(["user", "journey", "step", "at"]))
    expected = data.draw(st.permutations([expecting(outcome, data.draw(keys)) for outcome in outcomes]))
    assert unmet(expected, outcomes, []) == []
    assert unmet(expected, [], outcomes) == unmet(expected, [], [])
    if outcomes:
        again = expecting(data.draw(st.sampled_from(outcomes)), data.draw(keys))
        assert len(unmet([*expected, again], outcomes, [])) == 1
        assert len(unmet(expected, outcomes[1:], [])) == 1


RULES = load({"r.yaml": "version: 1\njourneys: {j: {entry: {event: E}, steps: [{send: {channel: sms, text: 'x {{ user }}'}}]}}\n"})
WORDS = st.sampled_from(
    [
        *("given", "then", "never", "until", "start", "live", "at", "user", "event", "traits", "properties", "happened", "messageId"),
        *("every", "times", "pause", "resume", "go-live", "kind", "journey", "step", "message", "grant", "channel", "due", "reason"),
        *("ann", "E", "j", "1", "sent", "2026-01-01T00:00Z", "+3d", "1d", "9999-12-31", "sms", "x", ""),
    ]
)
VALUES = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)
MOMENTS = st.sampled_from(["2026-01-01", "2026-01-01T00:00Z", "2026-02-03T04:05:06.789+01:00"])
DATA = st.dictionaries(WORDS, VALUES, max_size=3)
FIRST = st.fixed_dictionaries({"at": st.just("2026-01-01"), "user": st.just("ann"), "event": st.just("E")})
HOW = {"at": st.just("+3d"), "happened": MOMENTS, "messageId": st.sampled_from(["m", 7]), "times": st.integers(1, 3)}
RECORDS = st.one_of(
    st.fixed_dictionaries({"user": st.just("bob"), "event": st.sampled_from("EF")}, optional={**HOW, "properties": DATA}),
    st.fixed_dictionaries({"user": st.just("bob"), "traits": DATA, "every": st.just("1d"), "times": st.integers(1, 3)}),
    st.fixed_dictionaries({"pause": st.just("j")}, optional={"at": st.just("+1h")}),
    st.just({"resume": "j"}),
    st.just({"go-live": True}),
)
ITEMS = st.one_of(
    st.fixed_dictionaries(
        {"user": st.just("ann")}, optional={"journey": st.just("j"), "step": st.just(1), "at": MOMENTS, "grant": st.none()}
    ),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(KINDS)}, optional={"reason": st.none() | st.just("late"), "values": DATA, "due": MOMENTS}
    ),
)
RIGHT = st.fixed_dictionaries(
    {"given": st.tuples(FIRST, RECORDS, RECORDS).map(list), "then": st.lists(ITEMS, min_size=1, max_size=3)},
    optional={
        "never": st.lists(ITEMS, min_size=1, max_size=3),
        "until": st.just("+10d"),
        "live": st.booleans(),
        "start": st.just("2025-12-01"),
    },
)
SPOILT = st.fixed_dictionaries(
    {"given": st.lists(FIRST | RECORDS | VALUES, max_size=3)},
    optional={
        "then": st.lists(ITEMS | VALUES, max_size=2),
        "never": VALUES | st.lists(ITEMS),
        "until": VALUES,
        "live": VALUES,
        "start": VALUES,
    },
)


def run(files: dict[str, str]) -> tuple[list[Result], tuple[Problem, ...]]:
    """What became of the scenarios, or what is wrong."""
    try:
        return run_scenarios(RULES, files), ()
    except ScenarioErrors as errors:
        return [], errors.problems


def file_of(scenario: object) -> dict[str, str]:
    """JSON is YAML, so any value can be in a file."""
    return {"s.yaml": json.dumps({"version": 1, "scenarios": {"x": scenario}})}


@given(RIGHT)
def test_a_right_scenario_runs_and_shows_a_timeline_when_it_fails(scenario: dict[str, Any]) -> None:
    (found,), wrong = run(file_of(scenario))
    assert not wrong
    assert found.passed is not bool(found.timeline)
    assert all("\n" not in failure for failure in found.failures)


@given(SPOILT | VALUES)
def test_a_wrong_one_is_refused_with_the_places(scenario: object) -> None:
    files = file_of(scenario)
    found, wrong = run(files)
    assert found or wrong
    assert all(0 < problem.column <= len(files["s.yaml"]) + 1 and "\n" not in str(problem) for problem in wrong)


@given(st.text(max_size=200) | st.text(alphabet="{}[]:,-\n gvinth1'\"&*!|>", max_size=100).map("version: 1\nscenarios: {}".format))
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    found, wrong = run({"s.yaml": text})
    assert wrong
    assert not found
