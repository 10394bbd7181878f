"""Read times of day, days of the week and whole numbers out of YAML nodes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from triggers.base.calendar import WEEKDAYS
from triggers.base.model import HOUR, MINUTE
from triggers.language.documents import List, Scalar
from triggers.language.fields import MAX_NAME, kind, without_quotes

if TYPE_CHECKING:
    from triggers.language.documents import Node
    from triggers.language.fields import Fields

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def time_of_day(fields: Fields, node: Node, what: str) -> int | None:
    """Read a time of day such as `"09:00"`, in ms from midnight on the local clock."""
    match = _TIME.fullmatch(node.text) if isinstance(node, Scalar) else None
    if match is None:
        fields.refuse(node, f"{what} is {_shown(node)}, which is no time of day", 'for example "09:00" or "21:30"')
        return None
    return int(match[1]) * HOUR + int(match[2]) * MINUTE


def weekdays(fields: Fields, node: Node, what: str) -> tuple[int, ...] | None:
    """Read names of days of the week: their places in the week, in its order."""
    items = node.items if isinstance(node, List) else [node]
    if not items:
        fields.refuse(node, f"{what} is an empty list", "leave it out, or name days, as in [monday, friday]")
        return None
    words = [fields.word(item, what, WEEKDAYS) for item in items]
    return tuple(sorted({WEEKDAYS.index(word) for word in words if word is not None})) if None not in words else None


def whole_number(fields: Fields, node: Node, what: str, most: int) -> int | None:
    """Read a whole number from 1 to `most`."""
    value = node.value if isinstance(node, Scalar) else None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        fields.refuse(node, f"{what} is {_shown(node)}", f"a whole number from 1 to {most:,} belongs here{without_quotes(node)}")
        return None
    return value


def _shown(node: Node) -> str:
    return f'"{node.text[:MAX_NAME]}"' if isinstance(node, Scalar) and node.text else kind(node)
