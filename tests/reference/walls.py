"""Local times, asked of zoneinfo: both folds, and minute by minute where neither exists."""

from datetime import UTC, datetime, timedelta

from tests.reference.days import EPOCH, MINUTE, local, zone
from triggers.definitions.model import Step
from triggers.steps.waits.calendar import CalendarWait
from triggers.steps.waits.clock import ClockWait
from triggers.steps.waits.date import DateWait

NAMES = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def wall(name: str, ms: int) -> datetime:
    """What the clock shows, without the zone."""
    return local(name, ms).replace(tzinfo=None, fold=0)


def first(name: str, shown: datetime) -> int:
    """The first moment at which the clock shows this; if it never does, the first moment after the gap."""
    folds = [shown.replace(tzinfo=zone(name), fold=fold).astimezone(UTC) for fold in (0, 1)]
    found = sorted((one - EPOCH) // timedelta(milliseconds=1) for one in folds)
    shows = [ms for ms in found if wall(name, ms) == shown]
    if shows:
        return shows[0]
    ms = (found[0] // MINUTE - 1) * MINUTE
    while wall(name, ms) < shown:
        ms += MINUTE
    return ms


def month_later(day: datetime, months: int) -> datetime:
    """The same day of a later month, or the last one that there is."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    number = day.day
    while True:
        try:
            return day.replace(year=year, month=month, day=number)
        except ValueError:
            number -= 1


def target(step: Step, name: str, moment: int, entered: int) -> tuple[int, datetime | None]:
    """Where a wait ends that is counted from a moment, or from the entry: when, and what the clock was meant to show.

    A date can be before the moment.
    """
    begin = wall(name, entered if isinstance(step, DateWait) else moment)
    if isinstance(step, DateWait):
        if step.rest and step.at is None:
            return entered + step.rest, None
        meant = wall(name, entered + step.rest) + timedelta(days=step.days)
        return finished(step, name, meant)
    if isinstance(step, CalendarWait):
        meant = month_later(begin, step.number) if step.unit == "months" else begin + step.number * timedelta(**{step.unit: 1})
        return finished(step, name, meant)
    assert isinstance(step, ClockWait)
    for days in range(-2, 20):
        date = midnight(begin) + timedelta(days=days)
        meant = date + timedelta(milliseconds=step.at)
        if date.weekday() in step.on and wall(name, first(name, date)).date() == date.date() and first(name, meant) >= moment:
            return first(name, meant), meant
    raise AssertionError(f"{step} never comes in {name}")


def finished(step: CalendarWait | DateWait, name: str, meant: datetime) -> tuple[int, datetime]:
    """The time of day of a step, on the date that is meant."""
    if step.at is None:
        return first(name, meant), wall(name, first(name, meant))
    meant = midnight(meant) + timedelta(milliseconds=step.at)
    return first(name, meant), meant


def midnight(day: datetime) -> datetime:
    return day.replace(hour=0, minute=0, second=0, microsecond=0)
