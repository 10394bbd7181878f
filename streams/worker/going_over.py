"""Decide when a worker joins the group and when it leaves it for an upgrade (`streams.commands.upgrade`, 5 and 6)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaError

from streams.commands import terms as log_terms
from streams.commands.terms import Advice, State, Verdict
from streams.kafka.clients import Cluster, TopicMissing, Unreachable

if TYPE_CHECKING:
    from streams.commands.rule_store import RuleStore
    from streams.settings import Settings
    from streams.worker.ownership import Ownership

log = logging.getLogger(__name__)

EVERY: Final = 1.0
"""Seconds between two checks."""
SHARE: Final = 5
"""Reading all positions takes time. The pause between two checks is at least this many times as long."""
REMIND: Final = 60.0
"""Seconds between two log lines for the same reason."""


class GoingOver:
    """Watch the log for one worker. `waits_for` is the reason why it waits outside of the group, or None."""

    def __init__(self, settings: Settings, rule_store: RuleStore) -> None:
        self.waits_for: str | None = None
        self._settings = settings
        self._rule_store = rule_store
        self._mine = log_terms.own(settings)

    async def permission(self) -> Advice:
        """Wait until the worker may join the group, or has to exit."""
        reported = 0.0
        while True:
            begun = time.monotonic()
            try:
                advice = await self._look()
            except (KafkaError, Unreachable, TimeoutError) as error:
                if self.waits_for is None:
                    raise
                log.warning("cannot read how far the upgrade is: %r", error)
            else:
                if advice.verdict is not Verdict.WAIT:
                    self.waits_for = None
                    return advice
                if advice.why != self.waits_for or time.monotonic() - reported > REMIND:
                    reported = time.monotonic()
                    log.warning("waiting for upgrade: %s", advice.why)
                self.waits_for = advice.why
            await asyncio.sleep(max(EVERY, SHARE * (time.monotonic() - begun)))

    async def _look(self) -> Advice:
        rule_store, settings = self._rule_store, self._settings
        upgrade = rule_store.upgrade
        if upgrade is None:  # then all partitions have the same terms, so one is enough
            return log_terms.advise(self._mine, State(await log_terms.first_position(settings), None, rule_store.is_of_engine_1), 0)
        # The members first: a worker that leaves later has handed over by then.
        async with Cluster(settings) as cluster:
            members = len(await cluster.members(settings.app))
        return log_terms.advise(self._mine, State(await log_terms.read_positions(settings), upgrade), members)

    async def leave(self, ownership: Ownership, stop: Callable[[str], None]) -> None:
        """Call `stop` when this worker has no more records to fold.

        Then all its partitions are handed over. A worker without partitions waits until all partitions of the log are.

        A second upgrade can bring its own terms back while it holds partitions of the first. It leaves them to the workers of that one.
        """
        while True:
            await asyncio.sleep(EVERY / 2)
            upgrade = self._rule_store.upgrade
            if upgrade is None or not ownership.ready:
                continue
            if len(ownership):
                is_over = all(owned.is_handed_over for owned in ownership)
            elif upgrade.command.terms == self._mine:
                continue
            else:
                begun = time.monotonic()
                is_over = await self._all_are()
                await asyncio.sleep(SHARE * (time.monotonic() - begun))
            if is_over and ownership.ready:
                stop(f"all partitions of this worker are handed over to {upgrade.command.terms}")
                return

    async def _all_are(self) -> bool:
        try:
            positions = await log_terms.read_positions(self._settings)
        except (KafkaError, Unreachable, TopicMissing, TimeoutError) as error:
            log.warning("cannot read how far the upgrade is: %r", error)
            return False
        return not State(positions, self._rule_store.upgrade).not_handed_over
