"""What the tests of one owned partition work with: records, batches, and what is around a partition.

The fold is the real one; the transaction and the consumer group are stand-ins that can be held up and made to fail at will.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from streams.settings import Settings
from streams.worker.batches import Batch
from streams.worker.checkpoint import Written
from streams.worker.opening import Log
from streams.worker.partition import Owned
from streams.worker.telemetry.metrics import Metrics
from triggers.engine.interface import Output


class Record:
    """As much of aiokafka's as is looked at."""

    def __init__(self, offset: int, value: bytes = b'{"type":"track","userId":"ann","event":"Paid"}', ahead: float = 0) -> None:
        self.offset, self.value, self.key, self.headers = offset, value, b"ann", ()
        self.timestamp = int((time.time() + ahead) * 1000)
        self.serialized_value_size = len(value)


class Event:
    """A batch as the agent gets it."""

    def __init__(self, value: Batch) -> None:
        self.value, self.acks = value, 0

    def ack(self) -> bool:
        self.acks += 1
        return True


class Writer:
    """Commits when it is let to."""

    def __init__(self, *_: Any) -> None:
        self.outputs: list[Output] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.since: float | None = None
        self.opened = self.closed = False

    async def open(self) -> None:
        self.opened = True

    async def close(self) -> None:
        self.closed = True

    async def write(self, output: Output) -> Written:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.outputs.append(output)
        return Written(1, 1, 0.0)

    @property
    def offsets(self) -> list[int]:
        return [output.offset for output in self.outputs]


class Host:
    """The process around the partition."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(prefix="", checkpoint_interval=0.01, **settings)
        self.log = Log("cueline", "c", "t", "l", 4)
        self.metrics = Metrics()
        self.restoring = asyncio.Semaphore(1)
        self.log_reader = None
        self.news = asyncio.Event()
        self.skips: set[tuple[int, int]] = set()
        self.rule_store: Any = SimpleNamespace(
            fetch=self._fetch, overrides=lambda *_: frozenset(), skips=lambda *_: frozenset(self.skips), news=self.news.wait
        )
        self.rebalancing = False
        self.may_fence = asyncio.Event()
        self.may_fence.set()
        self.withheld: set[int] = set()
        self.said: list[str] = []
        self.owned: Owned | None = None

    async def _fetch(self, _: str) -> None:
        await self.news.wait()

    async def stable(self, _: Owned) -> None:
        await self.may_fence.wait()

    async def feed(self, partition: int) -> None:
        self.said.append("feed")

    def withhold(self, partition: int) -> None:
        self.withheld.add(partition)

    def release(self, partition: int) -> None:
        self.withheld.discard(partition)

    def is_rebalancing(self) -> bool:
        return self.rebalancing

    def opened(self) -> None:
        self.said.append("opened")

    def fenced(self, _: Owned) -> None:
        self.said.append("fenced")

    def refuse(self, problem: str) -> None:
        self.said.append(f"refuse {problem}")

    def fail(self, problem: str) -> None:
        self.said.append(f"fail {problem}")


def batch(
    epoch: int,
    *offsets: int,
    start: int | None = None,
    end: int | None = None,
    log_end: int | None = None,
    of: type[Record] = Record,
    **more: Any,
) -> Event:
    batch = Batch(of(offset, **more) for offset in offsets)
    batch.partition, batch.epoch = 3, epoch
    batch.start = offsets[0] if start is None else start
    batch.next = offsets[-1] + 1 if end is None else end
    batch.end = batch.next if log_end is None else log_end
    return Event(batch)


async def until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not look():
            await asyncio.sleep(0.001)


Begin = Callable[..., Awaitable[tuple[Owned, Host, Writer]]]
