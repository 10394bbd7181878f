"""The base of all forms of `wait`, and the place of a program at which a run rests until a moment."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from triggers.base.calendar import WEEKDAYS
from triggers.base.model import DAY, HOUR
from triggers.language import later
from triggers.language.documents import List, Map, Scalar
from triggers.language.fields import NEEDS_2
from triggers.language.shapes import STEPS, Shape, either
from triggers.language.times import written_time
from triggers.steps.kind import Moment, StepKind
from triggers.steps.program import Entry, Outcome, Rest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from triggers.base.moments import Zone
    from triggers.definitions.model import Condition, Step
    from triggers.language.documents import Node
    from triggers.steps.context import StepContext
    from triggers.steps.kind import Reader


class WaitForm(StepKind):
    """A form of `wait`: what is written under the word, and what it waits for."""

    __slots__ = ()

    does: ClassVar[str] = "waits"
    waits: ClassVar[bool] = True
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`wait`, its moment in the future", "waiting", "waiting"),
        Moment("`wait`, its moment past", "at the next step; `late` or not"),
    )
    also: ClassVar[tuple[str, ...]] = ("came", "timed_out")
    branches: ClassVar[bool] = False
    """Steps can be inside it, under the keys in `also`."""
    example: ClassVar[str]
    """As it is written in a rule file, for messages."""
    marks: ClassVar[tuple[str, ...]] = ()
    """Keys of the mapping. Each of them alone says that this form is meant. The form without marks is written without a mapping."""

    @classmethod
    def keys(cls) -> Mapping[str, Shape]:
        return {"": either(*(form.shape() for form in FORMS)), **dict.fromkeys(cls.also, STEPS)}

    @classmethod
    @abstractmethod
    def shape(cls) -> Shape:
        """Give the shape of what is written under `wait` in this form."""

    @classmethod
    def read(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> WaitForm | None:
        """Parse the form that is meant, whichever form is asked. What no form knows, the one without a mapping refuses."""
        written = {key.text for key, _ in node.entries} if isinstance(node, Map) else set()
        form = next((form for form in FORMS if not written.isdisjoint(form.marks)), FORMS[0])
        if form is FORMS[0] and (found := _misread(node)) is not None and reader.fields.version(node) > 1:
            reader.fields.refuse(node, *found)
            return None
        if form is FORMS[0] and isinstance(node, Scalar) and node.text in reader.segments and reader.fields.version(node) > 1:
            hint = f"as in wait: {{inside: {node.text}, timeout: 3d}}"
            reader.fields.refuse(node, f'wait is "{node.text}", which is a segment', hint)
            return None
        if form.since > reader.fields.version(node):
            mark = next(mark for mark in form.marks if mark in written)
            reader.fields.refuse(node, f'"{mark}" in wait', NEEDS_2)
            return None
        if not form.branches:
            for word, block in extra.items():
                reader.fields.refuse(block, f'"{word}" next to a wait of this kind', "it belongs next to wait: {event: E, timeout: 3d}")
        return form.read_form(node, name, when, reader, extra)

    @classmethod
    @abstractmethod
    def read_form(cls, node: Node, name: str, when: Condition | None, reader: Reader, extra: Mapping[str, Node]) -> Self | None:
        """Parse this form. Return None after reporting an error."""


CLOCK_CHANGES: Final = 3 * HOUR
"""How much longer or shorter days of a zone's calendar are at most than as many times 24 hours."""

FORMS: Final[list[type[WaitForm]]] = []
"""All forms, first the one without a mapping; `triggers.steps.waits` fills it. Of the others, the first with a written mark is meant."""


