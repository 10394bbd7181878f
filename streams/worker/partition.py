"""One owned partition, from its assignment to its close. Nothing here waits for another partition.

A partition is opening, working, resting (from the beginning of a rebalance until it is fed again), or closed. Two tasks work on it:

    batches ──take──▶ inbox ──▶ fold (`slices.py`) ──▶ changes ──▶ checkpoints, one at a time (`saving.py`)

`rest` and `place` end the epoch in which a batch was fetched; the fold then drops the batch.

A law of PROTOCOL.md kept here:

9.  `close` waits, bounded, for the checkpoint in progress, and stops the producer after it. To be fenced while the partition is closed, or
    while a rebalance takes it away, is no error.

Races, and why they are harmless.
*A batch before the open:* nothing is fed before it; one that Faust still carries from an earlier assignment has an old epoch.
*Two assignments in a row:* `rest` twice; the second finds an empty inbox and nothing new to save.
*Rest while the fold waits* for a rule set, the system clock or a checkpoint: all three waits end with the epoch.
*A batch whose seek was overtaken* has an old epoch. *Fed twice from one position:* the later epoch wins, the client drops what it held.
*A checkpoint that outlives its `rest`* (slow broker) continues. If the partition moves, its new owner fences it; if it is fed again
here, later batches stay in the inbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from aiokafka.errors import ProducerFenced

from streams.kafka.cancel import certain
from streams.worker.batches import Event, Place
from streams.worker.checkpoint import Writer
from streams.worker.inbox import Inbox
from streams.worker.opening import HandedOver, Refused, open_partition
from streams.worker.saving import Saving
from streams.worker.slices import Slices, has_to_drain

if TYPE_CHECKING:
    from collections import Counter

    from streams.kafka.records import Unreadable
    from streams.worker.host import Host
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

CLOSE_TIMEOUT: Final = 5.0


class Owned:
    """A partition of this process, from its assignment to its close."""

    def __init__(self, host: Host, partition: int, generation: int, after: Awaitable[object] | None) -> None:
        """Begin to open it after `after`, the close of its previous object in this process."""
        self.partition = partition
        self.generation = generation
        self.epoch = 0
        self.fold: Partition | None = None
        self.lost = False
        """Fenced: its state may be out of date."""
        self.is_held = False
        """It was handed over to other terms than ours before we had it. This worker only holds it, until it leaves."""
        self.stopped: str | None = None
        """Why it does not continue: `ahead`, `rule-set`, `newer-release`, `upgrade`, `unreadable`; None while it does."""
        self.restored = 0.0
        """How much of the changelog has been read, 0 to 1."""
        self.writer = Writer(host.settings, partition)
        self._host = host
        self._inbox = Inbox(
            host.settings.max_poll_records,
            host.settings.share(host.settings.partitions, 8, 2 << 20),
            partial(host.withhold, partition),
            partial(host.release, partition),
        )
        self.stirred = time.monotonic()
        """When the open last made progress."""
        self.patient = False
        """The open waits for something that may take any time: other opens, a rule set, or the index of its users."""
        self._refused = self._failed = False
        self._closed = False
        self.resting = True
        """Not fed: before the first feed, and from the beginning of a rebalance until the next one."""
        self._fencing: asyncio.Future[None] | None = None
        self._saving = Saving(host, self, self._inbox, self.writer)
        self._slices = Slices(host, self, self._inbox, self._saving)
        self._life = asyncio.create_task(self._live(after), name=f"partition {partition}")
        self._life.add_done_callback(self._ended)

    # ---- what others see ---------------------------------------------------------------------------------------------

    @property
    def saved(self) -> int:
        """Return the offset that the last checkpoint holds; -1 also while there is none."""
        return self._saving.offset

    @property
    def checkpointed(self) -> float:
        """Return the moment of the last checkpoint, of the monotonic clock."""
        return self._saving.at

    @property
    def is_open(self) -> bool:
        return (self.fold is not None or self.is_held) and not self._closed and not self.lost

    @property
    def is_handed_over(self) -> bool:
        """Return whether its last checkpoint says that only workers under other terms may continue."""
        fold = self.fold
        if fold is None:
            return self.is_held and self.is_open
        return self.is_open and fold.position.handed_to is not None and self.saved == fold.position.offset

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def offset(self) -> int:
        return -1 if self.fold is None else self.fold.position.offset

    @property
    def clock(self) -> int:
        return -1 if self.fold is None else self.fold.position.clock

    @property
    def counts(self) -> Counter[tuple[str, str]] | dict[tuple[str, str], int]:
        return {} if self.fold is None else self.fold.counts

    @property
    def is_behind(self) -> bool:
        """Return whether the log held more at the last fetch than is folded by now."""
        return not self.resting and self.offset + 1 < self._inbox.end

    @property
    def could_go_on(self) -> bool:
        """Return whether only the next record is missing: it is fed, and not busy with timers, a new rule set or a checkpoint."""
        fold = self.fold
        return (
            fold is not None
            and self.is_open
            and not self.resting
            and self.stopped is None
            and self.writer.since is None
            and not has_to_drain(fold)
        )

    def tick_due(self) -> int | None:
        """Return when the next timer is due, ms; None if a tick would change nothing."""
        fold = self.fold
        if fold is None or self.resting or self.stopped:
            return None
        due = fold.next_due()
        return None if due <= fold.position.clock or fold.position.handed_to is not None else due

    # ---- coming and going --------------------------------------------------------------------------------------------

    def place(self, epoch: int) -> Place | None:
        """Return the place from which to read; earlier fetches are void. None while it is not open."""
        if self.fold is None or not self.is_open:
            return None
        self._inbox.drop()
        self._slices.unreadable = None
        self.epoch = epoch
        self.resting = False
        self._slices.work.set()
        self._saving.dirty.set()  # for what was folded after the last checkpoint of the rest
        return Place(self.fold.position.offset + 1, epoch)

    def take(self, event: Event) -> None:
        """Take a batch from the agent."""
        if self._closed or self.resting or event.value.epoch != self.epoch:
            event.ack()
            return
        self._inbox.put(event)
        self._slices.work.set()

    def meet(self, problem: Unreadable, epoch: int) -> None:
        """Note a batch that the client cannot read. The records before it may still be on their way to here."""
        if epoch == self.epoch and not self._closed and not self.resting:
            self._slices.unreadable = problem
            self._slices.work.set()

    def keep(self, generation: int) -> None:
        """Keep it for this generation: the group has assigned it to us again, and no other worker had it in between."""
        self.generation = generation

    async def rest(self) -> None:
        """Stop folding, save what was folded, and hold nothing that the group waits for. The caller bounds the time."""
        generation = self.generation
        self.resting = True
        self.epoch = -1
        self._saving.hurry()
        self._inbox.drop()
        try:
            if self._fencing is not None:  # what is sent late could fence the next owner
                await asyncio.wait([self._fencing])
            await self._saving.checkpoint()
        except ProducerFenced:
            if self.generation == generation:
                log.warning("%s: fenced while the group takes it away", self)
            else:  # the group has given it to us again in the meantime
                self._fenced()
        finally:
            if self.epoch == -1:  # else it was fed again before its last checkpoint ended: what it holds now is valid
                self.let_go()

    async def close(self) -> None:
        """Release it, in bounded time; what it has not saved is void."""
        self._closed = self.resting = True
        self.let_go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT), self._saving.lock:
                pass
        self._life.cancel()
        await asyncio.wait([self._life], timeout=CLOSE_TIMEOUT)
        await self.writer.close()
        self.let_go()
        self.fold = None  # other references to this object must not keep the states in memory

    def let_go(self) -> None:
        """Acknowledge all that Faust waits for."""
        self._inbox.let_go()

    def __str__(self) -> str:
        return f"{self._host.settings.names.events}[{self.partition}]"

    # ---- its life ----------------------------------------------------------------------------------------------------

    async def _live(self, after: Awaitable[object] | None) -> None:
        try:
            if after is not None:
                await asyncio.shield(after)
            await certain(self._open(), "opening it")
            if self.is_held:
                await asyncio.get_running_loop().create_future()  # until it is closed
            async with asyncio.TaskGroup() as tasks:  # it takes a cancelled child for one that has done its work
                assert self.fold is not None
                tasks.create_task(certain(self._slices.run(self.fold), "its fold"))
                tasks.create_task(certain(self._saving.run(), "its saving"))
        except* Refused as refused:
            self._refused = True
            self._host.refuse(str(refused.exceptions[0]))
        except* ProducerFenced:
            self._fenced()
        except* Exception as errors:
            if self._closed:
                log.info("%s: closed with %r", self, errors.exceptions)
            else:
                self._failed = True
                log.critical("%s: failed", self, exc_info=errors)
                self._host.fail(f"{self}: {errors.exceptions[0]!r}")

    def _ended(self, _: object) -> None:
        """Report a task that ends while the worker owns its partition."""
        if not (self._closed or self.lost or self._refused or self._failed):
            self._host.fail(f"{self}: its task has ended, though the partition is not closed")

    def _fenced(self) -> None:
        self.lost = True  # also if it was fenced in its open: a rebalance must not keep a partition without a task
        if self._closed or self._host.is_rebalancing():
            log.warning("%s: fenced while the group takes it away", self)  # if the group assigns it to us again, it opens again
        else:
            self._host.fenced(self)

    async def _open(self) -> None:
        host, begun = self._host, time.monotonic()
        try:
            fold, restored = await open_partition(
                host.settings,
                host.log,
                self.partition,
                writer=self.writer,
                rule_store=host.rule_store,
                fence=self._fence,
                turn=host.restoring,
                log_reader=host.log_reader,
                progress=self._progress,
                patience=self._patience,
            )
        except HandedOver as over:
            log.info("%s: held and not folded: %s", self, over)
            self.is_held = True
            host.opened()
            return
        self.fold = fold
        if restored.taken_over:
            log.info("%s: taken over at offset %d, under %s", self, fold.position.offset, fold.position.terms)
        if restored.position is None or restored.taken_over:
            # Without a position in it, a lost changelog or a log cut short would look like a new installation (law 6).
            await self._saving.checkpoint(at_once=True)
        else:
            self._saving.offset = fold.position.offset
        self._saving.at = time.monotonic()
        seconds = time.monotonic() - begun
        host.metrics.restored(restored.records, seconds)
        log.info("%s: open at offset %d, %d records of state in %.2f s", self, self.saved, restored.records, seconds)
        host.opened()
        await host.feed(self.partition)

    async def _fence(self, open_writer: Callable[[], Awaitable[None]]) -> None:
        await self._host.stable(self)
        self._fencing = asyncio.get_running_loop().create_future()
        try:
            await open_writer()
        finally:
            self._fencing.set_result(None)
            self._fencing = None

    def _progress(self, done: int, end: int) -> None:
        self.restored, self.stirred = done / end if end else 1.0, time.monotonic()

    def _patience(self, patient: bool) -> None:
        self.patient, self.stirred = patient, time.monotonic()
