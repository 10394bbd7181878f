"""Policies: rules about all messages of a rule set, whatever journey sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from triggers.base.model import DAY, HOUR
from triggers.definitions.model import Cause, Condition

MARKETING: Final = "marketing"
"""The category of a journey that names none."""
TRANSACTIONAL: Final = "transactional"
"""The category that no policy binds, except a consent that names it."""
HOLD_AT_MOST: Final = 24 * HOUR
"""How long a message is held where its journey does not say it."""
LONGEST_HOLD: Final = 31 * DAY
"""The longest `hold_at_most`."""
MOST_OF_A_CAP: Final = 100
LONGEST_CAP: Final = 31 * DAY
PARTS_OF_CALENDAR: Final = ("day", "week", "month")
"""What a cap can count by. A week begins on Monday."""
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Scope:
    """The messages that a policy is about."""

    channels: tuple[str, ...]
    categories: tuple[str, ...] | None = None
    """None: all but `transactional`."""

    def covers(self, channel: str, category: str) -> bool:
        named = category != TRANSACTIONAL if self.categories is None else category in self.categories
        return named and channel in self.channels


@dataclass(frozen=True, slots=True)
class Consent:
    """A message goes out only if a condition about the user is true."""

    name: str
    condition: Condition
    scope: Scope
    unknown: Literal["block", "allow"] = "block"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """No message goes out while the user's clock shows a time from `begin` on and before `end`."""

    name: str
    begin: int
    """Local time of day, ms."""
    end: int
    """The same; below `begin`: on the next day."""
    scope: Scope
    days: frozenset[int] | None = None
    """On which days the quiet begins, 0 is Monday; None: on all."""
    then: Literal["hold", "drop"] = "hold"
    spread: int = 0
    """Held messages go out evenly over this length after the end, ms."""

    @property
    def length(self) -> int:
        """The length of one quiet on the local clock, ms."""
        return (self.end - self.begin) % DAY


@dataclass(frozen=True, slots=True)
class Reserved:
    """Places of a cap that only important messages take."""

    places: int
    priority: int
    """The lowest priority of a journey whose messages take them."""


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages go out in a length of time, or in a day, a week or a month of the user's calendar."""

    name: str
    most: int
    per: int | None
    """The length, ms; None: it is a part of the user's calendar."""
    text: str
    """The same, as written: `24h`, or one of `PARTS_OF_CALENDAR`."""
    scope: Scope
    journeys: tuple[str, ...] | None = None
    """It is about the messages of these; None: of all."""
    then: Literal["drop", "hold"] = "drop"
    reserved: Reserved | None = None

    def places(self, priority: int) -> int:
        """Return how many messages may go out before there is no room for one of a journey of this priority."""
        return self.most if self.reserved is None or priority >= self.reserved.priority else self.most - self.reserved.places

    def covers(self, channel: str, category: str, journey: str) -> bool:
        return self.scope.covers(channel, category) and (self.journeys is None or journey in self.journeys)


@dataclass(frozen=True, slots=True)
class Control:
    """From some users everything is withheld, in all journeys."""

    part: int
    """Of 10,000 users."""
    goal: Cause | None = None
    """What converts a user, in the group or not."""
    value: tuple[str, ...] = ()
    """The property of the event that says what the conversion is worth."""


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of a rule set, each list in the order of names."""

    consent: tuple[Consent, ...] = ()
    quiet_hours: tuple[QuietHours, ...] = ()
    caps: tuple[Cap, ...] = ()
    control: Control | None = None
