"""Tiers of members: levels that a user rises to, and falls from after a time of grace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from triggers.base.canonical import Wire, digest

if TYPE_CHECKING:
    from triggers.definitions.model import Condition


@dataclass(frozen=True, slots=True)
class Level:
    """A level, and the condition of those who reach it."""

    name: str
    condition: Condition

    def wire(self) -> Wire:
        return "Level", {"name": self.name, "condition": self.condition}


@dataclass(frozen=True)
class Tier:
    """Levels from the lowest to the highest. A user is at one of them, or below the first."""

    name: str
    keep: int
    """How long a level stays after its condition and those of all higher ones became false, ms."""
    levels: tuple[Level, ...]

    @cached_property
    def key(self) -> str:
        """Names the levels in a user's state: 12 hex characters."""
        return digest(self.levels, 12)

    def level(self, place: int) -> str | None:
        """Return the name of a level by its number from 1; None below the first."""
        return self.levels[place - 1].name if place else None
