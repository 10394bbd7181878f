"""Lets go of parsed rule sets that no user of this worker is under any more: each takes some megabytes of memory."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.commands.rule_store import Shelf
    from streams.worker.host import Group

log = logging.getLogger(__name__)

EVERY: Final = 600.0
"""Seconds between two looks at how many there are."""
MOST: Final = 8
"""So many may stay, needed or not: to look who is under which costs a walk over all users."""
SLICE: Final = 5_000
"""Users that are looked at in one go: some milliseconds."""


class Tidier:
    """Looks now and then whether too many rule sets are at hand."""

    def __init__(self, group: Group, shelf: Shelf) -> None:
        self._group, self._shelf = group, shelf

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(EVERY)
            if len(self._shelf.library) > MOST:
                await self.tidy()

    async def tidy(self) -> int:
        """Let go of what nobody needs; returns how many went.

        A partition that is opened meanwhile has asked for rule sets which are not counted here, so then none goes.
        """
        before = self._open()
        folds = [owned.fold for owned in self._group if owned.fold is not None]
        needed: set[str] = set()
        for fold in folds:
            start, more = 0, True
            while more:
                found, more = fold.needs(start, SLICE)
                needed |= found
                start += SLICE
                await asyncio.sleep(0)
        if before is None or self._open() != before:
            return 0
        for fold in folds:
            needed |= fold.in_force
        gone = self._shelf.keep(needed)
        if gone:
            log.info("%d rule sets are let go that no user here is under any more; %d stay", gone, len(self._shelf.library))
        return gone

    def _open(self) -> list[int] | None:
        """Which partitions there are; None while one of them is being opened."""
        return [id(owned) for owned in self._group] if self._group.ready else None
