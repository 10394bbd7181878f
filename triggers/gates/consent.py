"""`policies: {consent: {sms: {channels: [sms], if: traits.sms_opt_in}}}`: a message goes out only with the user's consent."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.gates.gate import Answer, Gate, Skip
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext


class Consent(Gate):
    """Block the sends that lack a consent."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (Moment("`send`, a consent is missing or unknown", "at the next step", "blocked"),)

    def ask(self, context: StepContext) -> Answer:
        policies = context.policies
        if policies is None:
            return None
        for rule, condition in policies.consent(context.channel, context.journey.category):
            value = condition.value(context.view)
            if value or (value is None and rule.unknown == "allow"):
                continue
            unknown = " is unknown" if value is None else ""
            return Skip("blocked", f"consent {rule.name}{unknown}", condition.explain(context.view))
        return None
