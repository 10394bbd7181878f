"""The base of entries by the user's clock: each date that they name is an occurrence, at one time of day."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from triggers.causes.cause import CauseKind, Signal
from triggers.definitions.words import clock_words
from triggers.language.documents import List
from triggers.language.fields import nearest
from triggers.language.times import time_of_day

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.base.moments import Zone
    from triggers.causes.cause import Reader, WatchedSegment
    from triggers.definitions.model import Cause, Segment
    from triggers.language.documents import Node
    from triggers.measures.reading import View

AT = "at is the time of day of an entry by the clock"
INSIDE = "inside says which users an entry by the clock is for"


class ByClock(CauseKind):
    """Occurrences on dates of the user's calendar, for the users inside a segment. `at`: ms from midnight; `inside`: None for all."""

    __slots__ = ()

    by_clock: ClassVar[bool] = True
    is_for_all: ClassVar[bool] = True
    since: ClassVar[int] = 2
    must: ClassVar[tuple[str, ...]] = ("at",)

    at: int
    inside: str | None

    @abstractmethod
    def first_date(self, day: int, view: View) -> int | None:
        """Return the first date of an occurrence that is not before this day; None: there is none."""

    def ordinal(self, date: int) -> int:
        """Return what grows from occurrence to occurrence. One with an ordinal that has come does not come again."""
        return date

    @property
    def counted(self) -> str:
        """By what it counts its occurrences: `date` or `year`."""
        return "date"

    def moved(self, date: int, done: int, before: Zone, view: View) -> tuple[int, int]:
        """Move the date of the next occurrence, and the latest ordinal that has come, from the zone `before` to the user's."""
        return date, done

    @property
    def reads(self) -> str | None:
        """The trait that the dates depend on."""
        return None

    def fault(self, view: View) -> str | None:
        """Say why the trait names no date although it is there."""
        return None

    def signal(self, segments: Mapping[str, WatchedSegment]) -> Signal:
        return Signal(self.words(), segment=None if self.inside is None else segments[self.inside], clock=self)

    def at_words(self, days: str) -> str:
        """Return text about the days with the time of day, and with the users that enter."""
        return f"{days} at {clock_words(self.at)}" + ("" if self.inside is None else f", inside {self.inside}")

    def comes_with(self, other: Cause, segments: Mapping[str, Segment]) -> bool:
        return False

    def segment_names(self) -> tuple[str, ...]:
        return () if self.inside is None else (self.inside,)


def read_at(parts: Mapping[str, Node], word: str, what: str, reader: Reader) -> int | None:
    """Read the time of day."""
    if "at" not in parts:
        reader.fields.refuse(parts[word], f'{what}: {word} without "at"', 'the time of day on the user\'s clock, as in at: "10:00"')
        return None
    if isinstance(parts["at"], List):
        reader.fields.refuse(parts["at"], f"{what}: at is a list", "each time is an entry of its own, in a list of entries")
        return None
    return time_of_day(reader.fields, parts["at"], f"{what}: at")


def read_inside(parts: Mapping[str, Node], what: str, reader: Reader) -> str | None:
    """Read the name of the segment, which is there."""
    segment = reader.fields.text(parts["inside"], f"{what}: inside")
    if segment is not None and segment not in reader.segments:
        reader.fields.refuse(parts["inside"], f'unknown segment "{segment}"', nearest(segment, reader.segments))
        return None
    return segment
