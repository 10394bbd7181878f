"""Dates in texts: format a moment on a user's calendar with our own code, so that it is the same on every machine."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from triggers.base.calendar import date_of, month_days
from triggers.base.model import DAY
from triggers.base.moments import Zone, any_moment

SIGNS: Final = ("%d", "%m", "%Y", "%y", "%H", "%M", "%j")
LONGEST: Final = 200
"""Maximum length of a format in characters."""
_SIGN: Final = re.compile(r"%.?", re.DOTALL)
_DATE: Final = len("2026-01-31")
_SECONDS_BELOW: Final = 10**11
"""Smaller numbers are seconds, others milliseconds, as in the times of events."""
_FIRST: Final = -5_364_662_400_000
"""The beginning of the year 1800, ms. People were born before 1970, but a much older date was never set (Go writes the year 1)."""
_LAST: Final = 253_402_300_800_000
"""The end of the year 9999, ms."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


_MONTH_AND_DAY: Final = re.compile(r"([0-9]{2})-([0-9]{2})")
_LEAP: Final = 2024
_EARLIEST: Final = -62_135_596_800_000 + 2 * DAY
"""The beginning of the year 1, ms."""


def date_in(value: Any, zone: Zone, *, without_year: bool) -> tuple[int, int, int] | None:  # noqa: ANN401 -- it is whatever JSON holds
    """Return year, month and day of a value: `2026-01-31`, a date-time (UTC without a zone), or a number as in `formatted`.

    A moment is on the date of the user's clock. `without_year`: also `01-31`; its year is 0. None: the value is no date.
    """
    if isinstance(value, str):
        match = _MONTH_AND_DAY.fullmatch(value) if without_year else None
        if match is not None:
            month, day = int(match[1]), int(match[2])
            is_date = 1 <= month <= 12 and 1 <= day <= month_days(_LEAP, month)
            return (0, month, day) if is_date else None
        try:
            ms = any_moment(value)
        except ValueError:
            return None
        if len(value) == _DATE:
            return date_of(ms // DAY) if ms < _LAST - 366 * DAY else None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) < _LAST:
            return None
        ms = int(value * 1_000 if abs(value) < _SECONDS_BELOW else value)
    else:
        return None
    return date_of(zone.local(ms) // DAY) if _EARLIEST <= ms < _LAST - 366 * DAY else None


def format_fault(form: str) -> str:
    """Return the problem of a format; empty if it is right."""
    if len(form) > LONGEST:
        return f"date takes a format of at most {LONGEST} characters"
    strange = next((sign for sign in _SIGN.findall(form) if sign not in SIGNS), None)
    return "" if strange is None else f"date does not know {strange}; it knows {' '.join(SIGNS)}"


def formatted(value: str | float, form: str, zone: Zone) -> str | None:
    """Format the moment on the calendar of the zone; None for a value that is no moment.

    A moment is an ISO text of a year from 1800 on, or a number since 1970. A text with only a date is that date in every zone.
    """
    try:
        ms = any_moment(value) if isinstance(value, str) else int(value * 1_000 if abs(value) < _SECONDS_BELOW else value)
    except (ValueError, OverflowError):
        return None
    if not (_FIRST if isinstance(value, str) else 0) <= ms < _LAST - DAY:
        return None
    local = _EPOCH + timedelta(milliseconds=ms if isinstance(value, str) and len(value) == _DATE else zone.local(ms))
    signs = {
        "%d": f"{local.day:02}",
        "%m": f"{local.month:02}",
        "%Y": f"{local.year:04}",
        "%y": f"{local.year % 100:02}",
        "%H": f"{local.hour:02}",
        "%M": f"{local.minute:02}",
        "%j": f"{local.timetuple().tm_yday:03}",
    }
    return _SIGN.sub(lambda sign: signs[sign[0]], form)
