"""How an operator has a batch skipped that cannot be read: `cueline override PARTITION FIRST-LAST`.

Only what really cannot be read here may be skipped, whole, and only where workers stand before it: else one could be folding it while its
neighbour, or a replay, leaves it out. A batch in which a command stands may not be skipped either: every later command follows on it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from aiokafka import TopicPartition

from streams.commands import history
from streams.commands.logbook import last_position
from streams.commands.write import Refused, check_owner, now, transaction, writer
from streams.kafka import clients
from streams.kafka.records import Unreadable
from streams.kafka.skips import remedy

if TYPE_CHECKING:
    from streams.settings import Settings

READABLE: Final = 10.0
"""Seconds in which a batch of the log should be had."""


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
        """Say it to people."""
        count = self.last - self.first + 1
        return (
            str(self.problem),
            f"up to {count:,} record{'s' if count > 1 else ''} will never be folded, and nobody can say whose",
            "workers and every replay go on behind them, also where they could be read one day; the clock does not move",
        )


async def look(settings: Settings, partition: int, first: int, last: int) -> Loss:
    """Tell what a skip would lose; writes nothing. Raises `Refused` where there is nothing that may be skipped."""
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
        raise Refused(f"{place} offsets {first} to {last} can be read: nothing has to be skipped there")
    if problem.no_library or problem.last is None:
        raise Refused(f"{problem}. {remedy(problem, events)}")
    topic_id, offset = await _standing(settings, partition)
    begin = max(problem.first, offset + 1)
    if begin > problem.last:
        raise Refused(f"{place} is folded up to offset {offset}: a replay that skips offset {first} would decide otherwise")
    if (begin, problem.last) != (first, last):
        raise Refused(
            f"what cannot be read of {place} are offsets {begin} to {problem.last}: name exactly these "
            f"(`cueline override {partition} {begin}-{problem.last}`)"
        )
    await _stopped(settings, partition, offset, first)
    await _no_command(settings, topic_id, partition, first, last)
    return Loss(partition, first, last, topic_id, problem)


async def skip(settings: Settings, loss: Loss, reason: str) -> str:
    """Write it into `rules`, and say what was done. Raises `Refused`."""
    if not reason.strip():
        raise Refused("an override needs a reason: it stays in the topic for whoever asks later")
    events = settings.names.events
    value = {"schema": 1, "reason": reason, "at": now(), "by": history.operator(), "topic_id": loss.topic_id, "lost": loss.problem.what}
    key = f"override:{events}:{loss.partition}:{loss.first}-{loss.last}"
    async with writer(settings) as producer, transaction(producer):
        await producer.send_and_wait(settings.names.rules, orjson.dumps(value), key=key.encode())
    return f"{events}[{loss.partition}] goes on behind offset {loss.last}; offsets {loss.first} to {loss.last} are skipped"


async def _problem(settings: Settings, partition: int, first: int, last: int) -> Unreadable | None:
    """Try to read it."""
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
    """Give the id of the topic, and up to which offset of it the last checkpoint goes: -1 where there is none."""
    events, changelog = settings.names.events, settings.names.changelog
    async with clients.Cluster(settings) as cluster:
        topic = await cluster.need(events)
        begun = changelog in await cluster.topics([changelog])
    position = await last_position(settings, partition) if begun else None
    return topic.id, position.offset if position is not None and position.topic_id == topic.id else -1


async def _stopped(settings: Settings, partition: int, offset: int, first: int) -> None:
    """Raise `Refused` where a worker may still be on its way to this offset: it could read what cannot be read here."""
    async with clients.Cluster(settings) as cluster:
        members = await cluster.members(settings.app)
    if members and await _reads_on(settings, partition, offset, first):
        raise Refused(
            f"{settings.names.events}[{partition}] is folded up to offset {offset}, and its worker has not come to offset {first}: "
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
            f"command {', '.join(within)} stands there: partition {partition} would refuse every later one. Stop the workers, then "
            f"`cueline rebase --partition {partition} --from {last + 1} --state keep`, which makes up for it"
        )


async def _reads_on(settings: Settings, partition: int, offset: int, first: int) -> bool:
    """Whether something can be read between this offset and the batch."""
    events = settings.names.events
    span = (await clients.spans(settings, [events]))[TopicPartition(events, partition)]
    if max(offset + 1, span.begin) >= first:
        return False
    async for _ in clients.read(settings, events, partition, start=max(offset + 1, span.begin), end=first):
        return True
    return False
