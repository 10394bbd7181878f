"""`{date: traits.birthday, every: year, offset: -3d, at: "09:00", inside: S}`: the date that a trait names, or its anniversaries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

from triggers.base.calendar import date_of, day_of, month_days
from triggers.base.model import DAY
from triggers.base.moments import parse_duration
from triggers.causes.clock import AT, INSIDE, ByClock, read_at, read_inside
from triggers.language.dates import date_in
from triggers.language.documents import Scalar
from triggers.language.fields import MAX_NAME, kind, nearest
from triggers.language.shapes import TEXT, TIME, Shape, one_of, text_like

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.base.moments import Zone
    from triggers.causes.cause import Reader
    from triggers.language.documents import Node
    from triggers.measures.reading import View

_TRAIT: Final = re.compile(r"traits((?:\.[A-Za-z_][A-Za-z_0-9]*)+)")
_WITH_OFFSET: Final = re.compile(r"(traits\.[\w.]+) ?([-+]) ?([0-9]+[dw])")
_OFFSET: Final = re.compile(r"-?[0-9]+[dw]")
MOST_DAYS: Final = 366
"""Longest offset."""


@dataclass(frozen=True, slots=True)
class Dated(ByClock):
    """Occurrences on the date in a trait, or on its anniversaries, `days` later."""

    trait: tuple[str, ...]
    at: int
    yearly: bool = False
    days: int = 0
    inside: str | None = None

    is_for_all: ClassVar[bool] = False
    example: ClassVar[Mapping[str, str]] = {"date": '{date: traits.birthday, every: year, at: "09:00", inside: S}'}
    also: ClassVar[Mapping[str, str]] = {
        "every": "every: year names the anniversaries of a date",
        "offset": "offset is for the date of a trait",
        "at": AT,
        "inside": INSIDE,
    }

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"date": TEXT, "every": one_of("year"), "offset": text_like(_OFFSET.pattern), "at": TIME, "inside": TEXT}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> Dated | None:
        trait = _trait(parts[word], f"{what}: date", reader)
        at = read_at(parts, word, what, reader)
        inside = read_inside(parts, what, reader) if "inside" in parts else None
        yearly = "every" in parts
        days = _days(parts["offset"], f"{what}: offset", reader) if "offset" in parts else 0
        if yearly and reader.fields.word(parts["every"], f"{what}: every", ("year",)) is None:
            return None
        if trait is None or at is None or days is None or (inside is None and "inside" in parts):
            return None
        return cls(trait, at, yearly, days, inside)

    def wire(self) -> tuple[str, dict[str, object]]:
        optional = {"yearly": (self.yearly, False), "days": (self.days, 0), "inside": (self.inside, None)}
        fields = {key: value for key, (value, usual) in optional.items() if value != usual}
        return "Dated", {"trait": self.trait, "at": self.at} | fields

    def words(self) -> str:
        return f"date {self.source}"

    def label(self, *, enters: bool) -> str:
        days = "" if not self.days else f"{abs(self.days)}d {'after' if self.days > 0 else 'before'} "
        return self.at_words(f"{days}{'each anniversary of ' if self.yearly else 'the date in '}{self.source}")

    @property
    def source(self) -> str:
        """The trait as it is written."""
        return ".".join(("traits", *self.trait))

    def value(self, view: View) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
        value: Any = view.traits.get(self.trait[0])
        for name in self.trait[1:]:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    @property
    def reads(self) -> str | None:
        return self.trait[0]

    def fault(self, view: View) -> str | None:
        value = self.value(view)
        if value is None or date_in(value, view.zone, without_year=self.yearly) is not None:
            return None
        return f"{self.source} is no date: {str(value)[:MAX_NAME]}"

    def first_date(self, day: int, view: View) -> int | None:
        found = date_in(self.value(view), view.zone, without_year=self.yearly)
        if found is None:
            return None
        first, month, date = found
        if not self.yearly:
            only = day_of(first, month, date) + self.days
            return only if only >= day else None
        year = max(date_of(day - self.days)[0], first + 1)
        while (anniversary := self._anniversary(year, month, date)) < day:
            year += 1
        return anniversary

    def ordinal(self, date: int) -> int:
        return day_of(date_of(date - self.days)[0], 1, 1) if self.yearly else date

    @property
    def counted(self) -> str:
        return "year" if self.yearly else "date"

    def moved(self, date: int, done: int, before: Zone, view: View) -> tuple[int, int]:
        """Move with the value of the trait: a moment can be on another date of the new zone.

        What can no longer come in the zone `before` does not come in the new one.
        """
        value = self.value(view)
        there, here = (date_in(value, zone, without_year=self.yearly) for zone in (before, view.zone))
        if there is None or here is None or there == here:
            return date, done
        if not self.yearly:
            only = day_of(*here) + self.days
            return only, max(done, only) if done >= day_of(*there) + self.days else done
        later = here[0] - there[0]
        year = date_of(date - self.days)[0] + later
        return self._anniversary(year, here[1], here[2]), done if done < 0 else day_of(date_of(done)[0] + later, 1, 1)

    def _anniversary(self, year: int, month: int, date: int) -> int:
        return day_of(year, month, min(date, month_days(year, month))) + self.days

    def shortest(self) -> int | None:
        return 365 if self.yearly else None


def _trait(node: Node, what: str, reader: Reader) -> tuple[str, ...] | None:
    match = _TRAIT.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None:
        offset = _WITH_OFFSET.fullmatch(node.text) if isinstance(node, Scalar) else None
        hint = "a trait belongs here, as in traits.birthday"
        if offset is not None:
            hint = f"date: {offset[1]}, offset: {offset[2].replace('+', '')}{offset[3]} is meant"
        reader.fields.refuse(node, f"{what} is {_shown(node)}", hint)
        return None
    path = tuple(match[1][1:].split("."))
    declared = reader.schema.trait(path)
    if declared is None:
        reader.fields.refuse(node, f'unknown trait "{".".join(path)}"', nearest(".".join(path), reader.schema.traits or ()))
    elif declared.type == "flag":
        reader.fields.refuse(
            node, f"{what} is {_shown(node)}, a flag in the schema", "a date, a moment or a number of seconds belongs in it"
        )
    return None if declared is None or declared.type == "flag" else path


def _days(node: Node, what: str, reader: Reader) -> int | None:
    text = node.text if isinstance(node, Scalar) else ""
    days = parse_duration(text.removeprefix("-")) // DAY if _OFFSET.fullmatch(text[:8]) and len(text) <= 8 else MOST_DAYS + 1
    if days > MOST_DAYS:
        reader.fields.refuse(node, f"{what} is {_shown(node)}", f"days or weeks belong here, as in -3d, 2d or 1w, at most {MOST_DAYS}d")
        return None
    return -days if text.startswith("-") else days


def _shown(node: Node) -> str:
    return f'"{node.text[:MAX_NAME]}"' if isinstance(node, Scalar) and node.text else kind(node)
