"""Offsets that are skipped: batches that cannot be read, and that an operator has had skipped.

`cueline override PARTITION FIRST-LAST` has these offsets skipped: the position moves behind them, the clock does not move. Later
readers of the log leave the same offsets out, also where they could read them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from streams.kafka.records import Unreadable, tell

if TYPE_CHECKING:
    from aiokafka import TopicPartition

Skip = tuple[int, int]
"""First and last offset of what is left out."""


class _HasOffset(Protocol):
    @property
    def offset(self) -> int: ...


R = TypeVar("R", bound=_HasOffset)


def without(records: list[R], skips: Iterable[Skip]) -> list[R]:
    """Leave out the records that are to be skipped."""
    if not records:
        return records
    begin, end = records[0].offset, records[-1].offset
    near = [(first, last) for first, last in skips if first <= end and last >= begin]
    return [record for record in records if not any(first <= record.offset <= last for first, last in near)] if near else records


def last_skipped(skips: Iterable[Skip], problem: Unreadable) -> int | None:
    """Tell the last offset that is skipped where this batch stands; None if it is not to be skipped."""
    return max((last for first, last in skips if first <= problem.begin <= last), default=None)


def remedy(problem: Unreadable, events: str) -> str:
    """Say what can be done about a batch that cannot be read; `events` is the name of the topic of which some may be skipped."""
    topic, partition = problem.tp
    if problem.no_library:
        return (
            "The package cramjam is missing or broken here: install cueline with all that it depends on, then start again; nothing is lost "
            "or skipped"
        )
    mend = "If a broker's disk or memory is at fault, let another replica lead"
    if topic != events:
        return f"{mend}, then start again. Nothing of this topic may be skipped; docs/operating.md says what is left"
    mend += " (a worker reads it again every minute). "
    if problem.last is None:
        return f"{mend}Else say with `cueline rebase --partition {partition} --from OFFSET --state keep` where to go on behind it"
    skip = f"cueline override {partition} {problem.begin}-{problem.last} --reason TEXT"
    return f"{mend}Else have it skipped with `{skip}`; what stands in it is then lost"


class Passer:
    """Reads what is assigned to a consumer, and passes the batches that cannot be read and are to be skipped."""

    def __init__(self, client: Any, skips: Mapping[TopicPartition, Collection[Skip]]) -> None:  # noqa: ANN401 - aiokafka's consumer
        """`skips`: of every assigned partition."""
        self._client, self._skips = client, skips
        self._met: list[Unreadable] = []
        for tp in skips:
            tell(client, tp, self._met.append)

    async def getmany(self, *tps: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """As aiokafka's. Raises `Unreadable` once all that was read besides has been given."""
        got = await self._client.getmany(*tps, timeout_ms=timeout_ms)
        left = []
        for problem in self._met:
            last = last_skipped(self._skips[problem.tp], problem)
            if last is None:
                left.append(problem)
            else:
                self._client.seek(problem.tp, last + 1)
                self._client.resume(problem.tp)
        self._met[:] = left
        found = {tp: without(records, self._skips[tp]) for tp, records in got.items()}
        if left and not found:
            raise left[0]
        return found

    async def position(self, tp: TopicPartition) -> int:
        """As aiokafka's."""
        return int(await self._client.position(tp))
