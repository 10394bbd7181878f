"""A batch that cannot be read stops its partition before it, until an operator has it skipped.

The partition may not go on by itself: what stands in the batch may be anybody's order. So it stops, says so, and tries again once a minute:
a broker's disk may be mended, another replica may lead. `cueline override PARTITION FIRST-LAST` has these offsets skipped: the position
moves behind them, the clock does not move. Who reads the log later leaves the same offsets out, also where it could read them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from streams.records import Unreadable, tell
from streams.wall import TooLate

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from streams.library import Shelf
    from streams.settings import Settings
    from triggers.partition import Partition

log = logging.getLogger(__name__)

Skip = tuple[int, int]
"""First and last offset of what is left out."""

AGAIN: Final = 60.0
"""Seconds between two attempts to read such a batch, each with a reminder."""


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


class Skips:
    """What one partition of a worker skips. `saved` tells which offset the last checkpoint holds."""

    def __init__(self, settings: Settings, shelf: Shelf, partition: int, saved: Callable[[], int]) -> None:
        self._topic = settings.names.events
        self._partition = partition
        self._shelf = shelf
        self._saved = saved
        self._known: frozenset[Skip] | None = None

    def of(self, fold: Partition) -> frozenset[Skip]:
        """What is to be skipped by now. Raises `TooLate` where it was folded already and not saved: it is folded again, and skipped."""
        skips, known = self._shelf.skips(self._topic, self._partition, fold.position.topic_id), self._known
        if known is None or skips == known:  # at its opening, what lies behind its position is what a checkpoint holds
            self._known = skips
            return skips
        late = sorted(skip for skip in skips - known if skip[0] <= fold.position.offset)
        self._known = skips
        if late and late[-1][0] > self._saved():
            raise TooLate(f"offsets {late[-1][0]} to {late[-1][1]} are to be skipped, and were being folded: they are folded again")
        if late:
            log.error("%s[%d]: offsets to be skipped were folded already: %s; a replay will decide otherwise", *self._place, late)
        return skips

    async def passed(self, fold: Partition, problem: Unreadable) -> int | None:
        """Remind, then wait until the batch is to be skipped, and give the last offset of that; None where it should be tried again."""
        if last_skipped(self._now(fold), problem) is None:
            what = f"{problem.span}: the batch cannot be read: {problem.what}"
            log.error("%s[%d]: stopped before offset %d: %s. %s", *self._place, problem.at, what, remedy(problem, self._topic))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN):
                    while last_skipped(self._now(fold), problem) is None:
                        await self._shelf.news()
        last = last_skipped(self._now(fold), problem)
        if last is not None:
            self._known = self._now(fold)
            log.warning("%s[%d]: offsets %d to %d are skipped, as an override says", *self._place, problem.begin, last)
        return last

    def _now(self, fold: Partition) -> frozenset[Skip]:
        return self._shelf.skips(self._topic, self._partition, fold.position.topic_id)

    @property
    def _place(self) -> tuple[str, int]:
        return self._topic, self._partition
