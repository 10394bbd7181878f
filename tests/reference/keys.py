"""Keys as JOURNEYS.md C reads: one run per key value and user."""

from dataclasses import dataclass, field
from typing import Any, Final

from tests.reference.log import Said
from triggers.causes.event import OnEvent
from triggers.definitions.model import Cause, Journey

MOST_RUNS = 50
ANY: Final = "\0any"
"""In place of a key: whatever key there is, or none."""


def key_in(cause: Cause | None, said: Said | None) -> str | None:
    """The key that a record names for a cause with a key; None: none."""
    if not isinstance(cause, OnEvent) or not cause.key or said is None:
        return None
    value: Any = said.properties
    for name in cause.key:
        value = value.get(name) if isinstance(value, dict) else None
    if type(value) is float and value == int(value):
        value = int(value)
    if type(value) is int:
        value = str(value)
    return value if type(value) is str and 1 <= len(value.encode()) <= 128 else None


def has_keys(journey: Journey) -> bool:
    return any(isinstance(cause, OnEvent) and cause.key for cause in journey.entries)


def exits_by_key(journey: Journey) -> tuple[Cause, ...]:
    return tuple(cause for cause in journey.exits if isinstance(cause, OnEvent) and cause.key)


def room_for_key(journey: str, run: str, key: str | None) -> int:
    """Bytes that a key counts for. `run` is the id."""
    return 0 if key is None else 10 + len(journey.encode()) + len(run.rpartition(":")[2]) + len(key.encode())


@dataclass
class Exits:
    """All exits with keys since the rules have them, for entries that are read later."""

    known: list[tuple[Cause, str, int]] = field(default_factory=list)

    def any_after(self, journey: Journey, key: str | None, moment: int) -> bool:
        return any(exit_ in exits_by_key(journey) and of == key and at > moment for exit_, of, at in self.known)

    def keep(self, journeys: list[Journey]) -> None:
        self.known = [one for one in self.known if any(one[0] in exits_by_key(journey) for journey in journeys)]


def events_in(part: Any) -> list[dict[str, Any]]:
    """The causes by events, at any depth."""
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return ([part] if isinstance(part, dict) and "event" in part else []) + [cause for one in inside for cause in events_in(one)]
