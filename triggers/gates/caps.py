"""`policies: {caps: {weekly: {most: 5, per: 7d}}}`: not too many messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from triggers.gates.gate import Answer, Gate, Hold, Skip
from triggers.gates.holding import hold
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext


class Caps(Gate):
    """Drop or hold the sends for which a cap has no room."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`send`, a cap that holds has no room", "held", "held"),
        Moment("`send`, a cap that drops has no room", "at the next step", "dropped"),
    )

    def ask(self, context: StepContext) -> Answer:
        policies = context.policies
        if policies is None:
            return None
        latest: Hold | None = None
        for plan in policies.caps(context.channel, context.journey.category, context.journey.name):
            priority = context.journey.priority
            used = plan.used(context.sends, context.view.zone, context.now, dry=not context.position.live, priority=priority)
            if used.until is None:
                continue
            cap = plan.cap
            reason = f"cap {cap.name}" if used.is_known else f"cap {cap.name} is unknown"
            values: dict[str, Any] = {"sent": used.sent, "most": cap.most, "per": cap.text, "used_by": policies.users_of(used)}
            if cap.reserved is not None and cap.places(priority) < cap.most:
                values["reserved"] = cap.reserved.places
            if cap.then == "drop":
                return Skip("dropped", reason, values)
            answer = hold(context, used.until, reason, values)
            if isinstance(answer, Skip):
                return answer
            if latest is None or answer.until > latest.until:
                latest = answer
        return latest
