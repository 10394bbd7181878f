"""Drop parsed rule sets that no user of this worker needs any more: each takes some megabytes of memory."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streams.commands.rule_store import RuleStore
    from streams.worker.host import Group

log = logging.getLogger(__name__)

EVERY: Final = 600.0
"""Seconds between two looks at how many there are."""
MOST: Final = 8
"""So many may stay, needed or not: a rule set that is needed again has to be parsed again."""


class Tidier:
    """Looks regularly whether too many rule sets are in memory."""

    def __init__(self, group: Group, rule_store: RuleStore) -> None:
        self._group, self._rule_store = group, rule_store

    async def run(self) -> None:
        """Look every `EVERY` seconds."""
        while True:
            await asyncio.sleep(EVERY)
            if len(self._rule_store.library) > MOST:
                self.tidy()

    def tidy(self) -> int:
        """Drop what no user needs; return how many were dropped.

        While a partition is being opened none goes: it has asked for rule sets that no fold knows of yet.
        """
        if not self._group.ready:
            return 0
        needed: set[str] = set()
        for owned in self._group:
            if owned.fold is not None:
                needed |= owned.fold.needs()
        gone = self._rule_store.keep(needed)
        if gone:
            log.info("%d rule sets are dropped that no user here needs any more; %d stay", gone, len(self._rule_store.library))
        return gone
