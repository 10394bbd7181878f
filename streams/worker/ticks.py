"""Puts "it is now" into the log when something is due by the wall and no record has moved the clock there (PROTOCOL law 16).

A tick is an ordinary record of `events`: when it is read back, the clock moves and the timers fire. Only the owner of a partition writes
ticks for it, one outstanding at a time; one that is written twice, or by a worker that has lost the partition, is harmless. It stands
behind whatever backlog there is, so a late worker decides as if it had been on time. With `clock="log"` nobody writes any.

A tick carries the broker's time, so where this machine's clock is ahead of the broker's one comes too early and fires nothing. What the
broker said then, and the time that has gone by since, tell when the next one is worth writing. That holds for `TRUST` seconds: the broker's
clock may be set right meanwhile, or the partition have another leader.

The producer is not idempotent: one that is stops for good at a hole in its sequence (a broker that has lost its last records, a record that
was refused), and no timer would fire any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from streams.kafka.clients import producer
from triggers.records.control import TICK

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds after which a tick that failed is tried again."""
TRUST: Final = 10.0
"""Seconds for which the time that a broker has told says what time it is there."""
UNKNOWN: Final = 1 << 62
"""Where a tick stands that is being written."""


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
        self._wanted: dict[int, float] = {}
        """Since when (monotonic) a partition waits for a tick to be written."""
        self._told: dict[int, tuple[int, float]] = {}
        """By partition: the time that the last tick was given by its broker, ms, and when it was sent (monotonic)."""
        self._wrote = 0.0
        self.written = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        async with producer(self._settings, linger_ms=0, enable_idempotence=False) as client:
            await client.partitions_for(self._settings.names.events)
            while True:
                self.look(client)
                await asyncio.sleep(self._settings.tick_interval)

    def look(self, client: Any) -> None:  # noqa: ANN401 - aiokafka's producer
        """Write a tick to every partition that needs one."""
        now, moment, waiting = int(self._now() * 1000), time.monotonic(), self._wanted
        wanted: dict[int, float] = {}
        for owned in self._owned():
            due = owned.tick_due()
            if due is None or due > now or self._too_early(owned.partition, due, moment):
                continue
            stands = self._outstanding.get(owned.partition, -1)
            if stands == UNKNOWN or owned.offset >= stands:
                wanted[owned.partition] = waiting.get(owned.partition, moment)
            if owned.offset < stands:
                continue
            self._outstanding[owned.partition] = UNKNOWN
            task = asyncio.create_task(self._write(client, owned.partition))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        self._wanted = wanted

    def _too_early(self, partition: int, due: int, moment: float) -> bool:
        """Whether the broker's clock has not come to that time yet, as far as it is known."""
        told, sent = self._told.get(partition, (due, 0.0))
        since = moment - sent
        return since < TRUST and told + since * 1_000 < due

    def problem(self) -> str | None:
        """Say that ticks are due, and that for a while none could be written in any partition. Called on the loop."""
        since = min(self._wanted.values(), default=None)
        if since is None or time.monotonic() - max(since, self._wrote) <= PATIENCE:
            return None
        return "no tick could be written, though one was due,"

    async def _write(self, client: Any, partition: int) -> None:  # noqa: ANN401 - aiokafka's producer
        begun = time.monotonic()
        try:
            sent = await client.send_and_wait(self._settings.names.events, b"", partition=partition, headers=list(TICK))
            self._outstanding[partition] = sent.offset
            self._wanted.pop(partition, None)
            self._wrote = time.monotonic()
            if sent.timestamp is not None and sent.timestamp >= 0:
                self._told[partition] = sent.timestamp, begun
            self.written += 1
        except Exception as error:  # noqa: BLE001 - a tick is worth nothing by itself; what matters is that the next one is written
            log.warning("%s[%d]: a tick could not be written: %r", self._settings.names.events, partition, error)
            await asyncio.sleep(PATIENCE)
            self._outstanding.pop(partition, None)
