"""Keeps records that are too far ahead of this machine's clock from being applied (PROTOCOL law 17).

A broker's clock accident would fire a day of timers, and nothing could take that back. So the partition stops before such a record, says
so, and goes on when the wall has caught up or an operator's override lets the record pass without moving the clock. A control record of a
newer release stops it likewise, until an override.
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
    from streams.commands.rule_store import Shelf
    from streams.settings import Settings
    from triggers.base.model import Record
    from triggers.engine.partition import Partition

log = logging.getLogger(__name__)

REMIND: Final = 60.0
"""Seconds between two reminders that a partition stands still."""
LOOK: Final = 1.0
"""Seconds between two looks at the wall."""

_timestamp = attrgetter("timestamp")


class TooLate(Exception):  # noqa: N818 - it says what is the matter
    """An override came for a record that is folded and not saved: whoever starts again from the last checkpoint obeys it."""


class Wall:
    """The wall as one partition has it before it. `saved` tells which offset the last checkpoint holds."""

    def __init__(self, settings: Settings, shelf: Shelf, partition: int, saved: Callable[[], int]) -> None:
        self._saved = saved
        self._topic = settings.names.events
        self._partition = partition
        self._max_ahead = settings.max_ahead
        self._shelf = shelf

    def first_ahead(self, fold: Partition, records: Sequence[Record], at: int = 0) -> int:
        """Index of the first record, from `at` on, that must not be applied yet; their number if there is none.

        The fold is brought to the overrides that are there by now: each is obeyed also where nothing stops before its record. Raises
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
        """Return when this record may be applied; in the meantime remind of it."""
        await self._overridden(fold, record, lambda: record.timestamp > self._bound(), lambda: self._remind(record))

    async def pass_newer(self, fold: Partition, record: Record) -> None:
        """Return when an override has this record, of a newer release, passed; in the meantime remind of it."""
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
                    await self._shelf.news()

    def _refresh(self, fold: Partition) -> None:
        overrides, known = self._shelf.overrides(self._topic, self._partition, fold.position.topic_id), fold.options.overrides
        if overrides == known:
            return
        fold.options = replace(fold.options, overrides=overrides)
        late = sorted(offset for offset in overrides - known if offset <= fold.position.offset)
        if late and late[-1] > self._saved():
            raise TooLate(f"the override of offset {late[-1]} came while its record was being folded: it is folded again, and obeyed")
        if late:
            # `cueline override` refuses what a checkpoint holds; one that was written just then it cannot see.
            log.error(
                "%s[%d]: the override of offsets %s came when they were folded already: a replay will decide otherwise",
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
            "else mend this machine's clock",
            self._topic,
            self._partition,
            record.offset,
            record.timestamp / 1000 - time.time(),
            self._partition,
            record.offset,
        )

    def _remind_of_newer(self, fold: Partition, record: Record) -> None:
        log.error(
            "%s[%d]: stopped before offset %d, which is %s: this log needs a newer release, which decides otherwise from here on. Start "
            "that one; or, if nothing of Cueline has written it, pass it with `cueline override %d %d --reason TEXT`",
            self._topic,
            self._partition,
            record.offset,
            fold.newer,
            self._partition,
            record.offset,
        )
