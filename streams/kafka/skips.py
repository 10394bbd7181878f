"""Offsets to skip: batches that cannot be read, and that an operator has skipped.

`cueline override PARTITION FIRST-LAST` skips these offsets: the position moves after them, the clock does not move. Later readers of the
log skip the same offsets, even if they can read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from streams.kafka.records import Unreadable, on_unreadable

if TYPE_CHECKING:
    from aiokafka import TopicPartition

Skip = tuple[int, int]
"""First and last offset of a skipped range."""


class _HasOffset(Protocol):
    @property
    def offset(self) -> int: ...


R = TypeVar("R", bound=_HasOffset)


def without(records: list[R], skips: Iterable[Skip]) -> list[R]:
    """Remove the records that are skipped."""
    if not records:
        return records
    begin, end = records[0].offset, records[-1].offset
    near = [(first, last) for first, last in skips if first <= end and last >= begin]
    return [record for record in records if not any(first <= record.offset <= last for first, last in near)] if near else records


def last_skipped(skips: Iterable[Skip], problem: Unreadable) -> int | None:
    """Return the last skipped offset for this batch; None if no skip covers it."""
    return max((last for first, last in skips if first <= problem.begin <= last), default=None)


def remedy(problem: Unreadable, events: str) -> str:
    """Return the remedy for a batch that cannot be read; `events` is the name of the topic in which batches may be skipped."""
    topic, partition = problem.tp
    if problem.no_library:
        return (
            "The package cramjam is missing or broken here: install cueline with all dependencies, then start again; nothing is lost "
            "or skipped"
        )
    cure = "If a broker's disk or memory is the cause, let another replica lead"
    if topic != events:
        return f"{cure}, then start again. No batch of this topic may be skipped; docs/operating.md says what else you can do"
    cure += " (a worker reads it again every minute). "
    if problem.last is None:
        return f"{cure}Otherwise continue after it with `cueline rebase --partition {partition} --from OFFSET --state keep`"
    skip = f"cueline override {partition} {problem.begin}-{problem.last} --reason TEXT"
    return f"{cure}Otherwise skip it with `{skip}`; its records are then lost"


class SkippingReader:
    """Reads the assigned partitions of a consumer, and skips the unreadable batches that its skips cover."""

    def __init__(self, client: Any, skips: Mapping[TopicPartition, Collection[Skip]]) -> None:  # noqa: ANN401 - aiokafka's consumer
        """`skips`: of every assigned partition."""
        self._client, self._skips = client, skips
        self._unreadable: list[Unreadable] = []
        for tp in skips:
            on_unreadable(client, tp, self._unreadable.append)

    async def getmany(self, *tps: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """Return what aiokafka's `getmany` does. Raises `Unreadable` after all other records have been returned."""
        got = await self._client.getmany(*tps, timeout_ms=timeout_ms)
        left = []
        for problem in self._unreadable:
            last = last_skipped(self._skips[problem.tp], problem)
            if last is None:
                left.append(problem)
            else:
                self._client.seek(problem.tp, last + 1)
                self._client.resume(problem.tp)
        self._unreadable[:] = left
        found = {tp: without(records, self._skips[tp]) for tp, records in got.items()}
        if left and not found:
            raise left[0]
        return found

    async def position(self, tp: TopicPartition) -> int:
        """Return what aiokafka's `position` does."""
        return int(await self._client.position(tp))
