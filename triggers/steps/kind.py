"""What a kind of step says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from triggers.definitions.model import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Self

    from triggers.causes.cause import CauseKind
    from triggers.definitions.model import Condition
    from triggers.language.documents import Node
    from triggers.language.fields import Fields
    from triggers.language.schema import Schema
    from triggers.steps.program import Program


class Reader(Protocol):
    """What a kind may ask while it reads itself from a rule file."""

    @property
    def fields(self) -> Fields: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def channels(self) -> Collection[str]:
        """The names of all channels."""

    @property
    def entry(self) -> CauseKind | None:
        """What enters the journey; None where it cannot be read."""

    @property
    def step_words(self) -> Collection[str]:
        """The keys that a step can have."""

    @property
    def journey_words(self) -> Collection[str]:
        """The keys that a journey can have."""

    def condition(self, node: Node, what: str, event: str | None) -> Condition | None:
        """The condition in a node, over the properties of an event or, without one, over a user."""

    def steps(self, node: Node, path: str) -> tuple[Step, ...] | None:
        """The steps in a list inside this step. `path` begins the names of those that have none."""


class Moment(NamedTuple):
    """One thing that can happen at a step: a line of the table of a run's life in docs/design.md."""

    what: str
    then: str
    decision: str = ""
    state: str = "at a step"


class StepKind(Step, ABC):
    """A kind of step: its definition and all that depends on it."""

    __slots__ = ()

    does: ClassVar[str]
    """What it does, for a message about a step that does two things: `waits`."""
    life: ClassVar[tuple[Moment, ...]]
    sends: ClassVar[bool] = False
    """Whether an action can come of it."""
    waits: ClassVar[bool] = False
    """Whether a run can rest at it until a moment that the rules name; what comes after can be late."""

    @classmethod
    @abstractmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader) -> Self | None:
        """Read what stands under the kind's word. Returns None where something is wrong, which has been said."""

    @abstractmethod
    def wire(self) -> tuple[str, dict[str, object]]:
        """Give the name and the fields of its form in hashes, which never change. A field at its default is left out."""

    @abstractmethod
    def compile(self, program: Program) -> None:
        """Add the entries that carry it out to the program."""

    def texts(self) -> Iterable[str]:
        """The templates that it fills in."""
        return ()

    def parts(self, what: str) -> Collection[str]:
        """The keys of what it sends, which scenario files can name. `what`: `message` or `grant`."""
        return ()

    def inner(self) -> Iterable[Step]:
        """The steps inside it."""
        return ()


def kind_of(step: Step) -> StepKind:
    assert isinstance(step, StepKind), f"{type(step).__name__} is no kind of step"
    return step


def all_of(steps: Iterable[Step]) -> Iterator[StepKind]:
    """The steps, and those inside them, in the order in which they are written."""
    for step in steps:
        kind = kind_of(step)
        yield kind
        yield from all_of(kind.inner())
