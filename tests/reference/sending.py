"""What becomes of one message."""

from typing import TYPE_CHECKING

from tests.reference import policies
from tests.reference.runs import Run
from triggers.steps.send import Send

if TYPE_CHECKING:
    from tests.reference.life import Life


def outcome_of(life: "Life", run: Run, step: Send) -> str | int:
    """What becomes of a message, asked in this order; a moment: it is held until then."""
    if step.skip_unless is not None and life.holds(step.skip_unless) is not True:
        return "skipped"
    if not life.suppressed.isdisjoint((None, step.channel)):
        return "blocked"
    expired = run.asks is not None and step.not_after is not None and life.now > run.moment + step.not_after
    if run.dropping or expired:
        return "skipped"
    if not policies.has_consent(life.switches.rules, run.journey, step, life.holds):
        return "blocked"
    asked = policies.Asked(life.switches.rules, run.journey, step, life.user, life.zone, life.now, run.moment, not life.switches.live)
    goes = "withheld" if run.arm in ("control", "holdout") else "sent" if life.switches.live else "dry"
    return policies.may_go(asked, life.gone) or goes
