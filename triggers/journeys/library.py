"""Rule sets and their compiled plans, by content hash."""

from collections.abc import Collection, Sequence

from triggers.definitions.model import Journey, RuleSet
from triggers.journeys.plan import JourneyPlan, Plan


class Library:
    """Rule sets by content hash, compiled when first needed."""

    def __init__(self, rule_sets: Sequence[RuleSet] = ()) -> None:
        self._rule_sets = {rules.hash: rules for rules in rule_sets}
        self._plans: dict[str, Plan] = {}

    def add(self, rules: RuleSet) -> None:
        self._rule_sets[rules.hash] = rules

    def get(self, rule_set: str) -> RuleSet | None:
        return self._rule_sets.get(rule_set)

    def keep(self, needed: Collection[str]) -> list[str]:
        """Release all others. Return their hashes."""
        gone = [rule_set for rule_set in self._rule_sets if rule_set not in needed]
        for rule_set in gone:
            del self._rule_sets[rule_set]
            self._plans.pop(rule_set, None)
        return gone

    def __len__(self) -> int:
        return len(self._rule_sets)

    def rule_sets(self) -> list[RuleSet]:
        """List all rule sets."""
        return list(self._rule_sets.values())

    def plan(self, rule_set: str) -> Plan:
        """Return the compiled rule set. Raises `KeyError` with the hash if it is missing."""
        plan = self._plans.get(rule_set)
        if plan is None:
            rules = self.get(rule_set)
            if rules is None:
                raise KeyError(f"rule set {rule_set} is not in the library")
            plan = self._plans[rule_set] = Plan(rules, self._known)
        return plan

    def _known(self, journey: Journey) -> JourneyPlan | None:
        for plan in self._plans.values():
            found = plan.journeys.get(journey.name)
            if found is not None and found.decides_as(journey):
                return found
        return None
