"""`wait: {days: 3, at: "09:00"}`, `{weeks: 1}`, `{months: 1}`: the run rests until a later date of the user's calendar.

The date is counted from the local date of the moment of the step before. The time is the same local time, unless `at` names one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from triggers.base.calendar import add_months
from triggers.base.model import DAY
from triggers.definitions.model import Condition
from triggers.definitions.words import clock_words
from triggers.language.shapes import TIME, Shape, either, mapping, whole
from triggers.language.times import time_of_day, whole_number
from triggers.steps.waits.form import CLOCK_CHANGES, LocalWaiting, WaitForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext
    from triggers.steps.kind import Reader
    from triggers.steps.program import Outcome, Program

Unit = Literal["days", "weeks", "months"]
MOST: Final[dict[Unit, int]] = {"days": 36_525, "weeks": 5_217, "months": 1_200}
"""The longest wait: a hundred years."""

_SHORTEST: Final[dict[Unit, int]] = {"days": DAY, "weeks": 7 * DAY, "months": 28 * DAY}


@dataclass(frozen=True, slots=True)
class CalendarWait(WaitForm):
    """A wait for `number` days, weeks or months of the calendar. `at`: the time of day, ms from midnight; None: the same as before."""

    name: str
    unit: Unit
    number: int
    at: int | None = None
    when: Condition | None = None

    since: ClassVar[int] = 2
    example: ClassVar[str] = 'wait: {days: 3, at: "09:00"}'
    marks: ClassVar[tuple[str, ...]] = ("days", "weeks", "months")

    @classmethod
    def shape(cls) -> Shape:
        return either(*(mapping({unit: whole(1, most), "at": TIME}, [unit]) for unit, most in MOST.items()))

    @classmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> CalendarWait | None:
        fields = reader.fields
        parts = fields.keys(node, "wait", (*MOST, "at"))
        if parts is None:
            return None
        units = [unit for unit in MOST if unit in parts]
        if len(units) > 1:
            fields.refuse(node, f"wait has {' and '.join(units)}", "one of them belongs here; make two steps of it")
            return None
        number = whole_number(fields, parts[units[0]], units[0], MOST[units[0]])
        at = time_of_day(fields, parts["at"], "at") if "at" in parts else None
        return None if number is None or (at is None and "at" in parts) else cls(name, units[0], number, at, when)

    def takes(self) -> int:
        shortest = self.number * _SHORTEST[self.unit] - DAY - CLOCK_CHANGES  # the user may move to the east while the run waits
        return max(shortest if self.at is None else shortest - DAY, 0)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "unit": self.unit, "number": self.number}
        optional = {"at": self.at, "when": self.when}
        return "CalendarWait", fields | {key: value for key, value in optional.items() if value is not None}

    def clock(self, before: int | None) -> int | None:
        return before if self.at is None else self.at

    def label(self) -> str:
        return f"wait {self.number} {self.unit}" + ("" if self.at is None else f", until {clock_words(self.at)}")

    def compile(self, program: Program) -> None:
        program.add(_Waiting(self))


class _Waiting(LocalWaiting):
    def __init__(self, step: CalendarWait) -> None:
        super().__init__(step, step.at)
        self.unit = step.unit
        self.number = step.number

    def carry_out(self, context: StepContext) -> Outcome:
        zone = context.view.zone
        day, time = divmod(zone.local(context.run.moment), DAY)
        if self.unit == "months":
            day = add_months(day, self.number)
        else:
            day += self.number * (7 if self.unit == "weeks" else 1)
        return self.rest_until(context, zone.at(day * DAY + (time if self.at is None else self.at)))
