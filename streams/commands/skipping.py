"""Skip a batch that cannot be read: `cueline override PARTITION FIRST-LAST`.

Only a batch that really cannot be read may be skipped, as a whole, and only if workers have stopped before it. Otherwise one worker could
fold it while another, or a replay, skips it. A batch with a command may not be skipped either, because every later command follows it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from aiokafka import TopicPartition

from streams.commands import history
from streams.commands.log_history import last_position
from streams.commands.write import Refused, check_owner, now, transaction, writer
from streams.kafka import clients
from streams.kafka.records import Unreadable
from streams.kafka.skips import remedy

if TYPE_CHECKING:
    from streams.settings import Settings

READABLE: Final = 10.0
"""Maximum seconds for reading a batch of the log."""


@dataclass(frozen=True)
class Loss:
    """What is lost when a batch is skipped."""

    partition: int
    first: int
    last: int
    topic_id: str
    problem: Unreadable

    @property
    def lines(self) -> tuple[str, ...]:
        """Describe it for people."""
        count = self.last - self.first + 1
        return (
            str(self.problem),
            f"up to {count:,} record{'s' if count > 1 else ''} will never be folded, and it is unknown whose",
            "workers and every replay continue after them, even if they become readable; the clock does not move",
        )


async def look(settings: Settings, partition: int, first: int, last: int) -> Loss:
    """Return what a skip would lose; write nothing. Raises `Refused` if no batch may be skipped there."""
    await check_owner(settings)
    events = settings.names.events
    extents = await clients.spans(settings, [events], stable=False)
    span = extents.get(TopicPartition(events, partition))
    if span is None:
        raise Refused(f"{events} has no partition {partition}; it has 0 to {len(extents) - 1}")
    if not span.begin <= first <= last < span.end:
        raise Refused(f"{events}[{partition}] holds offsets {span.begin} to {span.end - 1}, not {first} to {last}")
    problem = await _problem(settings, partition, first, last)
    place = f"{events}[{partition}]"
    if problem is None:
        raise Refused(f"{place} offsets {first} to {last} can be read: no skip is needed")
    if problem.no_library or problem.last is None:
        raise Refused(f"{problem}. {remedy(problem, events)}")
    topic_id, offset = await _standing(settings, partition)
    begin = max(problem.first, offset + 1)
    if begin > problem.last:
        raise Refused(f"{place} is folded up to offset {offset}: a replay that skips offset {first} would decide differently")
    if (begin, problem.last) != (first, last):
        raise Refused(
            f"the unreadable offsets of {place} are {begin} to {problem.last}: name exactly these "
            f"(`cueline override {partition} {begin}-{problem.last}`)"
        )
    await _stopped(settings, partition, offset, first)
    await _no_command(settings, topic_id, partition, first, last)
    return Loss(partition, first, last, topic_id, problem)


async def skip(settings: Settings, loss: Loss, reason: str) -> str:
    """Write the skip into `rules`, and return a message. Raises `Refused`."""
    if not reason.strip():
        raise Refused("an override needs a reason: the topic keeps it for later questions")
    events = settings.names.events
    value = {"schema": 1, "reason": reason, "at": now(), "by": history.operator(), "topic_id": loss.topic_id, "lost": loss.problem.what}
    key = f"override:{events}:{loss.partition}:{loss.first}-{loss.last}"
    async with writer(settings) as producer, transaction(producer):
        await producer.send_and_wait(settings.names.rules, orjson.dumps(value), key=key.encode())
    return f"{events}[{loss.partition}] continues after offset {loss.last}; offsets {loss.first} to {loss.last} are skipped"


async def _problem(settings: Settings, partition: int, first: int, last: int) -> Unreadable | None:
    """Try to read the batch."""
    events = settings.names.events
    try:
        async with asyncio.timeout(READABLE):
            async for _ in clients.read(settings, events, partition, start=first, end=last + 1):
                pass
    except Unreadable as problem:
        return problem
    except TimeoutError:
        raise Refused(f"{events}[{partition}] cannot be read up to offset {last}: a transaction is open before it") from None
    return None


async def _standing(settings: Settings, partition: int) -> tuple[str, int]:
    """Return the id of the topic, and the offset of the last checkpoint: -1 without one."""
    events, changelog = settings.names.events, settings.names.changelog
    async with clients.Cluster(settings) as cluster:
        topic = await cluster.need(events)
        begun = changelog in await cluster.topics([changelog])
    position = await last_position(settings, partition) if begun else None
    return topic.id, position.offset if position is not None and position.topic_id == topic.id else -1


async def _stopped(settings: Settings, partition: int, offset: int, first: int) -> None:
    """Raise `Refused` if a worker may still be before this offset: it might be able to read the batch."""
    async with clients.Cluster(settings) as cluster:
        members = await cluster.members(settings.app)
    if members and await _reads_on(settings, partition, offset, first):
        raise Refused(
            f"{settings.names.events}[{partition}] is folded up to offset {offset}, and its worker has not reached offset {first}: "
            'wait until it has stopped there (cueline_partition_blocked{reason="unreadable"}), or stop the workers'
        )


async def _no_command(settings: Settings, topic_id: str, partition: int, first: int, last: int) -> None:
    past = await history.read(settings)
    within = [
        f"{seq} ({entry.command.kind})"
        for seq, entry in sorted(past.entries.items())
        if not entry.stands_before(topic_id, partition, first) and entry.stands_before(topic_id, partition, last + 1)
    ]
    if within:
        raise Refused(
            f"the batch contains command {', '.join(within)}: partition {partition} would refuse every later one. Stop the workers, then "
            f"`cueline rebase --partition {partition} --from {last + 1} --state keep`, which replaces the command"
        )


async def _reads_on(settings: Settings, partition: int, offset: int, first: int) -> bool:
    """Return whether a record can be read between this offset and the batch."""
    events = settings.names.events
    span = (await clients.spans(settings, [events]))[TopicPartition(events, partition)]
    if max(offset + 1, span.begin) >= first:
        return False
    async for _ in clients.read(settings, events, partition, start=max(offset + 1, span.begin), end=first):
        return True
    return False
