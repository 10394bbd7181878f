"""The nodes of a condition's tree: how the value and the next change of `and`, `or`, `not` and `every_day` follow from their parts'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from triggers.base.model import NEVER
from triggers.base.moments import iso_day
from triggers.conditions.comparisons import Truth
from triggers.measures.view import View

Change = Callable[[View], int]
Look = Callable[[View], tuple[bool | None, int]]
Explain = Callable[[View, dict[str, Any]], None]
DayTest = Callable[[int], bool]
"""Whether one day's count or sum is what `every_day` asks for."""


class Node:
    """One condition of the tree; `days` give, inside `every_day`, the last day that may be unlike an empty one.

    `look` is value and change at once; `looks`: that is cheaper than one after the other, because they go over the same things.
    """

    __slots__ = ("change", "days", "explain", "look", "looks", "value")

    def __init__(self, value: Truth, change: Change, explain: Explain, days: tuple[Change, ...] = (), look: Look | None = None) -> None:
        self.value = value
        self.change = change
        self.explain = explain
        self.days = days
        self.look: Look = look or (lambda view: (value(view), change(view)))
        self.looks = look is not None


def never(view: View) -> int:  # noqa: ARG001
    return NEVER


def nothing(view: View, found: dict[str, Any]) -> None:
    """Explain nothing."""


# ---- and, or, not ---------------------------------------------------------------------------------------------------


def all_of(items: list[Node]) -> Node:
    return _joined(items, decided=False)


def any_of(items: list[Node]) -> Node:
    return _joined(items, decided=True)


def _joined(items: list[Node], *, decided: bool) -> Node:
    """Join conditions by `and` (one False decides) or `or` (one True decides)."""
    values = tuple(item.value for item in items)
    changes = tuple(item.change for item in items)
    parts = tuple((item.value, item.change, item.look if item.looks else None) for item in items)

    def value(view: View) -> bool | None:
        answer: bool | None = not decided
        for value_of in values:
            part = value_of(view)
            if part is decided:
                return decided
            if part is None:
                answer = None
        return answer

    def look(view: View) -> tuple[bool | None, int]:
        answer: bool | None = not decided
        latest = 0
        for value_of, change_of, look_of in parts:
            part, moment = (value_of(view), None) if look_of is None else look_of(view)
            if part is decided:
                answer = decided
                if moment is None:
                    moment = change_of(view)
                if moment == NEVER:
                    return decided, NEVER
                if moment > latest:
                    latest = moment
            elif part is None and answer is not decided:
                answer = None
        if latest:
            return decided, latest
        earliest = NEVER
        for change_of in changes:
            moment = change_of(view)
            if moment < earliest:
                earliest = moment
        return answer, earliest

    def change(view: View) -> int:
        return look(view)[1]

    def explain(view: View, found: dict[str, Any]) -> None:
        answer = value(view)
        for item in items:
            # Of an `and` that is false, say what is false; of one that is unknown, what is unknown.
            if item.value(view) is answer:
                item.explain(view, found)

    return Node(value, change, explain, tuple(day for item in items for day in item.days), look)


def negated(item: Node) -> Node:
    inner = item.value

    def value(view: View) -> bool | None:
        answer = inner(view)
        return None if answer is None else not answer

    return Node(value, item.change, item.explain, item.days)


# ---- every_day ------------------------------------------------------------------------------------------------------


def every_day(length: int, inner: Node, label: str) -> Node:
    holds, day_limits = inner.value, inner.days

    def value(view: View) -> bool | None:
        answer: bool | None = True
        today = view.today
        # Most users fail on one of the latest days.
        for day in range(today - 1, today - length - 1, -1):
            view.day = day
            part = holds(view)
            if part is False:
                return False
            if part is None:
                answer = None
        return answer

    def change(view: View) -> int:
        """Return the first midnight at which the answer is another one, given that no more events come."""
        today = view.today
        false_day = unknown_day = before = today - length - 1
        for day in range(today - 1, before, -1):
            view.day = day
            part = holds(view)
            if part is False:
                false_day = day
                break
            if part is None and unknown_day == before:
                unknown_day = day
        answer = False if false_day > before else None if unknown_day > before else True
        # Days that can be unlike an empty one: today, and what a zone further east has left behind.
        day = today
        last_day = max([limit(view) for limit in day_limits], default=-1)
        while day <= last_day:
            view.day = day
            part = holds(view)
            if part is False:
                false_day = day
            elif part is None:
                unknown_day = day
            day += 1
            first_day = day - length
            if (False if false_day >= first_day else None if unknown_day >= first_day else True) is not answer:
                return view.zone.start(day)
        view.day = day
        empty = holds(view)
        if empty is answer:
            return NEVER
        if empty is False or answer is True:
            return view.zone.start(day + 1)
        return view.zone.start((unknown_day if answer is None else false_day) + length + 1)

    def explain(view: View, found: dict[str, Any]) -> None:
        answer = value(view)
        for day in range(view.today - 1, view.today - length - 1, -1):
            view.day = day
            if answer is not True and holds(view) is answer:
                inside: dict[str, Any] = {}
                inner.explain(view, inside)
                found[label] = {"holds": "unknown" if answer is None else answer, "day": iso_day(day), **inside}
                return
        found[label] = {"holds": True}

    return Node(value, change, explain)


def streak(length: int, general: Node, key: str, holds: DayTest, *, rising: bool) -> Node:
    """Compile `every_day` over the panes of one window: the same result as `general`, several times faster.

    `holds` tests one day's count or sum; an empty day must not pass. `rising`: if a number passes, each greater number passes, too. Windows
    that have not seen all those days use `general`. The users who cost most are the ones with long streaks.
    """

    def passes_all(panes: Mapping[int, int], days: range) -> bool:
        if rising:
            try:
                return not days or holds(min(map(panes.__getitem__, days)))
            except KeyError:
                return False
        return all(day in panes and holds(panes[day]) for day in days)

    def value(view: View) -> bool | None:
        window: Any = view.windows.get(key)
        if window is None:
            return False
        today = view.today
        if max(window.since, window.unfit) > view.zone.start(today - length):
            return general.value(view)
        panes = window.panes
        return len(panes) >= length and today - length in panes and passes_all(panes, range(today - length, today))

    def look(view: View) -> tuple[bool | None, int]:
        window: Any = view.windows.get(key)
        if window is None:
            return False, NEVER
        today = view.today
        if window.hi > today or max(window.since, window.unfit) > view.zone.start(today - length):
            return general.value(view), general.change(view)
        panes = window.panes
        # Tomorrow's answer looks at all of today's days but the first, and at today.
        if len(panes) < length or not passes_all(panes, range(today - length + 1, today)):
            return False, NEVER
        passes = today in panes and holds(panes[today])
        if today - length in panes and holds(panes[today - length]):
            return True, view.zone.start(today + 2 if passes else today + 1)  # until an empty day, or today, is complete
        return False, view.zone.start(today + 1) if passes else NEVER

    return Node(value, lambda view: look(view)[1], general.explain, (), look)
