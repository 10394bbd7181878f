"""The thread that runs the client: what it hands out of a fetch, and when. It uses private names of Faust and of aiokafka.

Laws of PROTOCOL.md in this module:

1.  The client reads `read_committed`; Faust has no setting for it outside its own transactions.
2.  Every batch has the offset at which it begins and the one after its end, control records included, and the epoch of the seek before it.
    Faust discards fetched records if its flow is suspended, the generation has changed or a partition is paused; `start` shows it. The
    cursor moves only in the client's thread, in the step in which the client hands out the records.
6.  A fetch that is out of range is an error, never a reset. Before a batch that cannot be read the client pauses the partition, and the
    owner gets a call.

Two threads meet here. Faust's consumer thread runs the client. `run_coroutine_threadsafe` carries all orders to it (`feed`, `starve`); its
tasks begin in the order of the calls. Withholding a partition whose queue is full is only a set operation: the client keeps one chunk (at
most 1 MiB) of such a partition and asks for no more. If the client paused it instead, its release would wait for the open fetch of its idle
neighbours.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Set
from functools import partial
from typing import Any, Final, TypeVar, cast

from aiokafka import TopicPartition
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAuthorizationFailedError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.kafka.records import Unreadable, on_unreadable
from streams.kafka.unpacked import ROOM
from streams.worker.batches import Batch, Owner, Place

FETCH_WAIT: Final = 100
"""Maximum time for which a broker may delay a fetch, ms. A partition that becomes ready waits for the current fetch, so Faust's own 1,500
would stall a busy partition next to idle ones.
"""

ROOM_WAIT: Final = 0.02
"""Seconds that a fetch waits if a partition had no room to unpack a batch. Others make room by reading."""

FATAL: Final = (
    OffsetOutOfRangeError,
    NoOffsetForPartitionError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)
"""Errors of a fetch that the next fetch would also get."""

T = TypeVar("T")


class _Open:
    """The partitions that may be handed out.

    The client asks `in` for each partition whose records it holds. It reads an empty set as all of them, so this is true even when it holds
    nothing. Every wake-up of a fetch reads it again.
    """

    def __init__(self, active: Set[TP], fed: Mapping[Any, Any], withheld: Set[Any]) -> None:
        self._active, self._fed, self._withheld = active, fed, withheld

    def __bool__(self) -> bool:
        return True

    def __contains__(self, tp: object) -> bool:
        return tp in self._fed and tp not in self._withheld and tp in self._active


class _Cursor:
    """The offset up to which a partition has been handed out since its last seek. Only the client's thread uses it."""

    __slots__ = ("epoch", "next")

    def __init__(self, place: Place) -> None:
        self.next, self.epoch = place


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that runs the client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **kwargs)
        self._fed: dict[TP, _Cursor] = {}
        self._withheld: set[TP] = set()

    def _owner(self) -> Owner:
        transport: Any = self.transport  # a `BatchTransport`
        return cast("Owner", transport.owner)

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
            self.parent_loop.call_soon_threadsafe(self._owner().fail, _fetch_problem(error))
            return {}
        # No await from here on: the records and the position of the client belong together.
        assignment = consumer._subscription.subscription.assignment
        batches: dict[TP, Batch] = {}
        for tp, cursor in self._fed.items():
            state = assignment.state_value(tp) if assignment is not None else None
            if state is None or not state.has_valid_position or state.position <= cursor.next:
                continue
            batch = Batch(fetched.get(tp, ()))  # empty if it had only control records
            batch.partition, batch.start, batch.next, batch.epoch = tp.partition, cursor.next, state.position, cursor.epoch
            batch.end = state.position if state.lso is None else state.lso
            cursor.next = state.position
            batches[tp] = batch
        return batches

    async def _make_room(self, consumer: Any) -> None:  # noqa: ANN401
        """Release the unpacked batches of partitions that are withheld, because others wait for room. They are fetched once more."""
        ROOM.waited = 0
        fetcher = consumer._fetcher
        for tp in self._withheld:
            if getattr(fetcher._records.get(tp), "held", 0):
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
        await asyncio.sleep(ROOM_WAIT)

    # ---- called on the main loop ----

    async def feed(self, places: Mapping[TP, Place]) -> None:
        """Seek these partitions and let the client fetch them, except those that are no longer assigned."""
        await self._carry(self._feed(dict(places)))

    def starve(self) -> None:
        """Stop fetching and handing out, until partitions are fed again."""
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
        """Call back from the client's thread, as a proof that its loop runs."""
        self.thread_loop.call_soon_threadsafe(callback)

    def log_ends(self, tp: TP) -> tuple[int, int] | None:
        """Return high watermark and last stable offset as of the last fetch."""
        client = self._consumer
        assignment = None if client is None or client._subscription.subscription is None else client._subscription.subscription.assignment
        state = None if assignment is None else assignment.state_value(tp)
        return None if state is None or state.highwater is None or state.lso is None else (state.highwater, state.lso)

    def member(self) -> str:
        """Return the member id of this process in the consumer group; empty outside the group."""
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
            if tp not in assigned:  # revoked in the meantime; the next assignment feeds it again
                continue
            client.seek(TopicPartition(*tp), place.offset)  # drops what the client holds; sets the position at once
            client.resume(TopicPartition(*tp))
            on_unreadable(client, TopicPartition(*tp), partial(self._report_unreadable, tp, place.epoch))
            self._withheld.discard(tp)
            self._fed[tp] = _Cursor(place)
        self._wake()

    def _report_unreadable(self, tp: TP, epoch: int, problem: Unreadable) -> None:
        """Report a batch before which the client has paused the partition; the others continue. All records before it have been
        handed out.
        """
        self.parent_loop.call_soon_threadsafe(self._owner().unreadable, tp.partition, epoch, problem)

    async def _is_member(self, generation: int) -> bool:
        client = self._ensure_consumer()
        coordinator = client._coordinator
        # The coordinator answers a heartbeat for one generation. If the answer names another one, the client joins again by itself.
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
        """Pause in the client all assigned partitions that are not fed. They get a position, so that the client does not look for a
        committed one.
        """
        client = self._ensure_consumer()
        for tp in client.assignment():
            if tp not in self._fed:
                client.seek(tp, 0)
                client.pause(tp)

    def _wake(self) -> None:
        """Let a fetch that waits for records check again what it may hand out."""
        fetcher = self._ensure_consumer()._fetcher
        for waiter in fetcher._fetch_waiters:
            fetcher._notify(waiter)


def _fetch_problem(error: Exception) -> str:
    if isinstance(error, OffsetOutOfRangeError):
        places = ", ".join(f"{tp.topic}[{tp.partition}] at offset {offset}" for tp, offset in error.args[0].items())
        return (
            f"{places} is outside the log: retention has deleted records that were not read, or the topic is another one. "
            "Check retention.ms and retention.bytes, then decide with `cueline rebase` how to continue; see docs/operating.md"
        )
    return f"the events cannot be read: {error!r}"
