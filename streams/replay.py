"""The same decisions again, in virtual time: the engine over files, or over the live log, without a worker and without writing to Kafka.

Over files the rules are applied, and live, at the beginning; a record's time is its call's. Over the log everything is as it was: the
commands where they stand, their rule sets and the overrides from the topic `rules`, the log's epoch from the position in the changelog.
So the actions are those that the workers have put out, byte for byte, and the states those in the changelog; `tests/crash` holds them
against each other. Given rules of its own, a replay of the log leaves its commands out and decides as these rules would have.

Memory holds the users' states, encoded, and the output of a stretch; everything else goes to a `Sink` as it comes.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiokafka import TopicPartition

from streams.clients import Truncated, read
from streams.logbook import CannotReplay, Log
from streams.records import Unreadable
from streams.skips import remedy
from triggers.events import control_kind, dumps
from triggers.model import CONTROL_HEADER, NEVER, LogRecord, Out, Place, Record
from triggers.partition import Output, Partition
from triggers.plan import Library
from triggers.position import Position
from triggers.table import Table

if TYPE_CHECKING:
    from streams.calls import Call
    from streams.settings import Settings
    from triggers.rules.model import RuleSet

STRETCH: Final = 16 << 20
"""Rough bytes of output and changed states after which both are handed on."""
SLICE: Final = 10_000
"""Records folded between two looks at that."""
BEFORE_THE_LOG: Final = -3
"""Position of a fold that begins with two commands of its own, at offsets -2 and -1."""
TICK: Final = ((CONTROL_HEADER, b"tick"),)
COMMAND: Final = ((CONTROL_HEADER, b"command"),)


class Sink(Protocol):
    """Takes what a replay puts out, a stretch at a time."""

    def __call__(self, partition: int, output: Output) -> None: ...


@dataclass(kw_only=True)
class Replayed:
    """What a replay has come to."""

    actions: dict[int, list[bytes]] = field(default_factory=dict)
    """Their JSON, by partition; only where no sink takes them."""
    decisions: dict[int, list[bytes]] = field(default_factory=dict)
    dead_letters: dict[int, list[bytes]] = field(default_factory=dict)
    """Their reasons."""
    states: dict[str, bytes] = field(default_factory=dict)
    """Everybody's encoded state at the end, by user id, where they were asked for."""
    positions: dict[int, Position] = field(default_factory=dict)
    """Where each partition stands at the end."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each (kind of decision, journey) and ("dead letter", reason) came out."""
    users: int = 0
    waiting: int = 0
    """Partitions in which somebody still has a timer."""
    events: int = 0
    duplicates: int = 0
    records: int = 0
    seconds: float = 0.0
    clock: int = -1
    """The latest moment reached, ms."""


Progress = Callable[[int, int], None]
"""Told how many records are done, and of how many; 0 where nobody knows."""


def _quiet(_done: int, _of: int) -> None:
    """Nobody wants to know."""


# ---- one partition ---------------------------------------------------------------------------------------------------


class _Fold:
    """Drives one partition through its log, and hands on what comes out."""

    def __init__(self, partition: Partition, sink: Sink) -> None:
        self.partition = partition
        self._sink = sink

    def fold(self, records: Sequence[Record]) -> None:
        """Raises `CannotReplay` for a command whose rule set is not there."""
        partition, at = self.partition, 0
        while at < len(records):
            before, at = at, partition.advance(records, at, SLICE)
            if partition.blocked is not None:
                raise CannotReplay(
                    f"{partition.place.topic}[{partition.place.partition}] applies rule set {partition.blocked[:12]}, "
                    "whose text is not in the topic of rules"
                )
            if at == before:
                partition.drain(SLICE)
            if partition.pending > STRETCH:
                self.hand_on()

    def finish(self) -> None:
        """Fires what the clock has passed, lets everybody meet the rules, hands on the rest."""
        while self.partition.drain(SLICE):
            if self.partition.pending > STRETCH:
                self.hand_on()
        self.hand_on()

    def hand_on(self) -> None:
        output = self.partition.take()
        self._sink(self.partition.place.partition, output)
        self.partition.saved(output)


def _collector(replayed: Replayed) -> Sink:
    def collect(partition: int, output: Output) -> None:
        replayed.actions.setdefault(partition, []).extend(_values(output.actions))
        replayed.decisions.setdefault(partition, []).extend(_values(output.decisions))
        replayed.dead_letters.setdefault(partition, []).extend(dict(out.headers)["reason"] for out in output.dead_letters)

    return collect


def _values(outs: Iterable[Out]) -> list[bytes]:
    return [out.value or b"" for out in outs]


def _take_in(replayed: Replayed, partition: Partition, *, states: bool) -> None:
    """Adds what one partition has come to."""
    table = partition.table
    replayed.positions[partition.place.partition] = partition.position
    replayed.counts.update(partition.counts)
    replayed.users += len(table.store)
    replayed.waiting += partition.next_due() != NEVER
    replayed.events += partition.events
    replayed.duplicates += partition.duplicates
    replayed.clock = max(replayed.clock, partition.position.clock)
    if states:
        replayed.states.update(table.states())


