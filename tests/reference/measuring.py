"""What is measured of one user: the arms of entries, and what reaches their goals."""

from typing import TYPE_CHECKING

from tests.reference.causes import Changes, answers
from tests.reference.goals import Entered, Say
from tests.reference.log import Said
from tests.reference.programs import drawn_arm, group_of
from tests.reference.runs import Run

if TYPE_CHECKING:
    from tests.reference.life import Life


def start(life: "Life", run: Run) -> None:
    """A run begins, of which nothing else is asked any more."""
    journey, name, dry = run.journey, run.journey.name, not life.switches.live
    run.arm, run.entered = drawn_arm(journey, run.rules, life.user), life.now
    run.began = run.moment if journey.while_running == "restart" else life.now
    life.runs[run.id] = run
    life.entered[name] = life.entered_keys[name, run.key] = life.now
    life.say("entered", name, run.id, due=run.moment)
    measured = run.arm is not None or journey.goal is not None
    life.outcomes[-1] = life.outcomes[-1]._replace(key=run.key, arm=run.arm, dry=measured and dry)
    if journey.goal is not None:
        life.goals.enter(Entered(name, run.id, journey.goal, run.rules, life.now, run.arm, dry=dry, key=run.key), about_goals(life))


def reach(life: "Life", said: Said | None, changes: Changes) -> None:
    happened = life.now if said is None else said.event_time
    zone = life.zone
    life.goals.reach(happened, life.now, lambda cause, rules, key: answers(cause, rules, said, changes, zone, key), about_goals(life))
    rules = life.switches.rules
    control = None if rules is None or rules.policies is None else rules.policies.control
    if rules is not None and control is not None and control.goal is not None and answers(control.goal, rules, said, changes, zone):
        life.say("converted", "", "")
        life.outcomes[-1] = life.outcomes[-1]._replace(arm=group_of(life.user, control.part), dry=not life.switches.live)


def may_exit(run: Run, happened: int, now: int) -> bool:
    """Whether something ends a run if it is an exit: where the goal is the exit, only while it converts."""
    goal = run.journey.goal if run.journey.exit_is_goal else None
    return goal is None or (run.entered <= happened and now < run.entered + goal.within)


def about_goals(life: "Life") -> Say:
    """What says decisions about watched entries."""

    def say(kind: str, entry: Entered) -> None:
        life.say(kind, entry.journey, entry.run)
        dry = kind == "converted" and entry.dry
        life.outcomes[-1] = life.outcomes[-1]._replace(arm=entry.arm, arms=entry.arms, dry=dry)

    return say
