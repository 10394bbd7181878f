"""The interface between Faust and the partitions: batches of records in one direction, places to read from in the other. It uses no name of
Faust.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from streams.kafka.records import Unreadable
    from triggers.base.model import Record


class Batch(list["Record"]):
    """The records of one partition from one fetch, and the part of the log that they cover."""

    __slots__ = ("end", "epoch", "next", "partition", "start")

    partition: int
    start: int
    """The offset at which it begins, whether or not a record is there."""
    next: int
    """The offset at which the following batch will begin."""
    epoch: int
    """The seek after which it came."""
    end: int
    """The end of the log's committed records at the fetch: beyond `next` more records will come."""


class Event(Protocol):
    """What the agent gets: Faust's event with a batch as its value."""

    @property
    def value(self) -> Batch: ...

    def ack(self) -> bool:
        """Faust waits for this when partitions are revoked."""


class Place(NamedTuple):
    """The place from which to feed a partition."""

    offset: int
    epoch: int
    """Higher than that of any earlier seek in this partition."""


class Owner(Protocol):
    """What this module needs from the owner of the partitions. All calls are on the main loop."""

    def places(self, only: Set[int]) -> Mapping[int, Place]:
        """Return from where to read each partition that is ready (only these, if any are named). Batches of earlier epochs are void."""

    def saved(self, partition: int) -> int | None:
        """Return the offset after the last one in a checkpoint."""

    async def settle(self) -> None:
        """Begin a rebalance: save, ack or drop all batches, and do nothing until `assigned`. Bounded in time."""

    def assigned(self, partitions: Set[int], generation: int, member: str) -> None:
        """End a rebalance: this worker now owns these partitions."""

    def unreadable(self, partition: int, epoch: int, problem: Unreadable) -> None:
        """Stop this partition before this batch: no record comes until it is fed again."""

    def fail(self, problem: str) -> None:
        """End the process, because the log cannot be read correctly."""
