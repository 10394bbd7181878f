"""Write calls from files into `events`: each to its user's partition, in whole batches, at full speed or paced.

With `clock="log"` a record carries the moment of its call, so the log's own clock drives the timers. With `clock="broker"` it carries the
broker's time. History is then folded as late events, each at its own timestamp.

The only control header that this module writes is that of the final tick, so permission to feed is not permission to command (PROTOCOL law
20). The producer is idempotent. A feed that was interrupted and starts again writes its calls twice, so they should have a `messageId`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError

from streams.commands import history
from streams.kafka.clients import Cluster, producer
from streams.kafka.partitioner import Partitions
from triggers.records.control import TICK

if TYPE_CHECKING:
    from streams.ingest.calls import Call
    from streams.settings import Settings

BATCH: Final = 256 * 1024
"""Bytes of one record batch, far below any reasonable `max.message.bytes`."""
GATHER: Final = 0.02
"""Seconds for which a paced feed collects records before it sends them."""
AHEAD: Final = 8
"""Batches of calls that are read before the feed can send them."""
GRACE: Final = 5.0
"""Seconds that a stopped feed waits for records that are on their way."""


class CannotFeed(Exception):  # noqa: N818 - its name says what is wrong
    """The feed cannot continue. The message says why and what to do."""


@dataclass(kw_only=True)
class Fed:
    """What a feed has written so far."""

    records: int = 0
    bytes: int = 0
    backward: int = 0
    """Records earlier than one before them in their partition. To the rules they are late events."""
    first: int | None = None
    """The earliest moment, ms."""
    last: int | None = None
    """The latest moment, ms."""
    ticks: int = 0
    seconds: float = 0.0
    unsure: int = 0
    """Records that were on their way when the feed stopped. If it is 0, the written records are the first ones of the input."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast to send records. Without values: as fast as possible."""

    rate: float | None = None
    """Records a second."""
    speed: float | None = None
    """How many times faster than in reality."""

    def due(self, number: int, at: int | None, first: int | None) -> float:
        """Return the seconds after the start at which to send the record of this number and moment."""
        due = 0.0
        if self.rate is not None:
            due = number / self.rate
        if self.speed is not None and at is not None and first is not None:
            due = max(due, (at - first) / 1000 / self.speed)
        return due


class Feeder:
    """Fill one batch per partition and send the full ones."""

    def __init__(self, client: Any, topic: str, partitions: int, *, timed: bool) -> None:  # noqa: ANN401 - aiokafka's producer
        self.fed = Fed()
        self._client = client
        self._topic = topic
        self._partitions = Partitions(partitions)
        self._timed = timed
        self._open: list[Any] = [client.create_batch() for _ in range(partitions)]
        self._counts = [0] * partitions
        self._clocks = [-1] * partitions
        self._sent: deque[tuple[int, Any]] = deque()

    async def put(self, calls: Iterable[Call]) -> None:
        """Add the calls to batches and send the full ones. Raises `KafkaError`."""
        fed, clocks, batches, timed = self.fed, self._clocks, self._open, self._timed
        place, counts = self._partitions.of, self._counts
        for at, key, value, _, _ in calls:
            partition = place(key)
            if at is not None:
                if at < clocks[partition]:
                    fed.backward += 1
                else:
                    clocks[partition] = at
                    if fed.first is None or at < fed.first:
                        fed.first = at
            while batches[partition].append(timestamp=at if timed else None, key=key, value=value) is None:
                await self._send(partition)
            counts[partition] += 1
            fed.bytes += len(value)

    @property
    def waiting(self) -> int:
        """Count the records that were added and are not acknowledged."""
        return sum(self._counts) + sum(count for count, _ in self._sent)

    async def flush(self) -> None:
        """Return when all records added so far are acknowledged. After an interruption here or in `put`, call it again."""
        for partition, count in enumerate(self._counts):
            if count:
                await self._send(partition)
        while self._sent:
            await self._acknowledged()

    async def tick(self, at: int) -> None:
        """Write a tick of the moment `at` into every partition, as its last record."""
        await self.flush()
        for partition in range(self._partitions.count):
            await self._client.send_and_wait(self._topic, b"", partition=partition, timestamp_ms=at, headers=list(TICK))
            self.fed.ticks += 1

    async def _send(self, partition: int) -> None:
        batch, count = self._open[partition], self._counts[partition]
        if not count:
            raise CannotFeed(f"a record does not fit into a batch of {BATCH:,} bytes")
        batch.close()
        sent = await self._client.send_batch(batch, self._topic, partition=partition)
        self._open[partition], self._counts[partition] = self._client.create_batch(), 0
        self._sent.append((count, sent))
        while len(self._sent) > 4 * self._partitions.count:
            await self._acknowledged()

    async def _acknowledged(self) -> None:
        count, sent = self._sent[0]
        await asyncio.shield(sent)
        self._sent.popleft()
        fed = self.fed
        fed.records += count
        latest = max(self._clocks)
        fed.last = latest if latest >= 0 else None


