"""The properties of an entry that a run keeps for its texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec

from triggers.base.numbers import storable
from triggers.records.events import Unreadable

MAX_ENTRY_PROPERTIES: Final = 8 * 1024
"""Most bytes of an entry event's properties that a run remembers for its templates."""

_encode = msgspec.msgpack.Encoder().encode


def keepable(journey: str, names: Collection[str], properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the properties of an entry. The run keeps those with these names, with null in place of numbers that no state can hold.

    Raises `Unreadable` where they are too big.
    """
    if not names:
        return properties
    kept = {name: properties[name] for name in names if name in properties}
    try:
        size = len(_encode(kept))
    except OverflowError:
        kept = storable(kept)
        properties = {**properties, **kept}
        size = len(_encode(kept))
    if size > MAX_ENTRY_PROPERTIES:
        raise Unreadable(f"too big: journey {journey} would keep properties of more than {MAX_ENTRY_PROPERTIES} bytes")
    return properties
