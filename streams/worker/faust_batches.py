"""Faust's consumer of record batches: batches in, and nothing skipped silently. It uses private names of Faust.

Faust delivers one record at a time, for about 80 us each. Its own extension points allow more: a `ConsumerScheduler` (a setting) may yield
one pseudo-record per partition whose value is the list of all records of a fetch, and a `Schema` passes that list on. The rest is not
public, and only this module and `faust_thread` use it; `tests/unit/worker/test_faust_contract.py` checks every name against the pinned
version.

Laws of PROTOCOL.md in this module (1, 2 and 6 are in `faust_thread`):

3.  A partition is *fed* after an explicit seek, also to 0, after every assignment and resume: `perform_seek` asks the owner for the place.
    A partition that is not fed is paused in the client, so a restore neither holds records nor slows its neighbours.
4.  The group's offsets are those of the owner's checkpoint, whatever was acked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, cast

import faust
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.worker.batches import Batch, Owner
from streams.worker.faust_thread import BatchThread

# ---- what Faust sees of a batch ---------------------------------------------------------------------------------------


class BatchRecord:
    """A whole batch in the form of aiokafka's `ConsumerRecord`, for `Consumer._to_message`."""

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, tp: TP, batch: Batch) -> None:
        self.topic, self.partition = tp
        self.offset = batch.next - 1
        self.timestamp = batch[-1].timestamp if batch else None
        self.timestamp_type = 0
        self.headers = self.key = self.checksum = None
        self.value = batch
        self.serialized_key_size = self.serialized_value_size = 0


class BatchScheduler(DefaultSchedulingStrategy):
    """Faust's setting `ConsumerScheduler`: one message per partition and fetch."""

    def iterate(self, records: Mapping[TP, Batch]) -> Iterator[tuple[TP, BatchRecord]]:  # type: ignore[override]
        for tp, batch in records.items():
            yield tp, BatchRecord(tp, batch)


class BatchSchema(faust.Schema):  # type: ignore[type-arg]
    """Passes the batch unchanged as the event's value."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> None:  # noqa: ANN401, ARG002
        return None

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ANN401, ARG002
        return message.value


# ---- Faust's consumer -------------------------------------------------------------------------------------------------


class _Unread(defaultdict[TP, int | None]):
    """Hides the read offset from Faust.

    Faust silently drops a message whose offset is below the one it believes to have read, and looks for gaps between messages. Here the
    owner does both, so Faust always sees that it has read nothing yet.
    """

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(driver.Consumer):
    """Reports rebalances to the owner, seeks where the owner says, commits what the owner has saved."""

    _thread: BatchThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._read_offset = _Unread()
        self._rebalancing = False
        self._feeding = asyncio.Lock()

    @property
    def owner(self) -> Owner:
        return cast("BatchTransport", self.transport).owner

    @property
    def batches(self) -> BatchThread:
        """Return the client's thread."""
        return self._thread

    @property
    def rebalancing(self) -> bool:
        """Return whether partitions are revoked and not yet assigned again."""
        return self._rebalancing

    @property
    def flowing(self) -> bool:
        """Return whether Faust lets records through. It stops them for a rebalance, and sometimes forgets to start them again."""
        return bool(self.flow_active)

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # aiokafka swallows what a listener raises, so the owner handles all errors.
        self._rebalancing = True
        self._thread.starve()
        await self.owner.settle()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._thread.starve()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._thread.hold_back(), self._thread.thread_loop))
        self._rebalancing = False
        # Before Faust's own handling, because its recovery may call `perform_seek` at any moment from then on.
        self.owner.assigned({tp.partition for tp in assigned}, generation_id, self._thread.member())
        # Faust believes that a commit has succeeded that a rebalance cut off. So idle partitions commit once more, too.
        self._committed_offset.clear()
        for tp in assigned:
            self._acked[tp].clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek where the owner says. Faust would seek to committed offsets, and not at all without one."""
        await self.feed()

    async def feed(self, *partitions: int) -> None:
        """Feed these partitions, or all that are ready. During a rebalance nothing happens: the resume after it feeds them."""
        async with self._feeding:
            if self._rebalancing:
                return
            topic = cast("BatchTransport", self.transport).topic
            places = {TP(topic, partition): place for partition, place in self.owner.places(frozenset(partitions)).items()}
            if places:
                await self._thread.feed(places)

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.owner.saved(tp.partition)

    def ack(self, message: Any) -> bool:  # noqa: ANN401
        done = super().ack(message)
        # Faust does not release a message that is below the committed offset; `wait_empty` would wait for it.
        self._unacked_messages.discard(message)
        return done

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing. Faust's own stall detector compares wall time with monotonic time and raises false alarms; ours is
        `streams.worker.watchdog`.
        """


class BatchTransport(driver.Transport):
    """The value of `app.transport`, with the owner of the partitions."""

    Consumer: ClassVar[type[Any]] = BatchConsumer
    owner: Owner
    topic: str


def install(app: faust.App, topic: str, owner: Owner) -> None:
    """Make this app read `topic` in batches for `owner`."""
    transport = BatchTransport(app.conf.broker_consumer, app)
    transport.topic, transport.owner = topic, owner
    app.transport = transport
