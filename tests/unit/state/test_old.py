"""States of release 0.1.0 convert to the current schema, always to the same bytes, and decide as if the current release had made them."""

import gzip
import json
from base64 import b64decode
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import orjson
import pytest

from triggers.base.model import DAY, HOUR, LogRecord, Out, Place
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import TICK
from triggers.records.messages import Terms
from triggers.rules.checks import load
from triggers.state.duplicates import packed
from triggers.state.encoding import STATE_SCHEMA, decode, due_of, encode, met_of, rule_sets_of
from triggers.state.old import converted, go_over
from triggers.state.position import POSITION_KEY, Position
from triggers.state.runs import Standing, at_index
from triggers.state.store import MemoryStore
from triggers.state.table import Table
from triggers.testing import run

RECORDED = Path(__file__).parents[2] / "recorded" / "engine-1.json.gz"
TODAY = Position().terms


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """What release 0.1.0 has recorded."""
    found: dict[str, Any] = json.loads(gzip.decompress(RECORDED.read_bytes()))
    return found


@pytest.fixture(scope="module")
def states(document: dict[str, Any]) -> dict[str, bytes]:
    found = {b64decode(key): b64decode(value) for key, value in document["changelog"]}
    return {key.decode(): value for key, value in found.items() if key != POSITION_KEY}


def position_of(document: dict[str, Any]) -> Position:
    return next(Position.decode(b64decode(value)) for key, value in document["changelog"] if b64decode(key) == POSITION_KEY)


def test_the_recorded_states_have_what_they_are_kept_for(document: dict[str, Any], states: dict[str, bytes]) -> None:
    """Runs that are pinned to two older rule sets, for instance."""
    assert all(data[8] == 1 for data in states.values())
    users = [decode(converted(data, 0)) for data in states.values()]
    in_force = position_of(document).rule_set
    assert len({run.rule_set for user in users for run in user.runs} - {in_force}) == 2
    assert any(run.held for user in users for run in user.runs) or position_of(document).paused
    assert {type(window).__name__ for user in users for window in user.windows.values()} >= {"Panes", "Last", "Times", "Values", "Days"}
    assert {standing.inside for user in users for standing in user.standings.values()} >= {True, False}


