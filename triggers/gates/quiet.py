"""`policies: {quiet_hours: {night: {from: "22:00", to: "08:00"}}}`: no message goes out at night."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from triggers.base.draws import draw, spread
from triggers.definitions.words import clock_words
from triggers.gates.gate import Answer, Gate, Skip
from triggers.gates.holding import hold
from triggers.policies.quiet import quiet_until
from triggers.steps.kind import Moment

if TYPE_CHECKING:
    from triggers.steps.context import Stage, StepContext


class Quiet(Gate):
    """Hold or drop the sends of the quiet hours."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = (
        Moment("`send`, in quiet hours that hold", "held", "held"),
        Moment("`send`, in quiet hours that drop, or that end too late", "at the next step", "dropped"),
    )

    def ask(self, context: StepContext) -> Answer:
        policies = context.policies
        if policies is None:
            return None
        until, last = 0, None
        for rule in policies.quiet_hours(context.channel, context.journey.category):
            end = quiet_until(rule, context.view.zone, context.now)
            if end == context.now:
                continue
            if rule.then == "drop":
                return Skip("dropped", f"quiet hours {rule.name}", {"to": clock_words(rule.end), "zone": context.view.zone.name})
            if rule.spread:
                end += spread(draw("spread", f"quiet_hours/{rule.name}", context.user_id), rule.spread)
            if end > until:
                until, last = end, rule
        if last is None:
            return None
        return hold(context, until, f"quiet hours {last.name}", {"to": clock_words(last.end), "zone": context.view.zone.name})
