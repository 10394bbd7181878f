"""One owned partition: its inbox, its fold, its checkpoints. Nothing here waits for another partition.

A partition is opening, at work, at rest (from the beginning of a rebalance until it is fed again), or closed. Two tasks work on it:

    batches ──take──▶ inbox ──▶ fold (slices, the loop gets its turn in between) ──▶ what changed ──▶ checkpoints (one at a time)

Between slices the fold is consistent, so a checkpoint, a rebalance or a close may come at any of its awaits. The fold asks afterwards
whether its batch is still worth anything: `rest` and `feed` void the epoch that it was fetched in.

Laws of PROTOCOL.md kept here:

2.  `start > position + 1` ends the process. `start <= position` is a repetition; `Partition.advance` skips what it has folded.
8.  A checkpoint of the position alone, `heartbeat` seconds after the last one.
9.  `close` waits, bounded, for the checkpoint under way, and stops the producer under the checkpoints' lock. Fenced while closed, or while
    a rebalance is taking the partition away, is no error.
11. The fold stops at `checkpoint_bytes` until the checkpoint has taken what there is; records too big for a slice get slices of 8.
    Barriers and drains are cut into the same slices.
17. A record too far ahead of the wall stops the partition before it is applied, until the wall has caught up or an override lets it pass.
21. A command whose rule set has not arrived waits for it.

A batch that cannot be read stops the partition before it (`streams/worker/unreadable.py`).

Races, and why they are harmless.
*A batch before the open:* nothing is fed before it; one that Faust still carries from an earlier assignment has an old epoch.
*Two assignments in a row:* `rest` twice; the second finds an empty inbox and nothing new to save.
*Rest while the fold waits* for a rule set, the wall or a checkpoint: all three waits end with the epoch.
*A batch whose seek was overtaken* has an old epoch. *Fed twice from one position:* the later epoch wins, the client drops what it held.
*A checkpoint that outlives its `rest`* (slow broker) goes on; if the partition moves, its new owner fences it; if it is fed again
here, what has come since stays in the inbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import ProducerFenced

from streams.kafka.cancel import certain
from streams.kafka.skips import without
from streams.worker.batches import Batch, Event, Place
from streams.worker.checkpoint import Writer
from streams.worker.clock_guard import ClockGuard
from streams.worker.inbox import Inbox
from streams.worker.opening import HandedOver, Refused, open_partition
from streams.worker.unreadable import Skips

if TYPE_CHECKING:
    from collections import Counter

    from streams.kafka.records import Unreadable
    from streams.worker.host import Host
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

SLICE: Final = 1_024
"""Records between two turns of the loop: 5 to 10 ms. Shorter ones would mix the partitions, and each finds its users colder then."""
DRAIN: Final = 256
"""Timers or users between two turns: some 5 ms."""
SMALL_SLICE: Final = 8
BIG: Final = 4_096
"""Bytes of a record from which a batch is folded in small slices: what it leads to is to be saved in checkpoints of bounded size."""
SAMPLE: Final = 16
"""Only every sixteenth record's size is looked at: looking at all of them costs as much as a fortieth of the whole worker."""
CLOSE_TIMEOUT: Final = 5.0
BEHIND: Final = 1.0
"""Seconds in which changes gather while more records are waiting already: a transaction costs a worker as much as a hundred events, and who
is behind is served soonest by whoever catches up. `checkpoint_bytes` ends the wait as ever."""


_size = attrgetter("serialized_value_size")


class Gap(Exception):  # noqa: N818 - what it says
    """Records between the position and the batch were never handed over."""


