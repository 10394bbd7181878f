"""Prevent the folding of records that are too far ahead of this machine's clock (PROTOCOL law 17).

A wrong broker clock would fire a day of timers, and nothing could undo that. So the partition stops before such a record and reports it. It
continues when the system clock has caught up, or when an operator's override lets the record pass without moving the log's clock. A control
record of a newer release also stops it, until an override.
"""

from __future__ import annotations

import contextlib
import logging
import time
from asyncio import timeout
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.commands.rule_store import RuleStore
    from streams.settings import Settings
    from triggers.base.model import Record
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

REMIND: Final = 60.0
"""Seconds between two reminders that a partition is blocked."""
LOOK: Final = 1.0
"""Seconds between two checks of the system clock."""

_timestamp = attrgetter("timestamp")


class TooLate(Exception):  # noqa: N818 - its name says what is wrong
    """An override came for a record that is folded and not saved. A restart from the last checkpoint follows it."""


class ClockGuard:
    """The clock guard of one partition. `saved` returns the offset in the last checkpoint."""

    def __init__(self, settings: Settings, rule_store: RuleStore, partition: int, saved: Callable[[], int]) -> None:
        self._saved = saved
        self._topic = settings.names.events
        self._partition = partition
        self._max_ahead = settings.max_ahead
        self._rule_store = rule_store

    def first_ahead(self, fold: Partition, records: Sequence[Record], at: int = 0) -> int:
        """Return the index of the first record, from `at` on, that must not be applied yet; their number if there is none.

        The fold first gets the overrides that exist now; it follows each of them, even if nothing stops before its record. Raises
        `TooLate`.
        """
        self._refresh(fold)
        bound = self._bound()
        if not records or max(map(_timestamp, records)) <= bound:
            return len(records)
        allowed, position = fold.options.overrides, fold.position.offset
        for index in range(at, len(records)):
            record = records[index]
            if record.timestamp > bound and record.offset > position and record.offset not in allowed:
                return index
        return len(records)

    async def let_pass(self, fold: Partition, record: Record) -> None:
        """Return when this record may be applied; send reminders until then."""
        await self._overridden(fold, record, lambda: record.timestamp > self._bound(), lambda: self._remind(record))

    async def pass_newer(self, fold: Partition, record: Record) -> None:
        """Return when an override lets this record of a newer release pass; send reminders until then."""
        await self._overridden(fold, record, lambda: True, lambda: self._remind_of_newer(fold, record))

    async def _overridden(self, fold: Partition, record: Record, stands: Callable[[], bool], remind: Callable[[], None]) -> None:
        reminded = -REMIND
        while stands():
            self._refresh(fold)
            if record.offset in fold.options.overrides:
                return
            if time.monotonic() - reminded >= REMIND:
                reminded = time.monotonic()
                remind()
            with contextlib.suppress(TimeoutError):
                async with timeout(LOOK):
                    await self._rule_store.news()

    def _refresh(self, fold: Partition) -> None:
        topic_id = fold.position.topic_id
        overrides, known = self._rule_store.overrides(self._topic, self._partition, topic_id), fold.options.overrides
        if overrides == known:
            return
        taken_back = self._rule_store.taken_back(self._topic, self._partition, topic_id)
        fold.options = replace(fold.options, overrides=overrides, taken_back=taken_back)
        late = sorted(offset for offset in overrides - known if offset <= fold.position.offset)
        if late and late[-1] > self._saved():
            raise TooLate(
                f"the override of offset {late[-1]} came while its record was being folded: it is folded again, with the override"
            )
        if late:
            # `cueline override` refuses an offset that a checkpoint holds. It cannot see a checkpoint that was written at that moment.
            log.error(
                "%s[%d]: the override of offsets %s came when they were folded already: a replay will decide differently",
                self._topic,
                self._partition,
                late,
            )

    def _bound(self) -> int:
        return int((time.time() + self._max_ahead) * 1000)

    def _remind(self, record: Record) -> None:
        log.error(
            "%s[%d]: stopped before offset %d: its timestamp is %.0f s ahead of this machine's clock, and applying it would fire every "
            "timer up to then. If the clock that wrote it was wrong, let it pass with `cueline override %d %d --reason TEXT`; "
            "otherwise correct this machine's clock",
            self._topic,
            self._partition,
            record.offset,
            record.timestamp / 1000 - time.time(),
            self._partition,
            record.offset,
        )

    def _remind_of_newer(self, fold: Partition, record: Record) -> None:
        log.error(
            "%s[%d]: stopped before offset %d, which is %s: this log needs a newer release, which decides differently from here on. Start "
            "it; or, if no Cueline release has written it, pass it with `cueline override %d %d --reason TEXT`",
            self._topic,
            self._partition,
            record.offset,
            fold.newer,
            self._partition,
            record.offset,
        )
