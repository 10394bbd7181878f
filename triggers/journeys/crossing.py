"""What differs between two rule sets for those who come from the one to the other."""

from triggers.causes.cause import WatchedSegment
from triggers.journeys.plan import JourneyPlan, Plan


class Crossing:
    """What is new under a rule set to every user who comes from another. Made once for a meeting, so that no user costs a walk."""

    def __init__(self, previous: Plan, plan: Plan) -> None:
        self.previous = previous
        self.plan = plan
        self.moved = plan.zone is not previous.zone
        """The default time zone is another one, and can move every segment."""
        self.measures = [measure for key, measure in plan.measures.items() if key not in previous.measures]
        self.segments = [segment for segment in plan.segments if segment.key not in previous.by_key]
        self.entries: list[tuple[JourneyPlan, WatchedSegment]] = []
        """Journeys that are entered by entering a segment, where they were not before."""
        for journey in plan.journeys.values():
            entry = journey.entry
            if entry.segment is not None and entry.change == "enters":
                before = previous.journeys.get(journey.journey.name)
                if before is None or before.entry.key != entry.key:
                    self.entries.append((journey, entry.segment))
