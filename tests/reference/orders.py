"""Commands about one user, executed as docs/rules.md says."""

from dataclasses import dataclass, field

from tests.reference.by_clock import refusal
from tests.reference.days import HOUR
from tests.reference.life import Life
from tests.reference.log import UserCommand
from tests.reference.reading import is_known, remember
from tests.reference.runs import Run, Switches
from triggers.steps.send import Send

Known = tuple[set[str | None], list[tuple[str, int, bool]]]
"""What is suppressed, and the ids of the commands, as `Life.message_ids`."""


@dataclass
class Silence:
    """What was commanded about users who have no record."""

    users: dict[str, Life] = field(default_factory=dict)
    """Lives that have not begun: they hold only this."""

    def pop(self, user: str) -> Known:
        life = self.users.pop(user, None)
        return (set(), []) if life is None else (life.suppressed, life.message_ids)


def follow(command: UserCommand, switches: Switches, lives: dict[str, Life], silence: Silence, clock: int) -> None:
    """Carries out a command, at the moment of the clock; all that was due before has been done."""
    life = lives.get(command.user)
    begun = life is not None
    if life is None:
        life = silence.users.get(command.user)
    if life is None and command.kind == "suppress":
        life = silence.users[command.user] = Life(command.user, switches, 0, [])
    if life is None:
        return
    id_, hour = f"\0{command.id}", clock // HOUR
    if is_known(life, id_, hour):
        return
    remember(life, id_, hour, read=True)
    match command.kind:
        case "suppress":
            life.suppressed.add(command.channel)
            silence_held(life, command, clock)
        case "unsuppress":
            life.suppressed -= life.suppressed if command.channel is None else {command.channel}
        case "erase":
            lives.pop(command.user, None)
            silence.users.pop(command.user, None)
            if life.suppressed:
                silence.users[command.user] = Life(command.user, life.switches, 0, [], suppressed=life.suppressed)
        case "enter":
            if begun:
                enter(life, command, clock)


def silence_held(life: Life, command: UserCommand, clock: int) -> None:
    """Asks again about each message that a policy holds and that is suppressed now. A pause goes before."""
    life.now, life.moves, life.suffix = clock, 0, f"o{command.offset}"
    asked: list[Run] = []
    for run in life.by_turn():
        if not run.waits or run.asks is None or run.journey.name in life.switches.paused or not run.left:
            continue
        step = run.left[0]
        if isinstance(step, Send) and not life.suppressed.isdisjoint((None, step.channel)):
            run.asks = clock
            asked.append(run)
    life.steps(asked)
    life.advance(clock, command.offset)


def enter(life: Life, command: UserCommand, clock: int) -> None:
    rules = life.switches.rules
    journey = None if rules is None else rules.journeys.get(command.journey or "")
    if rules is None or journey is None:
        return
    life.now, life.moves, life.suffix = clock, 0, f"o{command.offset}"
    run = Run(f"{journey.name}@{journey.version}:{life.user}:{life.epoch}-u{command.offset}", journey, rules, clock)
    why = refusal(life, journey)
    if why is not None:
        life.say("refused", journey.name, run.id, due=clock, reason=why)
        return
    life.begin(run, None)
    life.steps([run])
    life.advance(clock, command.offset)
