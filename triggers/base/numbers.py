"""Numbers as scaled integers: 2.5 is 2_500_000, so that sums are exact and the same on every machine.

A number fits if it has at most 6 decimals and its magnitude is at most 9_007_199_254 (2**53 / 10**6: up to there a JSON double has digits
for 6 decimals, or almost). A calculated double misses the intended number of 6 decimals by a few units of its last place; it counts as that
number. Every number from outside passes through `scaled`.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from fractions import Fraction
from math import isfinite, ulp
from typing import Any, Final

SCALE: Final = 10**6
"""Units of a scaled integer that make 1."""
LIMIT: Final = 9_007_199_254
"""Largest magnitude that fits."""

BEYOND: Final = 10**400
"""Represents numbers beyond all doubles."""
_EXACT: Final = 10**15
"""Below it a double names exactly one number of 6 decimals, so the arithmetic of `scaled` cannot miss."""
_DOUBLES: Final = 2.0**53
"""Below it each whole double is exactly that number."""
_LONGEST: Final = 40
"""Maximum length of a numeric string in characters."""
_NUMERIC: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,9})?")
_WHOLE: Final = 10**19
_DIGITS: Final = re.compile(r"-?[1-9][0-9]{0,18}")
_CONTEXT: Final = Context(prec=64, traps=[])
"""A separate context, because other code could change the thread's."""


class Unfit(ValueError):  # noqa: N818 - a state of the number; all modules catch it by this name
    """A number that cannot be kept exactly. The message is the reason in the dead letter."""


def scaled(value: object) -> int | None:
    """Return the scaled integer of a JSON number or numeric string; None if it is not a number (also for bool, null and other text).

    Raises `Unfit` for more than 6 decimals, for NaN and infinity, and beyond the limit.
    """
    kind = type(value)
    if kind is int:
        if -LIMIT <= value <= LIMIT:  # type: ignore[operator]
            return value * SCALE  # type: ignore[operator]
        raise Unfit(f"number beyond {LIMIT}")
    if kind is float:
        return _from_float(value)  # type: ignore[arg-type]
    if kind is str:
        return _from_text(value)  # type: ignore[arg-type]
    return None


class Tally:
    """Counts the values that did not fit where a rule needed a number, for the metrics. It decides nothing."""

    def __init__(self) -> None:
        self.unfit = 0

    def taken(self) -> int:
        """Return the count since the last call."""
        count, self.unfit = self.unfit, 0
        return count


TALLY: Final = Tally()


def lenient(value: object) -> int | None:
    """Return what `scaled` returns; null for a number that does not fit."""
    try:
        return scaled(value)
    except Unfit:
        TALLY.unfit += 1
        return None


def exactly(value: Any) -> int | None:  # noqa: ANN401 -- it is whatever JSON holds
    """Return what `lenient` returns, for `==`, `!=` and `in`: whole numbers of up to 19 digits also fit, whole doubles, and texts of as
    many digits.
    """
    kind = type(value)
    if kind is int:
        if -_WHOLE < value < _WHOLE:
            return int(value) * SCALE
    elif kind is float:
        if -_DOUBLES < value < _DOUBLES and value.is_integer():
            return int(value) * SCALE
    elif kind is str and _DIGITS.fullmatch(value):
        return int(value) * SCALE
    return lenient(value)


def storable(value: Any) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
    """Return a JSON value with null for each number that no state can hold: whole ones of more than 64 bits."""
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [storable(item) for item in value]
    if type(value) is int and not -(1 << 63) <= value < 1 << 64:
        TALLY.unfit += 1
        return None
    return value


def from_json(text: str) -> float | int:
    """Return the number of a JSON text. Beyond the doubles it is a whole number that fits nowhere."""
    number = float(text)
    return number if isfinite(number) else BEYOND if number > 0 else -BEYOND


def plain(scaled_value: int) -> int | float:
    """Return the JSON number that a person reads for a scaled integer: whole numbers without a decimal point."""
    whole, rest = divmod(scaled_value, SCALE)
    units: Any = scaled_value  # as Any it is divided by Python: compiled, int by int would be rounded twice beyond 2**53
    return units / SCALE if rest else whole


def _from_float(value: float) -> int:
    if -LIMIT <= value <= LIMIT:  # false for NaN
        units = round(value * 1e6)
        if -_EXACT < units < _EXACT:
            if units / 1e6 == value or _is_meant(value, units):
                return units
            raise Unfit("number of more than 6 decimals")
        return _from_decimal(Decimal(repr(value)))
    raise Unfit(f"number beyond {LIMIT}" if isfinite(value) else "not a finite number")


def _is_meant(value: float, units: int) -> bool:
    """Return whether a double is within 16 units of its last place of a number of 6 decimals, and these units are too small to reach
    two.
    """
    error = 16 * ulp(value)
    return error < 1e-7 and abs(Fraction(value) - Fraction(units, SCALE)) <= Fraction(error)


def _from_text(value: str) -> int | None:
    if not _NUMERIC.fullmatch(value):
        return None
    if len(value) > _LONGEST:
        raise Unfit(f"number of more than {_LONGEST} characters")
    return _from_decimal(Decimal(value))


def _from_decimal(value: Decimal) -> int:
    if not value:
        return 0
    # adjusted() is the exponent of the first digit: it limits the size before anything is expanded ("1e999999999").
    if value.adjusted() > 9:
        raise Unfit(f"number beyond {LIMIT}")
    if value.adjusted() < -6:
        raise Unfit("number of more than 6 decimals")
    units = value.scaleb(6, _CONTEXT)
    if units != units.to_integral_value(context=_CONTEXT):
        raise Unfit("number of more than 6 decimals")
    result = int(units)
    if -LIMIT * SCALE <= result <= LIMIT * SCALE:
        return result
    raise Unfit(f"number beyond {LIMIT}")