class Owned:
    """A partition of this process's, from its assignment to its close."""

    def __init__(self, host: Host, partition: int, generation: int, after: Awaitable[object] | None) -> None:
        """Begin to open it, when `after` (the close of whoever had it here before) is done."""
        self.partition = partition
        self.generation = generation
        self.epoch = 0
        self.fold: Partition | None = None
        self.saved = -1
        """The offset that the last checkpoint holds; -1 also while there is none."""
        self.lost = False
        """Fenced: whatever it knows may be out of date."""
        self.is_held = False
        """It has gone over to other terms than ours before we had it: it is only held, until this worker leaves."""
        self.stopped: str | None = None
        """Why it does not go on: `ahead`, `rule-set`, `newer-release`, `upgrade`, `unreadable`; None while it does."""
        self.restored = 0.0
        """How much of the changelog has been read, 0 to 1."""
        self.checkpointed = time.monotonic()
        self.writer = Writer(host.settings, partition)
        self._clock_guard = ClockGuard(host.settings, host.rule_store, partition, lambda: self.saved)
        self._skips = Skips(host.settings, host.rule_store, partition, lambda: self.saved)
        self._unreadable: Unreadable | None = None
        """The batch that the client has stopped before, of this epoch."""
        self._host = host
        self._inbox = Inbox(
            host.settings.max_poll_records,
            host.settings.share(host.settings.partitions, 8, 2 << 20),
            partial(host.withhold, partition),
            partial(host.release, partition),
        )
        self.stirred = time.monotonic()
        """When the open last made a step."""
        self.patient = False
        """The open waits for something that may take any time: its turn, a rule set, or the index of its users."""
        self._refused = self._failed = False
        self._closed = False
        self._resting = True
        self._fencing: asyncio.Future[None] | None = None
        self._lock = asyncio.Lock()
        self._work = asyncio.Event()
        self._dirty = asyncio.Event()
        self._urgent = asyncio.Event()
        self._taken = asyncio.Event()
        self._life = asyncio.create_task(self._live(after), name=f"partition {partition}")
        self._life.add_done_callback(self._ended)

    # ---- what others see ---------------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return (self.fold is not None or self.is_held) and not self._closed and not self.lost

    @property
    def is_handed_over(self) -> bool:
        """Whether its last checkpoint says that only workers under other terms may go on."""
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
    def _is_behind(self) -> bool:
        """Whether the log held more, at the last fetch, than has been folded by now."""
        return not self._resting and self.offset + 1 < self._inbox.end

    @property
    def could_go_on(self) -> bool:
        """Whether nothing but the next record is missing: it is fed, and busy with neither timers, a new rule set nor a checkpoint."""
        fold = self.fold
        return (
            fold is not None
            and self.is_open
            and not self._resting
            and self.stopped is None
            and self.writer.since is None
            and not self._has_to_drain(fold)
        )

    def tick_due(self) -> int | None:
        """When the next timer is due, ms; None where a tick would change nothing."""
        fold = self.fold
        if fold is None or self._resting or self.stopped:
            return None
        due = fold.next_due()
        return None if due <= fold.position.clock or fold.position.handed_to is not None else due

    # ---- coming and going --------------------------------------------------------------------------------------------

    def place(self, epoch: int) -> Place | None:
        """From where to read on; what was fetched before is void. None while it is not open."""
        if self.fold is None or not self.is_open:
            return None
        self._inbox.drop()
        self._unreadable = None
        self.epoch = epoch
        self._resting = False
        self._work.set()
        self._dirty.set()  # what was folded behind the back of the rest's checkpoint
        return Place(self.fold.position.offset + 1, epoch)

    def take(self, event: Event) -> None:
        """A batch, handed over by the agent."""
        if self._closed or self._resting or event.value.epoch != self.epoch:
            event.ack()
            return
        self._inbox.put(event)
        self._work.set()

    def meet(self, problem: Unreadable, epoch: int) -> None:
        """The client has come to a batch that it cannot read. What came before it is perhaps still on its way to here."""
        if epoch == self.epoch and not self._closed and not self._resting:
            self._unreadable = problem
            self._work.set()

    def keep(self, generation: int) -> None:
        """The group has given it to us again, and nobody had it in between."""
        self.generation = generation

    async def rest(self) -> None:
        """Stop folding, save what was folded, and hold nothing that the group waits for. The caller bounds the time."""
        generation = self.generation
        self._resting = True
        self.epoch = -1
        self._urgent.set()
        self._taken.set()
        self._inbox.drop()
        try:
            if self._fencing is not None:  # what is sent late could fence the next owner
                await asyncio.wait([self._fencing])
            await self.checkpoint()
        except ProducerFenced:
            if self.generation == generation:
                log.warning("%s: fenced while the group takes it away", self)
            else:  # the group has given it to us again in the meantime
                self._fenced()
        finally:
            if self.epoch == -1:  # else it was fed again before its last checkpoint came to an end: what it holds by now is worth something
                self.let_go()

    async def close(self) -> None:
        """Let go of it, in bounded time; what it has not saved is void."""
        self._closed = self._resting = True
        self.let_go()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT), self._lock:
                pass
        self._life.cancel()
        await asyncio.wait([self._life], timeout=CLOSE_TIMEOUT)
        await self.writer.close()
        self.let_go()
        self.fold = None  # the states must not hang on whatever still refers to this

    def let_go(self) -> None:
        """Hold nothing any more that Faust waits for."""
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
                tasks.create_task(certain(self._fold(), "its fold"))
                tasks.create_task(certain(self._save(), "its saving"))
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
        """A task that ends while its partition is owned must not do so in silence."""
        if not (self._closed or self.lost or self._refused or self._failed):
            self._host.fail(f"{self}: its task has ended, though nobody has closed the partition")

    def _fenced(self) -> None:
        self.lost = True  # also where it was fenced in its open: a rebalance must not keep what has no task any more
        if self._closed or self._host.is_rebalancing():
            log.warning("%s: fenced while the group takes it away", self)  # if it is given to us again, it is opened anew
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
            # Until a position stands there, nothing could tell a lost changelog or a log cut short from a new installation (law 6).
            await self.checkpoint(at_once=True)
        else:
            self.saved = fold.position.offset
        self.checkpointed = time.monotonic()
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

    # ---- folding -----------------------------------------------------------------------------------------------------

    async def _fold(self) -> None:
        fold = self.fold
        assert fold is not None
        while True:
            if self._resting or not (self._inbox or self._has_to_drain(fold)):
                if self._unreadable is not None and not self._resting and fold.position.offset + 1 >= self._unreadable.at:
                    await self._stop_before(fold, self._unreadable)
                    continue
                self._work.clear()
                await self._work.wait()
                continue
            if self._inbox:
                event = self._inbox.pop()
                await self._apply(fold, event.value)
                self._inbox.done(event, folded=event.value.epoch == self.epoch)
            if self._has_to_drain(fold) and not self._resting:
                fold.drain(DRAIN)
            await self._breathe(fold)

    @staticmethod
    def _has_to_drain(fold: Partition) -> bool:
        return fold.next_due() <= fold.position.clock or fold.position.meeting is not None

    async def _apply(self, fold: Partition, batch: Batch) -> None:
        """Fold one batch, as far as it is worth anything."""
        position = fold.position.offset
        if batch.epoch != self.epoch:
            return
        if batch.start > position + 1:
            raise Gap(f"the batch begins at offset {batch.start}, the position is {position}: what is in between was lost on the way")
        events, duplicates, foreign, times = fold.events, fold.duplicates, fold.foreign_keys, fold.unreadable_times
        try:
            await self._apply_all(fold, batch)
        finally:  # also what was folded of a batch that a rebalance interrupts: it is not folded again
            self._host.metrics.folded(
                fold.events - events, fold.duplicates - duplicates, fold.foreign_keys - foreign, fold.unreadable_times - times
            )
            self._host.metrics.named(fold.take_names(), fold.knows)

    async def _stop_before(self, fold: Partition, problem: Unreadable) -> None:
        """Go on behind a batch that cannot be read if it is to be skipped; else have it fetched again after a while."""
        epoch = self.epoch
        await self.checkpoint(at_once=True)  # so that everybody sees where it stands
        passed = asyncio.ensure_future(self._skips.passed(fold, problem))
        if not await self._stand("unreadable", passed, epoch):
            return
        last = passed.result()
        if last is not None:
            fold.reach(last)
            await self.checkpoint(at_once=True)  # what a position says is skipped is not folded, whatever comes
        if self.epoch == epoch:
            self._unreadable = None
            await self._host.feed(self.partition)

    async def _apply_all(self, fold: Partition, batch: Batch) -> None:
        at, skips = 0, self._skips.of(fold)
        records = without(batch, skips) if skips else batch
        limit = SMALL_SLICE if records and max(map(_size, records[::SAMPLE])) > BIG else SLICE
        end = self._clock_guard.first_ahead(fold, records)
        while at < len(records):
            if at == end:
                await self._drain_all(fold, batch.epoch)
                if not await self._stand("ahead", self._clock_guard.let_pass(fold, records[at]), batch.epoch):
                    return
                end = self._clock_guard.first_ahead(fold, records, at)
                continue
            at = fold.advance(records, at, min(limit, end - at))
            await self._breathe(fold)
            if fold.blocked is not None and not await self._stand("rule-set", self._host.rule_store.fetch(fold.blocked), batch.epoch):
                return
            if fold.position.handed_to is not None:
                log.info("%s: handed over at offset %d to %s", self, fold.position.offset, fold.position.handed_to)
                await self._stand("upgrade", asyncio.get_running_loop().create_future(), batch.epoch)
                return
            if fold.newer is not None:
                await self._drain_all(fold, batch.epoch)
                if not await self._stand("newer-release", self._clock_guard.pass_newer(fold, records[at]), batch.epoch):
                    return
            if batch.epoch != self.epoch:
                return
            # A million timers must not hold up events, nor events the timers: as many of these as of those.
            drained = 0
            while at < len(records) and drained < limit and self._has_to_drain(fold) and batch.epoch == self.epoch:
                drained += fold.drain(min(limit, DRAIN))
                await self._breathe(fold)
            if batch.epoch != self.epoch:
                return
        fold.reach(batch.next - 1)

    async def _drain_all(self, fold: Partition, epoch: int) -> None:
        """Fire what is due, and let everybody meet the rules: it must not wait for what an operator does about the next record."""
        while epoch == self.epoch and self._has_to_drain(fold):
            fold.drain(DRAIN)
            await self._breathe(fold)

    async def _breathe(self, fold: Partition) -> None:
        """Give the loop its turn; where too much waits to be saved, wait until the checkpoint has taken it."""
        if fold.changed:
            self._dirty.set()
        while fold.pending >= self._host.settings.checkpoint_bytes and not self._resting:
            self._taken.clear()
            self._urgent.set()
            await self._taken.wait()
        await asyncio.sleep(0)

    async def _stand(self, why: str, what: Awaitable[Any], epoch: int) -> bool:
        """Wait for something; false if what was fetched in this epoch becomes void meanwhile."""
        self.stopped = why
        waiting = asyncio.ensure_future(what)
        try:
            while not waiting.done() and epoch == self.epoch:
                await asyncio.wait([waiting], timeout=0.1)
            if waiting.done():
                waiting.result()
        finally:
            waiting.cancel()
            self.stopped = None
        return epoch == self.epoch

    # ---- saving ------------------------------------------------------------------------------------------------------

    async def _save(self) -> None:
        """Group commit: at once when idle, otherwise `checkpoint_interval` apart, `BEHIND` while records wait; a heartbeat at rest."""
        settings = self._host.settings
        while True:
            heartbeat = self.checkpointed + settings.heartbeat - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, heartbeat)):
                    await self._dirty.wait()
            if self._resting:
                self._dirty.clear()
                await asyncio.sleep(settings.checkpoint_interval)
                continue
            begun = time.monotonic()
            await self.checkpoint()
            next_at = begun + settings.checkpoint_interval
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_at - time.monotonic())):
                    await self._urgent.wait()
            while self._is_behind and not self._urgent.is_set() and time.monotonic() < begun + BEHIND:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(settings.checkpoint_interval):
                        await self._urgent.wait()

    async def checkpoint(self, *, at_once: bool = False) -> None:
        """Save what there is; the position alone when a heartbeat is due, or `at_once`."""
        async with self._lock:
            fold = self.fold
            if fold is None or self._closed or self.lost:
                return
            self._dirty.clear()
            self._urgent.clear()
            if at_once or fold.changed or time.monotonic() - self.checkpointed >= self._host.settings.heartbeat:
                output = fold.take()
                self._taken.set()
                try:
                    written = await self.writer.write(output)
                except BaseException:
                    # Under the lock: whoever waits for it must not touch this producer any more, nor save what comes after this output.
                    self.lost = True
                    raise
                fold.saved(output)
                self.saved = output.offset
                self.checkpointed = time.monotonic()
                self._host.metrics.checkpointed(output, written)
            self._inbox.saved(self.saved)
