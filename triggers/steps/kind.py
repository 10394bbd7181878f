"""The base of all kinds of steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from triggers.definitions.model import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from triggers.causes.cause import CauseKind
    from triggers.definitions.model import Cause, Condition, Segment
    from triggers.language.documents import Node
    from triggers.language.fields import Fields
    from triggers.language.schema import Schema
    from triggers.language.shapes import Shape
    from triggers.steps.program import Program


class Reader(Protocol):
    """What a kind can use while it parses itself from a rule file."""

    @property
    def fields(self) -> Fields: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def channels(self) -> Collection[str]:
        """The names of all channels."""

    @property
    def values(self) -> Collection[str]:
        """The names of all values that texts can show."""

    @property
    def entries(self) -> Collection[CauseKind]:
        """The entries of the journey, without those that have errors."""

    @property
    def segments(self) -> Mapping[str, Segment | None]:
        """All segments by name; None for one that has errors."""

    @property
    def awaited(self) -> Collection[CauseKind]:
        """What the waits before in the file wait for."""

    def await_causes(self, causes: Iterable[Cause]) -> None:
        """Note what a wait waits for: later texts can show it."""

    def cause(self, node: Node, what: str, others: Collection[str]) -> CauseKind | None:
        """Parse a cause. `others`: further keys that the mapping may have."""

    @property
    def step_words(self) -> Collection[str]:
        """The keys that a step can have in this file."""

    @property
    def journey_words(self) -> Collection[str]:
        """The keys that a journey can have."""

    def condition(self, node: Node, what: str, event: str | None) -> Condition | None:
        """Parse a condition: over the properties of an event or, without an event, over a user."""

    def steps(self, node: Node, path: str) -> tuple[Step, ...] | None:
        """Parse a list of steps inside this step. `path` begins the names of those without one: `2.then.`, where this step is `2`."""


class Moment(NamedTuple):
    """One thing that can happen at a step: a row of the table on a run's life in docs/design.md."""

    what: str
    then: str
    decision: str = ""
    state: str = "at a step"


class StepKind(Step, ABC):
    """A kind of step: its definition and everything that depends on it."""

    __slots__ = ()

    does: ClassVar[str]
    """A verb such as `waits`, for the message about a step that does two things."""
    life: ClassVar[tuple[Moment, ...]]
    sends: ClassVar[bool] = False
    """It can ask for an action."""
    sets: ClassVar[bool] = False
    """It changes what is known of the user."""
    stops: ClassVar[bool] = False
    """A run ends at it."""
    waits: ClassVar[bool] = False
    """A run can rest at it until a moment in the rules, so later steps can be late."""
    since: ClassVar[int] = 1
    """The version of rule files that has it first."""
    also: ClassVar[tuple[str, ...]] = ()
    """Further keys of a step of this kind, such as `then` with `if`."""

    @classmethod
    @abstractmethod
    def keys(cls) -> Mapping[str, Shape]:
        """Give the shape of what is written under its word, with the key `""`, and under each key of `also`."""

    @classmethod
    @abstractmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> StepKind | None:
        """Parse the node under the kind's word. Return None after reporting an error. `extra`: the nodes under the keys in `also`."""

    @abstractmethod
    def wire(self) -> tuple[str, dict[str, object]]:
        """Give the name and the fields of its form in hashes, which never change. A field at its default is left out."""

    @abstractmethod
    def compile(self, program: Program) -> None:
        """Add its entries to the program."""

    def texts(self) -> Iterable[str]:
        """Return the templates that it fills in."""
        return ()

    def parts(self, what: str) -> Collection[str]:
        """Return the keys of what it sends, for scenario files. `what`: `message` or `grant`."""
        return ()

    def claim(self) -> str:
        """Return what only one step of a journey may have, as the message about a second one; empty: nothing."""
        return ""

    def kept(self) -> int:
        """Return the maximum bytes that a run keeps of this step when it has passed it."""
        return 0

    def segment_names(self) -> Iterable[str]:
        """Return the segments whose changes it waits for."""
        return ()

    def ways(self) -> Sequence[tuple[str, tuple[Step, ...]]]:
        """Return the ways that a run can take at it, each with words for when it does, and the steps inside. None: straight on."""
        return ()

    def inner(self) -> Iterable[Step]:
        """Return the steps inside it."""
        return [step for _, steps in self.ways() for step in steps]

    def label(self) -> str:
        """Say in a few words what it does, for pictures."""
        return self.does

    def awaits(self) -> Iterable[Cause]:
        """Return the causes that it waits for."""
        return ()

    def takes(self) -> int:
        """Return the shortest time from the moment of the step before to the moment of this one, ms."""
        return 0

    def clock(self, before: int | None) -> int | None:
        """Return the local time of day of the step behind it, ms from midnight. `before`: that of this step; None: it is not known."""
        return None if self.waits else before

    def latest(self) -> int | None:
        """Return the longest time from the entry to the moment of this step, ms; None: its moment does not count from the entry."""
        return None


def kind_of(step: Step) -> StepKind:
    assert isinstance(step, StepKind), f"{type(step).__name__} is no kind of step"
    return step


def all_of(steps: Iterable[Step]) -> Iterator[StepKind]:
    """Yield the steps and those inside them, in the order of the rule file."""
    for step in steps:
        kind = kind_of(step)
        yield kind
        yield from all_of(kind.inner())
