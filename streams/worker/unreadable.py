"""Block a partition before a batch that cannot be read, until an operator skips the batch.

The partition must not continue by itself, because any user's records may be in the batch. So it stops, reports it, and tries again once a
minute: a broker's disk may be repaired, another replica may lead. `streams.kafka.skips` explains skipping.
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
    from streams.commands.rule_store import RuleStore
    from streams.kafka.records import Unreadable
    from streams.settings import Settings
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

AGAIN: Final = 60.0
"""Seconds between two attempts to read such a batch, each with a reminder."""


class Skips:
    """The skips of one partition of a worker. `saved` returns the offset in the last checkpoint."""

    def __init__(self, settings: Settings, rule_store: RuleStore, partition: int, saved: Callable[[], int]) -> None:
        self._topic = settings.names.events
        self._partition = partition
        self._rule_store = rule_store
        self._saved = saved
        self._known: frozenset[Skip] | None = None

    def of(self, fold: Partition) -> frozenset[Skip]:
        """Return the current skips. Raises `TooLate` if one was folded already and not saved: it is folded again, and skipped."""
        skips, known = self._rule_store.skips(self._topic, self._partition, fold.position.topic_id), self._known
        if known is None or skips == known:  # at the opening, everything before the position is in a checkpoint
            self._known = skips
            return skips
        late = sorted(skip for skip in skips - known if skip[0] <= fold.position.offset)
        self._known = skips
        if late and late[-1][0] > self._saved():
            raise TooLate(f"the batch at offsets {late[-1][0]} to {late[-1][1]} is skipped, and was being folded: it is folded again")
        if late:
            log.error("%s[%d]: skipped offsets were folded already: %s; a replay will decide differently", *self._place, late)
        return skips

    async def passed(self, fold: Partition, problem: Unreadable) -> int | None:
        """Send a reminder, then wait for a skip of the batch and return its last offset; None if the batch should be tried again."""
        if last_skipped(self._now(fold), problem) is None:
            what = f"{problem.span}: the batch cannot be read: {problem.what}"
            log.error("%s[%d]: stopped before offset %d: %s. %s", *self._place, problem.at, what, remedy(problem, self._topic))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN):
                    while last_skipped(self._now(fold), problem) is None:
                        await self._rule_store.news()
        last = last_skipped(self._now(fold), problem)
        if last is not None:
            self._known = self._now(fold)
            log.warning("%s[%d]: offsets %d to %d are skipped, because of an override", *self._place, problem.begin, last)
        return last

    def _now(self, fold: Partition) -> frozenset[Skip]:
        return self._rule_store.skips(self._topic, self._partition, fold.position.topic_id)

    @property
    def _place(self) -> tuple[str, int]:
        return self._topic, self._partition
