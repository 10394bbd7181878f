"""Tiers, as JOURNEYS.md G reads: at which level a user is, when the user rises, and when a level that has ended is lost."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.reference.causes import awaited
from tests.reference.runs import Run
from triggers.causes.tier import OnTier
from triggers.definitions.model import Condition, RuleSet
from triggers.definitions.tiers import Tier

if TYPE_CHECKING:
    from tests.reference.life import Life

Holds = Callable[[Condition], bool | None]
Say = Callable[[str, str], None]
"""The tier, and the level that the user is at now; empty: none."""


def tiers_for(rules: RuleSet | None, runs: Iterable[Run]) -> dict[str, Tier]:
    """The tiers of the rule set; of those that it does not have what runs need, as the newest of them has it."""
    found: dict[str, Tier] = {}
    for run in runs:
        causes = (*run.journey.exits, *awaited(run.journey))
        found |= {
            cause.tier: run.rules.tiers[cause.tier] for cause in causes if isinstance(cause, OnTier) and cause.tier in run.rules.tiers
        }
    return {**found, **(rules.tiers if rules else {})}


def known_tiers(life: "Life") -> dict[str, Tier]:
    return tiers_for(life.switches.rules, life.runs.values())


def conditions_of(tiers: Mapping[str, Tier]) -> list[Condition]:
    return [level.condition for tier in tiers.values() for level in tier.levels]


@dataclass
class Place:
    """Where a user is in one tier."""

    tier: Tier
    """As it was defined when the place was set."""
    level: int = 0
    known: bool = False
    """Once it was known that it is no higher level."""
    over: int | None = None
    """The moment since which nothing speaks for the level any more."""


@dataclass
class Tiers:
    places: dict[str, Place] = field(default_factory=dict)

    def ends(self, tiers: Mapping[str, Tier]) -> set[int]:
        """The moments at which levels are lost, unless something speaks for them before."""
        found = [(place.over, tiers[name].keep) for name, place in self.places.items() if name in tiers]
        return {over + keep for over, keep in found if over is not None}

    def look(self, tiers: Mapping[str, Tier], holds: Holds, now: int, cause: str, say: Say) -> dict[str, str]:
        """Looks at every tier; returns the moves, as causes name them."""
        moves: dict[str, str] = {}
        for name, tier in sorted(tiers.items()):
            place = self.places.setdefault(name, Place(tier))
            truths = [holds(level.condition) for level in tier.levels]
            best = max((number for number, truth in enumerate(truths, 1) if truth is True), default=0)
            if best > place.level:
                certain = None not in truths[best:]
                if certain and (place.known or cause == "event"):
                    moves |= {f"tier {name}": "rises", f"tier {name} {tier.levels[best - 1].name}": "reaches"}
                    say(name, tier.levels[best - 1].name)
                place.level, place.known, place.over = best, certain, None
                continue
            place.known |= None not in truths[place.level :]
            if place.level == 0 or set(truths[place.level - 1 :]) != {False}:
                place.over = None
                continue
            place.over = now if place.over is None else place.over
            if now >= place.over + tier.keep and None not in truths[best:]:
                if cause == "rules":
                    place.over = now + 1 - tier.keep
                    continue
                moves[f"tier {name}"] = "falls"
                say(name, tier.levels[best - 1].name if best else "")
                place.level, place.over = best, None
        return moves

    def forget(self, tiers: Mapping[str, Tier]) -> None:
        self.places = {name: place for name, place in self.places.items() if name in tiers}

    def set(self, tiers: Mapping[str, Tier], holds: Holds, without: RuleSet | None = None) -> None:
        """Other definitions count: what has other levels, or is new, is set without a word. `without`: but not what these rules have."""
        for name, tier in tiers.items():
            if without is not None and name in without.tiers:
                continue
            before = self.places.get(name)
            if before is None or before.tier.levels != tier.levels:
                truths = [holds(level.condition) for level in tier.levels]
                best = max((number for number, truth in enumerate(truths, 1) if truth is True), default=0)
                self.places[name] = Place(tier, best, None not in truths[best:])
