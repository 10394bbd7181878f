"""Which calls the rules read, and which have been read already."""

from typing import TYPE_CHECKING

from tests.reference import policies
from tests.reference.causes import awaited, event_exits
from tests.reference.conditions import measures
from tests.reference.goals import causes as goal_causes
from tests.reference.goals import control_goal
from tests.reference.log import Said
from tests.reference.programs import asked_by
from tests.reference.tiers import conditions_of, known_tiers
from triggers.causes.event import OnEvent

if TYPE_CHECKING:
    from tests.reference.life import Life

MOST_ID_BYTES = 2048


def is_read(life: "Life", said: Said) -> bool:
    """Whether a rule names the call; one that sets traits is always read."""
    if said.traits:
        return True
    if said.event is None:
        return False
    current = list(life.switches.rules.journeys.values()) if life.switches.rules else []
    causes = [cause for journey in current for cause in (*journey.entries, *journey.exits, *awaited(journey))]
    causes += [cause for run in life.runs.values() for cause in (*run.journey.exits, *awaited(run.journey))]
    causes += [*goal_causes(current), *control_goal(life.switches.rules)]
    conditions = [segment.condition for segment in life.segments().values()]
    conditions += [asked for journey in [*current, *(run.journey for run in life.runs.values())] for asked in asked_by(journey)]
    conditions += [*policies.conditions(life.switches.rules), *conditions_of(known_tiers(life))]
    named = {cause.event for cause in causes if isinstance(cause, OnEvent)}
    return said.event in named | {measure.event for condition in conditions for measure in measures(condition)}


def known_hours(life: "Life") -> int:
    return life.switches.rules.known_hours if life.switches.rules else 24


def is_known(life: "Life", message_id: str, hour: int) -> bool:
    return any(known == message_id and hour - then <= known_hours(life) for known, then, _ in life.message_ids)


def remember(life: "Life", message_id: str, hour: int, read: bool) -> None:
    kept = [one for one in life.message_ids if hour - one[1] <= known_hours(life)]
    kept.append((message_id, hour, read))
    while 8 * len(kept) + 8 * len({(then, named) for _, then, named in kept}) > MOST_ID_BYTES:
        kept.remove(next((one for one in kept if not one[2]), kept[0]))
    life.message_ids = kept


def needed(life: "Life") -> set[str]:
    """The keys of all needed windows: the rule set's, and those of the running runs."""
    journeys = [run.journey for run in life.runs.values()]
    journeys += life.switches.rules.journeys.values() if life.switches.rules else ()
    conditions = [segment.condition for segment in life.segments().values()]
    conditions += [condition for journey in journeys for condition in asked_by(journey)]
    conditions += [*policies.conditions(life.switches.rules), *conditions_of(known_tiers(life))]
    current = life.switches.rules.journeys.values() if life.switches.rules else ()
    exits = {measure.key for journey in current for measure in event_exits(journey)}
    return exits | {measure.key for condition in conditions for measure in measures(condition)}
