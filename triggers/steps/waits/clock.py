"""`wait: {at: "09:00", on: [monday]}`: the run rests until the first such time on the user's clock, not before the step before.

A date that the user's zone skips has no such time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from triggers.base.calendar import WEEKDAYS, weekday
from triggers.base.model import DAY
from triggers.definitions.model import Condition
from triggers.definitions.words import clock_words
from triggers.language.shapes import TIME, Shape, listed, mapping, one_of
from triggers.language.times import time_of_day, weekdays
from triggers.steps.waits.form import LocalWaiting, WaitForm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from triggers.language.documents import Node
    from triggers.steps.context import StepContext
    from triggers.steps.kind import Reader
    from triggers.steps.program import Outcome, Program

_ALL = tuple(range(len(WEEKDAYS)))


@dataclass(frozen=True, slots=True)
class ClockWait(WaitForm):
    """A wait for a time of day, ms from midnight, on one of these days of the week (Monday is 0)."""

    name: str
    at: int
    on: tuple[int, ...] = _ALL
    when: Condition | None = None

    since: ClassVar[int] = 2
    example: ClassVar[str] = 'wait: {at: "09:00", on: [monday]}'
    marks: ClassVar[tuple[str, ...]] = ("at", "on")

    @classmethod
    def shape(cls) -> Shape:
        return mapping({"at": TIME, "on": listed(one_of(*WEEKDAYS))}, ["at"])

    @classmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> ClockWait | None:
        parts = reader.fields.keys(node, "wait", ("at", "on"), required=("at",), example=f"as in {cls.example}")
        if parts is None:
            return None
        at = time_of_day(reader.fields, parts["at"], "at") if "at" in parts else None
        on = weekdays(reader.fields, parts["on"], "on") if "on" in parts else _ALL
        return None if at is None or on is None else cls(name, at, on, when)

    def wire(self) -> tuple[str, dict[str, object]]:
        fields: dict[str, object] = {"name": self.name, "at": self.at}
        fields |= {"on": self.on} if self.on != _ALL else {}
        return "ClockWait", fields | ({} if self.when is None else {"when": self.when})

    def clock(self, before: int | None) -> int | None:
        return self.at

    def label(self) -> str:
        days = "" if self.on == _ALL else f" on {', '.join(WEEKDAYS[day] for day in self.on)}"
        return f"wait until {clock_words(self.at)}{days}"

    def compile(self, program: Program) -> None:
        program.add(_Waiting(self))


class _Waiting(LocalWaiting):
    def __init__(self, step: ClockWait) -> None:
        super().__init__(step, step.at)
        self.time = step.at
        self.on = frozenset(step.on)

    def carry_out(self, context: StepContext) -> Outcome:
        zone, moment = context.view.zone, context.run.moment
        day = zone.local(moment) // DAY - 1  # a time that the zone skips may come on the next date
        while True:
            if weekday(day) in self.on:
                found = zone.at(day * DAY + self.time)
                if found >= moment and zone.at(day * DAY) < zone.at(day * DAY + DAY):
                    return self.rest_until(context, found)
            day += 1
