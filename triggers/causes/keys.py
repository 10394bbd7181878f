"""The key of a run: `entry: {event: Cart Updated, key: cart_id}` starts one run for each value of a property.

A text and the whole number that is written like it are one key, because one service sends `"17"` and another 17.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

KeyOf = Callable[[Mapping[str, Any]], str | None]
"""From the properties of an event; None: they have no key."""
MOST_BYTES: Final = 128
_EXACT: Final = 1 << 53
"""From here on a number with a decimal point does not say which whole number it is."""


def key_text(value: object) -> str | None:
    """Return the key that a value is: a text of 1 to 128 bytes, or the digits of a whole number; None: it is no key."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 8 * MOST_BYTES else ""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_BYTES:
        return None
    return value if len(value.encode("utf-8", "surrogatepass")) <= MOST_BYTES else None


def key_at(path: tuple[str, ...]) -> KeyOf:
    """Read the key at a path."""
    first, rest = path[0], path[1:]

    def key(properties: Mapping[str, Any]) -> str | None:
        value: Any = properties.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, dict) else None
        return key_text(value)

    return key
