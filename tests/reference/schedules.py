"""Entries by the clock, as JOURNEYS.md C reads: each occurrence is looked for day by day, and asked of zoneinfo."""

import hashlib
import json
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.reference import walls
from tests.reference.days import EPOCH
from triggers.causes.clock import ByClock
from triggers.causes.dated import Dated
from triggers.causes.every import Every
from triggers.causes.once import Once
from triggers.definitions.model import Journey, RuleSet

Name = tuple[str, ByClock]
"""A journey, and one of its entries."""
Bounds = tuple[int, int | None, int | None]
"""What a journey says of the moments of its entries by the clock."""
SPAN = 1_500
"""Days in which the next occurrence is looked for."""


@dataclass
class Waits:
    """One entry that the user waits for."""

    cause: ByClock
    shown: datetime
    """What the clock shows at the occurrence."""
    moment: int
    bounds: Bounds


def bounds(journey: Journey) -> Bounds:
    return journey.spread, journey.opens, journey.closes


def of(rules: RuleSet | None) -> Iterator[tuple[Name, Journey, ByClock]]:
    """All entries by the clock, each once, in the order of the rules."""
    for name in sorted(rules.journeys) if rules else ():
        assert rules is not None
        for cause in dict.fromkeys(rules.journeys[name].entries):
            if isinstance(cause, ByClock):
                yield (name, cause), rules.journeys[name], cause


