"""Trials of a log in which an override lets a record with a wrong timestamp pass."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from streams.browse import replay
from streams.browse.folding import Fold, Replayed
from streams.browse.trying import AsItWas, FromTheStart
from streams.kafka.clients import Span
from triggers.base.model import DAY, LogRecord, Place
from triggers.base.moments import parse_moment
from triggers.engine.driver import BEFORE_THE_LOG
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table

START = parse_moment("2026-01-01T00:00:00Z")
WRONG = parse_moment("2099-01-01T00:00:00Z")
RULES = load(
    {"rules.yaml": "version: 1\njourneys:\n  hello:\n    entry: {event: Read}\n    steps: [{send: {channel: push, text: hello}}]\n"}
)


def _read(offset: int, at: int, user: str) -> LogRecord:
    value = orjson.dumps({"type": "track", "event": "Read", "userId": user, "messageId": str(offset)})
    return LogRecord(offset, at, user.encode(), value, ())


def _fold(replayed: Replayed, overridden: int) -> Fold:
    options = Options(overrides=frozenset({overridden}))
    return Fold(Partition(Place("events", 0), Table(), Library([RULES]), Position(offset=BEFORE_THE_LOG), options), replayed)


def test_rules_from_the_start_do_not_begin_at_a_timestamp_that_an_override_has_found_wrong() -> None:
    replayed = Replayed()
    fold = _fold(replayed, 0)
    way = FromTheStart(fold, RULES)
    way.take([_read(0, WRONG, "ann"), _read(1, START, "bob"), _read(2, START + DAY, "cem")])
    fold.finish()
    way.tell(replayed)
    assert replayed.since == START
    assert fold.partition.position.clock == START + DAY
    assert len(replayed.actions[0]) == 3


async def test_until_leaves_nothing_out_for_a_timestamp_that_an_override_has_found_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object, **__: object) -> AsyncIterator[list[LogRecord]]:
        yield [_read(0, START, "ann"), _read(1, WRONG, "bob"), _read(2, START + 2 * DAY, "cem")]

    monkeypatch.setattr(replay, "read", read)
    replayed = Replayed()
    fold = _fold(replayed, 1)
    log: Any = SimpleNamespace(spans={TopicPartition("events", 0): Span(0, 3)}, skips=lambda _: frozenset())
    settings: Any = None
    way = FromTheStart(fold, RULES)
    assert isinstance(way, AsItWas)
    await replay._fold_topic(settings, log, way, fold, 0, START + DAY, replayed, lambda: None)
    assert [orjson.loads(action)["user"] for action in replayed.actions[0]] == ["ann", "bob"]
    assert replayed.left_out == 1
