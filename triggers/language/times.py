"""Read times of day, days of the week and whole numbers out of YAML nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from triggers.base.calendar import WEEKDAYS
from triggers.base.model import HOUR, MINUTE
from triggers.language import later
from triggers.language.documents import List, Scalar
from triggers.language.fields import MAX_NAME, kind, without_quotes

if TYPE_CHECKING:
    from triggers.language.documents import Node
    from triggers.language.fields import Fields

_WRITTEN: Final = re.compile(r"([0-9]{1,2})(?:[:.]([0-5][0-9]))? ?(am|pm)?")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def time_of_day(fields: Fields, node: Node, what: str) -> int | None:
    """Read a time of day such as `"09:00"`, in ms from midnight on the local clock."""
    match = _TIME.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None:
        meant = written_time(node.text) if isinstance(node, Scalar) else ""
        hint = f'"{meant}" is meant' if meant else 'for example "09:00" or "21:30"'
        fields.refuse(node, f"{what} is {_shown(node)}, which is no time of day", hint)
        return None
    return int(match[1]) * HOUR + int(match[2]) * MINUTE


def written_time(text: str) -> str:
    """Return the time of day that a text such as `9`, `9:00`, `21.30` or `9pm` means; empty if it means none."""
    match = _WRITTEN.fullmatch(text.strip().casefold())
    if match is None:
        return ""
    hour, minute, half = int(match[1]), match[2] or "00", match[3]
    if half is not None and not 1 <= hour <= 12:
        return ""
    if text.strip() == "24:00":
        return "00:00"
    hour = hour % 12 + (12 if half == "pm" else 0) if half is not None else hour
    return f"{hour:02}:{minute}" if hour < 24 else ""


def weekdays(fields: Fields, node: Node, what: str) -> tuple[int, ...] | None:
    """Read names of days of the week: their places in the week, in its order."""
    items = node.items if isinstance(node, List) else [node]
    if not items:
        fields.refuse(node, f"{what} is an empty list", "leave it out, or name days, as in [monday, friday]")
        return None
    words = [_weekday(fields, item, what) for item in items]
    return tuple(sorted({WEEKDAYS.index(word) for word in words if word is not None})) if None not in words else None


def _weekday(fields: Fields, node: Node, what: str) -> str | None:
    """Read a name of a day of the week."""
    text = node.text.casefold() if isinstance(node, Scalar) else ""
    if text in later.DAYS:
        fields.refuse(node, f'{what} cannot be "{text}"', later.DAYS[text])
        return None
    return fields.word(node, what, WEEKDAYS)


def whole_number(fields: Fields, node: Node, what: str, most: int) -> int | None:
    """Read a whole number from 1 to `most`."""
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        unit = re.fullmatch(r"([1-9][0-9]{0,4}) ?[a-z]{1,6}", node.text) if isinstance(node, Scalar) else None
        hint = f"a whole number from 1 to {most:,} belongs here{without_quotes(node)}"
        fields.refuse(node, f"{what} is {_shown(node)}", f"{what}: {unit[1]} is meant" if unit else hint)
        return None
    return value


def _shown(node: Node) -> str:
    return f'"{node.text[:MAX_NAME]}"' if isinstance(node, Scalar) and node.text else kind(node)
