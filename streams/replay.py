"""The same decisions again, in virtual time: the engine over files, or over the live log, without a worker and without writing to Kafka.

Over files the rules are applied, and live, at the beginning; a record's time is its call's, and a dead letter names its file and line.
Over the log everything is as it was: the commands where they stand, their rule sets and the overrides from the topic `rules`, the log's
epoch from the position in the changelog. So the actions are those that the workers have put out, byte for byte, and the states those in the
changelog; `tests/crash` holds them against each other. Given rules of its own, a replay of the log leaves its commands out and decides as
these rules would have.

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
FILE_HEADER: Final = "source-file"
LINE_HEADER: Final = "source-line"
"""Headers that the dead letter of a line in a file has besides the usual ones."""
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
    left_out: int = 0
    """Events that were later than `until`."""
    since: int | None = None
    """The moment at which rules of its own stand, ms: before the first record."""
    seconds: float = 0.0
    """Without the time until the first record was there."""
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
        self._calls: Sequence[Call] = ()
        """What is being folded, if it comes from files."""
        self._first = 0
        """The offset of the first of them."""

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

    def fold_lines(self, calls: Sequence[Call], first: int) -> None:
        """Folds calls from files, the first of them at this offset; what becomes a dead letter is handed on with its place."""
        make = LogRecord._make
        self._calls, self._first = calls, first
        dead = self.dead_letters
        self.fold([make((number, call[0], call[1], call[2], ())) for number, call in enumerate(calls, first)])
        if self.dead_letters > dead:
            self.hand_on()  # the next calls have other places

    @property
    def dead_letters(self) -> int:
        """How many have come out."""
        return sum(count for (kind, _), count in self.partition.counts.items() if kind == "dead letter")

    def hand_on(self) -> None:
        output = self.partition.take()
        if self._calls and output.dead_letters:
            output.dead_letters[:] = [self._placed(out) for out in output.dead_letters]
        self._sink(self.partition.place.partition, output)
        self.partition.saved(output)

    def _placed(self, out: Out) -> Out:
        """The dead letter with the line that it stands in."""
        at = int(dict(out.headers)["source-offset"] or b"-1") - self._first
        if not 0 <= at < len(self._calls):
            return out
        call = self._calls[at]
        return out._replace(headers=[*out.headers, (FILE_HEADER, call.file.encode()), (LINE_HEADER, str(call.line).encode())])


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


def _open(fold: _Fold, rules: RuleSet, at: int, replayed: Replayed) -> None:
    """Applies the rules before everything else."""
    fold.fold(_opening(rules, at))
    replayed.since = at if replayed.since is None else min(at, replayed.since)


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
    replayed = Replayed()
    partition = Partition(Place(topic, 0), Table(), Library([rules]), Position(offset=BEFORE_THE_LOG))
    fold = _Fold(partition, sink or _collector(replayed))
    begun: float | None = None
    iterator = iter(calls)
    while chunk := list(islice(iterator, SLICE)):
        begun = begun or time.perf_counter()
        there = [call for call in chunk if call is not None and call.at is not None]
        wanted = there if until is None else [call for call in there if (call.at or 0) <= until]
        replayed.left_out += len(there) - len(wanted)
        if wanted:
            if replayed.since is None:
                _open(fold, rules, wanted[0].at or 0, replayed)
            fold.fold_lines(wanted, replayed.records)
        replayed.records += len(wanted)
        progress(replayed.records + replayed.left_out, 0)
    if until is not None:
        if replayed.since is None:
            _open(fold, rules, until, replayed)
        fold.fold([_tick(replayed.records, until)])
    fold.finish()
    _take_in(replayed, partition, states=states)
    replayed.seconds = 0.0 if begun is None else time.perf_counter() - begun
    return replayed


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
        async for batch in read(settings, partition.place.topic, number, start=start, end=span.end):
            records: Sequence[Any] = batch if until is None else [record for record in batch if record.timestamp <= until]
            if until is not None:
                replayed.left_out += sum(record.timestamp > until and control_kind(record.headers) is None for record in batch)
            if rules is not None:
                records = [_without_command(record) for record in records]
                if not opened and records:
                    _open(fold, rules, records[0].timestamp, replayed)
                    opened = True
            fold.fold(records)
            replayed.records += len(batch)
            told()
    except Truncated as error:
        raise CannotReplay(f"the log has lost its beginning: {error}. What stood there decides what came after") from None
    partition.reach(span.end - 1)
    if until is not None:
        if rules is not None and not opened:
            _open(fold, rules, until, replayed)
        fold.fold([_tick(span.end, until)])
    fold.finish()


def _without_command(record: Record) -> Record:
    """A command becomes a tick: the time that it was stays."""
    if record.headers and control_kind(record.headers) == b"command":
        return _tick(record.offset, record.timestamp)
    return record
