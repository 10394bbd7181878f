"""What the policies say about one message, as docs/rules.md has it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.reference import days
from tests.reference.programs import asked_by
from triggers.definitions.model import And, Arithmetic, Compare, Condition, In, Journey, Not, Or, RuleSet, Sent
from triggers.definitions.policies import Cap, QuietHours, Scope
from triggers.steps.send import Send

if TYPE_CHECKING:
    from tests.reference.life import Life


def conditions(rules: RuleSet | None) -> Iterator[Condition]:
    """The conditions of all policies."""
    if rules is not None and rules.policies is not None:
        for consent in rules.policies.consent:
            yield consent.condition


def counts_sends(life: "Life") -> bool:
    """Whether something of the rule set, or a run, looks at the messages that went out."""
    rules = life.switches.rules
    journeys = [run.journey for run in life.runs.values()] + list(rules.journeys.values() if rules else ())
    return (rules is not None and rules.policies is not None) or any(map(asks_of_sent, journeys))


def asks_of_sent(journey: Journey) -> bool:
    """Whether a condition of its steps asks `sent`."""
    return any(map(asks_sent, asked_by(journey)))


def asks_sent(part: Any) -> bool:
    """Whether `sent` is anywhere in a condition."""
    match part:
        case Sent():
            return True
        case And(items) | Or(items):
            return any(map(asks_sent, items))
        case Not(item) | In(item, _):
            return asks_sent(item)
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return asks_sent(left) or asks_sent(right)
        case _:
            return False


def binds(scope: Scope, journey: Journey, step: Send) -> bool:
    """Whether a policy is about this message."""
    if step.channel not in scope.channels:
        return False
    return journey.category in scope.categories if scope.categories is not None else journey.category != "transactional"


def has_consent(rules: RuleSet | None, journey: Journey, step: Send, holds: Callable[[Condition], bool | None]) -> bool:
    if rules is None or rules.policies is None:
        return True
    bound = [consent for consent in rules.policies.consent if binds(consent.scope, journey, step)]
    return all(value or (value is None and consent.unknown == "allow") for consent in bound for value in [holds(consent.condition)])


def is_quiet(quiet: QuietHours, zone: str, ms: int) -> bool:
    """Whether the user's clock shows a time of the quiet; after midnight the quiet is that of the day before."""
    clock = days.local(zone, ms)
    time = ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1000 + clock.microsecond // 1000
    weekday = clock.weekday()
    if quiet.begin < quiet.end:
        inside = quiet.begin <= time < quiet.end
    else:
        inside = time >= quiet.begin or time < quiet.end
        weekday = weekday if time >= quiet.begin else (weekday - 1) % 7
    return inside and (quiet.days is None or weekday in quiet.days)


def quiet_end(quiet: QuietHours, zone: str, ms: int) -> int:
    """The first whole minute at which it is quiet no longer."""
    ms = (ms // days.MINUTE + 1) * days.MINUTE
    while is_quiet(quiet, zone, ms):
        ms += days.MINUTE
    return ms


def drawn(kind: str, salt: str, user: str, length: int) -> int:
    """A part of a length of time: the user's share by chance."""
    first = sha256(f"{kind}\n{salt}\n{user}".encode()).hexdigest()[:16]
    return length * int(first, 16) // 2**64


class Gone(NamedTuple):
    """A message that went out."""

    at: int
    is_dry: bool
    journey: Journey
    step: Send


def in_calendar(part: str, day: int) -> tuple[int, ...]:
    """What names the day, the week or the month of a date."""
    date = days.EPOCH.date() + timedelta(days=day)
    return {"day": (day,), "week": date.isocalendar()[:2], "month": (date.year, date.month)}[part]


def room_from(cap: Cap, gone: list[Gone], zone: str, now: int, is_dry: bool, priority: int) -> int:
    """The first moment at which a cap has room for a message of this priority."""
    most = cap.most
    if cap.reserved is not None and priority < cap.reserved.priority:
        most -= cap.reserved.places
    counted = [one.at for one in gone if one.is_dry is is_dry and is_capped(cap, one.journey, one.step)]
    if cap.per is None:
        today = days.day(zone, now)
        part = in_calendar(cap.text, today)
        if len([at for at in counted if in_calendar(cap.text, days.day(zone, at)) == part]) < most:
            return now
        return days.start(zone, next(day for day in range(today, today + 40) if in_calendar(cap.text, day) != part))
    ends = [at + cap.per for at in counted]
    return next(moment for moment in sorted([now, *ends]) if moment >= now and sum(end > moment for end in ends) < most)


def is_capped(cap: Cap, journey: Journey, step: Send) -> bool:
    return binds(cap.scope, journey, step) and (cap.journeys is None or journey.name in cap.journeys)


class Asked(NamedTuple):
    """A message that would go out now."""

    rules: RuleSet | None
    journey: Journey
    step: Send
    user: str
    zone: str
    now: int
    moment: int
    """For which it was meant."""
    is_dry: bool


def may_go(asked: Asked, gone: list[Gone]) -> str | int:
    """What quiet hours and caps say: "" for yes, "dropped", or the moment until which it is held."""
    rules, journey, step, user, zone, now, moment, is_dry = asked
    if rules is None or rules.policies is None:
        return ""
    bound = [quiet for quiet in rules.policies.quiet_hours if binds(quiet.scope, journey, step) and is_quiet(quiet, zone, now)]
    caps = [cap for cap in rules.policies.caps if is_capped(cap, journey, step)]
    full = {cap: room for cap in caps if (room := room_from(cap, gone, zone, now, is_dry, journey.priority)) > now}
    if any(quiet.then == "drop" for quiet in bound) or any(cap.then == "drop" for cap in full):
        return "dropped"
    ends = [quiet_end(quiet, zone, now) + drawn("spread", f"quiet_hours/{quiet.name}", user, quiet.spread) for quiet in bound]
    ends += full.values()
    if not ends:
        return ""
    longest = journey.hold_at_most if step.not_after is None else min(journey.hold_at_most, step.not_after)
    return "dropped" if max(ends) - moment > longest else max(ends)