def _misread(node: Node) -> tuple[str, str] | None:
    """Say what is wrong with a wait of which no key says what it is for; None: it may be a length of time."""
    every = "as in " + ", ".join(form.example for form in FORMS)
    if isinstance(node, Map):
        key = next((key.text for key, _ in node.entries if key.text in later.WAITS), None)
        if key is not None:
            return f'"{key}" in wait does not say what it waits for', later.WAITS[key]
        return "wait does not say what it waits for", every
    if isinstance(node, List):
        return "wait is a list", "as in wait: {any: [{event: A}, {event: B}], timeout: 3d}"
    if node.text.casefold() in WEEKDAYS:
        return f'wait is "{node.text}", which is no duration', f'as in wait: {{at: "09:00", on: [{node.text.casefold()}]}}'
    if _CLOCK.fullmatch(node.text):
        return f'wait is "{node.text}", which is no duration', f'as in wait: {{at: "{node.text}"}}'
    if (minutes := _minutes(node.text)) is not None:
        return f'wait is "{node.text}", which is no duration', f"as in wait: {minutes}m"
    if node.text.casefold() in _DAYS:
        return f'wait is "{node.text}", which is no duration', 'as in wait: {days: 1, at: "09:00"}'
    if (found := _UNTIL.fullmatch(node.text)) is not None and (time := written_time(found[1] or found[2])):
        return f'wait is "{node.text}", which is no duration', f'as in wait: {{at: "{time}"}}'
    if (found := _LENGTH.fullmatch(node.text)) is not None:
        return f'wait is "{node.text}", which is no duration', f"as in wait: {found[1]}{found[2][0]}"
    if (found := _CALENDAR.fullmatch(node.text)) is not None:
        number = int(found[1]) * (12 if found[2].startswith("y") else 1)
        return f'wait is "{node.text}", which is no duration', f"as in wait: {{months: {number}}}"
    return None


def _minutes(text: str) -> int | None:
    """Return the minutes of `1.5h`, `1h30m` and `1h 30m`; None: it is written otherwise."""
    if (found := _HALVES.fullmatch(text)) is not None:
        return int(found[1]) * 60 + 30
    found = _MIXED.fullmatch(text)
    return None if found is None else int(found[1]) * 60 + int(found[2])


_DAYS: Final = ("tomorrow", "next day", "next morning")
_HALVES: Final = re.compile(r"([0-9]{1,3})\.50? ?h")
_MIXED: Final = re.compile(r"([0-9]{1,3}) ?h ?([1-5]?[0-9]) ?m(?:in)?")
_UNTIL: Final = re.compile(r"(?:until |till |at )([0-9:.apm ]{1,8})|([0-9]{1,2}[:.][0-9]{2}(?: ?[ap]m)?|[0-9]{1,2} ?[ap]m)")
_CLOCK: Final = re.compile(r"[0-2][0-9]:[0-5][0-9]")
_LENGTH: Final = re.compile(r"([1-9][0-9]{0,4}) ?(seconds?|minutes?|min|hours?|days?|weeks?)")
_CALENDAR: Final = re.compile(r"([0-9]{1,3}) ?(mo|month|months|y|year|years)")


class Waiting(Entry):
    """A place of a program at which a run rests until a moment."""

    counts: ClassVar[bool] = True

    def rest_until(self, context: StepContext, moment: int) -> Outcome:
        """Move the run to a moment. It rests until then; if that has passed, it continues, late or not."""
        run = context.run
        run.moment = moment
        if moment > context.now:
            run.late = False
            return Rest(moment)
        run.late = context.journey.late.drops(moment, context.now)
        return self.next

    def wake(self) -> int:
        return self.next


class LocalWaiting(Waiting):
    """A place at which a run rests until a local time. `at`: its time of day, ms from midnight; None: the moment says it."""

    def __init__(self, step: Step, at: int | None) -> None:
        super().__init__(step)
        self.at = at

    def moved(self, moment: int, before: Zone, after: Zone) -> int:
        return after.at(self._local(moment, before))

    def _local(self, moment: int, zone: Zone) -> int:
        """Return the local time that the moment was made of, also if the zone skips that time."""
        local = zone.local(moment)
        if self.at is not None:
            for day in (local // DAY - 1, local // DAY):
                if zone.at(day * DAY + self.at) == moment:
                    return day * DAY + self.at
        return local