def _tick(offset: int, at: int) -> LogRecord:
    return LogRecord(offset, at, None, b"", TICK)


def _command(offset: int, at: int, seq: int, kind: str, rule_set: str | None = None) -> LogRecord:
    document = {"schema": 1, "kind": kind, "seq": seq, "previous": seq - 1, "rule_set": rule_set, "journey": None}
    return LogRecord(offset, at, None, dumps(document), COMMAND)


def _opening(rules: RuleSet, at: int) -> list[LogRecord]:
    """The rules are applied, and live: the two records that stand before all others, at negative offsets."""
    return [_command(-2, at, 1, "apply", rules.hash), _command(-1, at, 2, "go-live")]


# ---- files -----------------------------------------------------------------------------------------------------------


def replay_calls(
    calls: Iterable[Call | None],
    rules: RuleSet,
    *,
    topic: str = "events",
    until: int | None = None,
    sink: Sink | None = None,
    states: bool = False,
    progress: Progress = _quiet,
) -> Replayed:
    """Folds the calls as one partition, in their order, under these rules from the beginning.

    `until`: leaves out what is later, and lets time go on to that moment. Every call must have its moment.
    """
    begun = time.perf_counter()
    replayed = Replayed()
    partition = Partition(Place(topic, 0), Table(), Library([rules]), Position(offset=BEFORE_THE_LOG))
    fold = _Fold(partition, sink or _collector(replayed))
    offset = 0
    iterator = iter(calls)
    while chunk := list(islice(iterator, SLICE)):
        records = _records(chunk, offset, until)
        if offset == 0 and records:
            fold.fold(_opening(rules, records[0].timestamp))
        fold.fold(records)
        offset += len(chunk)
        replayed.records += len(records)
        progress(offset, 0)
    if until is not None:
        if offset == 0:
            fold.fold(_opening(rules, until))
        fold.fold([_tick(offset, until)])
    fold.finish()
    _take_in(replayed, partition, states=states)
    replayed.seconds = time.perf_counter() - begun
    return replayed


def _records(chunk: Iterable[Call | None], offset: int, until: int | None) -> list[LogRecord]:
    latest = 1 << 62 if until is None else until
    make = LogRecord._make
    return [
        make((number, call[0], call[1], call[2], ()))
        for number, call in enumerate(chunk, offset)
        if call is not None and call[0] is not None and call[0] <= latest
    ]


# ---- the live log ----------------------------------------------------------------------------------------------------


async def replay_topic(
    settings: Settings,
    *,
    rules: RuleSet | None = None,
    until: int | None = None,
    sink: Sink | None = None,
    states: bool = False,
    progress: Progress = _quiet,
) -> Replayed:
    """Folds the committed log of every partition, up to what is stable now.

    With `rules` these are applied, and live, at the beginning, and the log's own commands left out. `until`: leaves out what is later, and
    lets time go on to that moment. Raises `CannotReplay`, `TopicMissing` and `Unreachable`.
    """
    begun = time.perf_counter()
    replayed = Replayed()
    log = await Log.look(settings, rules)
    total = sum(span.end - span.begin for span in log.spans.values())
    for partition in range(log.partitions):
        place, table, library, position, options = log.parts(partition)
        if rules is not None:
            position.offset = BEFORE_THE_LOG
        fold = _Fold(Partition(place, table, library, position, options), sink or _collector(replayed))
        await _fold_topic(settings, log, fold, rules, until, replayed, lambda: progress(replayed.records, total))
        _take_in(replayed, fold.partition, states=states)
    replayed.seconds = time.perf_counter() - begun
    return replayed


async def _fold_topic(
    settings: Settings, log: Log, fold: _Fold, rules: RuleSet | None, until: int | None, replayed: Replayed, told: Callable[[], None]
) -> None:
    partition = fold.partition
    number = partition.place.partition
    span = log.spans[TopicPartition(partition.place.topic, number)]
    opened = rules is None
    start = partition.position.offset + 1 if opened else 0
    try:
        async for batch in read(settings, partition.place.topic, number, start=start, end=span.end, skips=log.skips(number)):
            records: Sequence[Any] = batch if until is None else [record for record in batch if record.timestamp <= until]
            if rules is not None:
                records = [_without_command(record) for record in records]
                if not opened and records:
                    fold.fold(_opening(rules, records[0].timestamp))
                    opened = True
            fold.fold(records)
            replayed.records += len(batch)
            told()
    except Truncated as error:
        raise CannotReplay(f"the log has lost its beginning: {error}. What stood there decides what came after") from None
    except Unreadable as problem:
        raise CannotReplay(f"{problem}. {remedy(problem, partition.place.topic)}") from None
    partition.reach(span.end - 1)
    if until is not None:
        if rules is not None and not opened:
            fold.fold(_opening(rules, until))
        fold.fold([_tick(span.end, until)])
    fold.finish()


def _without_command(record: Record) -> Record:
    """A command becomes a tick: the time that it was stays."""
    if record.headers and control_kind(record.headers) == b"command":
        return _tick(record.offset, record.timestamp)
    return record
