"""Faust's private face, all of it: batches in, and nothing skipped in silence.

Faust delivers one record at a time for some 80 us each. Its own extension points allow more: a `ConsumerScheduler` (a setting) may
yield one pseudo-record per partition whose value is the list of all records of a fetch, and a `Schema` hands that list through. What
else is needed is not public, and this module is the only one that touches it; `tests/unit/worker/test_faust_contract.py` holds every name
against the pinned version.

Laws of PROTOCOL.md kept here:

1.  The client reads `read_committed`; Faust has no setting for it outside of its own transactions.
2.  Every batch carries the offset at which it begins and the one after its end, control records included, and the epoch of the seek it
    was fetched after. Faust throws fetched records away where its flow is suspended, the generation has changed or a partition is
    paused; `start` shows it. The cursor moves only in the client's thread, in the step in which the client hands the records out.
3.  A partition is *fed* after an explicit seek, also to 0, after every assignment and resume: `perform_seek` asks the owner from where.
    What is not fed is paused in the client, so a restore neither holds records nor slows its neighbours.
4.  The group's offsets are what the owner says a checkpoint holds, whatever was acked.
6.  A fetch that is out of range is an error, never a reset. Before a batch that cannot be read the client pauses the partition, and the
    owner is told.

Two threads meet here. Faust's consumer thread runs the client; all that it must know (`feed`, `starve`) is carried over by
`run_coroutine_threadsafe`, whose tasks begin in the order of the calls. Withholding a partition whose queue is full is a mere set
operation: the client keeps one chunk (at most 1 MiB) of such a partition and asks for no more. Pausing it there too would make it wait,
when it is released, for the fetch that its idle neighbours have open.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Set
from functools import partial
from typing import Any, ClassVar, Final, TypeVar, cast

import faust
from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from streams.kafka.records import Unreadable, on_unreadable
from streams.kafka.unpacked import ROOM
from streams.worker.batches import Batch, Owner, Place

FETCH_WAIT: Final = 100
"""How long a broker may hold a fetch open, ms. A partition that becomes ready waits for the fetch that is under way: Faust's own 1,500
would stall a busy partition beside idle ones."""

ROOM_WAIT: Final = 0.02
"""Seconds that a fetch waits where a partition had no room to unpack a batch: others make room by reading on."""

FATAL: Final = (
    OffsetOutOfRangeError,
    NoOffsetForPartitionError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
"""What a fetch can end with that another fetch would end with too."""

T = TypeVar("T")


# ---- what Faust sees of a batch ---------------------------------------------------------------------------------------


class BatchRecord:
    """Looks like aiokafka's `ConsumerRecord` to `Consumer._to_message`; stands for a whole batch."""

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
    """Hands the batch through as the event's value."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> None:  # noqa: ANN401, ARG002
        return None

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ANN401, ARG002
        return message.value


# ---- the client's thread ----------------------------------------------------------------------------------------------


class _Open:
    """Which partitions may be handed out.

    The client asks `in` for each that it holds records of, and takes an empty set for all of them, so this is true even when it holds
    nothing. It is looked at anew at every wake-up of a fetch.
    """

    def __init__(self, active: Set[TP], fed: Mapping[Any, Any], withheld: Set[Any]) -> None:
        self._active, self._fed, self._withheld = active, fed, withheld

    def __bool__(self) -> bool:
        return True

    def __contains__(self, tp: object) -> bool:
        return tp in self._fed and tp not in self._withheld and tp in self._active


class _Cursor:
    """How far a partition has been handed out since its last seek. Touched in the client's thread only."""

    __slots__ = ("epoch", "next")

    def __init__(self, place: Place) -> None:
        self.next, self.epoch = place


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that runs the client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._fed: dict[TP, _Cursor] = {}
        self._withheld: set[TP] = set()

    def _create_worker_consumer(self, transport: Any) -> Any:  # noqa: ANN401
        client = super()._create_worker_consumer(transport)
        client._isolation_level = "read_committed"
        client._auto_offset_reset = "none"
        client._fetch_max_wait_ms = FETCH_WAIT
        return client

    async def _fetch_records(
        self,
        consumer: Any,  # noqa: ANN401
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Any:  # noqa: ANN401
        allowed = cast("set[TP]", _Open(active_partitions, self._fed, self._withheld))
        if ROOM.waited:
            await self._make_room(consumer)
        try:
            fetched = await super()._fetch_records(consumer, allowed, timeout=timeout, max_records=max_records)
        except FATAL as error:
            owner = cast("BatchTransport", self.transport).owner
            self.parent_loop.call_soon_threadsafe(owner.fail, _fetch_problem(error))
            return {}
        # No await from here on: what was handed out and how far the client has come belong together.
        assignment = consumer._subscription.subscription.assignment
        batches: dict[TP, Batch] = {}
        for tp, cursor in self._fed.items():
            state = assignment.state_value(tp) if assignment is not None else None
            if state is None or not state.has_valid_position or state.position <= cursor.next:
                continue
            batch = Batch(fetched.get(tp, ()))  # empty where only control records went by
            batch.partition, batch.start, batch.next, batch.epoch = tp.partition, cursor.next, state.position, cursor.epoch
            batch.end = state.position if state.lso is None else state.lso
            cursor.next = state.position
            batches[tp] = batch
        return batches

    async def _make_room(self, consumer: Any) -> None:  # noqa: ANN401
        """Let go of the unpacked batches of partitions that take nothing now: others wait for room. They are fetched once more."""
        ROOM.waited = 0
        fetcher = consumer._fetcher
        for tp in self._withheld:
            if getattr(fetcher._records.get(tp), "held", 0):
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
        await asyncio.sleep(ROOM_WAIT)

    # ---- called on the main loop ----

    async def feed(self, places: Mapping[TP, Place]) -> None:
        """Seek these partitions and let them be fetched. One that is no longer assigned is left out."""
        await self._carry(self._feed(dict(places)))

    def starve(self) -> None:
        """Nothing is fetched or handed out any more until it is fed again."""
        if self._consumer is not None:
            self._carry(self._starve())

    def withhold(self, tp: TP) -> None:
        """Hand out nothing of this partition for now."""
        self._withheld.add(tp)

    def release(self, tp: TP) -> None:
        """Hand it out again."""
        if tp in self._withheld:
            self._withheld.discard(tp)
            self.thread_loop.call_soon_threadsafe(self._wake)

    def beat(self, callback: Callable[[], None]) -> None:
        """Call back from the client's thread: proof that its loop turns."""
        self.thread_loop.call_soon_threadsafe(callback)

    def log_ends(self, tp: TP) -> tuple[int, int] | None:
        """High watermark and last stable offset as of the last fetch."""
        client = self._consumer
        assignment = None if client is None or client._subscription.subscription is None else client._subscription.subscription.assignment
        state = None if assignment is None else assignment.state_value(tp)
        return None if state is None or state.highwater is None or state.lso is None else (state.highwater, state.lso)

    def member(self) -> str:
        """This process's id in the consumer group; empty outside of it."""
        return str(self._ensure_consumer()._coordinator.member_id or "")

    async def is_member(self, generation: int) -> bool:
        """Ask the group's coordinator whether this process is in that generation of the group, and no rebalance has begun."""
        return await self._carry(self._is_member(generation))

    # ---- in the client's thread ----

    def _carry(self, coroutine: Coroutine[Any, Any, T]) -> Awaitable[T]:
        future: concurrent.futures.Future[T] = asyncio.run_coroutine_threadsafe(coroutine, self.thread_loop)
        return asyncio.wrap_future(future)

    async def _feed(self, places: Mapping[TP, Place]) -> None:
        client = self._ensure_consumer()
        assigned = client.assignment()
        for tp, place in places.items():
            if tp not in assigned:  # taken away in the meantime; the next assignment feeds it again
                continue
            client.seek(TopicPartition(*tp), place.offset)  # drops what the client holds; sets the position at once
            client.resume(TopicPartition(*tp))
            on_unreadable(client, TopicPartition(*tp), partial(self._met_unreadable, tp, place.epoch))
            self._withheld.discard(tp)
            self._fed[tp] = _Cursor(place)
        self._wake()

    def _met_unreadable(self, tp: TP, epoch: int, problem: Unreadable) -> None:
        """The client has paused the partition before this batch; the others go on. What was fetched before it has been handed out."""
        self.parent_loop.call_soon_threadsafe(cast("BatchTransport", self.transport).owner.unreadable, tp.partition, epoch, problem)

    async def _is_member(self, generation: int) -> bool:
        client = self._ensure_consumer()
        coordinator = client._coordinator
        # A heartbeat is answered for one generation; an answer that tells of another one makes the client join again by itself.
        answered = coordinator.generation == generation and await coordinator._do_heartbeat()
        subscription = client._subscription
        return bool(
            answered
            and coordinator.generation == generation
            and not subscription.reassignment_in_progress
            and not coordinator.need_rejoin(subscription.subscription)
        )

    async def _starve(self) -> None:
        self._fed.clear()
        self._withheld.clear()

    async def hold_back(self) -> None:
        """Pause in the client whatever is assigned and not fed. It gets a position, so that the client doesn't look for a committed one."""
        client = self._ensure_consumer()
        for tp in client.assignment():
            if tp not in self._fed:
                client.seek(tp, 0)
                client.pause(tp)

    def _wake(self) -> None:
        """Let a fetch that waits for records look again at what it may hand out."""
        fetcher = self._ensure_consumer()._fetcher
        for waiter in fetcher._fetch_waiters:
            fetcher._notify(waiter)


def _fetch_problem(error: Exception) -> str:
    if isinstance(error, OffsetOutOfRangeError):
        places = ", ".join(f"{tp.topic}[{tp.partition}] at offset {offset}" for tp, offset in error.args[0].items())
        return (
            f"{places} is outside of the log: retention has deleted records that were not read, or the topic is another one. "
            "Look at retention.ms and retention.bytes, then say with `cueline rebase` how to go on; see docs/operating.md"
        )
    return f"the events cannot be read: {error!r}"


# ---- Faust's consumer -------------------------------------------------------------------------------------------------


class _Unread(defaultdict[TP, int | None]):
    """Faust drops, without a word, a message whose offset is below the one it believes to have read, and looks for gaps between messages.

    Both are the owner's affair here, so Faust is told that it has read nothing yet.
    """

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def __getitem__(self, tp: TP) -> None:
        return None


class BatchConsumer(driver.Consumer):
    """Tells the owner of rebalances, seeks where the owner says, commits what the owner has saved."""

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
        """The client's thread."""
        return self._thread

    @property
    def rebalancing(self) -> bool:
        """Between the taking away of partitions and the next assignment."""
        return self._rebalancing

    @property
    def flowing(self) -> bool:
        """Whether Faust lets records through; it stops them for a rebalance, and has been seen to forget about it."""
        return bool(self.flow_active)

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        # aiokafka swallows what a listener raises, so all that may go wrong is the owner's to handle.
        self._rebalancing = True
        self._thread.starve()
        await self.owner.settle()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        self._thread.starve()
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._thread.hold_back(), self._thread.thread_loop))
        self._rebalancing = False
        # Before Faust hears of it: its recovery may call `perform_seek` at any moment from then on.
        self.owner.assigned({tp.partition for tp in assigned}, generation_id, self._thread.member())
        # Faust believes that a commit which a rebalance has cut off has succeeded. Idle partitions commit once more, too.
        self._committed_offset.clear()
        for tp in assigned:
            self._acked[tp].clear()
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Faust seeks to committed offsets, and not at all where there are none; here the owner knows better."""
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
        # Faust forgets to let go of a message that is below the committed offset; `wait_empty` would wait for it.
        self._unacked_messages.discard(message)
        return done

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own stall detector holds wall time against monotonic time and cries wolf; ours is `streams.worker.watchdog`."""


class BatchTransport(driver.Transport):
    """Set as `app.transport` with the owner of the partitions."""

    Consumer: ClassVar[type[Any]] = BatchConsumer
    owner: Owner
    topic: str


def install(app: faust.App, topic: str, owner: Owner) -> None:
    """Make this app read `topic` in batches on behalf of `owner`."""
    transport = BatchTransport(app.conf.broker_consumer, app)
    transport.topic, transport.owner = topic, owner
    app.transport = transport
