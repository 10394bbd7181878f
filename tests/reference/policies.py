"""What the policies say about one message, as docs/rules.md has it."""

from collections.abc import Callable, Iterator

from triggers.definitions.model import Condition, Journey, RuleSet
from triggers.definitions.policies import Scope
from triggers.steps.send import Send


def conditions(rules: RuleSet | None) -> Iterator[Condition]:
    """The conditions of all policies."""
    if rules is not None and rules.policies is not None:
        for consent in rules.policies.consent:
            yield consent.condition


def binds(scope: Scope, journey: Journey, step: Send) -> bool:
    """Whether a policy is about this message."""
    if step.channel not in scope.channels:
        return False
    return journey.category in scope.categories if scope.categories is not None else journey.category != "transactional"


def has_consent(rules: RuleSet | None, journey: Journey, step: Send, holds: Callable[[Condition], bool | None]) -> bool:
    if rules is None or rules.policies is None:
        return True
    bound = [consent for consent in rules.policies.consent if binds(consent.scope, journey, step)]
    return all(value or (value is None and consent.unknown == "allow") for consent in bound for value in [holds(consent.condition)])
