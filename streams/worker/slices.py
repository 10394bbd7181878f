"""Fold the batches of one partition in slices. Other tasks run between two slices, and the fold is consistent there.

A checkpoint, a rebalance or a close may come at any await of the fold. Afterwards the fold checks whether its batch is still valid: a batch
belongs to the epoch in which it was fetched, and a rebalance or a new feed ends that epoch.

Laws of PROTOCOL.md kept here:

2.  `start > position + 1` ends the process. `start <= position` is a repetition; `Partition.advance` skips what it has folded.
11. Records that are too big for a slice get slices of 8. Barriers and drains are cut into the same slices.
17. A record too far ahead of the system clock stops the partition before it, until the clock has caught up or an override lets it
    pass.
21. A command whose rule set has not arrived waits for it.

A batch that cannot be read stops the partition before it (`streams/worker/unreadable.py`).
"""

from __future__ import annotations

import asyncio
import logging
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from streams.kafka.skips import without
from streams.worker.clock_guard import ClockGuard
from streams.worker.unreadable import Skips

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from streams.kafka.records import Unreadable
    from streams.worker.batches import Batch
    from streams.worker.host import Host
    from streams.worker.inbox import Inbox
    from streams.worker.partition import Owned
    from streams.worker.saving import Saving
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

SLICE: Final = 1_024
"""Records of a slice: 5 to 10 ms. Shorter slices would mix the partitions, and each would find its users in slower memory."""
DRAIN: Final = 256
"""Timers or users of a slice: some 5 ms."""
SMALL_SLICE: Final = 8
BIG: Final = 4_096
"""Bytes of a record from which a batch is folded in small slices, so that checkpoints of its results have a bounded size."""
SAMPLE: Final = 16
"""Only the size of each sixteenth record is looked at: to look at all of them costs as much as a fortieth of the whole worker."""

_size = attrgetter("serialized_value_size")


class Gap(Exception):  # noqa: N818 - its name says what is wrong
    """Records between the position and the batch were never handed over."""


def has_to_drain(fold: Partition) -> bool:
    """Return whether timers are due, or users have yet to be migrated."""
    return fold.next_due() <= fold.position.clock or fold.position.meeting is not None


