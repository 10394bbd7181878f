"""Tiers, as JOURNEYS.md G reads: at which level a user is, when the user rises, and when a level that has ended is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field

from triggers.definitions.model import Condition, RuleSet
from triggers.definitions.tiers import Tier

Holds = Callable[[Condition], bool | None]
Say = Callable[[str, str], None]
"""The tier, and the level that the user is at now; empty: none."""


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

    def conditions(self, rules: RuleSet | None) -> list[Condition]:
        return [level.condition for tier in (rules.tiers.values() if rules else ()) for level in tier.levels]

    def ends(self, rules: RuleSet | None) -> set[int]:
        """The moments at which levels are lost, unless something speaks for them before."""
        found = [(place.over, rules.tiers[name].keep) for name, place in self.places.items() if rules and name in rules.tiers]
        return {over + keep for over, keep in found if over is not None}

    def look(self, rules: RuleSet | None, holds: Holds, now: int, cause: str, say: Say) -> dict[str, str]:
        """Looks at every tier; returns the moves, as causes name them."""
        moves: dict[str, str] = {}
        for name in sorted(rules.tiers) if rules else ():
            assert rules is not None
            tier = rules.tiers[name]
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

    def meet(self, rules: RuleSet, holds: Holds) -> None:
        """Another rule set is active: what has other levels, or is new, is set without a word."""
        self.places = {name: place for name, place in self.places.items() if name in rules.tiers}
        for name, tier in rules.tiers.items():
            before = self.places.get(name)
            if before is None or before.tier.levels != tier.levels:
                truths = [holds(level.condition) for level in tier.levels]
                best = max((number for number, truth in enumerate(truths, 1) if truth is True), default=0)
                self.places[name] = Place(tier, best, None not in truths[best:])
