"""`wait: {date: run.entered, offset: 2d, at: "19:30"}`: the run rests until a date of the user's calendar.

The date is that of the run's entry on the user's clock. `offset` is taken first, then `at` (the same local time without it). A run never
goes back: a date before the moment of the step before is no wait. So a run that a pause has made late stays late if the date is late too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.model import DAY
from triggers.base.moments import parse_duration
from triggers.definitions.model import Condition
from triggers.definitions.words import clock_words, duration_words
from triggers.language.documents import Scalar
from triggers.language.shapes import TIME, Shape, mapping, one_of, text_like
from triggers.language.times import time_of_day
from triggers.steps.waits.form import CLOCK_CHANGES, LocalWaiting, WaitForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.base.moments import Zone
    from triggers.language.documents import Node
    from triggers.language.fields import Fields
    from triggers.steps.context import StepContext
    from triggers.steps.kind import Reader
    from triggers.steps.program import Outcome, Program

SOURCE: Final = "run.entered"
_CALENDAR: Final = re.compile(r"[0-9]+[dw]")


@dataclass(frozen=True, slots=True)
class DateWait(WaitForm):
    """A wait for a date. `days` and `rest` are its offset: days of the calendar, and an exact length in ms."""

    name: str
    days: int = 0
    rest: int = 0
    at: int | None = None
    when: Condition | None = None

    since: ClassVar[int] = 2
    example: ClassVar[str] = 'wait: {date: run.entered, offset: 2d, at: "19:30"}'
    marks: ClassVar[tuple[str, ...]] = ("date", "offset")

    @classmethod
    def shape(cls) -> Shape:
        return mapping({"date": one_of(SOURCE), "offset": text_like("-?[0-9]{1,9}(?:ms|s|m|h|d|w)"), "at": TIME}, ["date"])

    @classmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> DateWait | None:
        fields = reader.fields
        parts = fields.keys(node, "wait", ("date", "offset", "at"), required=("date",))
        if parts is None or "date" not in parts:
            return None
        date = parts["date"]
        if not isinstance(date, Scalar) or date.text != SOURCE:
            hint = f"{SOURCE} belongs here; dates of traits and properties are not in the language yet"
            fields.refuse(date, "date names something else", hint)
            return None
        offset = _offset(fields, parts["offset"]) if "offset" in parts else (0, 0)
        at = time_of_day(fields, parts["at"], "at") if "at" in parts else None
        return None if offset is None or (at is None and "at" in parts) else cls(name, *offset, at, when)

    def latest(self) -> int:
        offset = self.days * DAY + self.rest
        if self.at is None:
            return offset + (CLOCK_CHANGES if self.days > 0 else 0)
        return min(offset, 0) if offset <= -DAY else offset + self.at + CLOCK_CHANGES

    def wire(self) -> tuple[str, dict[str, object]]:
        optional = {"days": (self.days, 0), "rest": (self.rest, 0), "at": (self.at, None), "when": (self.when, None)}
        return "DateWait", {"name": self.name, "date": SOURCE} | {key: value for key, (value, usual) in optional.items() if value != usual}

    def clock(self, before: int | None) -> int | None:
        return self.at

    def label(self) -> str:
        offset = "" if not (self.days or self.rest) else f" {duration_words(self.days * DAY + self.rest)} after"
        return f"wait until{offset} {SOURCE}" + ("" if self.at is None else f" at {clock_words(self.at)}")

    def compile(self, program: Program) -> None:
        program.add(_Waiting(self))


def _offset(fields: Fields, node: Node) -> tuple[int, int] | None:
    """Read an offset such as `-3d` or `2h`: days of the calendar, and an exact length."""
    text = node.text if isinstance(node, Scalar) else ""
    sign, length = (-1, text[1:]) if text.startswith("-") else (1, text)
    try:
        ms = parse_duration(length)
    except ValueError:
        fields.refuse(node, f'offset is "{text[:64]}"', "a length of time belongs here, as in 2d, -3d or 12h")
        return None
    return (sign * ms // DAY, 0) if _CALENDAR.fullmatch(length) else (0, sign * ms)


class _Waiting(LocalWaiting):
    def __init__(self, step: DateWait) -> None:
        super().__init__(step, step.at)
        self.days = step.days
        self.rest = step.rest

    def carry_out(self, context: StepContext) -> Outcome:
        zone, run = context.view.zone, context.run
        local = zone.local(run.entered + self.rest) + self.days * DAY
        moment = run.entered + self.rest
        if self.at is not None:
            moment = zone.at(local // DAY * DAY + self.at)
        elif not self.rest:
            moment = zone.at(local)
        if moment >= run.moment:
            return self.rest_until(context, moment)
        late = context.journey.late
        run.late = late.drops(run.moment, context.now) or (run.late and late.drops(moment, context.now))
        return self.next

    def moved(self, moment: int, before: Zone, after: Zone) -> int:
        return moment if self.rest and self.at is None else super().moved(moment, before, after)