class Slices:
    """The fold of one partition."""

    def __init__(self, host: Host, owned: Owned, inbox: Inbox, saving: Saving) -> None:
        self._host, self._owned, self._inbox, self._saving = host, owned, inbox, saving
        self._clock_guard = ClockGuard(host.settings, host.rule_store, owned.partition, lambda: saving.offset)
        self._skips = Skips(host.settings, host.rule_store, owned.partition, lambda: saving.offset)
        self.work = asyncio.Event()
        """There may be something to do."""
        self.unreadable: Unreadable | None = None
        """The batch that the client has stopped before, of this epoch."""

    async def run(self, fold: Partition) -> None:
        """Fold batches and drain timers until the partition is closed."""
        owned = self._owned
        while True:
            if owned.resting or not (self._inbox or has_to_drain(fold)):
                if self.unreadable is not None and not owned.resting and fold.position.offset + 1 >= self.unreadable.at:
                    await self._stop_before(fold, self.unreadable)
                    continue
                self.work.clear()
                await self.work.wait()
                continue
            if self._inbox:
                event = self._inbox.pop()
                await self._apply(fold, event.value)
                self._inbox.done(event, folded=event.value.epoch == owned.epoch)
            if has_to_drain(fold) and not owned.resting:
                fold.drain(DRAIN)
            await self._breathe(fold)

    async def _apply(self, fold: Partition, batch: Batch) -> None:
        """Fold one batch, as long as it is valid."""
        position = fold.position.offset
        if batch.epoch != self._owned.epoch:
            return
        if batch.start > position + 1:
            raise Gap(f"the batch begins at offset {batch.start}, the position is {position}: what is in between was lost on the way")
        events, duplicates, foreign, times = fold.events, fold.duplicates, fold.foreign_keys, fold.unreadable_times
        try:
            await self._apply_all(fold, batch)
        finally:  # also count a batch that a rebalance interrupts: what was folded of it is not folded again
            self._host.metrics.folded(
                fold.events - events, fold.duplicates - duplicates, fold.foreign_keys - foreign, fold.unreadable_times - times
            )
            self._host.metrics.named(fold.take_names(), fold.knows)

    async def _stop_before(self, fold: Partition, problem: Unreadable) -> None:
        """Continue after a batch that cannot be read if an operator skips it; otherwise have it fetched again after a while."""
        owned = self._owned
        epoch = owned.epoch
        await self._saving.checkpoint(at_once=True)  # so that other programs see where it stops
        passed = asyncio.ensure_future(self._skips.passed(fold, problem))
        if not await self._wait("unreadable", passed, epoch):
            return
        last = passed.result()
        if last is not None:
            fold.reach(last)
            await self._saving.checkpoint(at_once=True)  # no owner folds what the position skips
        if owned.epoch == epoch:
            self.unreadable = None
            await self._host.feed(owned.partition)

    async def _apply_all(self, fold: Partition, batch: Batch) -> None:
        at, skips = 0, self._skips.of(fold)
        records = without(batch, skips) if skips else batch
        limit = SMALL_SLICE if records and max(map(_size, records[::SAMPLE])) > BIG else SLICE
        end = self._clock_guard.first_ahead(fold, records)
        while at < len(records):
            if at == end:
                await self._drain_all(fold, batch.epoch)
                if not await self._wait("ahead", self._clock_guard.let_pass(fold, records[at]), batch.epoch):
                    return
                end = self._clock_guard.first_ahead(fold, records, at)
                continue
            at = fold.advance(records, at, min(limit, end - at))
            await self._breathe(fold)
            if fold.blocked is not None and not await self._wait("rule-set", self._host.rule_store.fetch(fold.blocked), batch.epoch):
                return
            if fold.position.handed_to is not None:
                log.info("%s: handed over at offset %d to %s", self._owned, fold.position.offset, fold.position.handed_to)
                await self._wait("upgrade", asyncio.get_running_loop().create_future(), batch.epoch)
                return
            if fold.newer is not None:
                await self._drain_all(fold, batch.epoch)
                if not await self._wait("newer-release", self._clock_guard.pass_newer(fold, records[at]), batch.epoch):
                    return
            if batch.epoch != self._owned.epoch:
                return
            # A million timers must not delay events, nor events the timers: drain as many as were folded.
            drained = 0
            while at < len(records) and drained < limit and has_to_drain(fold) and batch.epoch == self._owned.epoch:
                drained += fold.drain(min(limit, DRAIN))
                await self._breathe(fold)
            if batch.epoch != self._owned.epoch:
                return
        fold.reach(batch.next - 1)

    async def _drain_all(self, fold: Partition, epoch: int) -> None:
        """Fire what is due and migrate all users: that must not wait for what an operator does about the next record."""
        while epoch == self._owned.epoch and has_to_drain(fold):
            fold.drain(DRAIN)
            await self._breathe(fold)

    async def _breathe(self, fold: Partition) -> None:
        """Let other tasks run; before that, wait if too much waits to be saved."""
        if fold.changed:
            self._saving.dirty.set()
        if fold.pending >= self._host.settings.checkpoint_bytes:
            await self._saving.make_room(fold)
        await asyncio.sleep(0)

    async def _wait(self, why: str, what: Awaitable[Any], epoch: int) -> bool:
        """Wait, and report the partition as stopped. Return false if a rebalance or a new feed ends the epoch in the meantime."""
        owned = self._owned
        owned.stopped = why
        waiting = asyncio.ensure_future(what)
        try:
            while not waiting.done() and epoch == owned.epoch:
                await asyncio.wait([waiting], timeout=0.1)
            if waiting.done():
                waiting.result()
        finally:
            waiting.cancel()
            owned.stopped = None
        return epoch == owned.epoch