def test_a_converted_state_says_what_the_old_one_said(states: dict[str, bytes]) -> None:
    clock = 5 * HOUR + 7
    for data in states.values():
        due, met, offset, traits, windows, standings, runs, entered, ids = msgspec.msgpack.decode(data[13:])
        user = decode(converted(data, clock))
        assert (user.due, user.met, user.offset, user.traits, user.entered) == (due, met, offset, traits, entered)
        assert user.seen == packed(ids, {5: len(ids) // 8})
        assert (user.trait_times, user.gone, user.refused, user.unread) == ([], {}, {}, b"")
        assert [msgspec.to_builtins(run)[:6] for run in user.runs] == [run[:6] for run in runs]
        assert [run.step for run in user.runs] == [at_index(run[6]) for run in runs], "the run's plan finds the name"
        assert [[run.moment, run.due, run.late, run.held, run.properties] for run in user.runs] == [run[7:] for run in runs]
        for key, window in windows.items():
            assert msgspec.to_builtins(user.windows[key])[: len(window)] == window
        for key, (inside, when, asked) in standings.items():
            now = user.standings.get(key, Standing(inside=False))
            assert (now.inside, now.due, now.asked) == (inside, when, asked)


def test_the_conversion_is_a_function_of_the_bytes_and_the_moment(states: dict[str, bytes]) -> None:
    for data in states.values():
        now = converted(data, 99 * HOUR)
        assert now[8] == STATE_SCHEMA
        assert converted(now, 500 * HOUR) == now, "what is of today's schema stays as it is"
        assert encode(decode(now)) == now
        assert (due_of(now), met_of(now)) == (due_of(data), met_of(data))
        assert rule_sets_of(now) == [run.rule_set for run in decode(now).runs]


@pytest.mark.parametrize("data", [b"", b"12345678\x01", b"12345678\x01\0\0\0\1\xff\xff", b"12345678\x01\0\0\0\1\x99\0\0\0\x81\xa1\xff\0"])
def test_bytes_that_are_no_state_are_refused_or_returned_unchanged(data: bytes) -> None:
    try:
        assert converted(data, 0) == data
    except msgspec.DecodeError:
        assert data[8:9] == b"\x01"


def test_a_position_that_is_taken_over_keeps_the_moment_of_the_conversion(document: dict[str, Any]) -> None:
    position = position_of(document)
    terms = Terms(engine=TODAY.engine, tzdata="2027a", foreign_keys=False)
    assert (position.engine, position.state_schema, position.converted) == (1, 1, -1)
    go_over(position, terms)
    assert (position.terms, position.state_schema, position.converted) == (terms, STATE_SCHEMA, position.clock)
    clock = position.converted
    position.clock += DAY
    go_over(position, terms)
    assert position.converted == clock, "states of the first schema are still in the changelog, and must not become other ones"


def later(log: list[LogRecord]) -> list[LogRecord]:
    """Some more weeks of the same users."""
    random = Random(4)
    offset, at = log[-1].offset, log[-1].timestamp
    more = []
    for _ in range(500):
        at += random.choice([0, HOUR // 4, HOUR, 3 * HOUR])
        offset += 1
        user = random.choice(["daily", *(f"user-{number}" for number in range(30))])
        name = random.choice(["used", "used", "paid", "signed_up"])
        properties = {"minutes": random.choice([15, 31]), "total": random.choice([20, 60]), "book": random.choice("xyz")}
        call = {"type": "track", "userId": user, "event": name, "messageId": f"later-{offset}", "properties": properties}
        more.append(LogRecord(offset, at, user.encode(), orjson.dumps(call)))
    return [*more, LogRecord(offset + 1, at + 60 * DAY, None, b"", TICK)]


def folded(table: Table, library: Library, position: Position, log: list[LogRecord]) -> tuple[list[Out], list[Out]]:
    partition = Partition(Place("events", 0), table, library, position)
    run(partition, log)
    output = partition.take()
    return output.actions, output.decisions


def test_an_installation_of_the_first_release_goes_on_as_if_today_s_release_had_folded_its_whole_log(document: dict[str, Any]) -> None:
    """All that was waiting is done, and all windows count on, but for refusals that are decided once a day.

    Runs that the first release has pinned to a rule set stay there; today's would have gone on under a later one with the same journey.
    """
    library = Library([load({"rules.yaml": text}, applied=True) for text in document["rules"]])
    log = [
        LogRecord(offset, at, None if key is None else b64decode(key), b64decode(value), tuple((name, b64decode(v)) for name, v in headers))
        for offset, at, key, value, headers in document["log"]
    ]
    more = later(log)
    position = position_of(document)
    go_over(position, TODAY)
    found = {b64decode(key): b64decode(value) for key, value in document["changelog"]}
    store = MemoryStore()
    store.apply([(key.decode(), converted(data, position.converted)) for key, data in found.items() if key != POSITION_KEY])
    actions, decisions = folded(Table(store), library, position, more)
    whole = folded(Table(), library, Position(), [*log, *more])
    cause = log[-1].offset

    def after(outs: list[Out]) -> list[dict[str, Any]]:
        found = [orjson.loads(out.value or b"") | {"rule_set": ""} for out in outs]
        kept = [one for one in found if one["at"] > log[-1].timestamp and one.get("kind") != "refused"]
        return sorted(kept, key=lambda one: one["user"] or "")  # only the order of each user's records is promised

    assert len(actions) > 100
    assert after(actions) == after(whole[0])
    assert after(decisions) == after(whole[1])
    assert any(one["cause"]["offset"] <= cause for one in after(actions)), "also runs that the first release has entered"
