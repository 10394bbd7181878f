"""Conditions, evaluated each time over all events."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, NamedTuple

from tests.reference import days
from tests.reference.values import (
    INF,
    UNKNOWN,
    Between,
    Instant,
    Value,
    arithmetic,
    both,
    compare,
    either,
    exactly,
    identity,
    is_number,
    negated,
    number,
)
from triggers.definitions.model import (
    And,
    Arithmetic,
    Circumstance,
    Compare,
    Condition,
    Contains,
    Did,
    EveryDay,
    Flag,
    In,
    Measure,
    Moment,
    Not,
    Number,
    OfList,
    Operand,
    Or,
    Property,
    Sent,
    Text,
    Trait,
)

LENGTHS = {"minute": days.MINUTE, "hour": days.HOUR, "day": days.DAY}


class About(NamedTuple):
    """What a `where=` can see of an event next to its properties."""

    at: int
    """Event time."""
    zone: str
    """Of the user when the event was folded."""
    context: Mapping[str, Any]


NOWHERE: Final = About(0, "UTC", {})


class Happened(NamedTuple):
    """An event as it was folded."""

    name: str
    properties: Mapping[str, Any]
    at: int
    """Event time."""
    day: int
    """The local day that it had when it was folded; it keeps that."""
    offset: int
    folded: int
    """The clock when it was folded."""
    about: About


class Since(NamedTuple):
    """From where a window is kept that came too late for this user: only records behind `offset` are in it."""

    offset: int
    moment: int


@dataclass
class Sight:
    """What one user's condition can see now."""

    now: int
    zone: str
    traits: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Happened] = ()
    since: Mapping[str, Since] = field(default_factory=dict)
    """By `Measure.key`; a window without an entry is complete."""
    gone: Sequence[Any] = ()
    """The messages that went out: `tests.reference.policies.Gone`."""
    is_dry: bool = False
    of_day: int | None = None
    """Inside `every_day`: the day that is looked at."""

    @cached_property
    def today(self) -> int:
        return days.day(self.zone, self.now)


# ---- three values -----------------------------------------------------------------------------------------------------


def holds(condition: Condition, sight: Sight) -> bool | None:
    match condition:
        case Flag(value):
            return value
        case And(items):
            return both([holds(item, sight) for item in items])
        case Or(items):
            return either([holds(item, sight) for item in items])
        case Not(item):
            return negated(holds(item, sight))
        case Compare(op, left, right):
            return compare(op, value_of(left, sight, op in SAMENESS), value_of(right, sight, op in SAMENESS))
        case In(item, options):
            found = value_of(item, sight, same=True)
            return either([compare("==", found, value_of(option, sight)) for option in options])
        case Contains(item, Trait(path)):
            return contained(value_of(item, sight), dig(sight.traits, path))
        case Did(measure):
            return did(measure, sight)
        case EveryDay(length, inner):
            past = range(sight.today - length, sight.today)
            return both([holds(inner, Sight(sight.now, sight.zone, sight.traits, sight.events, sight.since, of_day=day)) for day in past])
        case _:
            raise TypeError(f"a condition about a user does not know {condition}")


SAMENESS: Final = ("==", "!=")


def value_of(operand: Operand, sight: Sight, same: bool = False) -> Value:
    """`same`: it is asked only whether it is the same as another, so whole numbers may be longer."""
    match operand:
        case Number(scaled):
            return exactly(Fraction(scaled, 10**6))
        case Text(value) | Flag(value):
            return value
        case Moment(ms):
            return Instant(ms)
        case Circumstance((_, part)):
            return local(part, sight.now, sight.zone)
        case Trait(path):
            return plain(dig(sight.traits, path), same)
        case Arithmetic(op, left, right):
            return arithmetic(op, value_of(left, sight), value_of(right, sight))
        case Sent():
            return exactly(len(sends_of(operand, sight)))
        case Measure():
            return valued(operand, sight, same) if operand.kind in {"first_value", "last_value"} else measured(operand, sight)
        case Property():
            raise TypeError("a property can only be in where=")


def plain(value: Any, same: bool = False) -> Value:
    """A trait or property as an operand; lists and objects compare as if they were not there."""
    if isinstance(value, str | bool):
        return value
    found = identity(value) if same else number(value)
    return None if found is None else exactly(found)


def dig(tree: Any, path: Sequence[str]) -> Any:
    for name in path:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


# ---- where= -----------------------------------------------------------------------------------------------------------


def local(part: str, now: int, zone: str) -> Value:
    """What the user's calendar and clock say at a moment."""
    clock = days.local(zone, now)
    match part:
        case "hour":
            return exactly(clock.hour)
        case "weekday":
            return clock.strftime("%A").lower()
        case "day":
            return exactly(clock.day)
        case _:
            return exactly(clock.month)


