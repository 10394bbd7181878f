"""`calendar`: the entries by the clock that a user waits for, and the date of the latest occurrence of each.

[due moment of the earliest, or nil; journey and definition of the entry -> its timer]

A timer has the name of what it is for, and not of its place in the journey's list of entries: another entry in the list changes nothing.
"""

from typing import Any, Final

import msgspec

from triggers.base.calendar import date_of
from triggers.base.model import NEVER
from triggers.base.moments import iso
from triggers.state.sections.base import Legend, Needed, Section

Timer = tuple[str, int, int, int]
"""The key of the journey's bounds; when it comes, ms (NEVER: it is not waited for); what the user's clock shows then, as in
`Zone.local`, without the spread; the latest date that has come, -1: none."""
Calendar = dict[str, Timer]
_TIMER: Final = 48
"""Bytes of a timer without the name."""
_decode = msgspec.msgpack.Decoder(tuple[int | None, dict[str, Timer]]).decode
_decode_due = msgspec.msgpack.Decoder(tuple[int | None, msgspec.Raw]).decode


def _read(raw: Any) -> Calendar:  # noqa: ANN401
    return _decode(raw)[1]


class Timers(Section):
    """Journey and definition of the entry -> timer."""

    def content(self, value: Calendar) -> Any:  # noqa: ANN401
        if not value:
            return None
        due = self.due(value)
        return (None if due == NEVER else due), dict(sorted(value.items()))

    def due(self, value: Calendar) -> int:
        due = NEVER
        for timer in value.values():
            if timer[1] < due:
                due = timer[1]
        return due

    def due_of(self, raw: Any) -> int:  # noqa: ANN401
        due = _decode_due(raw)[0]
        return NEVER if due is None else due

    def size(self, value: Calendar) -> int:
        return sum(_TIMER + len(name.encode()) for name in value)

    def forget(self, value: Calendar, needed: Needed) -> None:
        for name in [name for name in value if journey_of(name) not in needed.journeys]:
            del value[name]

    def show(self, value: Calendar, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        listed = [
            {"journey": journey_of(name), "next": None if due == NEVER else iso(due), "last": None if done < 0 else _date(done)}
            for name, (_, due, _, done) in sorted(value.items())
        ]
        return {"schedules": listed} if listed else {}

    def timers(self, value: Calendar, legend: Legend) -> list[tuple[int, str]]:  # noqa: ARG002
        return [(due, f"enter journey {journey_of(name)} by the clock") for name, (_, due, _, _) in value.items() if due != NEVER]


def name_of(journey: str, counted: str, definition: str) -> str:
    """Name the timer of an entry. `counted`: see `Clock.counted`. `definition`: the hash of its definition."""
    return f"{journey}\0{counted}\0{definition}"


def family_of(name: str) -> str:
    """Return the part of a name that is the same for all entries of a journey that count occurrences alike."""
    return name.rpartition("\0")[0]


def journey_of(name: str) -> str:
    return name.partition("\0")[0]


def _date(day: int) -> str:
    year, month, date = date_of(day)
    return f"{year:04}-{month:02}-{date:02}"


CALENDAR: Final = Timers("calendar", _read, timed=True)
