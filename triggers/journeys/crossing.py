"""The difference between two rule sets, for users who move from one to the other."""

from triggers.causes.cause import WatchedSegment
from triggers.journeys.plan import JourneyPlan, Plan


class Crossing:
    """What a rule set adds to another. It is calculated once for a meeting, so that no user costs a loop over all rules."""

    def __init__(self, previous: Plan, plan: Plan) -> None:
        self.previous = previous
        self.plan = plan
        self.moved = plan.zone is not previous.zone
        """The default time zone is different, which can change every segment."""
        self.measures = [measure for key, measure in plan.measures.items() if key not in previous.measures]
        self.segments = [segment for segment in plan.segments if segment.key not in previous.by_key]
        before_it = previous.tiers.by_name
        self.new_levels = {tier.name for tier in plan.tiers.plans if tier.name not in before_it or before_it[tier.name].key != tier.key}
        """Names of the tiers that have other levels."""
        self.tiers = [tier for tier in plan.tiers.plans if tier.name in self.new_levels or before_it[tier.name].keep != tier.keep]
        """The tiers that have other levels, or another `keep`."""
        self.entries: list[tuple[JourneyPlan, WatchedSegment]] = []
        """Journeys with a new entry by entering a segment."""
        for journey in plan.journeys.values():
            before = previous.journeys.get(journey.journey.name)
            known = set() if before is None else {entry.key for entry in before.entries}
            for entry in journey.entries:
                if entry.segment is not None and entry.change == "enters" and entry.key not in known:
                    self.entries.append((journey, entry.segment))
