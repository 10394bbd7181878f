"""Lets go of parsed rule sets that no user of this worker is under any more: each takes some megabytes of memory."""

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
"""So many may stay, needed or not: a rule set that comes back has to be parsed again."""


class Tidier:
    """Looks now and then whether too many rule sets are at hand."""

    def __init__(self, group: Group, rule_store: RuleStore) -> None:
        self._group, self._rule_store = group, rule_store

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(EVERY)
            if len(self._rule_store.library) > MOST:
                self.tidy()

    def tidy(self) -> int:
        """Let go of what nobody needs; returns how many went.

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
            log.info("%d rule sets are let go that no user here is under any more; %d stay", gone, len(self._rule_store.library))
        return gone
