"""The interfaces between a partition and the process that owns it, and for those who only watch its partitions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.commands.rule_store import RuleStore
    from streams.settings import Settings
    from streams.worker.opening import Log
    from streams.worker.partition import Owned
    from streams.worker.telemetry.metrics import Metrics
    from triggers.engine.partition import Partition


class Host(Protocol):
    """What a partition needs from the process that owns it."""

    settings: Settings
    log: Log
    rule_store: RuleStore
    metrics: Metrics
    restoring: asyncio.Semaphore
    log_reader: Any
    """A consumer for begin and end offsets; it sees uncommitted records."""

    async def stable(self, owned: Owned) -> None:
        """Return when no rebalance is running and the group's generation is the one that assigned this partition."""

    async def feed(self, partition: int) -> None:
        """Let the client fetch the partition from its position on."""

    def withhold(self, partition: int) -> None: ...
    def release(self, partition: int) -> None: ...
    def is_rebalancing(self) -> bool: ...
    def opened(self) -> None: ...
    def fenced(self, owned: Owned) -> None: ...
    def refuse(self, problem: str) -> None: ...
    def fail(self, problem: str) -> None: ...


class Folding(Protocol):
    """One partition, for those who only watch it."""

    @property
    def fold(self) -> Partition | None: ...


class Group(Protocol):
    """All partitions of this worker, for those who only watch them."""

    def __iter__(self) -> Iterator[Folding]: ...

    @property
    def ready(self) -> bool: ...

    @property
    def generation(self) -> int: ...

    def is_rebalancing(self) -> bool: ...
