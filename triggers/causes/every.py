"""`{every: week, on: [monday], at: "10:00", inside: S}`: the date comes again and again on the user's calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from triggers.base.calendar import WEEKDAYS, add_months, date_of, day_of, month_days, weekday
from triggers.causes.clock import AT, INSIDE, ByClock, read_at, read_inside
from triggers.language import later
from triggers.language.documents import List, Scalar
from triggers.language.fields import MAX_NAME, kind
from triggers.language.shapes import NAME, TEXT, TIME, Shape, either, listed, one_of
from triggers.language.times import weekdays

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.causes.cause import Reader
    from triggers.language.documents import Node
    from triggers.measures.reading import View

Period = Literal["day", "week", "month", "year"]
PERIODS: Final[dict[str, Period]] = {"day": "day", "week": "week", "month": "month", "year": "year"}
LAST_DAY: Final = 31
"""The number of the last day of a month, whatever month it is."""
_MONTH_AND_DAY: Final = re.compile(r"(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
_ORDINAL: Final = re.compile(r"first|([1-9]|[12][0-9]|3[01])(?:st|nd|rd|th)")
_FULL_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EXAMPLES: Final = {"week": "on: [monday]", "month": "on: [1, 15] or on: last", "year": "on: 12-24"}


@dataclass(frozen=True, slots=True)
class Every(ByClock):
    """Occurrences on these days of each period.

    `on` has days of the week from 0 (Monday), days of the month, or, of a year, 100 times the month and the day. A month without the day:
    its last one.
    """

    period: Period
    at: int
    on: tuple[int, ...] = ()
    inside: str | None = None

    example: ClassVar[Mapping[str, str]] = {"every": '{every: week, on: [monday], at: "10:00", inside: S}'}
    also: ClassVar[Mapping[str, str]] = {"on": "on names the days of every: week, month or year", "at": AT, "inside": INSIDE}

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"every": one_of(*PERIODS), "on": either(NAME, listed(NAME)), "at": TIME, "inside": TEXT}

    @classmethod
    def read(cls, word: str, parts: Mapping[str, Node], what: str, reader: Reader) -> Every | None:
        fields = reader.fields
        period = _period(parts[word], f"{what}: every", reader)
        if period is None:
            return None  # what else is wrong depends on it
        at = read_at(parts, word, what, reader)
        inside = read_inside(parts, what, reader) if "inside" in parts else None
        on: tuple[int, ...] | None = ()
        if period == "day" and "on" in parts:
            fields.refuse(parts["on"], f"{what}: on with every: day", "leave it out, or take every: week")
        elif period != "day" and "on" not in parts:
            fields.refuse(parts[word], f'{what}: every: {period} without "on"', f"as in {_EXAMPLES[period]}")
        elif period != "day":
            on = _on(period, parts["on"], f"{what}: on", reader)
        if at is None or on is None or (inside is None and "inside" in parts):
            return None
        return cls(period, at, on, inside)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"period": self.period, "at": self.at}
        fields |= {"on": self.on} if self.on else {}
        return "Every", fields | ({} if self.inside is None else {"inside": self.inside})

    def words(self) -> str:
        return f"every {self.period}"

    def label(self, *, enters: bool) -> str:
        return self.at_words(f"{self.words()}{_day_words(self.period, self.on)}")

    def first_date(self, day: int, view: View) -> int:
        return self._first(day)

    def occurs(self, first: int | None, last: int | None) -> bool:
        return first is None or last is None or self._first(first) <= last

    def _first(self, day: int) -> int:
        if self.period == "day":
            return day
        if self.period == "week":
            return min(day + (place - weekday(day)) % 7 for place in self.on)
        year, month, _ = date_of(day)
        first = day_of(year, month, 1) if self.period == "month" else day_of(year, 1, 1)
        while True:
            found = [date for date in self._dates(first) if date >= day]
            if found:
                return min(found)
            first = add_months(first, 1 if self.period == "month" else 12)

    def _dates(self, first: int) -> list[int]:
        """List the dates of the period that begins on a day."""
        year, month, _ = date_of(first)
        if self.period == "month":
            return [day_of(year, month, min(date, month_days(year, month))) for date in self.on]
        return [day_of(year, one // 100, min(one % 100, month_days(year, one // 100))) for one in self.on]

    def shortest(self) -> int | None:
        if self.period == "day":
            return 1
        if self.period == "week":
            places = [*self.on, self.on[0] + 7]
        elif self.period == "month":
            places = [*self.on, self.on[0] + 28]
        else:
            days = sorted(self._dates(day_of(2025, 1, 1)))
            places = [*days, days[0] + 365]
        return max(min(after - before for before, after in pairwise(places)), 1)

    def longest(self) -> int | None:
        if self.period == "day":
            return 1
        dates = [self._first(day_of(2023, 1, 1))]
        while dates[-1] < day_of(2029, 1, 1):
            dates.append(self._first(dates[-1] + 1))
        return max(after - before for before, after in pairwise(dates))


def _period(node: Node, what: str, reader: Reader) -> Period | None:
    text = node.text.casefold() if isinstance(node, Scalar) else ""
    if text in later.PERIODS:
        reader.fields.refuse(node, f'{what} cannot be "{text}"', later.PERIODS[text])
        return None
    if text in WEEKDAYS:
        reader.fields.refuse(node, f'{what} cannot be "{text}"', f"as in every: week, on: [{text}]")
        return None
    if re.fullmatch(r"[0-9]{1,4} ?[a-z]{1,8}", text):
        hint = "a schedule has no other rhythm than day, week, month and year; a length from an entry on is re_entry: or a wait"
        reader.fields.refuse(node, f'{what} cannot be "{text}"', hint)
        return None
    return PERIODS.get(reader.fields.word(node, what, PERIODS) or "")


def _on(period: Period, node: Node, what: str, reader: Reader) -> tuple[int, ...] | None:
    if period == "week":
        return weekdays(reader.fields, node, what)
    items = node.items if isinstance(node, List) else [node]
    if not items:
        reader.fields.refuse(node, f"{what} is an empty list", f"as in {_EXAMPLES[period]}")
        return None
    read = _day_of_month if period == "month" else _day_of_year
    found = [read(item, what, reader) for item in items]
    return None if None in found else tuple(sorted({number for number in found if number is not None}))


def _day_words(period: Period, on: tuple[int, ...]) -> str:
    """Return the days of a period as text."""
    if not on:
        return ""
    if period == "week":
        return f" on {', '.join(WEEKDAYS[day] for day in on)}"
    if period == "month":
        return f" on day {', '.join('last' if day == LAST_DAY else str(day) for day in on)}"
    return f" on {', '.join(f'{day // 100:02}-{day % 100:02}' for day in on)}"


def _day_of_month(node: Node, what: str, reader: Reader) -> int | None:
    value = node.value if isinstance(node, Scalar) else None
    if value == "last":
        return LAST_DAY
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LAST_DAY:
        return value
    hint = "a day of the month from 1 to 31 belongs here, or last"
    if isinstance(node, Scalar) and (number := _ORDINAL.fullmatch(node.text.casefold())):
        hint = f"on: [{number[1] or 1}] is meant"
    if isinstance(node, Scalar) and any(day in node.text.casefold() for day in WEEKDAYS):
        hint = "a month has days by number, 1 to 31 or last; a day of the week needs every: week"
    reader.fields.refuse(node, f"{what} is {_shown(node)}", hint)
    return None


def _day_of_year(node: Node, what: str, reader: Reader) -> int | None:
    match = _MONTH_AND_DAY.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None or int(match[2]) > month_days(2024, int(match[1])):
        hint = "month and day belong here, as in 12-24"
        if match is not None:
            hint = f"that month has {month_days(2024, int(match[1]))} days"
        if isinstance(node, Scalar) and _FULL_DATE.fullmatch(node.text):
            hint = f'for each year {node.text[5:]}; for this date alone {{on: {node.text}, at: "10:00"}} without every'
        reader.fields.refuse(node, f"{what} is {_shown(node)}", hint)
        return None
    return int(match[1]) * 100 + int(match[2])


def _shown(node: Node) -> str:
    return f'"{node.text[:MAX_NAME]}"' if isinstance(node, Scalar) and node.text else kind(node)
