"""Steps as a flat program: entries with a place and a name. Each entry knows the place after it.

Steps can nest in a rule file. A program cannot. So a run is a program counter, and its state names one entry, however deep the step is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from triggers.conditions.compiler import compile_condition
from triggers.state.runs import INDEX
from triggers.steps.kind import all_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from triggers.base.moments import Zone
    from triggers.causes.cause import WatchedSegment
    from triggers.conditions.compiler import Compiled
    from triggers.definitions.model import Step
    from triggers.language.templates import Template
    from triggers.records.decisions import Kind
    from triggers.steps.context import StepContext


class Rest(NamedTuple):
    """The run stays at the entry until a moment, ms."""

    until: int
    kind: Kind = "waiting"
    reason: str | None = None
    values: dict[str, Any] | None = None
    is_held: bool = False
    """A gate holds the run back. `until` is NEVER if a command must release it."""


class End(NamedTuple):
    """The run ends."""

    reason: str
    kind: Kind = "exited"
    values: dict[str, Any] | None = None


Outcome = int | Rest | End
"""The result of an entry. A number is the place at which the run continues."""


class Entry(ABC):
    """One place of a program."""

    counts: ClassVar[bool] = False
    """It counts a time from the moment of the step before it."""

    def __init__(self, step: Step) -> None:
        self.name = step.name
        self.place = 0
        self.next = 0
        """The place after it. After the last entry this is the length of the program."""
        self.guard: Compiled | None = None if step.when is None else compile_condition(step.when)
        """The `when` of the step. The run ends unless it is true."""
        self.templates: Mapping[str, Template] = {}
        """The texts that it fills in."""
        self.channel = ""
        """The channel that it sends to."""
        self.not_after: int | None = None
        """How long after its moment what it sends is worth delivering, ms."""

    @abstractmethod
    def carry_out(self, context: StepContext) -> Outcome:
        """Do what the step says. The guard is true."""

    def wake(self) -> int:
        """Return the place at which a run continues that rested here. By default it tries this entry again."""
        return self.place

    def moved(self, moment: int, before: Zone, after: Zone) -> int:
        """Return the moment until which a run rests here whose user moves from a time zone to another. By default nothing changes."""
        return moment

    def resume(self, context: StepContext) -> int:
        """Return the place at which a run continues now that its rest has ended."""
        return self.wake()

    def bind(self, segments: Mapping[str, WatchedSegment]) -> None:
        """Take the compiled segments that it names. `segments`: by name."""
        return

    @property
    def conditions(self) -> Sequence[Compiled]:
        """All conditions that it evaluates."""
        return [] if self.guard is None else [self.guard]


class Program:
    """The entries of a journey's steps."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.entries: list[Entry] = []
        self._open: list[Entry] = []
        """Entries whose next place is that of the entry added next."""
        self._places: dict[str, int] = {}
        steps = tuple(steps)
        self._add_all(steps)
        self._follow(self._open)
        self.kept = sum(step.kept() for step in all_of(steps))
        """Most bytes that a run keeps of the steps that it has passed."""
        self.longest_name = max((len(entry.name.encode()) for entry in self.entries), default=0)
        """Bytes of the longest name."""

    def find(self, step: str) -> Entry:
        """Return the entry at which a run rests. `step` is its name, or the marked index of a run of release 0.1.0."""
        return self.entries[int(step[len(INDEX) :]) - 1 if step.startswith(INDEX) else self._places[step]]

    def add(self, entry: Entry) -> None:
        """Add an entry after what was added before."""
        self._follow(self._open)
        entry.place = self._places[entry.name] = len(self.entries)
        self.entries.append(entry)
        self._open = [entry]

    def fork(self, entry: Entry, blocks: Iterable[Iterable[Step]]) -> list[int]:
        """Add an entry that chooses between blocks of steps. Return the place at which each block begins.

        The entry added next follows each block. It also follows the choosing entry itself (`next`), in case no block is chosen.
        """
        self.add(entry)
        begins: list[int] = []
        ends = [entry]
        for block in blocks:
            self._open = []
            begins.append(len(self.entries))
            self._add_all(block)
            ends += self._open
        self._open = ends
        return begins

    def _add_all(self, steps: Iterable[Step]) -> None:
        for step in steps:
            kind_of(step).compile(self)

    def _follow(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            entry.next = len(self.entries)