def passes(where: Condition | None, properties: Mapping[str, Any], about: About = NOWHERE) -> bool:
    """Whether an event with these properties is meant. Only what comes after the 200th item of a list is unknown about an event."""
    return where is None or fits(where, properties, about) is True


def fits(where: Condition, properties: Mapping[str, Any], about: About = NOWHERE) -> bool | None:
    match where:
        case Flag(value):
            return value
        case And(items):
            return both([fits(item, properties, about) for item in items])
        case Or(items):
            return either([fits(item, properties, about) for item in items])
        case Not(item):
            return negated(fits(item, properties, about))
        case Compare(op, left, right):
            same = op in SAMENESS
            return compare(op, of_event(left, properties, same, about), of_event(right, properties, same, about))
        case In(item, options):
            found = of_event(item, properties, True, about)
            return either([compare("==", found, of_event(option, properties)) for option in options])
        case Contains(item, Circumstance((_, *path))):
            return contained(of_event(item, properties), dig(about.context, path))
        case Contains(item, Property(path)):
            return contained(of_event(item, properties), dig(properties, path))
        case OfList(quantifier, path, condition):
            return of_items(quantifier, path, condition, properties)
        case _:
            raise TypeError(f"where= does not know {where}")


def contained(wanted: Value, found: Any) -> bool | None:
    """Whether a list has this value; at most 200 items are looked at."""
    if not isinstance(found, list):
        return False
    unseen: list[bool | None] = [None] if len(found) > 200 else []
    return either([*(compare("==", plain(item, same=True), wanted) for item in found[:200]), *unseen])


def of_items(quantifier: str, path: Sequence[str], condition: Condition, properties: Mapping[str, Any]) -> bool | None:
    """Puts each item in the place of its list, and asks the condition about the event as it then is."""
    lists = [end for end in range(1, len(path) + 1) if isinstance(dig(properties, path[:end]), list)]
    if not lists:
        return False
    place = path[: lists[0]]
    items = dig(properties, place)
    if not items:
        return False
    answers = [fits(condition, nested(place, item)) for item in items[:200]] + [None] * (len(items) > 200)
    return either(answers) if quantifier == "any" else both(answers)


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """An object that has nothing but this value at this path."""
    return {path[0]: nested(path[1:], value) if len(path) > 1 else value}


def of_event(operand: Operand, properties: Mapping[str, Any], same: bool = False, about: About = NOWHERE) -> Value:
    match operand:
        case Circumstance((root, *path)):
            return plain(dig(about.context, path), same) if root.endswith("context") else local(path[0], about.at, about.zone)
        case Property(path):
            return plain(dig(properties, path), same)
        case Arithmetic(op, left, right):
            return arithmetic(op, of_event(left, properties, False, about), of_event(right, properties, False, about))
        case Number() | Text() | Flag():
            return value_of(operand, Sight(0, "UTC"))
        case _:
            raise TypeError(f"where= does not know {operand}")


# ---- measures ---------------------------------------------------------------------------------------------------------


def did(measure: Measure, sight: Sight) -> bool | None:
    if seen(measure, sight):
        return True
    return False if complete(measure, sight) else None


def measured(measure: Measure, sight: Sight) -> Value:
    """Over an incomplete window counts, sums of what is never negative, and maxima are lower bounds, minima upper ones; else unknown."""
    events, whole = seen(measure, sight), complete(measure, sight)
    found = [dig(event.properties, measure.path) for event in events]
    match measure.kind:
        case "count":
            return at_least(Fraction(len(events)), whole)
        case "distinct":
            return at_least(Fraction(len({(type(value) is bool, value) for value in found if isinstance(value, str | int | float)})), whole)
        case "sum":
            total = sum((number(value) or Fraction(0) for value in found), Fraction(0))
            whole = whole and not any(unfit(measure, event, sight) for event in sight.events)
            return at_least(total, whole) if whole or measure.non_negative else UNKNOWN
        case "max" | "min":
            fitting = [value for value in map(number, found) if value is not None]
            whole = whole and not any(unfit(measure, event, sight) for event in sight.events)
            if not fitting:
                return None if whole else UNKNOWN
            best = max(fitting) if measure.kind == "max" else min(fitting)
            return exactly(best) if whole else Between(best, INF) if measure.kind == "max" else Between(-INF, best)
        case "first" | "last":
            if not whole:
                return UNKNOWN
            times = [event.at for event in events]
            return Instant(min(times) if measure.kind == "first" else max(times)) if times else None
        case _:
            raise TypeError(f"{measure.kind}(...) is no number and no moment")


