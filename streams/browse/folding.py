"""What every replay is made of: the fold of one partition outside of a worker, what it puts out, and its result.

Memory holds the users' states, encoded, and the output of a stretch; everything else goes to a `Sink` as it comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from streams.browse.event_counts import EventNames
from streams.commands.log_history import CannotReplay
from triggers.base.model import ENGINE, NEVER, LogRecord, Out, Record
from triggers.engine.driver import Engine, MissingRules
from triggers.records.events import NeedsNewer
from triggers.records.lines import FILE_HEADER, LINE_HEADER

if TYPE_CHECKING:
    from streams.ingest.calls import Call
    from triggers.engine.interface import Output
    from triggers.engine.partition import Partition
    from triggers.records.messages import Terms
    from triggers.state.position import Position


class Sink(Protocol):
    """Takes what a replay puts out, a stretch at a time."""

    def __call__(self, partition: int, output: Output) -> None: ...


@dataclass(kw_only=True)
class Replayed:
    """The result of a replay."""

    actions: dict[int, list[bytes]] = field(default_factory=dict)
    """Their JSON, by partition; only where no sink takes them."""
    decisions: dict[int, list[bytes]] = field(default_factory=dict)
    dead_letters: dict[int, list[bytes]] = field(default_factory=dict)
    """Their reasons."""
    states: dict[str, bytes] = field(default_factory=dict)
    """The encoded state of each user at the end, by user id, if the caller wants them."""
    positions: dict[int, Position] = field(default_factory=dict)
    """The position of each partition at the end."""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each (kind of decision, journey) and ("dead letter", reason) came out."""
    users: int = 0
    waiting: int = 0
    """Partitions in which a user still has a timer."""
    events: int = 0
    duplicates: int = 0
    records: int = 0
    names: EventNames = field(default_factory=EventNames)
    """What the events are called, and what of it the rules know."""
    as_of: int | None = None
    """Where the rules were applied in mid-log, ms: records before it are folded, and their decisions are not shown."""
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
    """The moment at which rules of its own are applied, ms: before the first record."""
    seconds: float = 0.0
    """Without the time until the first record was there."""
    clock: int = -1
    """The latest moment reached, ms."""


Progress = Callable[[int, int], None]
"""Takes how many records are done, and of how many; 0: not known."""


def quiet(_done: int, _of: int) -> None:
    """Report nothing."""


# ---- one partition ---------------------------------------------------------------------------------------------------


class Fold(Engine):
    """Drives one partition through its log, and hands on what comes out."""

    def __init__(self, partition: Partition, replayed: Replayed, sink: Sink | None = None) -> None:
        super().__init__(partition, self._show)
        self._names = replayed.names
        self._to = sink or _collector(replayed)
        self._calls: Sequence[Call] = ()
        """What is being folded, if it comes from files."""
        self._first = 0
        """The offset of the first of them."""
        self.is_silent = False
        """The output is dropped."""
        self.counts_before: Counter[tuple[str, str]] = Counter()
        """What had come out when silence ended."""
        self.events_before = 0

    def fold(self, records: Sequence[Record]) -> None:
        """Fold these records. Raises `CannotReplay` for a command without its rule set, and for records of a newer release."""
        place, position = self.partition.place, self.partition.position
        self._names.take(records)
        try:
            super().fold(records)
            if position.handed_to is not None:
                self.go_over(position.handed_to)
        except MissingRules as missing:
            raise CannotReplay(
                f"{place.topic}[{place.partition}] applies rule set {missing.rule_set[:12]}, whose text is not in the topic of rules"
            ) from None
        except NeedsNewer as newer:
            offset = next(record.offset for record in records if record.offset > position.offset)
            raise CannotReplay(f"{place.topic}[{place.partition}] offset {offset} is {newer}: this log needs a newer release") from None

    def go_over(self, terms: Terms) -> None:
        """Continue after an upgrade as its new workers do; this release decides for all of them."""
        self.partition.go_over(replace(terms, engine=ENGINE))

    def finish(self) -> None:
        """Fire what is due, bring all users to the active rule set, hand on the rest."""
        self.settle()
        self.hand_on()

    def speak(self) -> None:
        """Hand on the output from here on; what came out before is not even counted."""
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

    def _show(self, output: Output) -> None:
        if self.is_silent:
            return
        if self._calls and output.dead_letters:
            output.dead_letters[:] = [self._placed(out) for out in output.dead_letters]
        self._to(self.partition.place.partition, output)

    def _placed(self, out: Out) -> Out:
        """Return the dead letter with its file and line."""
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
    """Add the result of one partition."""
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
