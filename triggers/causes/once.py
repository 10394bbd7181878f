"""`{on: 2026-12-24, at: "10:00", inside: S}`: one date of the user's calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.calendar import day_of, month_days
from triggers.base.moments import iso_day
from triggers.causes.clock import AT, INSIDE, ByClock, read_at, read_inside
from triggers.language.documents import Scalar
from triggers.language.fields import MAX_NAME, kind
from triggers.language.shapes import DATE, TEXT, TIME, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.causes.cause import Reader
    from triggers.language.documents import Node
    from triggers.language.fields import Fields
    from triggers.measures.reading import View

_DATE: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Once(ByClock):
    """One occurrence, on a date: the number of the day from 1970-01-01."""

    day: int
    at: int
    inside: str | None = None

    example: ClassVar[Mapping[str, str]] = {"on": '{on: 2026-12-24, at: "10:00", inside: S}'}
    also: ClassVar[Mapping[str, str]] = {"at": AT, "inside": INSIDE}

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"on": DATE, "at": TIME, "inside": TEXT}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> Once | None:
        day = read_date(reader.fields, parts[word], f"{what}: on", "as in 2026-12-24; what comes again begins with every: week")
        at = read_at(parts, word, what, reader)
        inside = read_inside(parts, what, reader) if "inside" in parts else None
        return None if day is None or at is None or (inside is None and "inside" in parts) else cls(day, at, inside)

    def wire(self) -> tuple[str, dict[str, object]]:
        return "Once", {"day": self.day, "at": self.at} | ({} if self.inside is None else {"inside": self.inside})

    def words(self) -> str:
        return f"on {iso_day(self.day)}"

    def label(self, *, enters: bool) -> str:
        return self.at_words(self.words())

    def occurs(self, first: int | None, last: int | None) -> bool:
        return (first is None or first <= self.day) and (last is None or self.day <= last)

    def first_date(self, day: int, view: View) -> int | None:
        return self.day if day <= self.day else None


def read_date(fields: Fields, node: Node, what: str, hint: str) -> int | None:
    """Read a date from 1970 to 9998 as the number of its day."""
    match = _DATE.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is not None:
        year, month, day = int(match[1]), int(match[2]), int(match[3])
        if 1970 <= year <= 9998 and 1 <= day <= month_days(year, month):
            return day_of(year, month, day)
    shown = f'"{node.text[:MAX_NAME]}"' if isinstance(node, Scalar) and node.text else kind(node)
    fields.refuse(node, f"{what} is {shown}, which is no date", hint)
    return None
