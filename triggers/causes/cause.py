"""What a kind of cause says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

from triggers.definitions.model import Cause

if TYPE_CHECKING:
    from typing import Self

    from triggers.definitions.model import Condition, Measure, Segment
    from triggers.language.documents import Node
    from triggers.language.fields import Fields
    from triggers.language.schema import Schema
    from triggers.measures.reading import View

Change = Literal["enters", "leaves"]
"""How a user's standing to a segment can move."""
Where = Callable[[Mapping[str, Any]], bool]
NO_PROPERTIES: Final[Mapping[str, Any]] = {}


class Reader(Protocol):
    """What a kind may ask while it reads itself from a rule file."""

    @property
    def fields(self) -> Fields: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def segments(self) -> Mapping[str, Segment | None]:
        """All segments by name; None where one cannot be read."""

    def condition(self, node: Node, what: str, event: str | None) -> Condition | None:
        """The condition in a node, over the properties of an event or, without one, over a user."""


class WatchedSegment(Protocol):
    """A compiled segment, as far as a cause needs it."""

    name: str
    key: str
    explain: Callable[[View], dict[str, Any]]


@dataclass(frozen=True)
class Signal:
    """What a cause waits for, in the terms by which the engine looks it up: an event by its name, or a change of a segment by its key."""

    reason: str
    """Of a run that it ends."""
    event: str | None = None
    where: Where | None = None
    """Of the event's properties; None: they do not matter."""
    segment: WatchedSegment | None = None
    change: Change | None = None

    @property
    def key(self) -> str:
        """Of the segment; empty for an event."""
        return "" if self.segment is None else self.segment.key

    def values(self, view: View) -> dict[str, Any]:
        """Why it came, for the decision."""
        return {} if self.segment is None else self.segment.explain(view)


class CauseKind(Cause, ABC):
    """A kind of cause: its definition and all that depends on it."""

    __slots__ = ()

    example: ClassVar[Mapping[str, str]]
    """Each word that names the kind in a rule file, with an example."""
    beside: ClassVar[Mapping[str, str]] = {}
    """Words that may stand beside, each with what to say of it where it may not."""

    @classmethod
    @abstractmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> Self | None:
        """Read the keys of a node. Returns None where something is wrong, which has been said. `what`: `entry` or `exit`, for messages."""

    @abstractmethod
    def wire(self) -> tuple[str, dict[str, object]]:
        """Give the name and the fields of its form in hashes, which never change. A field at its default is left out."""

    @abstractmethod
    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        """Compile it. `segments`: by name."""

    @abstractmethod
    def words(self) -> str:
        """The cause in words: `the event Order Completed`."""

    @abstractmethod
    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        """Whether it comes whenever the other one does."""

    def segment_names(self) -> tuple[str, ...]:
        """The segments whose conditions decide whether it comes."""
        return ()

    def event_name(self) -> str | None:
        """The event that it is. None: it has no properties, and its moment is that at which it is found."""
        return None

    def last(self) -> Measure | None:
        """What tells when it last happened, where events can tell it."""
        return None


def kind_of(cause: Cause) -> CauseKind:
    assert isinstance(cause, CauseKind), f"{type(cause).__name__} is no kind of cause"
    return cause
