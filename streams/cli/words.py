"""How texts and numbers are put for people: what could steer a terminal made visible, and nouns that agree with their numbers."""

from __future__ import annotations

import re
from typing import Final

_STEERING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, what else ends a line, and halves of surrogate pairs, which cannot be printed at all."""


def printable(text: str) -> str:
    r"""The text on one line, as harmless as it looks: `\x1b[2J` would clear the screen, and a line break would forge a line.

    Any program that may write an event chooses its user id, its name and its traits.
    """
    return _STEERING.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape", "surrogatepass").decode("ascii")


def count_of(number: int, what: str, many: str | None = None) -> str:
    """`1 record`, `2,000 records`; `many` where that is not `what` with an s."""
    return f"{number:,} {what if number == 1 else many or f'{what}s'}"


_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def lasting(length: int) -> str:
    """A length of time by its two biggest units: `3d 4h`, `250ms`."""
    parts: list[str] = []
    for name, size in _UNITS:
        count, length = divmod(length, size)
        if count or parts:
            parts.append(f"{count:,}{name}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0")) or "0ms"
