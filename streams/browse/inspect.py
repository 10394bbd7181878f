"""Read topics for people: committed records only, those of one user from their one partition, and the decoded users table.

Records of several partitions are merged by their timestamps, so that a reader sees them in the order of time. In one partition the order is
the log's. `follow` continues with new records, in the order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from heapq import merge
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition
from msgspec import to_builtins

from streams.browse.user_view import user_view
from streams.commands.log_history import last_position
from streams.commands.rule_store import RuleStore, skips_of
from streams.kafka.clients import Cluster, Span, consumer, spans
from streams.kafka.partitioner import Partitions
from streams.kafka.skips import SkippingReader
from triggers.base.model import NEVER
from triggers.base.moments import LAST, iso
from triggers.journeys.library import Library
from triggers.records.lines import text_of, value_of
from triggers.state.encoding import decode, due_of
from triggers.state.old import converted
from triggers.state.position import POSITION_KEY, Position

if TYPE_CHECKING:
    from streams.settings import Settings

WORDS: Final = ("events", "actions", "decisions", "receipts", "dead-letters", "rules", "users", "positions")
"""The topics of `cueline inspect`."""
KEYED: Final = frozenset({"events", "actions", "decisions", "users"})
"""Topics in which a user's records are in the user's partition. A dead letter may be dead because its key does not fit its partition."""
MOST: Final = 2_000
"""Records of one fetch."""
LOOK_BACK: Final = 100
"""For `--last`: the first look back reaches this many offsets beyond the wanted number, because transactions take up offsets too."""

Records = AsyncGenerator[list[Any], None]


def topic_of(settings: Settings, word: str) -> str:
    """Return the topic of a word."""
    names = settings.names
    return {
        "events": names.events,
        "actions": names.actions,
        "decisions": names.decisions,
        "receipts": names.receipts,
        "dead-letters": names.dead_letters,
        "rules": names.rules,
        "users": names.changelog,
        "positions": names.changelog,
    }[word]


async def partition_of(settings: Settings, topic: str, user: str) -> int:
    """Return the partition of a user. Raises `TopicMissing`."""
    async with Cluster(settings) as cluster:
        return Partitions((await cluster.need(topic)).partitions).of(user.encode("utf-8", "surrogatepass"))


class NotThere(Exception):  # noqa: N818 - what it says
    """The topic does not have what was requested."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The part of a topic to read; by default all of it."""

    partition: int | None = None
    since: int | None = None
    """Only records from this moment on, ms."""
    first: int = 0
    """Offset of the first record."""
    end: int | None = None
    """Offset after the last record."""
    newest: int | None = None
    """Only this many: the last ones in the order of time."""


ALL: Final = Part()


def _anything(_: object) -> bool:
    return True


