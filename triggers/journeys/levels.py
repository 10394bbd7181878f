"""The tiers of a rule set, compiled: what the fold asks of their levels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from triggers.base.model import NEVER
from triggers.conditions.compiler import Compiled, View, compile_condition

if TYPE_CHECKING:
    from triggers.conditions.nodes import DayTest
    from triggers.definitions.model import Measure
    from triggers.definitions.tiers import Tier

NO_TIERS: Final[list[TierPlan]] = []
"""No code may change it."""


class Sight(NamedTuple):
    """What the conditions of the levels say now."""

    values: list[bool | None]
    due: int
    """When time alone could next change one of them."""

    @property
    def highest(self) -> int:
        """The highest level that is known to be true; 0: none."""
        return next((place for place in range(len(self.values), 0, -1) if self.values[place - 1]), 0)

    def is_sure(self, level: int) -> bool:
        """Check whether no higher level is unknown."""
        return None not in self.values[level:]

    def holds(self, level: int) -> bool:
        """Check whether the level or a higher one is true or unknown. Below the first level there is nothing to lose."""
        return level == 0 or any(value is not False for value in self.values[level - 1 :])


class TierPlan:
    """A tier's definition, compiled."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.name = tier.name
        self.key = tier.key
        self.keep = tier.keep
        self.levels: list[Compiled] = [compile_condition(level.condition) for level in tier.levels]
        self.measures: dict[str, Measure] = {measure.key: measure for level in self.levels for measure in level.measures}
        self.traits: frozenset[str] = frozenset(trait for level in self.levels for trait in level.traits)
        self.tests: dict[str, tuple[DayTest, ...]] = {}
        """None: each event that a level measures is looked at. See `Compiled.tests`."""

    def look(self, view: View) -> Sight:
        values: list[bool | None] = []
        due = NEVER
        for level in self.levels:
            value, moment = level.look(view)
            values.append(value)
            due = min(due, moment)
        return Sight(values, due)

    def explain(self, level: int, view: View) -> dict[str, Any]:
        """Return the values that decide about a level."""
        return self.levels[level - 1].explain(view)


class Tiers:
    """The tiers of a rule set, in the order of their names."""

    def __init__(self, tiers: Iterable[Tier]) -> None:
        self.plans: list[TierPlan] = [TierPlan(tier) for tier in tiers]
        self.by_name = {plan.name: plan for plan in self.plans}
        self.measures: dict[str, Measure] = {key: measure for plan in self.plans for key, measure in plan.measures.items()}
        self.by_trait: dict[str, list[TierPlan]] = {}
        self.by_event: dict[str, list[TierPlan]] = {}
        for plan in self.plans:
            for trait in sorted(plan.traits):
                self.by_trait.setdefault(trait, []).append(plan)
            for event in dict.fromkeys(measure.event for measure in plan.measures.values()):
                self.by_event.setdefault(event, []).append(plan)
