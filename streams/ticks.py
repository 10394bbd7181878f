"""Puts "it is now" into the log when something is due by the wall and no record has moved the clock there (PROTOCOL law 16).

A tick is an ordinary record of `events`: when it is read back, the clock moves and the timers fire. Only the owner of a partition writes
ticks for it, one outstanding at a time; one that is written twice, or by a worker that has lost the partition, is harmless. It stands
behind whatever backlog there is, so a late worker decides as if it had been on time. With `clock="log"` nobody writes any.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from streams.clients import producer
from triggers.model import CONTROL_HEADER

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger(__name__)

TICK: Final = [(CONTROL_HEADER, b"tick")]
PATIENCE: Final = 5.0
"""Seconds after which a tick that failed is tried again."""


class Ticked(Protocol):
    """A partition as far as ticks are concerned."""

    partition: int

    def tick_due(self) -> int | None:
        """When its next timer is due, ms; None while it is not open or rests."""

    @property
    def offset(self) -> int:
        """How far it has been folded."""


class Ticker:
    """Looks every `tick_interval` at what is due."""

    def __init__(self, settings: Settings, owned: Callable[[], Iterable[Ticked]], *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._owned = owned
        self._now = now
        self._outstanding: dict[int, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self.written = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        async with producer(self._settings, linger_ms=0) as client:
            await client.partitions_for(self._settings.names.events)
            while True:
                self.look(client)
                await asyncio.sleep(self._settings.tick_interval)

    def look(self, client: Any) -> None:  # noqa: ANN401 - aiokafka's producer
        """Write a tick to every partition that needs one."""
        now = int(self._now() * 1000)
        for owned in self._owned():
            due = owned.tick_due()
            if due is None or due > now or owned.offset < self._outstanding.get(owned.partition, -1):
                continue
            self._outstanding[owned.partition] = 1 << 62  # until it is known where it stands
            task = asyncio.create_task(self._write(client, owned.partition))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _write(self, client: Any, partition: int) -> None:  # noqa: ANN401 - aiokafka's producer
        try:
            sent = await client.send_and_wait(self._settings.names.events, b"", partition=partition, headers=TICK)
            self._outstanding[partition] = sent.offset
            self.written += 1
        except Exception as error:  # noqa: BLE001 - a tick is worth nothing by itself; what matters is that the next one is written
            log.warning("%s[%d]: a tick could not be written: %r", self._settings.names.events, partition, error)
            await asyncio.sleep(PATIENCE)
            self._outstanding.pop(partition, None)
