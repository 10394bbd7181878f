"""Three customers of the demo and their stories: what they bought, which message each got and when, and why.

All of it comes from the orders and from the topics `actions` and `decisions`, where any reader can check it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from triggers.base.model import DAY
from triggers.base.moments import iso

STORIES: Final = (frozenset({"welcome"}), frozenset({"welcome", "win-back"}), frozenset({"welcome", "win-back", "gold"}))
"""The journeys of each customer, from the simplest story to the longest."""
MOST_ORDERS: Final = 6
"""Longer stories are too long to read."""

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Moment:
    """An event in a customer's story, and its reason."""

    at: int
    """In ms."""
    what: str
    why: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"at": iso(self.at), "what": self.what, "why": self.why or None}


@dataclass
class Person:
    """A customer, and the events of the story in the order of time."""

    user: str
    moments: list[Moment] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {"user": self.user, "timeline": [moment.document() for moment in self.moments]}

    def lines(self) -> list[str]:
        """Return the lines for a terminal."""
        lines = [f"customer {self.user}"]
        for moment in self.moments:
            lines.append(f"  {day(moment.at):<10}  {moment.what}")
            if moment.why:
                lines.append(f"  {'':<10}    because {moment.why}")
        return lines


def choose(journeys: Mapping[str, set[str]], orders: Mapping[str, int]) -> list[str]:
    """Choose three customers with different kinds of stories that are short enough to read, by their actions and orders."""
    chosen: list[str] = []
    for story in STORIES:
        able = (user for user, been in journeys.items() if been == story and orders.get(user, 0) <= MOST_ORDERS)
        user = min(able, default=None)
        if user is not None:
            chosen.append(user)
    return chosen


def stories(users: Sequence[str], orders: Iterable[Document], actions: Iterable[Document], decisions: Iterable[Document]) -> list[Person]:
    """Return the stories of these users. `orders` are the calls that were fed; actions and decisions are from their topics."""
    people = {user: Person(user) for user in users}
    for order in orders:
        if order["userId"] in people:
            people[order["userId"]].moments.append(_bought(order))
    of_runs: dict[str, dict[str, Document]] = {}
    for decision in decisions:
        person = people.get(decision["user"])
        if person is None:
            continue
        if decision["run"]:
            of_runs.setdefault(decision["run"], {})[decision["kind"]] = decision
        if decision["kind"] in {"refused", "skipped", "failed"}:
            person.moments.append(Moment(decision["at"], f"gets nothing by {decision['journey']}: {decision['reason']}"))
    for action in actions:
        if action["user"] in people:
            people[action["user"]].moments.append(_got(action, of_runs.get(action["run"], {})))
    for person in people.values():
        person.moments.sort(key=lambda moment: moment.at)  # stable: an order comes before its results
    return list(people.values())


def day(at: int) -> str:
    """Format a moment for people: only the day if it is midnight."""
    return iso(at)[:10] if at % DAY == 0 else iso(at)[:16].replace("T", " ")


def _bought(order: Document) -> Moment:
    properties = order["properties"]
    count = properties["quantity"]
    return Moment(int(order["at"]), f"buys {count} CD{'' if count == 1 else 's'} for ${properties['total']:.2f}")


def _got(action: Document, run: Mapping[str, Document]) -> Moment:
    content = action["message"] or action["grant"] or {}
    text = content.get("text") if set(content) == {"text"} else None
    shown = orjson.dumps(content if text is None else text).decode()
    return Moment(action["at"], f"gets {shown} by {action['channel']}", _why(action["journey"], run))


def _why(journey: str, run: Mapping[str, Document]) -> str:
    """Explain the entry, by an event or by the measures that caused it, and the wait after it."""
    entered, waited = run.get("entered"), run.get("waiting")
    if entered is None:
        return ""
    measures = ", ".join(f"{what} = {_value(value)}" for what, value in entered["values"].items())
    words = f"{journey} began" + (f": {measures}" if measures else f" with the order of {day(entered['due'])}")
    return words + (f", and waited until {day(waited['due'])}" if waited is not None else "")


def _value(value: object) -> str:
    """Format a value as JSON, but a moment for people."""
    text = orjson.dumps(value).decode()
    return text[1:11] if text.endswith('T00:00:00.000Z"') else text