def valued(measure: Measure, sight: Sight, same: bool) -> Value:
    """What the property was at the first or last event that has it; of equal moments the log decides."""
    found = [(event, dig(event.properties, measure.path)) for event in seen(measure, sight)]
    having = [(event, value) for event, value in found if isinstance(value, str | bool | int | float)]
    if not complete(measure, sight):
        return UNKNOWN
    if not having:
        return None
    if measure.kind == "first_value":
        _, value = min(having, key=lambda one: (one[0].at, one[0].offset))
    else:
        _, value = max(having, key=lambda one: (one[0].at, one[0].offset))
    return None if isinstance(value, str) and len(value.encode()) > 256 else plain(value, same)


def sends_of(operand: Sent, sight: Sight) -> list[Any]:
    """The messages on the local days up to today, none that is transactional."""
    begin = days.start(sight.zone, sight.today - operand.days + 1)
    found = [one for one in sight.gone if one.at >= begin and one.is_dry is sight.is_dry and one.journey.category != "transactional"]
    if operand.journey is not None:
        found = [one for one in found if one.journey.name == operand.journey]
    if operand.channel is None:
        return [one for one in found if one.step.channel not in ("webhook", "benefit")]
    return [one for one in found if one.step.channel == operand.channel]


def at_least(low: Fraction, whole: bool) -> Between:
    return exactly(low) if whole else Between(low, INF)


def seen(measure: Measure, sight: Sight) -> list[Happened]:
    """The events that the window holds now."""
    since = sight.since.get(measure.key)
    return [
        event
        for event in sight.events
        if event.name == measure.event
        and (since is None or event.offset > since.offset)
        and passes(measure.where, event.properties, event.about)
        and inside(measure, event, sight)
    ]


def inside(measure: Measure, event: Happened, sight: Sight) -> bool:
    if measure.daily:
        return event.day == sight.of_day
    if measure.length is None or measure.unit is None:
        return True
    unit = LENGTHS[measure.unit]
    if measure.kind in {"did", "first", "last"}:
        return event.at > sight.now - measure.length * unit
    pane, current = (event.day, sight.today) if measure.unit == "day" else (event.at // unit, sight.now // unit)
    return current - measure.length < pane


def complete(measure: Measure, sight: Sight) -> bool:
    """Whether nothing can be missing from the window: it is kept since before all that it covers now."""
    since = sight.since.get(measure.key)
    if since is None or measure.whole:
        return True
    covers = covers_from(measure, sight)
    return covers is not None and since.moment <= covers


def unfit(measure: Measure, event: Happened, sight: Sight) -> bool:
    """Whether the window met, in this event, a number that does not fit, and covers a moment not later than when it did."""
    since = sight.since.get(measure.key)
    if event.name != measure.event or (since is not None and event.offset <= since.offset):
        return False
    value = dig(event.properties, measure.path)
    if number(value) is not None or not is_number(value) or not passes(measure.where, event.properties, event.about):
        return False
    covers = covers_from(measure, sight)
    return covers is None or covers <= event.folded


def covers_from(measure: Measure, sight: Sight) -> int | None:
    """The first moment that the window covers; None: all time."""
    if measure.daily:
        assert sight.of_day is not None
        return days.start(sight.zone, sight.of_day)
    if measure.length is None or measure.unit is None:
        return None
    unit = LENGTHS[measure.unit]
    if measure.kind in {"did", "first", "last"}:
        return sight.now - measure.length * unit
    if measure.unit == "day":
        return days.start(sight.zone, sight.today - measure.length + 1)
    return (sight.now // unit - measure.length + 1) * unit


# ---- when time alone could change something ---------------------------------------------------------------------------


def measures(condition: Condition | Operand | None) -> Iterator[Measure]:
    """All measures of a condition, wherever they are in it."""
    match condition:
        case Measure():
            yield condition
        case Did(measure):
            yield measure
        case And(items) | Or(items):
            for item in items:
                yield from measures(item)
        case Not(item) | EveryDay(_, item) | In(item, _):
            yield from measures(item)
        case Compare(_, left, right) | Arithmetic(_, left, right):
            yield from measures(left)
            yield from measures(right)
        case _:
            pass


def moments(conditions: Sequence[Condition], sight: Sight, until: int) -> set[int]:
    """Every moment later than now, up to `until`, at which anything could change without an event: rather too many than too few."""
    found = set(days.midnights(sight.zone, sight.now, until))
    sinces = {since.moment for since in sight.since.values()}
    for measure in {measure for condition in conditions for measure in measures(condition)}:
        if measure.unit is None or measure.length is None:
            continue
        unit = LENGTHS[measure.unit]
        marks = {event.at for event in sight.events if event.name == measure.event} | sinces
        if measure.kind in {"did", "first", "last"}:
            found.update(mark + measure.length * unit for mark in marks)
        elif measure.unit != "day":
            # Once the pane of the latest mark has left, nothing is in the window and nothing is missing from it.
            end = max(marks, default=0) // unit + measure.length + 1
            found.update(range((sight.now // unit + 1) * unit, min(until, end * unit) + 1, unit))
    return {moment for moment in found if sight.now < moment <= until}
