"""What goes between Faust and the partitions: batches of records one way, places to read from the other. No name of Faust's is in here."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from streams.kafka.records import Unreadable
    from triggers.base.model import Record


class Batch(list["Record"]):
    """The records of one partition that one fetch brought, and which part of the log they stand for."""

    __slots__ = ("end", "epoch", "next", "partition", "start")

    partition: int
    start: int
    """The offset at which it begins, whether a record stands there or not."""
    next: int
    """The offset at which the following batch will begin."""
    epoch: int
    """Which seek it came after."""
    end: int
    """Where the log's committed records ended when it was fetched: beyond `next` there is more to come."""


class Event(Protocol):
    """What the agent gets: Faust's event with a batch as its value."""

    @property
    def value(self) -> Batch: ...

    def ack(self) -> bool:
        """Faust waits for this when partitions are taken away."""


class Place(NamedTuple):
    """From where a partition is to be fed."""

    offset: int
    epoch: int
    """Higher than that of any earlier seek in this partition."""


class Owner(Protocol):
    """What this module asks of whoever owns the partitions. All of it is called on the main loop."""

    def places(self, only: Set[int]) -> Mapping[int, Place]:
        """From where each partition that is ready is to be read (only these, if any are named). Batches of earlier epochs are void."""

    def saved(self, partition: int) -> int | None:
        """The offset after the last one that a checkpoint holds."""

    async def settle(self) -> None:
        """A rebalance begins: save, ack or drop all that was handed over, and do nothing until `assigned`. Bounded in time."""

    def assigned(self, partitions: Set[int], generation: int, member: str) -> None:
        """A rebalance has ended: these partitions are ours now."""

    def unreadable(self, partition: int, epoch: int, problem: Unreadable) -> None:
        """Nothing comes of this partition any more, from this batch on, until it is fed again."""

    def fail(self, problem: str) -> None:
        """The log cannot be read as it must be; the process has to end."""
