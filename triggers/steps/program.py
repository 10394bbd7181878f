"""Steps as a flat program: entries with a place and a name, each of which knows where to go on.

Steps nest in a rule file; a program does not. So a run is a program counter, and its state names one entry, however deep its step is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from triggers.conditions.compiler import compile_condition
from triggers.state.runs import INDEX
from triggers.steps.kind import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from triggers.conditions.compiler import Compiled
    from triggers.definitions.model import Step
    from triggers.language.templates import Template
    from triggers.records.decisions import Kind
    from triggers.steps.turn import Turn


class Rest(NamedTuple):
    """The run stays at the entry until a moment, ms."""

    until: int
    kind: Kind = "waiting"
    reason: str | None = None
    is_held: bool = False
    """A gate holds the run back. `until` is NEVER where a command lets it go."""


class End(NamedTuple):
    """The run ends."""

    reason: str
    kind: Kind = "exited"
    values: dict[str, Any] | None = None


Outcome = int | Rest | End
"""What comes of an entry. A number is the place at which the run goes on."""


class Entry(ABC):
    """One place of a program."""

    def __init__(self, step: Step) -> None:
        self.name = step.name
        self.place = 0
        self.next = 0
        """The place after it; the length of the program where it is the last."""
        self.guard: Compiled | None = None if step.when is None else compile_condition(step.when)
        """The `when` beside the step: the run ends unless it is true."""
        self.templates: Mapping[str, Template] = {}
        """The texts that it fills in."""

    @abstractmethod
    def carry_out(self, turn: Turn) -> Outcome:
        """Do what the step says. The guard has been asked."""

    def wake(self) -> int:
        """The place at which a run goes on that rested here. By default it tries again."""
        return self.place

    @property
    def conditions(self) -> Sequence[Compiled]:
        """All conditions that it asks."""
        return [] if self.guard is None else [self.guard]


class Program:
    """The entries of a journey's steps."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.entries: list[Entry] = []
        self._open: list[Entry] = []
        """Entries that go on at whatever is added next."""
        self._places: dict[str, int] = {}
        self._add_all(steps)
        self._follow(self._open)
        self.longest_name = max((len(entry.name.encode()) for entry in self.entries), default=0)
        """Bytes of the longest name."""

    def find(self, step: str) -> Entry:
        """The entry at which a run rests, by the name that it keeps, or by what stands for one in a run of release 0.1.0."""
        return self.entries[int(step[len(INDEX) :]) - 1 if step.startswith(INDEX) else self._places[step]]

    def add(self, entry: Entry) -> None:
        """Add an entry after what was added before."""
        self._follow(self._open)
        entry.place = self._places[entry.name] = len(self.entries)
        self.entries.append(entry)
        self._open = [entry]

    def fork(self, entry: Entry, blocks: Iterable[Iterable[Step]]) -> list[int]:
        """Add an entry that chooses between blocks of steps. Returns the place at which each block begins.

        What is added next comes after each block. It also follows the entry itself, at `next`, for what chooses none.
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
