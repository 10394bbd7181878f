"""What gates share that hold a message: how long one may be held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from triggers.base.moments import iso
from triggers.gates.gate import Hold, Skip

if TYPE_CHECKING:
    from triggers.steps.context import StepContext


def hold(context: StepContext, until: int, reason: str, values: dict[str, Any]) -> Hold | Skip:
    """Hold a message until a moment. Drop it immediately if that would be longer than its journey or its `not_after` allows."""
    longest = context.journey.hold_at_most
    if context.not_after is not None:
        longest = min(longest, context.not_after)
    if until - context.run.moment > longest:
        return Skip("dropped", "would be held too long", {"by": reason, **values, "until": iso(until)})
    return Hold(until, "held", reason, {**values, "until": iso(until)})
