"""What a run sets, and what follows from it at once."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.reference.by_clock import keep
from tests.reference.measuring import reach
from tests.reference.runs import Run
from tests.reference.traits import set_traits as put_traits

if TYPE_CHECKING:
    from tests.reference.life import Life


def set_traits(life: "Life", run: Run, traits: Mapping[str, Any]) -> bool:
    """As an identify at this moment. Returns whether the run is still there."""
    if run.arm in ("control", "holdout"):
        life.say_of(run, "withheld", step=run.at)
        return True
    life.say_of(run, "set", step=run.at)
    before, runs = dict(life.traits), set(life.runs)
    put_traits(life, traits, life.now)
    moves = life.climb("event")
    reach(life, None, moves)
    changes = life.look("event")
    life.schedules.follow(life.switches.rules, before)
    keep(life)
    reach(life, None, changes)
    changes |= moves
    life.exit_by(None, changes)
    ended = life.end_waits(None, changes)
    if not life.is_meeting:
        life.enter_by(None, changes, life.suffix)
    life.joined += [*(one for name, one in life.runs.items() if name not in runs), *ended]
    return run.id in life.runs
