"""How a feed counts what is in the log, also where it is interrupted or the brokers take no more. Without a broker."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError, NotLeaderForPartitionError

from streams.ingest.calls import Call
from streams.ingest.feed import Feeder, _settle

CALLS = [Call(1_000 * number, b"u%d" % number, b"{}") for number in range(100)]


class Client:
    """A producer whose batches hold seven records; they are acknowledged when the test says so."""

    def __init__(self) -> None:
        self.sent: list[asyncio.Future[None]] = []
        self.takes = asyncio.Event()
        self.takes.set()

    def create_batch(self) -> Any:
        return Batch()

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[None]:
        await self.takes.wait()
        inner: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sent.append(inner)
        return asyncio.shield(inner)

    def acknowledge(self, error: Exception | None = None) -> None:
        for future in self.sent:
            if not future.done():
                future.set_result(None) if error is None else future.set_exception(error)


class Batch:
    """Takes seven records."""

    def __init__(self) -> None:
        self.count, self.closed = 0, False

    def append(self, **_: object) -> object | None:
        if self.closed or self.count == 7:
            return None
        self.count += 1
        return self

    def close(self) -> None:
        self.closed = True


async def interrupted(doing: Any) -> None:
    """Runs it until it waits, and interrupts it there."""
    task = asyncio.ensure_future(doing)
    await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_was_on_its_way_when_it_was_interrupted_is_counted_when_it_is_waited_for_again() -> None:
    client = Client()
    feeder = Feeder(client, "events", 3, timed=False)
    await feeder.put(CALLS[:20])
    await interrupted(feeder.flush())
    assert (feeder.fed.records, feeder.waiting) == (0, 20)
    client.acknowledge()
    await feeder.flush()
    assert (feeder.fed.records, feeder.waiting) == (20, 0)


async def test_a_batch_that_could_not_be_handed_over_yet_is_not_lost() -> None:
    client = Client()
    feeder = Feeder(client, "events", 1, timed=False)
    client.takes.clear()
    await interrupted(feeder.put(CALLS[:20]))
    client.takes.set()
    flushing = asyncio.create_task(feeder.flush())
    await asyncio.sleep(0.01)
    client.acknowledge()
    await flushing
    assert (feeder.fed.records, len(client.sent), feeder.waiting) == (7, 1, 0), "the eighth call was not taken yet"


async def test_after_a_refusal_nobody_claims_to_know_what_is_in_the_log() -> None:
    client = Client()
    feeder = Feeder(client, "events", 1, timed=False)
    await feeder.put(CALLS[:20])
    client.acknowledge(NotLeaderForPartitionError())
    with pytest.raises(KafkaError) as refused:
        await feeder.flush()
    await _settle(feeder, refused.value)
    assert (feeder.fed.records, feeder.fed.unsure) == (0, 20)
