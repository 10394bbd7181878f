"""When one partition writes checkpoints. `streams/worker/checkpoint.py` writes one.

Laws of PROTOCOL.md kept here:

8.  A checkpoint of the position alone, `heartbeat` seconds after the last one.
11. The fold waits at `checkpoint_bytes` until a checkpoint has taken what is pending.

One lock covers a checkpoint from its take to its commit, so at most one is in progress. A failure sets `lost` before the lock is free: no
task that waits for the lock may use this producer, or save what comes after the output that failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.worker.checkpoint import Writer
    from streams.worker.host import Host
    from streams.worker.inbox import Inbox
    from streams.worker.partition import Owned
    from triggers.engine.partition import Partition

BEHIND: Final = 1.0
"""Seconds for which changes gather while more records wait. A transaction costs a worker as much as a hundred events, so a worker that is
behind catches up sooner with fewer of them. `checkpoint_bytes` still ends the wait.
"""


class Saving:
    """The checkpoints of one partition."""

    def __init__(self, host: Host, owned: Owned, inbox: Inbox, writer: Writer) -> None:
        self._host, self._owned, self._inbox, self._writer = host, owned, inbox, writer
        self.offset = -1
        """The offset that the last checkpoint holds; -1 also while there is none."""
        self.at = time.monotonic()
        """The moment of the last checkpoint."""
        self.lock = asyncio.Lock()
        self.dirty = asyncio.Event()
        """The fold has changed since the last checkpoint."""
        self._urgent = asyncio.Event()
        self._taken = asyncio.Event()

    def hurry(self) -> None:
        """End all waits: of the loop for the next checkpoint, and of the fold for room."""
        self._urgent.set()
        self._taken.set()

    async def run(self) -> None:
        """Save at once after an idle time, otherwise `checkpoint_interval` apart, `BEHIND` while records wait; idle: each heartbeat."""
        owned, settings = self._owned, self._host.settings
        while True:
            heartbeat = self.at + settings.heartbeat - time.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, heartbeat)):
                    await self.dirty.wait()
            if owned.resting:
                self.dirty.clear()
                await asyncio.sleep(settings.checkpoint_interval)
                continue
            begun = time.monotonic()
            await self.checkpoint()
            next_at = begun + settings.checkpoint_interval
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_at - time.monotonic())):
                    await self._urgent.wait()
            while owned.is_behind and not self._urgent.is_set() and time.monotonic() < begun + BEHIND:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(settings.checkpoint_interval):
                        await self._urgent.wait()

    async def make_room(self, fold: Partition) -> None:
        """If too much waits to be saved, wait until a checkpoint has taken it."""
        while fold.pending >= self._host.settings.checkpoint_bytes and not self._owned.resting:
            self._taken.clear()
            self._urgent.set()
            await self._taken.wait()

    async def checkpoint(self, *, at_once: bool = False) -> None:
        """Save all changes; save the position alone if a heartbeat is due, or `at_once`."""
        owned = self._owned
        async with self.lock:
            fold = owned.fold
            if fold is None or owned.closed or owned.lost:
                return
            self.dirty.clear()
            self._urgent.clear()
            if at_once or fold.changed or time.monotonic() - self.at >= self._host.settings.heartbeat:
                output = fold.take()
                self._taken.set()
                try:
                    written = await self._writer.write(output)
                except BaseException:
                    owned.lost = True
                    raise
                fold.saved(output)
                self.offset = output.offset
                self.at = time.monotonic()
                self._host.metrics.checkpointed(output, written)
            self._inbox.saved(self.offset)
