"""Policies: rules about all messages of a rule set, whatever journey sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from triggers.base.model import HOUR
from triggers.definitions.model import Condition

MARKETING: Final = "marketing"
"""The category of a journey that names none."""
TRANSACTIONAL: Final = "transactional"
"""The category that no policy binds, except a consent that names it."""
HOLD_AT_MOST: Final = 24 * HOUR
"""How long a message is held where its journey does not say it."""


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
class Policies:
    """All policies of a rule set, each list in the order of names."""

    consent: tuple[Consent, ...] = ()
