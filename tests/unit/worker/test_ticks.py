"""Ticks are written when something is due by the system clock, one outstanding at a time (PROTOCOL law 16)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.settings import Settings
from streams.worker import ticks
from streams.worker.ticks import Ticker
from triggers.base.model import CONTROL_HEADER


class Partition:
    """As much of one as ticks look at."""

    def __init__(self, partition: int, due: int | None) -> None:
        self.partition, self.due, self.offset = partition, due, 10

    def tick_due(self) -> int | None:
        return self.due


class Producer:
    """Writes down what it is given; the log is one record longer each time."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, Any]] = []
        self.end = 50
        self.fails = False
        self.clock: Callable[[], int | None] = lambda: None
        """The broker's time, ms."""

    async def send_and_wait(self, topic: str, value: bytes, *, partition: int, headers: Any) -> Any:
        if self.fails:
            raise KafkaConnectionError
        self.sent.append((partition, headers))
        self.end += 1
        return SimpleNamespace(offset=self.end, timestamp=self.clock())


async def _look(ticker: Ticker, producer: Producer) -> None:
    ticker.look(producer)
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_one_tick_for_each_partition_in_which_something_is_due() -> None:
    partitions = [Partition(0, 5_000), Partition(1, 5_001), Partition(2, None)]
    ticker, producer = Ticker(Settings(), lambda: partitions, now=lambda: 5.0), Producer()
    await _look(ticker, producer)
    assert producer.sent == [(0, [(CONTROL_HEADER, b"tick")])]


async def test_no_second_one_before_the_first_was_read_back() -> None:
    partition = Partition(0, 1)
    ticker, producer = Ticker(Settings(), lambda: [partition], now=lambda: 5.0), Producer()
    for _ in range(3):
        await _look(ticker, producer)
    assert len(producer.sent) == 1
    partition.offset = 50
    await _look(ticker, producer)
    assert len(producer.sent) == 1
    partition.offset = 51
    await _look(ticker, producer)
    assert len(producer.sent) == 2


async def test_one_that_could_not_be_written_is_written_again(monkeypatch: Any) -> None:
    monkeypatch.setattr(ticks, "PATIENCE", 0.01)
    ticker, producer = Ticker(Settings(), lambda: [Partition(0, 1)], now=lambda: 5.0), Producer()
    producer.fails = True
    await _look(ticker, producer)
    await asyncio.sleep(0.05)
    producer.fails = False
    await _look(ticker, producer)
    assert len(producer.sent) == 1


async def test_an_alarm_when_none_can_be_written_though_one_is_due(monkeypatch: Any) -> None:
    monkeypatch.setattr(ticks, "PATIENCE", 0.03)
    partition = Partition(0, 1)
    ticker, producer = Ticker(Settings(), lambda: [partition], now=lambda: 5.0), Producer()
    assert ticker.problem() is None
    producer.fails = True
    for _ in range(6):
        await _look(ticker, producer)
        await asyncio.sleep(0.02)
    assert ticker.problem() == "no tick could be written, although one was due,"
    producer.fails = False
    await asyncio.sleep(0.04)
    await _look(ticker, producer)
    assert (len(producer.sent), ticker.problem()) == (1, None)


async def test_no_alarm_while_one_that_was_written_has_not_been_read_back_nor_when_none_is_due(monkeypatch: Any) -> None:
    monkeypatch.setattr(ticks, "PATIENCE", 0.01)
    partition = Partition(0, 1)
    ticker, producer = Ticker(Settings(), lambda: [partition], now=lambda: 5.0), Producer()
    for _ in range(3):
        await _look(ticker, producer)
        await asyncio.sleep(0.02)
    assert ticker.problem() is None
    producer.fails, partition.offset = True, 99
    await _look(ticker, producer)
    partition.due = None
    await asyncio.sleep(0.02)
    await _look(ticker, producer)
    assert ticker.problem() is None


async def test_a_hole_in_a_sequence_of_numbers_cannot_end_the_ticks(monkeypatch: Any) -> None:
    asked: dict[str, Any] = {}

    @asynccontextmanager
    async def producer(_: Settings, **options: Any) -> AsyncIterator[Any]:
        asked.update(options)
        raise KafkaConnectionError
        yield

    monkeypatch.setattr(ticks, "producer", producer)
    with pytest.raises(KafkaConnectionError):
        await Ticker(Settings(), list).run()
    assert asked["enable_idempotence"] is False


async def test_with_a_clock_ahead_of_the_brokers_few_are_written_until_the_broker_is_there(monkeypatch: Any) -> None:
    """Such a tick comes too early, fires nothing, and is read back at once."""
    partition, producer = Partition(0, 10_000), Producer()
    passed = 0.0
    monkeypatch.setattr(ticks, "time", SimpleNamespace(monotonic=lambda: passed))
    producer.clock = lambda: int((8.5 + passed) * 1_000)  # ours is 2 s ahead
    ticker = Ticker(Settings(), lambda: [partition], now=lambda: 10.5 + passed)
    written: list[int] = []
    while not written or written[-1] < 10_000:
        before = len(producer.sent)
        await _look(ticker, producer)
        partition.offset = producer.end  # read back at once
        if len(producer.sent) > before:
            written.append(producer.clock() or 0)
        passed += 0.1
    assert written[0] == 8_500
    assert written[-1] == pytest.approx(10_000, abs=101)
    assert len(written) <= 3


async def test_what_a_broker_has_told_is_not_believed_for_long(monkeypatch: Any) -> None:
    """Its clock may be set right, or ours."""
    monkeypatch.setattr(ticks, "TRUST", 0.05)
    partition, producer = Partition(0, 10_000), Producer()
    producer.clock = lambda: 0
    ticker = Ticker(Settings(), lambda: [partition], now=lambda: 10.5)
    for _ in range(3):
        await _look(ticker, producer)
        partition.offset = producer.end
    assert len(producer.sent) == 1
    await asyncio.sleep(0.06)
    await _look(ticker, producer)
    assert len(producer.sent) == 2


async def test_an_earlier_timer_is_not_held_up_by_a_later_one_that_was_too_early() -> None:
    partition, producer = Partition(0, 10_000), Producer()
    producer.clock = lambda: 9_000
    ticker = Ticker(Settings(), lambda: [partition], now=lambda: 10.5)
    await _look(ticker, producer)
    partition.offset, partition.due = producer.end, 8_000
    await _look(ticker, producer)
    assert len(producer.sent) == 2