def read_date(value: Any, zone: str, *, yearly: bool) -> tuple[int, int, int] | None:
    """Year (0: any), month and day."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int | float):
        moment = EPOCH + timedelta(milliseconds=int(value * 1000 if abs(value) < 10**11 else value))
        shown = walls.wall(zone, (moment - EPOCH) // timedelta(milliseconds=1))
        return shown.year, shown.month, shown.day
    try:
        if len(value) == len("01-31"):
            found = date.fromisoformat(f"2024-{value}")
            return (0, found.month, found.day) if yearly else None
        if len(value) == len("2026-01-31"):
            found = date.fromisoformat(value)
            return found.year, found.month, found.day
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    shown = walls.wall(zone, (moment - EPOCH) // timedelta(milliseconds=1))
    return shown.year, shown.month, shown.day


def is_dated_on(cause: Dated, day: date, traits: Mapping[str, Any], zone: str) -> bool:
    found = read_date(traits.get(cause.trait[0]), zone, yearly=cause.yearly)
    if found is None:
        return False
    meant = day - timedelta(days=cause.days)
    if not cause.yearly:
        return (meant.year, meant.month, meant.day) == found
    year, month, number = found
    return meant.year > year and (meant.month, meant.day) == (month, min(number, monthrange(meant.year, month)[1]))


def by_year(cause: ByClock) -> bool:
    return isinstance(cause, Dated) and cause.yearly


def of_date(cause: Dated, found: tuple[int, int, int], first_day: date) -> list[int]:
    """The days from a first one on, as their distance, that the date of a trait can mean: to look at all days costs too much."""
    year, month, number = found
    years = range(first_day.year - 5, first_day.year + 6) if cause.yearly else [year]
    days = [date(one, month, min(number, monthrange(one, month)[1])).toordinal() for one in years]
    return [distance for day in days if 0 <= (distance := day + cause.days - first_day.toordinal()) < SPAN]


def counted(cause: ByClock, day: date) -> date:
    """An anniversary counts by its year."""
    return date((day - timedelta(days=cause.days)).year, 1, 1) if isinstance(cause, Dated) and cause.yearly else day


def is_same(one: Any, other: Any) -> bool:
    """Whether both are the same JSON."""
    return json.dumps(one) == json.dumps(other)


def seen_from(day: date, cause: ByClock, value: Any, before: str, zone: str) -> date:
    """The date in a zone of what is on this date in another one: a moment in a trait can be on different dates."""
    if not isinstance(cause, Dated):
        return day
    there, here = (read_date(value, one, yearly=cause.yearly) for one in (before, zone))
    if there is None or here is None or there == here:
        return day
    if not cause.yearly:
        return date(*here) + timedelta(days=cause.days)
    year = (day - timedelta(days=cause.days)).year + here[0] - there[0]
    return date(year, here[1], min(here[2], monthrange(year, here[1])[1])) + timedelta(days=cause.days)


def is_on(cause: ByClock, day: date) -> bool:
    if isinstance(cause, Once):
        return day == EPOCH.date() + timedelta(days=cause.day)
    assert isinstance(cause, Every)
    last = monthrange(day.year, day.month)[1]
    match cause.period:
        case "day":
            return True
        case "week":
            return day.weekday() in cause.on
        case "month":
            return any(min(number, last) == day.day for number in cause.on)
        case "year":
            return any(one // 100 == day.month and min(one % 100, last) == day.day for one in cause.on)


@dataclass
class Schedules:
    """What one user waits for by the clock."""

    user: str
    traits: Mapping[str, Any] = field(default_factory=dict)
    armed: dict[Name, Waits] = field(default_factory=dict)
    done: dict[Name, date] = field(default_factory=dict)
    """The latest date that has come."""
    known: set[Name] = field(default_factory=set)
    """The entries of the latest rule set that the user has met."""

    def moments(self) -> set[int]:
        return {one.moment for one in self.armed.values()}

    def keep(self, rules: RuleSet | None, zone: str, earliest: Callable[[ByClock], int | None], entered: Iterable[str]) -> None:
        """`earliest`: from when on an occurrence counts if there is no timer yet; None: the user is not inside."""
        self.known = {name for name, _, _ in of(rules)}
        for name, journey, cause in of(rules):
            begin = earliest(cause)
            if begin is None:
                self.armed.pop(name, None)
            elif name not in self.armed and not (
                journey.re_entry is None and journey.while_running == "refuse" and journey.name in set(entered)
            ):
                self.arm(name, journey, cause, zone, begin)

    def arm(self, name: Name, journey: Journey, cause: ByClock, zone: str, begin: int) -> None:
        found = read_date(self.traits.get(cause.trait[0]), zone, yearly=cause.yearly) if isinstance(cause, Dated) else None
        if isinstance(cause, Dated) and found is None:
            return
        late = self.delay(journey)
        first_day = walls.wall(zone, begin - late).date() - timedelta(days=2)
        if journey.opens is not None:  # a delay can end on the next date
            first_day = max(first_day, EPOCH.date() + timedelta(days=journey.opens - 1))
        for number in range(SPAN) if found is None or not isinstance(cause, Dated) else of_date(cause, found, first_day):
            day = first_day + timedelta(days=number)
            if journey.closes is not None and day > EPOCH.date() + timedelta(days=journey.closes):
                return
            on = is_dated_on(cause, day, self.traits, zone) if isinstance(cause, Dated) else is_on(cause, day)
            if not on or counted(cause, day) <= self.done.get(name, date.min):
                continue
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 -- what a clock shows
            shown = midnight + timedelta(milliseconds=cause.at)
            if walls.wall(zone, walls.first(zone, midnight)).date() == day and walls.first(zone, shown) + late >= begin:
                self.armed[name] = Waits(cause, shown, walls.first(zone, shown) + late, bounds(journey))
                return

    def delay(self, journey: Journey) -> int:
        drawn = hashlib.sha256(f"spread\njourneys/{journey.name}\n{self.user}".encode()).digest()[:8]
        return int.from_bytes(drawn, "big") * journey.spread // 2**64

    def come(self, rules: RuleSet | None, now: int) -> list[Name]:
        """What comes now, in the order of the rules; it does not wait any more."""
        names = [name for name, _, _ in of(rules) if name in self.armed and self.armed[name].moment <= now]
        for name in names:
            one = self.armed.pop(name)
            self.done[name] = counted(one.cause, one.shown.date())
        return names

    def follow(self, rules: RuleSet | None, before: Mapping[str, Any]) -> None:
        """The traits were others before: what depends on one that is another now is looked for again."""
        for name, _, cause in of(rules):
            if isinstance(cause, Dated) and self._is_other(cause, before):
                self.armed.pop(name, None)

    def _is_other(self, cause: Dated, before: Mapping[str, Any]) -> bool:
        return not is_same(before.get(cause.trait[0]), self.traits.get(cause.trait[0]))

    def move(self, rules: RuleSet | None, zones: tuple[str, str], now: int, traits: Mapping[str, Any], *, skips: bool) -> None:
        """The user's clock is another one. `zones`: before and now; `traits`: before."""
        before, zone = zones
        for name, journey, cause in of(rules):
            if isinstance(cause, Dated) and self._is_other(cause, traits):
                continue
            value = self.traits.get(cause.trait[0]) if isinstance(cause, Dated) else None
            self._move_done(name, cause, value, before, zone)
            one = self.armed.get(name)
            if one is None:
                continue
            day = seen_from(one.shown.date(), cause, value, before, zone)
            one.shown = datetime.combine(day, one.shown.time())
            moment = walls.first(zone, one.shown) + self.delay(journey)
            there = walls.wall(zone, walls.first(zone, walls.midnight(one.shown))).date() == day
            if not there or (skips and moment <= now):
                self.done[name] = max(self.done.get(name, date.min), counted(cause, day))
            if counted(cause, day) > self.done.get(name, date.min):
                one.moment = max(moment, now)
            else:
                del self.armed[name]
                self.arm(name, journey, cause, zone, now + 1)

    def _move_done(self, name: Name, cause: ByClock, value: Any, before: str, zone: str) -> None:
        """What has come is on another date now, and so is what could not come any more."""
        done = self.done.get(name)
        if done is None or not isinstance(cause, Dated):
            return
        if cause.yearly:
            middle = done + timedelta(days=180 + cause.days)
            self.done[name] = counted(cause, seen_from(middle, cause, value, before, zone))
        elif (there := read_date(value, before, yearly=False)) is not None and done >= date(*there) + timedelta(days=cause.days):
            self.done[name] = max(done, seen_from(done, cause, value, before, zone))

    def meet(self, rules: RuleSet) -> None:
        """Forgets what the rule set does not have. What is new replaces that, and does not come on a date on which that has come."""
        new = {name: journey for name, journey, _ in of(rules)}
        self.armed = {name: one for name, one in self.armed.items() if name in new and bounds(new[name]) == one.bounds}
        gone = {name: day for name, day in self.done.items() if name not in new}
        self.done = {name: day for name, day in self.done.items() if name in new}
        for journey, cause in [name for name in new if name not in self.known]:
            replaced = [day for (other, one), day in gone.items() if other == journey and by_year(one) == by_year(cause)]
            if replaced:
                self.done[journey, cause] = max(replaced)
