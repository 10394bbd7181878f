"""The entries by the clock of a rule set, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triggers.base.canonical import digest
from triggers.state.sections.calendar import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from triggers.causes.cause import Clock, Signal, WatchedSegment
    from triggers.definitions.model import Journey
    from triggers.journeys.plan import JourneyPlan
    from triggers.state.runs import Standing


class ClockEntry:
    """One entry by the clock."""

    def __init__(self, plan: JourneyPlan, number: int, signal: Signal, clock: Clock) -> None:
        self.plan = plan
        self.name = name_of(plan.journey.name, clock.counted, digest(plan.journey.entries[number], 8))
        """Of its timer in a user's state."""
        self.key = _bounds(plan.journey)
        """Names there what else decides the moment."""
        self.clock = clock
        self.segment: WatchedSegment | None = signal.segment
        self.signal = signal

    def is_for(self, standings: Mapping[str, Standing]) -> bool:
        """Check whether the user is inside the segment, by the last known value. A segment without a standing is known to be false."""
        if self.segment is None:
            return True
        standing = standings.get(self.segment.key)
        return standing is not None and standing.inside is True


def _bounds(journey: Journey) -> str:
    """Return a hash of what decides the moment of an entry in addition to its definition; empty: nothing."""
    bounds = journey.spread, journey.opens, journey.closes
    return "" if bounds == (0, None, None) else digest(bounds, 8)


class Clocks:
    """The entries by the clock of all journeys, by the names of the journeys."""

    def __init__(self, plans: Iterable[JourneyPlan]) -> None:
        self.by_name: dict[str, ClockEntry] = {}
        for plan in plans:
            for number, signal in enumerate(plan.entries):
                if signal.clock is not None:
                    entry = ClockEntry(plan, number, signal, signal.clock)
                    self.by_name.setdefault(entry.name, entry)  # one that is twice in a list counts once
        self.entries = list(self.by_name.values())
        self.by_segment: dict[str, list[ClockEntry]] = {}
        self.by_trait: dict[str, list[ClockEntry]] = {}
        """The entries whose dates depend on a trait."""
        for entry in self.entries:
            if entry.clock.reads is not None:
                self.by_trait.setdefault(entry.clock.reads, []).append(entry)
            if entry.segment is not None:
                self.by_segment.setdefault(entry.segment.key, []).append(entry)
