"""Write "it is now" into the log when something is due by the system clock and no record has moved the clock there (PROTOCOL law 16).

A tick is an ordinary record of `events`: when the worker reads it back, the clock moves and the timers fire. Only the owner of a partition
writes ticks for it, one outstanding at a time. A tick that is written twice, or by a worker that has lost the partition, is harmless. It
comes after any backlog, so a late worker decides as if it had been on time. With `clock="log"` no worker writes ticks.

A tick has the broker's time. If this machine's clock is ahead of the broker's, a tick comes too early and fires nothing. The broker's last
time, plus the time since then, says when the next one is useful. That holds for `TRUST` seconds: the broker's clock may be corrected
meanwhile, or the partition may get another leader.

The producer is not idempotent. An idempotent one stops permanently at a hole in its sequence (a broker that has lost its last records, a
refused record), and no timer would fire any more.
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
"""Seconds after which a failed tick is tried again."""
TRUST: Final = 10.0
"""Seconds for which a time from the broker predicts its clock."""
UNKNOWN: Final = 1 << 62
"""The place of a tick that is being written."""


class Ticked(Protocol):
    """A partition, as far as ticks need it."""

    partition: int

    def tick_due(self) -> int | None:
        """Return when its next timer is due, ms; None while it is not open or is settled."""

    @property
    def offset(self) -> int:
        """Return how far it has been folded."""


class Ticker:
    """Checks every `tick_interval` what is due."""

    def __init__(self, settings: Settings, owned: Callable[[], Iterable[Ticked]], *, now: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._owned = owned
        self._now = now
        self._outstanding: dict[int, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._wanted: dict[int, float] = {}
        """Since when (monotonic) a partition waits for a tick."""
        self._broker_times: dict[int, tuple[int, float]] = {}
        """By partition: the broker's time of the last tick, ms, and when it was sent (monotonic)."""
        self._wrote = 0.0
        self.written = 0

    async def run(self) -> None:
        """Run until cancelled."""
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
        """Return whether the broker's clock has not reached that time yet, as far as it is known."""
        known, sent = self._broker_times.get(partition, (due, 0.0))
        since = moment - sent
        return since < TRUST and known + since * 1_000 < due

    def problem(self) -> str | None:
        """Return a message if ticks are due, and for a while none could be written in any partition. Called on the loop."""
        since = min(self._wanted.values(), default=None)
        if since is None or time.monotonic() - max(since, self._wrote) <= PATIENCE:
            return None
        return "no tick could be written, although one was due,"

    async def _write(self, client: Any, partition: int) -> None:  # noqa: ANN401 - aiokafka's producer
        begun = time.monotonic()
        try:
            sent = await client.send_and_wait(self._settings.names.events, b"", partition=partition, headers=list(TICK))
            self._outstanding[partition] = sent.offset
            self._wanted.pop(partition, None)
            self._wrote = time.monotonic()
            if sent.timestamp is not None and sent.timestamp >= 0:
                self._broker_times[partition] = sent.timestamp, begun
            self.written += 1
        except Exception as error:  # noqa: BLE001 - a tick is worth nothing by itself; what matters is that the next one is written
            log.warning("%s[%d]: a tick could not be written: %r", self._settings.names.events, partition, error)
            await asyncio.sleep(PATIENCE)
            self._outstanding.pop(partition, None)
