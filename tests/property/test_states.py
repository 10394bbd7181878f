"""What a user's state keeps: traits in any order of arrival, message ids over restarts and long gaps, and never more than fits a record."""

from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.programmes import LOGS
from tests.property.test_laws import crooked, each_kind_of_log, holds, saved_at_once, seeds, straight
from triggers.base.model import DAY, HOUR, MAX_RUNS
from triggers.base.moments import parse_moment
from triggers.engine.partition import KIND, Partition
from triggers.state.encoding import decode, encode
from triggers.state.position import Position
from triggers.state.sections import SECTIONS
from triggers.state.sizes import run_bytes
from triggers.state.table import Table
from triggers.state.user import User
from triggers.testing import Story

START = parse_moment("2026-03-01T00:00Z")
EACH = """version: 1
settings: {duplicates: %s}
journeys:
  each:
    entry: {event: Read}
    re_entry: always
    steps: [{send: {channel: push, text: hello}}]
"""
RECORD = 1_000_000
"""Bytes of a record that any broker takes."""

names = st.sampled_from(["city", "plan", "age", "timezone"])
values = st.sampled_from([None, "Rome", "Oslo", 1, True, ["a"], {"b": 1}])
calls = st.lists(
    st.tuples(st.integers(0, 20 * DAY), st.dictionaries(names, values, max_size=3)), max_size=8, unique_by=lambda call: call[0]
)


def traits_of(told: list[tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """A user's traits after these calls, which all arrive on the same day in this order."""
    story = Story({"rules.yaml": EACH % "24h"}, start=START)
    for moment, traits in told:
        story.identify("u", traits, at=START + 21 * DAY, happened=START + moment)
    states = story.fold()[0].table.states()
    return decode(states["u"]).traits if "u" in states else {}


@settings(max_examples=100, deadline=None)
@given(calls, st.randoms(use_true_random=False))
def test_traits_do_not_depend_on_the_order_in_which_calls_arrive(told: list[tuple[int, dict[str, Any]]], chance: Random) -> None:
    ordered = sorted(told, key=lambda call: call[0])
    shuffled = chance.sample(told, len(told))
    expected: dict[str, Any] = {}
    for _, traits in ordered:
        expected = {name: value for name, value in {**expected, **traits}.items() if value is not None}
    assert traits_of(ordered) == traits_of(shuffled) == expected


retries = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 200), st.sampled_from(["Read", "Read", "Scrolled"])), max_size=25)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(retries, st.sampled_from([1, 24, 168]), st.integers(0, 1 << 32))
def test_an_id_is_known_for_its_hours_whatever_is_restarted(told: list[tuple[int, int, str]], known: int, how: int) -> None:
    """To the end of its hour, after any gap; a duplicate does not renew it."""
    story = Story({"rules.yaml": EACH % f"{known}h"}, start=START)
    at, remembered, sent = START, dict[int, int](), 0
    for number, (message, gap, event) in enumerate(told):
        at += gap * HOUR + number  # moments of their own
        story.track("u", event, at=at, messageId=f"m{message}")
        hour = at // HOUR
        if message not in remembered or hour - remembered[message] > known:
            remembered[message] = hour
            sent += event == "Read"
    actions, decisions, states = crooked(story, how, crashes=True)
    assert (actions, decisions, states) == straight(story)
    assert len(actions.get(b"u", [])) == sent


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1 << 32))
def test_a_state_fits_a_record_whatever_rules_follow_one_another(seed: int) -> None:
    """Runs that are pinned to earlier rules, properties that they keep, windows of all of them, and traits at their limit."""
    chance = Random(seed)
    story = Story(_heavy(chance), start=START)
    story.identify("u", {f"t{n}": "x" * 400 for n in range(35)}, at=START)
    for day in range(1, 7):
        if day > 1:
            story.apply(_heavy(chance), START + day * DAY)
        for n in range(60):
            properties = {key: chance.choice("xyz\u00e9") * chance.choice([10, 2_000]) + str(n) for key in "abcd"}
            story.track("u", chance.choice(["A", "B"]), properties, at=START + day * DAY + n * HOUR // 4)
    partition = Partition(story.place, Table(), story.library, Position())
    at = 0
    while at < len(story.log):
        before, at = at, partition.advance(story.log, at, 40)
        if at == before:
            partition.drain()
        output = partition.take()
        for _, state in output.users:
            assert state is not None
            assert len(state) < RECORD
            assert sum(run_bytes(run, len(run.step)) for run in decode(state).runs) <= MAX_RUNS
        partition.saved(output)


def _heavy(chance: Random) -> dict[str, str]:
    """Rules that keep much of each user."""
    lines = ["version: 1", "segments:"]
    lines += [
        f'  s{n}: distinct("{chance.choice("AB")}.{chance.choice("abcd")}", days={chance.randrange(1, 90)}) > {n}'
        for n in range(chance.randrange(1, 5))
    ]
    lines.append("journeys:")
    for n in range(chance.randrange(5, 40)):
        named = "".join(f"{{{{ properties.{key} }}}}" for key in chance.sample("abcd", chance.randrange(1, 4)))
        lines.append(
            f"  j{n}: {{entry: {{event: {chance.choice('AB')}}}, re_entry: always, "
            f"steps: [{{wait: {chance.randrange(1, 60)}d}}, {{send: {{channel: push, text: '{named}'}}}}]}}"
        )
    return {"rules.yaml": "\n".join(lines) + "\n"}


def _states_of(kind: str, seed: int, chance: Random) -> list[bytes]:
    """States of users in all conditions, at any place in the log.

    Among them are runs under older rules, absent windows, and standings of which nothing is known.
    """
    story = LOGS[kind](seed)
    del story.log[chance.randrange(3, len(story.log)) :]
    return list(saved_at_once(story).states().values())


@each_kind_of_log
def test_who_looks_at_a_state_does_not_change_its_bytes(kind: str) -> None:
    def law(seed: int, chance: Random) -> None:
        for data in _states_of(kind, seed, chance):
            user = decode(data)
            for section in chance.sample(SECTIONS, chance.randrange(len(SECTIONS) + 1)):
                user.value(section)
            for key in chance.sample(sorted(user.windows), chance.randrange(len(user.windows) + 1)):
                assert user.windows.get(key) is not None
            user.set_due()
            assert encode(user) == data
            user.open()
            user.set_due()
            assert encode(user) == data

    holds(law, kind, seeds, st.randoms(use_true_random=False))


@pytest.mark.skipif(KIND == "compiled", reason="a compiled class cannot have a subclass in Python")
@each_kind_of_log
def test_states_that_are_read_whole_decide_the_same_and_have_the_same_bytes(kind: str) -> None:
    def law(seed: int, how: int) -> None:
        story = LOGS[kind](seed)
        assert crooked(story, how, crashes=True, new_table=eager()) == straight(story)

    holds(law, kind, seeds, seeds)


def eager() -> type[Table]:
    """Give the class of a table that reads each state whole, as soon as it is asked for."""

    class Eager(Table):
        def get(self, user_id: str) -> User | None:
            user = super().get(user_id)
            if user is not None:
                user.open()
            return user

        def peek(self, user_id: str) -> User | None:
            user = super().peek(user_id)
            if user is not None:
                user.open()
            return user

    return Eager