async def read(
    settings: Settings,
    topic: str,
    part: Part = ALL,
    *,
    wanted: Callable[[Any], bool] = _anything,
    follow: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Records:
    """Yield lists of the records that are `wanted`, and an empty list when all existing records are read.

    Raises `TopicMissing`, `Unreachable`, `NotThere` for a partition that the topic does not have or offsets that it does not hold, and
    `Unreadable` at a batch that no skip covers.
    """
    found = _within(topic, await spans(settings, [topic]), part)
    async with consumer(settings, max_poll_records=MOST, fetch_max_wait_ms=100) as client:
        client.assign(list(found))
        starts = {tp: span.begin for tp, span in found.items()}
        if part.since is not None:
            at = await client.offsets_for_times(dict.fromkeys(found, part.since))
            starts = {tp: found[tp].end if at.get(tp) is None else max(at[tp].offset, found[tp].begin) for tp in found}
        reading = SkippingReader(client, await skips_of(settings, found))
        total, done = sum(span.end - starts[tp] for tp, span in found.items()), 0
        # To Kafka a transaction's end is a record too, with the broker's time. If the log has its own clock, Kafka then finds a place that
        # is too early.
        since = -1 if part.since is None else part.since
        ranges = {tp: (starts[tp], found[tp].end) for tp in found}

        def passes(record: Any) -> bool:  # noqa: ANN401 - aiokafka's record
            return record.timestamp >= since and wanted(record)

        if part.newest is None:
            for tp, start in starts.items():
                client.seek(tp, start)
            async for records in _Merge(reading, ranges, follow=follow).run():
                done += len(records)
                progress(done, total)
                if passing := [record for record in records if passes(record)]:
                    yield passing
        elif newest := await _newest(client, reading, ranges, part.newest, passes):
            yield newest
        yield []
        while follow:
            arrived = [record for records in (await reading.getmany(timeout_ms=1_000)).values() for record in records]
            if passing := [record for record in sorted(arrived, key=_timestamp) if wanted(record)]:
                yield passing


def _within(topic: str, found: dict[TopicPartition, Span], part: Part) -> dict[TopicPartition, Span]:
    """Return the spans of the requested offsets. Raises `NotThere`."""
    if part.partition is not None:
        if part.partition not in {tp.partition for tp in found}:
            raise NotThere(f"{topic} has the partitions 0 to {len(found) - 1}, and none with the number {part.partition}")
        found = {tp: span for tp, span in found.items() if tp.partition == part.partition}
    clipped = {
        tp: Span(max(span.begin, part.first), span.end if part.end is None else min(span.end, part.end)) for tp, span in found.items()
    }
    if (part.first or part.end is not None) and all(span.begin >= span.end for span in clipped.values()):
        held = " and ".join(
            f"{topic}[{tp.partition}] holds {f'the offsets {span.begin} to {span.end - 1}' if span.end > span.begin else 'nothing'}"
            for tp, span in found.items()
        )
        raise NotThere(f"there is nothing at {_offsets(part)}: {held}")
    return clipped


def _offsets(part: Part) -> str:
    if part.end is None:
        return f"offset {part.first} or after it"
    return f"offset {part.first}" if part.end == part.first + 1 else f"the offsets {part.first} to {part.end - 1}"


async def _newest(
    client: Any,  # noqa: ANN401 - aiokafka's consumer
    reading: SkippingReader,
    ranges: dict[TopicPartition, tuple[int, int]],
    number: int,
    passes: Callable[[Any], bool],
) -> list[Any]:
    """Return the last records that pass, from the ends backwards. Each look back reaches eight times as far as the previous one.

    The client keeps its assignment, because a new one could swallow the cancellation that ends the client. It is at the ends afterwards.
    """
    for tp, (_, end) in ranges.items():
        client.seek(tp, end)
    kept: list[Iterable[Any]] = []
    left = {tp: span for tp, span in ranges.items() if span[0] < span[1]}
    reach = number + LOOK_BACK
    while left:
        begins = {tp: max(start, end - reach) for tp, (start, end) in left.items()}
        for tp, begin in begins.items():
            client.seek(tp, begin)
        found: dict[TopicPartition, deque[Any]] = {tp: deque(maxlen=number) for tp in left}
        async for records in _Merge(reading, {tp: (begins[tp], end) for tp, (_, end) in left.items()}, follow=False).run():
            for record in records:
                if passes(record):
                    found[TopicPartition(record.topic, record.partition)].append(record)
        for tp, passing in found.items():
            if len(passing) == number or begins[tp] == left[tp][0]:
                kept.append(passing)
                del left[tp]
        reach *= 8
    return list(deque(merge(*kept, key=_timestamp), maxlen=number))


def _timestamp(record: Any) -> int:  # noqa: ANN401 - aiokafka's record
    at: int = record.timestamp
    return at


class _Merge:
    """Merge several partitions up to their ends, in the order of time. Memory holds at most one fetch of each."""

    def __init__(
        self,
        client: SkippingReader,
        ranges: dict[TopicPartition, tuple[int, int]],
        *,
        follow: bool,
    ) -> None:
        """Take the client at the beginning of each range; the end is the offset after the last wanted one."""
        self._client = client
        self._ends = {tp: end for tp, (start, end) in ranges.items() if start < end}
        self._follow = follow
        self._held: dict[TopicPartition, deque[Any]] = {tp: deque() for tp in self._ends}

    async def run(self) -> Records:
        """Return when every partition has reached its end."""
        while self._held:
            await self._fill()
            if self._held:
                yield self._take()

    async def _fill(self) -> None:
        """Return when every partition has a record or has reached its end."""
        while hungry := [tp for tp, records in self._held.items() if not records]:
            for tp, records in (await self._client.getmany(*hungry, timeout_ms=200)).items():
                # A follower also gets the records that have come since the ends were read.
                self._held[tp].extend(records if self._follow else (record for record in records if record.offset < self._ends[tp]))
            for tp in hungry:
                if not self._held[tp] and await self._client.position(tp) >= self._ends[tp]:
                    del self._held[tp]

    def _take(self) -> list[Any]:
        """Return the earliest records, until one partition has none left."""
        if len(self._held) == 1:
            ((tp, only),) = self._held.items()
            self._held[tp] = deque()
            return list(only)
        taken = []
        held = list(self._held.values())
        while all(held):
            taken.append(min(held, key=lambda records: _timestamp(records[0])).popleft())
        return taken


# ---- records as JSON -------------------------------------------------------------------------------------------------


def document(record: Any) -> dict[str, Any]:  # noqa: ANN401 - aiokafka's record
    """Return a record of any topic but the changelog, as `--json` prints it."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": _moment(record.timestamp),
        "key": text_of(record.key),
        "headers": {name: text_of(value) for name, value in record.headers},
        "value": value_of(record.value),
    }


def _moment(at: int) -> str | int:
    """Return the record's moment; a bare number outside the calendar, because a producer may write any timestamp."""
    try:
        return iso(at) if at <= LAST else at
    except OverflowError:
        return at


def is_about(record: Any, *, user: str | None, rule: str | None) -> bool:  # noqa: ANN401 - aiokafka's record
    """Return whether a record is about this user and this journey: by its key, or by its content."""
    if user is not None and record.key != user.encode("utf-8", "surrogatepass"):
        value = value_of(record.value)
        if not isinstance(value, dict) or user not in (value.get("user"), value.get("userId")):
            return False
    if rule is None:
        return True
    value = value_of(record.value)
    return isinstance(value, dict) and value.get("journey") == rule


# ---- the users table -------------------------------------------------------------------------------------------------


@dataclass
class Table:
    """The contents of a changelog: all users' latest bytes (or one user's), and the latest position of each partition."""

    only: str | None = None
    """The one user to keep."""
    states: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """By user id: partition and state."""
    positions: dict[int, Position] = field(default_factory=dict)

    def take_in(self, records: Iterable[Any]) -> list[str]:
        """Add records in their order; return the users whose state has changed."""
        changed = []
        for record in records:
            if record.key == POSITION_KEY:
                self.positions[record.partition] = Position.decode(record.value)
                continue
            user = record.key.decode("utf-8", "surrogatepass")
            if self.only not in (None, user):
                continue
            if record.value is None:
                self.states.pop(user, None)
            else:
                self.states[user] = (record.partition, record.value)
            changed.append(user)
        return changed


async def library(settings: Settings) -> Library:
    """Return the rule sets that were ever published. Raises `TopicMissing`, because a missing topic would never deliver a record."""
    async with Cluster(settings) as cluster:
        await cluster.need(settings.names.rules)
    rule_store = RuleStore(settings)
    try:
        await rule_store.start(fail=lambda _: None)
        await rule_store.hold_all()
    finally:
        await rule_store.stop()
    return rule_store.library


async def is_known(settings: Settings, user: str) -> bool:
    """Return whether this user has a state."""
    topic = settings.names.changelog
    table = Table(only=user)
    async for records in read(settings, topic, Part(partition=await partition_of(settings, topic, user))):
        table.take_in(records)
    return user in table.states


async def journeys(settings: Settings) -> set[str]:
    """Return the names of the journeys of all rule sets that were ever published."""
    return {name for rules in (await library(settings)).rule_sets() for name in rules.journeys}


def user_line(user: str, partition: int, state: bytes) -> dict[str, Any]:
    """Return one user of the list."""
    due = due_of(state)
    return {"user": user, "partition": partition, "due": None if due == NEVER else iso(due), "bytes": len(state)}


def user_document(user: str, partition: int, state: bytes, position: Position | None, rules: Library) -> dict[str, Any]:
    """Return one user's whole state. Raises `WrongSchema` for that of another release."""
    position = position or Position()
    found = user_view(user, decode(converted(state, position.converted)), position, rules)
    clock = None if position.clock < 0 else iso(position.clock)
    return {"user": user, "partition": partition, "clock": clock, "bytes": len(state), **found}


async def positions(settings: Settings, partition: int | None = None) -> list[dict[str, Any]]:
    """Return how far each partition has been folded, or one, and its active rule set. Raises `NotThere`."""
    names = settings.names
    ends = _within(names.events, await spans(settings, [names.events]), Part(partition=partition))
    async with Cluster(settings) as cluster:
        topic_id = (await cluster.need(names.events)).id
    latest = await asyncio.gather(*(last_position(settings, tp.partition) for tp in ends))
    return [_position(tp.partition, span.end, position, topic_id) for (tp, span), position in zip(ends.items(), latest, strict=True)]


def _position(partition: int, end: int, position: Position | None, topic_id: str) -> dict[str, Any]:
    if position is None:
        return {"partition": partition, "offset": None, "behind": end}
    return {
        "partition": partition,
        "offset": position.offset,
        "behind": max(0, end - position.offset - 1) if position.topic_id == topic_id else None,
        "clock": iso(position.clock) if position.clock >= 0 else None,
        "rule_set": position.rule_set,
        "live": position.live,
        "paused": position.paused,
        "last_command": position.last_command,
        "meeting": None if position.meeting is None else position.meeting.kind,
        "epoch": position.epoch,
        "engine": position.engine,
        "tzdata": position.tzdata,
        "foreign_keys": position.foreign_keys,
        "handed_to": None if position.handed_to is None else to_builtins(position.handed_to),
        "topic_id": position.topic_id,
    }
