"""The base of all kinds of causes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

from triggers.causes.keys import KeyOf
from triggers.definitions.model import Cause
from triggers.language.shapes import Shape, mapping

if TYPE_CHECKING:
    from typing import Self

    from triggers.base.moments import Zone
    from triggers.definitions.model import Condition, Measure, Segment
    from triggers.definitions.tiers import Tier
    from triggers.language.documents import Node
    from triggers.language.fields import Fields
    from triggers.language.schema import Schema
    from triggers.measures.reading import View

Change = Literal["enters", "leaves", "rises", "falls", "reaches"]
"""How a user can move in relation to a segment, or to a tier."""
Where = Callable[[Mapping[str, Any]], bool]
NO_PROPERTIES: Final[Mapping[str, Any]] = {}


class Reader(Protocol):
    """What a kind can use while it parses itself from a rule file."""

    @property
    def fields(self) -> Fields: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def segments(self) -> Mapping[str, Segment | None]:
        """All segments by name; None for one that has errors."""

    @property
    def tiers(self) -> Mapping[str, Tier | None]:
        """All tiers by name; None for one that has errors."""

    def condition(self, node: Node, what: str, event: str | None) -> Condition | None:
        """Parse a condition: over the properties of an event or, without an event, over a user."""


class WatchedSegment(Protocol):
    """The parts of a compiled segment that a cause needs."""

    name: str
    key: str
    look: Callable[[View], tuple[bool | None, int]]
    explain: Callable[[View], dict[str, Any]]


class Clock(Protocol):
    """The dates and the time of day of an entry by the clock."""

    @property
    def at(self) -> int:
        """The time of day on the user's clock, ms from midnight."""

    @property
    def reads(self) -> str | None:
        """The trait that the dates depend on."""

    def first_date(self, day: int, view: View) -> int | None:
        """Return the first date that is not before this day; None: there is none."""

    @property
    def counted(self) -> str:
        """By what it counts its occurrences: `date` or `year`."""

    def ordinal(self, date: int) -> int:
        """Return what grows from occurrence to occurrence. One with an ordinal that has come does not come again."""

    def moved(self, date: int, done: int, before: Zone, view: View) -> tuple[int, int]:
        """Move the date of the next occurrence, and the latest ordinal that has come, from the zone `before` to the user's."""

    def fault(self, view: View) -> str | None:
        """Say why the trait names no date although it is there."""


@dataclass(frozen=True)
class Signal:
    """How the engine finds a cause: by the name of an event, by the key of a segment or tier that changes, or by a timer."""

    reason: str
    """The reason of the decision about a run that it ends."""
    event: str | None = None
    where: Where | None = None
    """The test of the event's properties; None: any will do."""
    asks: frozenset[str] = frozenset()
    """The circumstances of the event that the test asks for."""
    segment: WatchedSegment | None = None
    change: Change | None = None
    """None: the segment does not change; the user must be inside when the clock's moment comes."""
    clock: Clock | None = None
    key_of: KeyOf | None = None
    """Reads the key from the event's properties; None: it has no key."""
    tier: str = ""
    """The key under which the moves of a tier are reported; empty: it is no move of a tier."""

    @property
    def key(self) -> str:
        """The key of the segment or tier; empty for an event."""
        return self.tier if self.segment is None else self.segment.key

    def values(self, view: View) -> dict[str, Any]:
        """Return the values that explain it in a decision."""
        return {} if self.segment is None else self.segment.explain(view)


class CauseKind(Cause, ABC):
    """A kind of cause: its definition and everything that depends on it."""

    __slots__ = ()

    example: ClassVar[Mapping[str, str]]
    """An example for each word that names the kind in a rule file."""
    since: ClassVar[int] = 1
    """The version of rule files that has it first."""
    by_clock: ClassVar[bool] = False
    """Time alone brings it. Such a cause only enters."""
    is_for_all: ClassVar[bool] = False
    """Without a segment it comes for all users at once."""
    also: ClassVar[Mapping[str, str]] = {}
    """Further words that are allowed with it. Each has the hint for a place where it is not allowed."""

    must: ClassVar[tuple[str, ...]] = ()
    """Those of them that must be there."""

    @classmethod
    @abstractmethod
    def keys(cls) -> Mapping[str, Shape]:
        """Give the shape of what is written under each of its words."""

    @classmethod
    @abstractmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> Self | None:
        """Parse the keys of a node. Return None after reporting an error. `what`: `entry` or `exit`, for messages."""

    @abstractmethod
    def wire(self) -> tuple[str, dict[str, object]]:
        """Give the name and the fields of its form in hashes, which never change. A field at its default is left out."""

    @abstractmethod
    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        """Compile it. `segments`: by name."""

    @abstractmethod
    def words(self) -> str:
        """Return the cause as text: `the event Order Completed`."""

    def label(self, *, enters: bool) -> str:
        """Return it with all that decides, for pictures. `enters`: it is an entry, so its key is the key of the runs."""
        return self.words()

    @abstractmethod
    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        """Check whether it happens whenever the other cause happens."""

    def segment_names(self) -> tuple[str, ...]:
        """Return the segments whose conditions it depends on."""
        return ()

    def tier_name(self) -> str | None:
        """Return the tier whose moves it is about."""
        return None

    def shortest(self) -> int | None:
        """Return the least number of days from one occurrence of a schedule to the next; None: no schedule, or only one occurrence."""
        return None

    def longest(self) -> int | None:
        """Return the greatest number of days from one occurrence of a schedule to the next; None: as for `shortest`."""
        return None

    def occurs(self, first: int | None, last: int | None) -> bool:
        """Return whether there can be an occurrence from one date to another, both included. None: no bound."""
        return True

    def event_name(self) -> str | None:
        """Return the name of the event that it is. None: it has no properties, and its moment is the logical time."""
        return None

    def key_path(self) -> tuple[str, ...]:
        """Return the path of the property that is the key of runs; empty: it has no key."""
        return ()

    def last(self) -> Measure | None:
        """Return the measure of when it last happened, if events can show it."""
        return None


def kind_of(cause: Cause) -> CauseKind:
    assert isinstance(cause, CauseKind), f"{type(cause).__name__} is no kind of cause"
    return cause


def shape_of(kind: type[CauseKind], word: str, others: Mapping[str, Shape] | None = None) -> Shape:
    """Return the shape of a cause that this word names. `others`: further keys, all required."""
    keys, more = kind.keys(), {} if others is None else others
    words = [word, *(key for key in keys if key not in kind.example)]
    return mapping({key: keys[key] for key in words} | dict(more), [word, *kind.must, *more])
