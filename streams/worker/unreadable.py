"""A batch that cannot be read stops its partition before it, until an operator has it skipped.

The partition may not go on by itself: what stands in the batch may be anybody's order. So it stops, says so, and tries again once a minute:
a broker's disk may be mended, another replica may lead. See `streams.kafka.skips` for what skipping means.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from streams.kafka.skips import Skip, last_skipped, remedy
from streams.worker.clock_guard import TooLate

if TYPE_CHECKING:
    from streams.commands.rule_store import Shelf
    from streams.kafka.records import Unreadable
    from streams.settings import Settings
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

AGAIN: Final = 60.0
"""Seconds between two attempts to read such a batch, each with a reminder."""


class Skips:
    """What one partition of a worker skips. `saved` tells which offset the last checkpoint holds."""

    def __init__(self, settings: Settings, shelf: Shelf, partition: int, saved: Callable[[], int]) -> None:
        self._topic = settings.names.events
        self._partition = partition
        self._shelf = shelf
        self._saved = saved
        self._known: frozenset[Skip] | None = None

    def of(self, fold: Partition) -> frozenset[Skip]:
        """What is to be skipped by now. Raises `TooLate` where it was folded already and not saved: it is folded again, and skipped."""
        skips, known = self._shelf.skips(self._topic, self._partition, fold.position.topic_id), self._known
        if known is None or skips == known:  # at its opening, what lies behind its position is what a checkpoint holds
            self._known = skips
            return skips
        late = sorted(skip for skip in skips - known if skip[0] <= fold.position.offset)
        self._known = skips
        if late and late[-1][0] > self._saved():
            raise TooLate(f"offsets {late[-1][0]} to {late[-1][1]} are to be skipped, and were being folded: they are folded again")
        if late:
            log.error("%s[%d]: offsets to be skipped were folded already: %s; a replay will decide otherwise", *self._place, late)
        return skips

    async def passed(self, fold: Partition, problem: Unreadable) -> int | None:
        """Remind, then wait until the batch is to be skipped, and give the last offset of that; None where it should be tried again."""
        if last_skipped(self._now(fold), problem) is None:
            what = f"{problem.span}: the batch cannot be read: {problem.what}"
            log.error("%s[%d]: stopped before offset %d: %s. %s", *self._place, problem.at, what, remedy(problem, self._topic))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN):
                    while last_skipped(self._now(fold), problem) is None:
                        await self._shelf.news()
        last = last_skipped(self._now(fold), problem)
        if last is not None:
            self._known = self._now(fold)
            log.warning("%s[%d]: offsets %d to %d are skipped, as an override says", *self._place, problem.begin, last)
        return last

    def _now(self, fold: Partition) -> frozenset[Skip]:
        return self._shelf.skips(self._topic, self._partition, fold.position.topic_id)

    @property
    def _place(self) -> tuple[str, int]:
        return self._topic, self._partition
