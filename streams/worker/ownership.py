"""The partitions of this process: opened, kept and closed as the consumer group says.

Laws of PROTOCOL.md in this module:

7. A worker keeps a partition over a rebalance only if the generation is the next one and our member id is the same. Otherwise another
   worker may have owned it in between, so it is closed and opened again. A fenced partition is never kept.
9. Before a rebalance continues, all partitions are settled: saved and acked, with no fence on its way that could reach the broker late and
   hit the next owner. `SETTLE` limits that; what takes longer continues by itself and is fenced if necessary. An open asks the group, just
   before it fences, whether the partition is still ours (`stable`). Restores run in parallel with everything else. A fenced worker forgets
   all it knew of the partition and opens it again, which begins with that question. So a worker that slept through its session finds that
   it is out of the group and fences no other worker. One whose transaction timed out while the broker was away continues.

Races, and why they are harmless. *Assignment during an open:* if kept (next generation), the open continues; otherwise the partition is
closed, and a new open begins when the close is done. *SIGTERM during a restore:* `close` cancels it. *Assignment while stopping:* no
partition is opened any more. *A batch of a foreign partition:* acked and dropped; its owner reads from the position.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Set
from typing import TYPE_CHECKING, Any, Final, cast

from aiokafka import TopicPartition
from faust.types import TP

from streams.kafka.cancel import certain
from streams.worker.partition import Owned

if TYPE_CHECKING:
    import faust

    from streams.commands.rule_store import RuleStore
    from streams.kafka.records import Unreadable
    from streams.settings import Settings
    from streams.worker.batches import Event, Place
    from streams.worker.faust_batches import BatchConsumer
    from streams.worker.opening import Log
    from streams.worker.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

SETTLE: Final = 5.0
"""Longest time that a rebalance, or a shutdown, waits for checkpoints, s."""
PROGRESS: Final = 30.0
"""Seconds without a step after which an opening partition counts as stalled."""
FENCES: Final = 5
FENCES_WITHIN: Final = 600.0
"""More than this many fences of one partition within this many seconds are no accident."""
RESTORES: Final = 4
"""Restores at the same time: each uses the CPU that the open partitions also need."""


class Ownership:
    """The `Owner` of `faust_batches` and the `Host` of `owned`."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        rule_store: RuleStore,
        metrics: Metrics,
        log_reader: Any,  # noqa: ANN401 - an aiokafka consumer
        *,
        fail: Callable[[str], None],
        refuse: Callable[[str], None],
    ) -> None:
        """`fail` ends the process at once, `refuse` after a clean shutdown."""
        self.settings, self.log, self.rule_store, self.metrics = settings, log, rule_store, metrics
        self.log_reader, self.fail, self.refuse = log_reader, fail, refuse
        self.restoring = asyncio.Semaphore(RESTORES)
        self.assigned_at = time.monotonic()
        """When the group last assigned partitions, or none."""
        self.retired: Counter[tuple[str, str]] = Counter()
        """The counts of partitions that are closed now; see `counts`."""
        self.closed = False
        """Everything is saved and released. It stays false if a checkpoint did not end in time."""
        self._app: faust.App | None = None
        self._owned: dict[int, Owned] = {}
        self._closing: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation, self._member = -1, ""
        self._reported_open = -1
        """The generation for which the log has reported that all partitions are open."""
        self._epochs = 0
        self._ends: dict[int, tuple[int, int]] = {}
        self._standing: dict[int, int] = {}
        """Partitions with committed records after their offsets at the last check, and these offsets."""
        self._stood: set[int] = set()
        """Those of them that had not moved since the check before."""
        self._fences: dict[int, list[float]] = defaultdict(list)
        self._stopping = False
        self._all_retired = False

    def attach(self, app: faust.App) -> None:
        """Set the app whose consumer feeds the partitions."""
        self._app = app

    def __iter__(self) -> Iterator[Owned]:
        return iter(list(self._owned.values()))

    def __len__(self) -> int:
        return len(self._owned)

    @property
    def ready(self) -> bool:
        """Return whether the group has assigned partitions and all of them are open."""
        return self._generation >= 0 and not self.is_rebalancing() and all(owned.is_open for owned in self)

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def consumer(self) -> BatchConsumer:
        assert self._app is not None
        return cast("BatchConsumer", self._app.consumer)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        """Return the counts of all partitions, each once. At the end they are kept although the partitions are closed, to report what was
        saved.
        """
        total = Counter(self.retired)
        for owned in () if self._all_retired else self:
            total.update(owned.counts)
        return total

    def is_rebalancing(self) -> bool:
        return self.consumer.rebalancing

    def standing(self) -> str | None:
        """Return the reason why no records come, if it should end soon; None if records may come."""
        if self.is_rebalancing():
            return "a rebalance has not ended"
        return None if self.consumer.flowing or self._stopping else "Faust has not let records through"

    def log_ends(self, partition: int) -> tuple[int, int] | None:
        """Return high watermark and last stable offset of a partition of `events`, from the last request or from a later fetch."""
        asked, fetched = self._ends.get(partition), self.consumer.batches.log_ends(self._tp(partition))
        if asked is None or fetched is None:
            return asked or fetched
        return max(asked[0], fetched[0]), max(asked[1], fetched[1])

    async def look_at_ends(self, committed: Any) -> None:  # noqa: ANN401 - an aiokafka consumer
        """Ask the brokers where the owned partitions end, because a fetch that hangs reports nothing. `committed` sees committed records
        only.

        It remembers stalled partitions: they have not moved since the last check, although committed records come after their offset.
        """
        tps = {owned.partition: TopicPartition(self.settings.names.events, owned.partition) for owned in self}
        before, standing = {owned.partition: owned.offset for owned in self if owned.could_go_on}, self._standing
        try:
            high, stable = await self.log_reader.end_offsets(list(tps.values())), await committed.end_offsets(list(tps.values()))
        except BaseException:
            self._stood = set()  # while the brokers do not answer, no partition counts as stalled
            raise
        self._ends = {partition: (high[tp], stable[tp]) for partition, tp in tps.items()}
        self._standing = {partition: offset for partition, offset in before.items() if offset + 1 < self._ends[partition][1]}
        self._stood = {partition for partition, offset in self._standing.items() if standing.get(partition) == offset}

    def waiting(self) -> str | None:
        """Return a message about a partition that does not move although committed records come after it and nothing blocks it."""
        for owned in self:
            if owned.partition in self._stood and owned.could_go_on and owned.offset == self._standing.get(owned.partition):
                return f"{owned} has not moved from offset {owned.offset}, although records come after it,"
        return None

    def opening(self) -> str | None:
        """Return a message about a partition that is assigned, not open, and has made no progress for a while."""
        now = time.monotonic()
        for owned in () if self._stopping else self:
            if not owned.is_open and not owned.patient and now - owned.stirred > PROGRESS:
                return f"{owned} does not open: it has made no progress"
        return None

    def overdue(self) -> str | None:
        """Return a message about a partition whose checkpoint takes longer than any should."""
        now, patience = time.monotonic(), self.settings.transaction_timeout
        for owned in self:
            since = owned.writer.since
            if since is not None and now - since > patience:
                return f"the checkpoint of {owned} has not ended"
        return None

    def take(self, event: Event) -> None:
        """Handle a batch from the agent."""
        owned = self._owned.get(event.value.partition)
        if owned is None or self._stopping:
            event.ack()
        else:
            owned.take(event)

    # ---- Owner -------------------------------------------------------------------------------------------------------

    def places(self, only: Set[int]) -> Mapping[int, Place]:
        places = {}
        for partition, owned in self._owned.items():
            if not self._stopping and (not only or partition in only):
                self._epochs += 1
                place = owned.place(self._epochs)
                if place is not None:
                    places[partition] = place
        return places

    def unreadable(self, partition: int, epoch: int, problem: Unreadable) -> None:
        owned = self._owned.get(partition)
        if owned is not None and not self._stopping:
            owned.meet(problem, epoch)

    def saved(self, partition: int) -> int | None:
        owned = self._owned.get(partition)
        return None if owned is None or owned.saved < 0 else owned.saved + 1

    async def settle(self) -> None:
        await self._settle_all()

    async def _settle_all(self) -> bool:
        """Save all partitions, in limited time; return whether all of them were saved."""
        if not self._owned:
            return True
        begun = time.monotonic()
        resting = {self._watched(owned.rest(), f"rest {owned}") for owned in self}
        _, late = await asyncio.wait(resting, timeout=SETTLE)
        if late:
            logger.warning("%d of %d partitions could not be saved within %.0f s", len(late), len(resting), SETTLE)
            for owned in self:
                owned.let_go()
        logger.info("%d partitions settled after %.2f s", len(resting), time.monotonic() - begun)
        return not late

    def assigned(self, partitions: Set[int], generation: int, member: str) -> None:
        if self._stopping:
            return
        added = sorted(partition for partition in partitions if partition >= self.log.partitions)
        if added:
            events = self.settings.names.events
            self.refuse(
                f"{events}: the group has given us partitions {added}, but the topic had {self.log.partitions} when this worker started: "
                "partitions were added. A user's partition depends on their number, so no worker can continue with this topic. Nothing was "
                "changed, and nothing must be deleted: the states and actions there are still good. Create topics with another prefix and "
                "the number that you want, and feed them the old log"
            )
            return
        may_keep = member == self._member and generation == self._generation + 1
        kept = {p for p in partitions if may_keep and (owned := self._owned.get(p)) is not None and not owned.lost}
        logger.info(
            "generation %d: partitions %s, %d kept%s",
            generation,
            sorted(partitions) or "none",
            len(kept),
            "" if may_keep or not self._owned else f", none of generation {self._generation}: it is not the one before",
        )
        self._generation, self._member, self.assigned_at = generation, member, time.monotonic()
        if len(kept) < len(self._owned):
            gc.unfreeze()  # released states can be in cycles
        for partition in list(self._owned):
            if partition not in kept:
                self._close(self._owned.pop(partition))
        for partition in sorted(partitions):
            if partition in kept:
                self._owned[partition].keep(generation)
            else:
                self._owned[partition] = Owned(self, partition, generation, self._closing.get(partition))

    # ---- Host --------------------------------------------------------------------------------------------------------

    async def stable(self, owned: Owned) -> None:
        while self.is_rebalancing() or not await self.consumer.batches.is_member(owned.generation):
            owned.stirred = time.monotonic()
            await asyncio.sleep(0.1)

    async def feed(self, partition: int) -> None:
        await self.consumer.feed(partition)

    def withhold(self, partition: int) -> None:
        self.consumer.batches.withhold(self._tp(partition))

    def release(self, partition: int) -> None:
        self.consumer.batches.release(self._tp(partition))

    def opened(self) -> None:
        if all(other.is_open for other in self):
            # States live long. Without this, every full collection would walk through all of them.
            gc.freeze()
            if self._reported_open != self._generation:
                self._reported_open = self._generation
                logger.info("all %d partitions are open", len(self))

    def fenced(self, owned: Owned) -> None:
        if self._stopping or self._owned.get(owned.partition) is not owned:
            return
        now = time.monotonic()
        times = self._fences[owned.partition] = [then for then in self._fences[owned.partition] if now - then < FENCES_WITHIN] + [now]
        if len(times) > FENCES:
            self.fail(
                f"{owned}: fenced {len(times)} times in {FENCES_WITHIN:.0f} s: two installations seem to share the app name {self.log.app}"
            )
        logger.warning("%s: fenced; opening it again", owned)
        self._close(owned)
        self._owned[owned.partition] = Owned(self, owned.partition, self._generation, self._closing[owned.partition])

    # ---- the end -----------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Save everything and release it, in limited time. No partition is opened afterwards. `closed` says whether all was saved."""
        self._stopping = True
        self.consumer.batches.starve()
        saved = await self._settle_all()
        for owned in self:
            self._close(owned)
        self._all_retired = True
        if self._closing:
            await asyncio.wait(set(self._closing.values()), timeout=SETTLE)
        self.closed = saved

    # ---- the rest ----------------------------------------------------------------------------------------------------

    def _close(self, owned: Owned) -> None:
        for key, count in owned.counts.items():
            self.retired[key] += count
        task = self._closing[owned.partition] = self._watched(owned.close(), f"close {owned}")

        def done(_: object) -> None:
            if self._closing.get(owned.partition) is task:
                del self._closing[owned.partition]

        task.add_done_callback(done)

    def _watched(self, coroutine: Awaitable[None], name: str) -> asyncio.Task[None]:
        """Start a task whose failure ends the process."""
        task: asyncio.Task[None] = asyncio.create_task(certain(coroutine, name), name=name)
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self.fail(f"{task.get_name()}: {error!r}")

        task.add_done_callback(done)
        return task

    def _tp(self, partition: int) -> TP:
        return TP(self.settings.names.events, partition)
