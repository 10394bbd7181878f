"""Monitor whether brokers answer, and report it: in one line of the log, at `/readyz`, and in the end by the exit code.

It runs on the main loop and sends all brokers one small request every few seconds. One answer is enough.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

log = logging.getLogger(__name__)

EVERY: Final = 2.0
"""Seconds between two requests."""
ANSWER: Final = 5.0
"""Seconds that an answer may take."""


class Brokers:
    """Sends requests until it is cancelled; `away` says since when no broker has answered."""

    def __init__(self, ask: Callable[[], Awaitable[object]], patience: float, end: Callable[[str], None]) -> None:
        """`end` is called if no broker has answered for `patience` seconds."""
        self._ask, self._patience, self._end = ask, patience, end
        self._since: float | None = None
        self._at = ""

    def away(self) -> str | None:
        """Return since when no broker has answered; None while one answers."""
        return None if self._since is None else f"no broker has answered since {self._at}"

    async def watch(self, every: float = EVERY, answer: float = ANSWER) -> None:
        """Send requests again and again."""
        while True:
            begun = time.monotonic()
            try:
                async with asyncio.timeout(answer):
                    await self._ask()
            except Exception as error:  # noqa: BLE001 - any error means that there was no answer
                self._missed(begun, error)
            else:
                self._answered()
            await asyncio.sleep(every)

    def _missed(self, begun: float, error: Exception) -> None:
        if self._since is None:
            self._since, self._at = begun, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() - (time.monotonic() - begun)))
            log.error("%s (%r); the worker waits %.0f s for one, then ends with exit code 69", self.away(), error, self._patience)
        elif time.monotonic() - self._since >= self._patience:
            self._end(f"{self.away()}, which is longer than broker_patience ({self._patience:.0f} s); start it again")

    def _answered(self) -> None:
        if self._since is not None:
            log.warning("brokers answer again, after %.0f s", time.monotonic() - self._since)
            self._since = None
