"""One JSON form of a definition, and its hash: the same in every release and on every Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from hashlib import sha256

import orjson


def digest(value: object, length: int) -> str:
    """The first `length` hex characters of the hash of a definition.

    Never of its `repr`: that escapes the characters which a Python does not know yet, so an upgrade would change the hash.
    """
    return sha256(orjson.dumps(canonical(value), option=orjson.OPT_SORT_KEYS)).hexdigest()[:length]


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
    if type(value) is int and not -(2**63) <= value < 2**63:  # beyond what the encoder knows
        return str(value)
    return value
