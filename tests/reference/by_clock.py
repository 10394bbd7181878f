"""One user's entries by the clock: when they are waited for, and what happens when one comes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.reference import days, walls
from tests.reference.causes import Changes, answers
from tests.reference.keys import MOST_RUNS, has_keys
from tests.reference.runs import Run
from triggers.causes.clock import ByClock
from triggers.definitions.model import Journey

if TYPE_CHECKING:
    from tests.reference.life import Life


def keep(life: "Life", before: Mapping[str, bool] | None = None) -> None:
    """After the segments were looked at. `before`: the values before, if time alone has changed them; then this moment counts."""
    life.schedules.keep(life.switches.rules, life.zone, lambda cause: since_when(life, cause, before), life.entered)


def since_when(life: "Life", cause: ByClock, before: Mapping[str, bool] | None) -> int | None:
    if cause.inside is None:
        return life.now + 1
    assert life.switches.rules is not None
    key = life.switches.rules.segments[cause.inside].key
    if life.inside.get(key) is not True:
        return None
    return life.now + (before is None or before.get(key) is True)


def enter_by_clock(life: "Life", changes: Changes) -> bool:
    """Enters what comes now by the clock, and waits for what comes next; returns whether a journey was entered."""
    rules, begun = life.switches.rules, False
    asked = {name for name, at in life.entered.items() if at == life.now and any(run.left is None for run in life.running(name, None))}
    for name, cause in life.schedules.come(rules, life.now):
        assert rules is not None
        journey = rules.journeys[name]
        inside = cause.inside is None or life.holds(rules.segments[cause.inside].condition) is True
        if name in asked or not inside:
            continue
        asked.add(name)
        run = Run(f"{name}@{journey.version}:{life.user}:{life.epoch}-t{life.now}{life.mark}", journey, rules, life.now)
        restarts = life.running(name, None) and journey.while_running == "restart"
        if any(answers(one, rules, None, changes, life.zone) for one in journey.exits):
            life.say("skipped", name, run.id, due=life.now, reason="exit")
        elif name not in life.switches.paused and is_open(life, journey) and (restarts or not is_too_soon(life, journey)):
            if life.entered.get(name) == life.now:
                refuse(life, name, run.id, life.now, "entered at this moment")
            else:
                begun |= life.begin(run, refusal(life, journey))
    keep(life)
    return begun


def refuse(life: "Life", journey: str, run: str, moment: int, why: str) -> None:
    """Reports a refusal, once on each local day; a day that comes again, because the user has moved, is not a new one."""
    today = days.day(life.zone, life.now)
    if today > life.told.get((journey, why), -1):
        life.told[journey, why] = today
        life.say("refused", journey, run, due=moment, reason=why)


def refusal(life: "Life", journey: Journey, key: str | None = None) -> str | None:
    if has_keys(journey) and key is None:
        return "no key"
    if journey.name in life.switches.paused:
        return "paused"
    if not is_open(life, journey):
        return "not now"
    if life.running(journey.name, key):
        return "running" if journey.while_running == "refuse" else None
    if key is not None and len(life.running(journey.name, None)) >= MOST_RUNS:
        return "too many"
    return is_too_soon(life, journey, key)


def is_open(life: "Life", journey: Journey) -> bool:
    today = (walls.wall(life.zone, life.now).date() - days.EPOCH.date()).days
    return (journey.opens is None or journey.opens <= today) and (journey.closes is None or today <= journey.closes)


def is_too_soon(life: "Life", journey: Journey, key: str | None = None) -> str | None:
    last = life.entered.get(journey.name) if key is None else life.entered_keys.get((journey.name, key))
    if last is None:
        return None
    if journey.re_entry is None:
        return "never again"
    return "too soon" if journey.re_entry > 0 and life.now - last < journey.re_entry else None
