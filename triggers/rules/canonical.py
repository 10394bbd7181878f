"""One JSON form of a definition, for its hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass


def canonical(value: object) -> object:
    """The definition as JSON values: `["Compare", {"op": ">=", ...}]`.

    Fields at their default are left out, so that a field which a later release adds changes no hash of what was written before.
    """
    if is_dataclass(value) and not isinstance(value, type):
        found = {}
        for field in fields(value):
            item = getattr(value, field.name)
            if field.default is MISSING or item != field.default:
                found[field.name] = canonical(item)
        return [type(value).__name__, found]
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    return value
