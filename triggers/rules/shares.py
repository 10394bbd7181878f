"""Parse a share of all users: `holdout: 10%`, `percent: 2.5`."""

from __future__ import annotations

import re
from typing import Final, Literal

from triggers.language.documents import Node, Scalar
from triggers.language.fields import Fields, kind

_NUMBER: Final = re.compile(r"([0-9]{1,2})(?:[.]([0-9]{1,2}))?")


def read_share(fields: Fields, node: Node, what: str, unit: Literal["", "%"]) -> int | None:
    """Read a share in parts of 10,000. `unit`: what is behind the number. Return None after reporting an error."""
    text = node.text if isinstance(node, Scalar) else ""
    found = _NUMBER.fullmatch(text.removesuffix(unit)) if text.endswith(unit) else None
    part = 0 if found is None else int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    if part == 0:
        shown = text[:40] or kind(node)
        fields.refuse(
            node,
            f"{what} is {shown}",
            _meant(text, what, unit) or f"0.01{unit} to 99.99{unit} belongs here, as in {what}: 10{unit}",
        )
        return None
    return part


def _meant(text: str, what: str, unit: str) -> str:
    """Return the hint where the number alone says what is meant: `10` or `0.1` for `10%`, `10%` for `10`; else an empty text."""
    number = text.removesuffix("%")
    if number == text and _PART.fullmatch(number):
        number = str(int(number[2:].ljust(2, "0")))
    return f"{what}: {number}{unit} is meant" if number + unit != text and _NUMBER.fullmatch(number) else ""


_PART: Final = re.compile(r"0\.(?:[1-9][0-9]?|0[1-9])")
