"""A record too far ahead of the system clock is found before it is applied, and blocks (PROTOCOL law 17)."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from streams.settings import Settings
from streams.worker import clock_guard
from streams.worker.clock_guard import ClockGuard, TooLate
from triggers.base.model import LogRecord, Place
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.state.position import Position
from triggers.state.table import Table


class RuleStore:
    """Overrides as a worker has them at hand."""

    def __init__(self) -> None:
        self.found: frozenset[int] = frozenset()

    def overrides(self, topic: str, partition: int, topic_id: str) -> frozenset[int]:
        assert (topic, partition, topic_id) == ("cueline.events", 3, "t")
        return self.found

    def taken_back(self, _topic: str, _partition: int, _topic_id: str) -> frozenset[int]:
        return frozenset()

    async def news(self) -> None:
        await asyncio.sleep(0.01)


@pytest.fixture
def rule_store() -> Any:
    return RuleStore()


def _records(*ahead: float) -> list[LogRecord]:
    """Records whose timestamps are so many seconds ahead of now; offsets from 10 on."""
    now = time.time()
    return [LogRecord(10 + index, int((now + seconds) * 1000), b"ann", b"{}") for index, seconds in enumerate(ahead)]


def _fold(offset: int = 9, *overrides: int) -> Partition:
    return Partition(
        Place("cueline.events", 3), Table(), Library(), Position(offset=offset, topic_id="t"), Options(overrides=frozenset(overrides))
    )


@pytest.mark.parametrize(
    ("ahead", "offset", "overrides", "first"),
    [
        ((), 9, (), 0),
        ((0, 590, -86_400), 9, (), 3),
        ((0, 620, 0), 9, (), 1),
        ((0, 620, 900), 9, (11,), 2),
        ((0, 620, 0), 11, (), 3),
    ],
)
def test_the_first_record_that_must_wait(
    rule_store: Any, ahead: tuple[float, ...], offset: int, overrides: tuple[int, ...], first: int
) -> None:
    rule_store.found = frozenset(overrides)
    assert ClockGuard(Settings(), rule_store, 3, lambda: 99).first_ahead(_fold(offset, *overrides), _records(*ahead)) == first


async def test_it_may_pass_when_the_system_clock_has_caught_up(rule_store: Any) -> None:
    (record,) = _records(0.3)
    await asyncio.wait_for(ClockGuard(Settings(max_ahead=1), rule_store, 3, lambda: 99).let_pass(_fold(), record), 1)
    slow = ClockGuard(SimpleNamespace(names=SimpleNamespace(events="cueline.events"), max_ahead=0.1), rule_store, 3, lambda: 99)  # type: ignore[arg-type]
    begun = time.time()
    await slow.let_pass(_fold(), record)
    assert time.time() - begun > 0.1


async def test_it_may_pass_when_an_override_arrives_and_then_does_not_move_the_clock(
    rule_store: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(clock_guard, "REMIND", 0.05)
    (record,) = _records(10_000)
    fold = _fold()
    waiting = asyncio.create_task(ClockGuard(Settings(), rule_store, 3, lambda: 99).let_pass(fold, record))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    assert len(caplog.messages) > 1
    assert "`cueline override 3 10 --reason TEXT`" in caplog.messages[0]
    rule_store.found = frozenset({10})
    await asyncio.wait_for(waiting, 2)
    assert fold.advance([record]) == 1
    assert (fold.position.offset, fold.position.clock) == (10, -1)


def test_an_override_that_arrives_after_the_opening_is_obeyed_also_where_nothing_stops(
    rule_store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the decisions would hang on whether the partition was opened again; a replay obeys all overrides."""
    fold, records = _fold(), _records(-20, -10, 0)
    rule_store.found = frozenset({11})
    assert ClockGuard(Settings(), rule_store, 3, lambda: 99).first_ahead(fold, records) == 3
    assert fold.advance(records[:2]) == 2
    assert (fold.position.offset, fold.position.clock) == (11, records[0].timestamp)
    assert not caplog.messages


def test_an_override_of_what_is_folded_already_is_said_to_be_too_late(rule_store: Any, caplog: pytest.LogCaptureFixture) -> None:
    fold, records = _fold(), _records(-20, -10, 0)
    fold.advance(records[:2])
    rule_store.found = frozenset({11, 12})
    for _ in range(2):
        ClockGuard(Settings(), rule_store, 3, lambda: 99).first_ahead(fold, records)
    assert len(caplog.messages) == 1
    assert "the override of offsets [11] came when they were folded already" in caplog.messages[0]


def test_an_override_of_what_is_folded_and_not_saved_makes_the_process_start_again_from_the_checkpoint(rule_store: Any) -> None:
    fold, records = _fold(), _records(-20, -10, 0)
    fold.advance(records[:2])
    rule_store.found = frozenset({11})
    with pytest.raises(TooLate, match="the override of offset 11 came while its record was being folded"):
        ClockGuard(Settings(), rule_store, 3, lambda: 10).first_ahead(fold, records)
