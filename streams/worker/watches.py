"""Watch what a running worker depends on: the group's assignment, the identity of the log, and the ends of the log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from streams.commands.topic_layout import TopicsWrong
from streams.kafka import retry
from streams.kafka.clients import Cluster, TopicMissing
from streams.kafka.reading import reader
from streams.worker.opening import Log

if TYPE_CHECKING:
    from streams.settings import Settings
    from streams.worker.ownership import Ownership

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOKS: Final = 10
BETWEEN_LOOKS: Final = 1.0
"""A worker believes that a topic is absent or another one after so many looks, so many seconds apart."""


def orphaned(shares: Mapping[str, Set[int]], partitions: int) -> list[int]:
    """List the partitions that no member of the group has been given."""
    return sorted(set(range(partitions)).difference(*shares.values()))


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask about topics, and believe that one is absent only after `LOOKS` looks.

    A broker that has just restarted may not know a topic for a while. Exit code 78 would then be wrong: no supervisor restarts after it.
    """

    def is_absent(problem: TopicMissing | TopicsWrong) -> bool:
        return isinstance(problem, TopicMissing) or any(one.problem == "does not exist" for one in problem.deviations)

    try:
        return await ask()
    except (TopicMissing, TopicsWrong) as problem:
        if not is_absent(problem):
            raise
        log.warning("%s; looking again for %.0f s", problem, (LOOKS - 1) * BETWEEN_LOOKS)
    await asyncio.sleep(BETWEEN_LOOKS)
    return await retry.insist(ask, (TopicMissing, TopicsWrong), pause=BETWEEN_LOOKS, times=LOOKS - 1, passes=is_absent)


async def watch_group(settings: Settings, ownership: Ownership, partitions: int, fail: Callable[[str], NoReturn]) -> None:
    """End the process if a partition has had no owner for long, though the group is stable (KAFKA.md). The group then assigns all again.

    A member without partitions is no fault by itself: Faust gives each member up to partitions / members, rounded up, and the rest to the
    last one that joined. The rest may be nothing.
    """
    patience = settings.watchdog
    settled, since = -1, time.monotonic()
    while True:
        await asyncio.sleep(min(5.0, patience / 4))
        shares = None
        with suppress(Exception):  # the cluster may be away; then no assignment can be wrong
            async with Cluster(settings) as cluster:
                shares = await cluster.shares(settings.app, settings.names.events)
        orphans = [] if shares is None or ownership.is_rebalancing() else orphaned(shares, partitions)
        if not orphans or ownership.generation != settled:
            settled, since = ownership.generation, time.monotonic()
        elif time.monotonic() - since >= patience and shares is not None and ownership.consumer.batches.member() == min(shares):
            # One process that ends is enough for the group to assign all again.
            fail(f"partitions {orphans} have had no owner for {patience:.0f} s, though {len(shares)} members share {partitions}")


async def watch_log(settings: Settings, known: Log, fail: Callable[[str], NoReturn]) -> None:
    """End the process if a topic is no longer the one that was opened (law 6). A new one may be long enough to look right."""
    other = 0
    while True:
        await asyncio.sleep(BETWEEN_LOOKS if other else settings.heartbeat)
        try:
            found = await insist(lambda: Log.of(settings))
        except TopicMissing as missing:
            fail(str(missing))
        except Exception as error:  # noqa: BLE001 - the cluster may be away for a while
            log.warning("the cluster does not say which log this is: %r", error)
            continue
        other = other + 1 if found != known else 0
        if other >= LOOKS:
            fail(f"{settings.names.events} or its changelog is another one now: it was {known}, it is {found}")


async def watch_ends(settings: Settings, ownership: Ownership) -> None:
    """Keep the ends of the owned partitions up to date, for the metrics and for the watchdog."""
    every = min(settings.heartbeat, settings.watchdog / 4)
    async with reader(settings, isolation_level="read_committed") as committed:
        while True:
            await asyncio.sleep(every)
            if not len(ownership):
                continue
            try:
                async with asyncio.timeout(every):
                    await ownership.look_at_ends(committed)
            except Exception as error:  # noqa: BLE001 - the cluster may be away for a while
                log.warning("the cluster does not say where the log ends: %r", error)
