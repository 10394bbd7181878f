"""Which calls the rules read."""

from typing import TYPE_CHECKING

from tests.reference import policies
from tests.reference.causes import awaited
from tests.reference.conditions import measures
from tests.reference.goals import causes as goal_causes
from tests.reference.log import Said
from tests.reference.programs import asked_by
from triggers.causes.event import OnEvent

if TYPE_CHECKING:
    from tests.reference.life import Life


def is_read(life: "Life", said: Said) -> bool:
    """Whether a rule names the call; one that sets traits is always read."""
    if said.traits:
        return True
    if said.event is None:
        return False
    current = list(life.switches.rules.journeys.values()) if life.switches.rules else []
    causes = [cause for journey in current for cause in (*journey.entries, *journey.exits, *awaited(journey))]
    causes += [cause for run in life.runs.values() for cause in (*run.journey.exits, *awaited(run.journey))]
    causes += goal_causes(current)
    conditions = [segment.condition for segment in life.segments().values()]
    conditions += [asked for journey in [*current, *(run.journey for run in life.runs.values())] for asked in asked_by(journey)]
    conditions += policies.conditions(life.switches.rules)
    named = {cause.event for cause in causes if isinstance(cause, OnEvent)}
    return said.event in named | {measure.event for condition in conditions for measure in measures(condition)}
