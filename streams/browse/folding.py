"""What every replay is made of: the fold of one partition outside of a worker, what it puts out, and what it has come to.

Memory holds the users' states, encoded, and the output of a stretch; everything else goes to a `Sink` as it comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from streams.browse.event_counts import EventNames
from streams.commands.logbook import CannotReplay
from triggers.base.model import CONTROL_HEADER, ENGINE, NEVER, LogRecord, Out, Record
from triggers.engine.partition import Output, Partition
from triggers.records.events import dumps
from triggers.state.position import Position

if TYPE_CHECKING:
    from streams.ingest.calls import Call
    from triggers.definitions.model import RuleSet

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
    names: EventNames = field(default_factory=EventNames)
    """What the events are called, and what of it the rules know."""
    as_of: int | None = None
    """Where the rules were applied in mid-log, ms: what came before is folded and not told."""
    is_dry_there: bool = False
    """The log was not live then."""
    events_before: int = 0
    """Events that were folded before that."""
    applies_left_out: int = 0
    """Rule sets that the log applies after that."""
    incomplete: list[str] = field(default_factory=list)
    """Which windows start incomplete where rules of one's own are applied as of a moment, or would be if they were applied now."""
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


def quiet(_done: int, _of: int) -> None:
    """Nobody wants to know."""


# ---- one partition ---------------------------------------------------------------------------------------------------


class Fold:
    """Drives one partition through its log, and hands on what comes out."""

    def __init__(self, partition: Partition, replayed: Replayed, sink: Sink | None = None) -> None:
        self.partition = partition
        self._names = replayed.names
        self._sink = sink or _collector(replayed)
        self._calls: Sequence[Call] = ()
        """What is being folded, if it comes from files."""
        self._first = 0
        """The offset of the first of them."""
        self.is_silent = False
        """What comes out is not told."""
        self.counts_before: Counter[tuple[str, str]] = Counter()
        """What had come out when silence ended."""
        self.events_before = 0

    def fold(self, records: Sequence[Record]) -> None:
        """Raises `CannotReplay` for a command whose rule set is not there, and for what a newer release has written."""
        partition, at = self.partition, 0
        self._names.take(records)
        while at < len(records):
            before, at = at, partition.advance(records, at, SLICE)
            if partition.blocked is not None:
                raise CannotReplay(
                    f"{partition.place.topic}[{partition.place.partition}] applies rule set {partition.blocked[:12]}, "
                    "whose text is not in the topic of rules"
                )
            if partition.newer is not None:
                raise CannotReplay(
                    f"{partition.place.topic}[{partition.place.partition}] offset {records[at].offset} is {partition.newer}: "
                    "this log needs a newer release"
                )
            handed_to = partition.position.handed_to
            if handed_to is not None:
                partition.go_over(replace(handed_to, engine=ENGINE))
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

    def speak(self) -> None:
        """From here on what comes out is told; what came out before is not even counted."""
        self.finish()
        self.is_silent = False
        self.counts_before, self.events_before = Counter(self.partition.counts), self.partition.events

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
        if self.is_silent:
            self.partition.saved(output)
            return
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


def take_in(replayed: Replayed, fold: Fold, *, states: bool) -> None:
    """Adds what one partition has come to."""
    partition = fold.partition
    table = partition.table
    replayed.positions[partition.place.partition] = partition.position
    replayed.counts.update(Counter(partition.counts) - fold.counts_before)
    rule_set = partition.position.rule_set
    if rule_set is not None:
        replayed.names.know(partition.library.plan(rule_set).by_event)
    replayed.users += len(table.store)
    replayed.waiting += partition.next_due() != NEVER
    replayed.events_before += fold.events_before
    replayed.events += partition.events
    replayed.duplicates += partition.duplicates
    replayed.clock = max(replayed.clock, partition.position.clock)
    if states:
        replayed.states.update(table.states())


def tick(offset: int, at: int) -> LogRecord:
    """A record that says only what time it is."""
    return LogRecord(offset, at, None, b"", TICK)


def command(offset: int, at: int, seq: int, kind: str, rule_set: str | None = None) -> LogRecord:
    """A command without a signature."""
    document = {"schema": 1, "kind": kind, "seq": seq, "previous": seq - 1, "rule_set": rule_set, "journey": None}
    return LogRecord(offset, at, None, dumps(document), COMMAND)


def opening(rules: RuleSet, at: int) -> list[LogRecord]:
    """The rules are applied, and live: the two records that stand before all others, at negative offsets."""
    return [command(-2, at, 1, "apply", rules.hash), command(-1, at, 2, "go-live")]
