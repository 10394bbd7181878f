"""Reads topics for people: committed records only, those of one user from their one partition, and the users table decoded.

Records of several partitions come merged by their timestamps, so that a reader sees what happened in the order in which it did; in one
partition the order is the log's. `follow` goes on with what arrives, in the order of arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiokafka import TopicPartition

from streams.clients import Cluster, consumer, spans
from streams.feed import Partitions
from streams.library import Shelf
from streams.logbook import last_position
from streams.portrait import portrait
from streams.skips import Passer, Skip
from triggers.model import CONTROL_HEADER, NEVER
from triggers.moments import iso
from triggers.plan import Library
from triggers.position import POSITION_KEY, Position
from triggers.user import decode, due_of

if TYPE_CHECKING:
    from streams.settings import Settings

WORDS: Final = ("events", "actions", "decisions", "receipts", "dead-letters", "rules", "users", "positions")
"""What can be looked at."""
KEYED: Final = frozenset({"events", "actions", "decisions", "users"})
"""Where a user's records stand in the user's partition. A dead letter can be one because its key does not."""
MOST: Final = 2_000
"""Records of one fetch."""

Records = AsyncGenerator[list[Any], None]


def topic_of(settings: Settings, word: str) -> str:
    """The topic that a word means."""
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
    """Where a user lives. Raises `TopicMissing`."""
    async with Cluster(settings) as cluster:
        return Partitions((await cluster.need(topic)).partitions).of(user.encode("utf-8", "surrogatepass"))


async def read(
    settings: Settings,
    topic: str,
    *,
    partition: int | None = None,
    since: int | None = None,
    follow: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Records:
    """Lists of records, of one partition or of all, from a moment on or from the beginning; an empty list when that was all there was.

    Raises `TopicMissing`, `Unreachable`, and `Unreadable` at a batch that is not to be skipped.
    """
    found = {tp: span for tp, span in (await spans(settings, [topic])).items() if partition in (None, tp.partition)}
    async with consumer(settings, max_poll_records=MOST, fetch_max_wait_ms=100) as client:
        client.assign(list(found))
        starts = {tp: span.begin for tp, span in found.items()}
        if since is not None:
            at = await client.offsets_for_times(dict.fromkeys(found, since))
            starts = {tp: found[tp].end if at.get(tp) is None else max(at[tp].offset, found[tp].begin) for tp in found}
        for tp, start in starts.items():
            client.seek(tp, start)
        passer = Passer(client, await _skips(settings, found))
        merge = _Merge(passer, client, {tp: found[tp].end for tp in found if starts[tp] < found[tp].end}, follow=follow)
        total, done = sum(span.end - starts[tp] for tp, span in found.items()), 0
        async for records in merge.run():
            done += len(records)
            progress(done, total)
            # To Kafka a transaction's end is a record too, of the broker's time; where the log has its own, it finds a place too early.
            wanted = records if since is None else [record for record in records if record.timestamp >= since]
            if wanted:
                yield wanted
        yield []
        while follow:
            arrived = [record for records in (await passer.getmany(timeout_ms=1_000)).values() for record in records]
            if arrived:
                yield sorted(arrived, key=_timestamp)


async def _skips(settings: Settings, tps: Iterable[TopicPartition]) -> dict[TopicPartition, frozenset[Skip]]:
    """What is skipped of each of these partitions: only of the events anything may be."""
    names = settings.names
    skips: dict[TopicPartition, frozenset[Skip]] = {tp: frozenset() for tp in tps}
    async with Cluster(settings) as cluster:
        there = await cluster.topics([names.events, names.rules])
    if any(tp.topic == names.events for tp in skips) and names.rules in there:
        shelf = Shelf(settings)
        try:
            await shelf.start(fail=lambda _: None)
        finally:
            await shelf.stop()
        skips = {tp: shelf.skips(tp.topic, tp.partition, there[names.events].id) for tp in skips}
    return skips


def _timestamp(record: Any) -> int:  # noqa: ANN401 - aiokafka's record
    at: int = record.timestamp
    return at


class _Merge:
    """What several partitions hold up to their ends, in the order of time; at most one fetch of each is kept."""

    def __init__(self, passer: Passer, client: Any, ends: dict[TopicPartition, int], *, follow: bool) -> None:  # noqa: ANN401 - aiokafka's
        self._passer, self._client = passer, client
        self._ends = ends
        self._follow = follow
        self._held: dict[TopicPartition, deque[Any]] = {tp: deque() for tp in ends}

    async def run(self) -> Records:
        """Ends when every partition has come to its end."""
        while self._held:
            await self._fill()
            if self._held:
                yield self._take()

    async def _fill(self) -> None:
        """Returns when there is something of every partition that has not come to its end."""
        while hungry := [tp for tp, records in self._held.items() if not records]:
            for tp, records in (await self._passer.getmany(*hungry, timeout_ms=200)).items():
                # One who follows gets what has come in since the look at the end, too.
                self._held[tp].extend(records if self._follow else (record for record in records if record.offset < self._ends[tp]))
            for tp in hungry:
                if not self._held[tp] and await self._client.position(tp) >= self._ends[tp]:
                    del self._held[tp]

    def _take(self) -> list[Any]:
        """The earliest records, until one partition has none left."""
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
    """A record of any topic but the changelog, for `--json`."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": _moment(record.timestamp),
        "key": _text(record.key),
        "headers": {name: _text(value) for name, value in record.headers},
        "value": value_of(record),
    }


