"""Dates as numbers: a day is the number of days from 1970-01-01, as in `triggers.base.moments`.

No time zone is involved, and years have no limit.
"""

from __future__ import annotations

from typing import Final

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ERA: Final = 146_097
"""Days of 400 years, after which the calendar repeats."""
_LENGTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def weekday(day: int) -> int:
    """Return the place of a day in `WEEKDAYS`."""
    return (day + 3) % 7


def month_days(year: int, month: int) -> int:
    """Return how many days a month has."""
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and is_leap else _LENGTHS[month - 1]


def day_of(year: int, month: int, day: int) -> int:
    """Return the number of a date."""
    # Years begin in March here, so that the day that may be missing is the last one.
    shifted = year if month > 2 else year - 1
    era, of_era = divmod(shifted, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * _ERA + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def date_of(day: int) -> tuple[int, int, int]:
    """Return year, month and day of a date by its number."""
    era, of_era = divmod(day + 719_468, _ERA)
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    date = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month <= 2), month, date


def span_of(day: int, part: str) -> tuple[int, int]:
    """Return the first date of the day, the week or the month of a date, and the first one after it. A week begins on Monday."""
    if part == "week":
        first = day - weekday(day)
        return first, first + len(WEEKDAYS)
    if part == "month":
        year, month, date = date_of(day)
        return day - date + 1, day - date + 1 + month_days(year, month)
    return day, day + 1


def add_months(day: int, months: int) -> int:
    """Return the same day of a later month; if that month does not have it, its last day."""
    year, month, date = date_of(day)
    years, index = divmod(month - 1 + months, 12)
    return day_of(year + years, index + 1, min(date, month_days(year + years, index + 1)))
