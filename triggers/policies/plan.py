"""The policies of one rule set, compiled, by the channel and the category of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triggers.conditions.compiler import Compiled, compile_condition

if TYPE_CHECKING:
    from collections.abc import Iterator

    from triggers.definitions.model import Measure
    from triggers.definitions.policies import Consent, Policies


class PolicyPlan:
    """What binds a message. Each answer is made once for each channel and category."""

    def __init__(self, policies: Policies) -> None:
        self._consent: list[tuple[Consent, Compiled]] = [(rule, compile_condition(rule.condition)) for rule in policies.consent]
        self._consent_of: dict[tuple[str, str], list[tuple[Consent, Compiled]]] = {}

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