def _moment(at: int) -> str | int:
    """The record's moment; as a bare number where no calendar has it: whoever writes a record may write any."""
    try:
        return iso(at)
    except OverflowError:
        return at


def value_of(record: Any) -> Any:  # noqa: ANN401 - a record's JSON
    """The JSON of a record; text where it is none (a dead letter, a tick)."""
    try:
        return orjson.loads(record.value or b"null")
    except orjson.JSONDecodeError:
        return _text(record.value)


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")


def control_of(record: Any) -> str | None:  # noqa: ANN401 - aiokafka's record
    """`tick` or `command` for a record that is no event."""
    return next((_text(value) for name, value in record.headers if name == CONTROL_HEADER), None)


def is_about(record: Any, *, user: str | None, rule: str | None) -> bool:  # noqa: ANN401 - aiokafka's record
    """Whether a record is of this user and of this journey: by its key, or by what it says itself."""
    if user is not None and record.key != user.encode("utf-8", "surrogatepass"):
        value = value_of(record)
        if not isinstance(value, dict) or user not in (value.get("user"), value.get("userId")):
            return False
    if rule is None:
        return True
    value = value_of(record)
    return isinstance(value, dict) and value.get("journey") == rule


# ---- the users table -------------------------------------------------------------------------------------------------


@dataclass
class Table:
    """What a changelog held: everybody's latest bytes, and the latest position of each partition."""

    states: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """By user id: partition and state."""
    positions: dict[int, Position] = field(default_factory=dict)

    def take_in(self, records: Iterable[Any]) -> list[str]:
        """Adds records in their order; returns whose state has changed."""
        changed = []
        for record in records:
            if record.key == POSITION_KEY:
                self.positions[record.partition] = Position.decode(record.value)
                continue
            user = record.key.decode("utf-8", "surrogatepass")
            if record.value is None:
                self.states.pop(user, None)
            else:
                self.states[user] = (record.partition, record.value)
            changed.append(user)
        return changed


async def library(settings: Settings) -> Library:
    """The rule sets that were ever published. Raises `TopicMissing`: of a topic that is not there nothing would ever come."""
    async with Cluster(settings) as cluster:
        await cluster.need(settings.names.rules)
    shelf = Shelf(settings)
    try:
        await shelf.start(fail=lambda _: None)
        await shelf.hold_all()
    finally:
        await shelf.stop()
    return shelf.library


def user_line(user: str, partition: int, state: bytes) -> dict[str, Any]:
    """One user of the list."""
    due = due_of(state)
    return {"user": user, "partition": partition, "due": None if due == NEVER else iso(due), "bytes": len(state)}


def user_document(user: str, partition: int, state: bytes, position: Position | None, rules: Library) -> dict[str, Any]:
    """One user's whole state. Raises `WrongSchema` for that of another release."""
    found = portrait(user, decode(state), position or Position(), rules)
    clock = None if position is None or position.clock < 0 else iso(position.clock)
    return {"user": user, "partition": partition, "clock": clock, "bytes": len(state), **found}


async def positions(settings: Settings) -> list[dict[str, Any]]:
    """How far each partition has been folded, and what is in force there."""
    names = settings.names
    ends = await spans(settings, [names.events])
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
        "topic_id": position.topic_id,
    }
