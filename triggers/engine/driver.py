"""The straight way through a log in memory: the one loop of replays, stories, benchmarks, tests, and of programs that embed the engine.

A worker has a loop of its own (`streams.worker.partition`): between two slices it lets other tasks run, and waits for Kafka.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Self

from triggers.base.model import Place, Record
from triggers.base.moments import LAST
from triggers.definitions.model import RuleSet
from triggers.engine.interface import Options, Output
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import opening
from triggers.records.events import NeedsNewer
from triggers.records.messages import Terms
from triggers.state.position import Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table

SLICE: Final = 10_000
"""Records or users between two looks at what has come out."""
STRETCH: Final = 16 << 20
"""Rough bytes of output and changed states after which both are handed to the sink."""
PLACE: Final = Place("events", 0)
"""The place of a log that is in no topic: ids and causes name one."""
BEFORE_THE_LOG: Final = -3
"""Position of a fold that begins with two commands of its own, at offsets -2 and -1."""


class MissingRules(KeyError):  # noqa: N818 - it says what is the matter
    """A command applies a rule set that is not in the library."""

    def __init__(self, rule_set: str) -> None:
        super().__init__(rule_set)
        self.rule_set = rule_set

    def __str__(self) -> str:
        return f"rule set {self.rule_set} is not in the library"


class Saved(NamedTuple):
    """All that is needed to continue later, in this process or in another one."""

    position: bytes
    states: dict[str, bytes]
    """By user id."""


class Engine:
    """Folds the log of one partition in memory.

    >>> from triggers import Engine, LogRecord, load_rules
    >>> rules = load_rules({"hello.yaml": '''
    ... version: 1
    ... journeys:
    ...   hello:
    ...     entry: {event: Signed Up}
    ...     steps: [{wait: 1d}, {send: {channel: push, text: "Hello {{ user }}"}}]
    ... '''})
    >>> engine = Engine.begin(rules, at=0)
    >>> engine.fold([LogRecord(0, 1_000, b"ann", b'{"type": "track", "userId": "ann", "event": "Signed Up"}')])
    >>> engine.until(2 * 86_400_000)
    >>> [out.key for out in engine.take().actions]
    [b'ann']
    """

    def __init__(self, partition: Partition, sink: Callable[[Output], None] | None = None, *, slice_of: int | None = None) -> None:
        """`sink` gets the output one stretch at a time; without a sink, `take` returns all."""
        self.partition = partition
        self._sink = sink
        self._slice = SLICE if slice_of is None else slice_of

    @classmethod
    def begin(
        cls,
        rules: RuleSet,
        at: int,
        *,
        place: Place = PLACE,
        options: Options | None = None,
    ) -> Self:
        """Begin before the first record of a log that has no commands: from this moment (ms) on the rules are applied, and live."""
        engine = cls(Partition(place, Table(), Library([rules]), Position(offset=BEFORE_THE_LOG), options))
        engine.go_live(rules, at)
        return engine

    @classmethod
    def restore(
        cls,
        saved: tuple[bytes, Mapping[str, bytes]],
        rule_sets: Iterable[RuleSet],
        *,
        place: Place = PLACE,
        options: Options | None = None,
    ) -> Self:
        """Continue where `save` was called. `rule_sets`: the active one, and each under which a running run began."""
        position, states = saved
        store = MemoryStore()
        store.apply(states.items())
        return cls(Partition(place, Table(store), Library(list(rule_sets)), Position.decode(position), options))

    def go_live(self, rules: RuleSet, at: int) -> None:
        """Apply rules, and go live, before the first record."""
        self.partition.library.add(rules)
        self.fold(opening(rules.hash, at, first=BEFORE_THE_LOG + 1))

    def fold(self, records: Sequence[Record]) -> None:
        """Fold records, in the order of their offsets; those up to the position are repetitions, and skipped.

        Raises `MissingRules` for a command whose rule set is not in the library, and `NeedsNewer` for what a newer release has written.
        """
        partition, at = self.partition, 0
        while at < len(records):
            if partition.position.handed_to is not None:
                self.go_over(partition.position.handed_to)
            before, at = at, partition.advance(records, at, self._slice)
            if partition.blocked is not None:
                raise MissingRules(partition.blocked)
            if partition.newer is not None:
                raise NeedsNewer(partition.newer)
            if at == before:
                partition.drain(self._slice)
            self._hand_on_if_much()

    def go_over(self, terms: Terms) -> None:
        """Continue after an upgrade to these terms. A release has one engine, so only a replay does that."""
        raise NeedsNewer(f"handed over to {terms}")

    def settle(self) -> None:
        """Fire all that is due by now, and bring all users to the active rule set."""
        while self.partition.drain(self._slice):
            self._hand_on_if_much()

    def until(self, at: int) -> None:
        """Let time pass up to this moment (ms), and settle. The log has no record of it: a replay must do the same at the same place."""
        position = self.partition.position
        position.clock = max(position.clock, min(at, LAST))
        self.settle()

    def next_due(self) -> int:
        """Return the earliest moment (ms) at which time alone may make a decision. It may be too early, never too late."""
        return self.partition.next_due()

    def take(self) -> Output:
        """Return the output since the last call."""
        output = self.partition.take()
        self.partition.saved(output)
        return output

    def save(self) -> Saved:
        """Return the current position and states."""
        return Saved(self.partition.position.encode(), self.partition.table.states())

    def hand_on(self) -> None:
        """Give the sink what has come out."""
        if self._sink is not None:
            self._sink(self.take())

    def _hand_on_if_much(self) -> None:
        if self._sink is not None and self.partition.pending > STRETCH:
            self.hand_on()


def run(partition: Partition, records: Sequence[Record], slice_of: int | None = None) -> None:
    """Fold all the records and settle; what came out is for the caller to take. Raises what `Engine.fold` raises."""
    engine = Engine(partition, slice_of=slice_of)
    engine.fold(records)
    engine.settle()