async def feed(
    settings: Settings,
    batches: Iterable[list[Call]],
    *,
    pace: Pace | None = None,
    until: int | None = None,
    progress: Callable[[Fed], None] = lambda _fed: None,
) -> Fed:
    """Write the calls, then, with `until`, a final tick of that moment to every partition.

    `progress` gets the same `Fed` each time, first before anything is written. So the caller knows how far the feed was, however it ends.

    Raises `CannotFeed`, `BadLine`, `TopicMissing`, `Unreachable`, and `KafkaError` if the broker refuses a record.
    """
    if until is not None and settings.clock != "log":
        raise CannotFeed("a final tick (--until) is for topics that carry historic time; with clock=broker the broker sets the time")
    topic = settings.names.events
    async with Cluster(settings) as cluster:
        partitions = (await cluster.need(topic)).partitions
        kind = (await cluster.configs([topic])).get(topic, {}).get("message.timestamp.type")
        commanded = settings.names.rules in await cluster.topics([settings.names.rules])
    if commanded:
        await _check_app(settings)
    if settings.clock == "log" and kind == "LogAppendTime":
        raise CannotFeed(
            f"{topic} has message.timestamp.type=LogAppendTime, so historic time would be lost: set CUELINE_CLOCK=broker, "
            "or make the topics with CUELINE_CLOCK=log"
        )
    if settings.clock == "broker" and kind == "CreateTime":
        raise CannotFeed(
            f"{topic} has message.timestamp.type=CreateTime: its records have their own time, and today's would move its clock to today "
            "permanently. Set CUELINE_CLOCK=log; if the broker must set the time, `cueline topics create` corrects an empty topic"
        )
    async with producer(settings, max_batch_size=BATCH, linger_ms=0) as client:
        await client.partitions_for(topic)
        feeder = Feeder(client, topic, partitions, timed=settings.clock == "log")
        begun: float | None = None
        """The moment when the first calls were read. Sorting a file may take as long as feeding it, and does not count for the rate."""

        def tell() -> None:
            feeder.fed.seconds = 0.0 if begun is None else time.monotonic() - begun
            progress(feeder.fed)

        tell()
        try:
            async for batch in _ahead(batches):
                begun = begun or time.monotonic()
                await _put(feeder, batch, pace, begun, tell)
                tell()
            await feeder.flush()
            if until is not None:
                await feeder.tick(until)
        except BaseException as error:
            await _settle(feeder, error)
            tell()
            raise
        tell()
    return feeder.fed


async def _check_app(settings: Settings) -> None:
    """Raise `CannotFeed` if the log belongs to another app."""
    with contextlib.suppress(TimeoutError):  # another command or rebase is running; it does not change the owner of the log
        problem = (await history.read(settings)).of_another(settings.app)
        if problem is not None:
            raise CannotFeed(f"{settings.names.events} {problem}")


async def _settle(feeder: Feeder, error: BaseException) -> None:
    """After a bad line or Ctrl-C, write the calls that were read before, so that a later feed can continue after them."""
    feeder.fed.unsure = feeder.waiting  # the count as it is if a second Ctrl-C ends this, too
    if not isinstance(error, KafkaError):  # otherwise the brokers accept no more
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(GRACE):
                await feeder.flush()
    feeder.fed.unsure = feeder.waiting


async def _put(feeder: Feeder, batch: list[Call], pace: Pace | None, begun: float, tell: Callable[[], None]) -> None:
    if pace is None:
        await feeder.put(batch)
        if len(batch) < 100:  # little input, from standard input: do not wait for more
            await feeder.flush()
        return
    start, number, fed = 0, feeder.fed.records, feeder.fed
    for index, call in enumerate(batch):
        first = batch[0].at if fed.first is None else fed.first
        wait = begun + pace.due(number + index, call.at, first) - time.monotonic()
        if wait > GATHER:
            await feeder.put(batch[start:index])
            start = index
            await feeder.flush()
            tell()
            await asyncio.sleep(max(0.0, begun + pace.due(number + index, call.at, first) - time.monotonic()))
    await feeder.put(batch[start:])
    await feeder.flush()


async def _ahead(batches: Iterable[list[Call]]) -> AsyncIterator[list[Call]]:
    """Read in a separate thread, a few batches ahead. A read that waits for standard input must not delay the sending.

    The thread is a daemon: one that waits for a line that never comes does not keep the process alive.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[Any]()
    room, ended = threading.Semaphore(AHEAD), threading.Event()

    def deliver(item: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed now
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def work() -> None:
        iterator: Iterator[list[Call]] = iter(batches)
        try:
            for batch in iterator:
                room.acquire()
                if ended.is_set():
                    return
                deliver(batch)
        except Exception as error:  # noqa: BLE001 - it is raised again where it is awaited
            deliver(error)
        else:
            deliver(None)

    threading.Thread(target=work, name="feed-reader", daemon=True).start()
    try:
        while (item := await queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            room.release()
            yield item
    finally:
        ended.set()
        room.release()
