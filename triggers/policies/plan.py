"""The policies of one rule set, compiled, by the channel and the category of a message."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from triggers.conditions.compiler import Compiled, compile_condition
from triggers.definitions.policies import WEEKDAYS
from triggers.definitions.words import clock_words
from triggers.policies.caps import CapPlan
from triggers.state.sends import hashed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from triggers.definitions.model import Measure
    from triggers.definitions.policies import Consent, Policies, QuietHours
    from triggers.policies.caps import Used

GONE: Final = "(a journey that is gone)"


class PolicyPlan:
    """What binds a message. Each answer is made once for each channel and category."""

    def __init__(self, policies: Policies, journeys: Iterable[str] = ()) -> None:
        self._consent: list[tuple[Consent, Compiled]] = [(rule, compile_condition(rule.condition)) for rule in policies.consent]
        self._consent_of: dict[tuple[str, str], list[tuple[Consent, Compiled]]] = {}

        self._quiet_hours = policies.quiet_hours
        self._quiet_of: dict[tuple[str, str], list[QuietHours]] = {}

        self.control = 0 if policies.control is None else policies.control.part
        """How many of 10,000 users are in the control group."""

        self._journeys = {hashed(name): name for name in journeys}
        """The names of the journeys by their hashes in the send log."""
        self._caps = [CapPlan(cap) for cap in policies.caps]
        self._caps_of: dict[tuple[str, str, str], list[CapPlan]] = {}

    @property
    def measures(self) -> Iterator[Measure]:
        """Yield what the conditions measure."""
        for _, condition in self._consent:
            yield from condition.measures

    def consent(self, channel: str, category: str) -> list[tuple[Consent, Compiled]]:
        """Return the consents that a message needs, in the order of their names."""
        what = channel, category
        found = self._consent_of.get(what)
        if found is None:
            found = self._consent_of[what] = [one for one in self._consent if one[0].scope.covers(channel, category)]
        return found

    def quiet_hours(self, channel: str, category: str) -> list[QuietHours]:
        """Return the quiet hours of a message, in the order of their names."""
        what = channel, category
        found = self._quiet_of.get(what)
        if found is None:
            found = self._quiet_of[what] = [rule for rule in self._quiet_hours if rule.scope.covers(channel, category)]
        return found

    def caps(self, channel: str, category: str, journey: str) -> list[CapPlan]:
        """Return the caps of a message, in the order of their names."""
        what = channel, category, journey
        found = self._caps_of.get(what)
        if found is None:
            found = self._caps_of[what] = [one for one in self._caps if one.cap.covers(channel, category, journey)]
        return found

    @property
    def all_caps(self) -> list[CapPlan]:
        return self._caps

    def users_of(self, used: Used) -> dict[str, int]:
        """Return how many messages of each journey use a cap. Journeys that are gone have no name any more."""
        return dict(sorted(Counter(self._journeys.get(journey, GONE) for journey in used.journeys).items()))

    def marks(self, channel: str, category: str, zone: str) -> dict[str, Any]:
        """Return what an action says of the policies, so that the deliverer can look once more."""
        quiet = [{**_words_of(rule), "zone": zone} for rule in self.quiet_hours(channel, category)]
        return {"category": category, "quiet": quiet} if quiet else {"category": category}


def _words_of(rule: QuietHours) -> dict[str, Any]:
    words: dict[str, Any] = {"from": clock_words(rule.begin), "to": clock_words(rule.end)}
    if rule.days is not None:
        words["on"] = [WEEKDAYS[day] for day in sorted(rule.days)]
    return words
