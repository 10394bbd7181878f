"""One JSON form of a definition, and its hash: the same in every release and on every Python.

Versions of journeys and keys of windows and segments are hashes of this form. So the form is a wire format. Each definition writes it by
hand in its method `wire`, and the names in it never change. The names of classes and fields in Python are free to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from hashlib import sha256
from typing import Any

import orjson

Wire = tuple[str, dict[str, object]]
"""What `wire` gives: the name of a definition and its fields.

A field at its default is left out, so a later release can add a field without changing a hash.
"""


def optional(**fields: tuple[object, object]) -> dict[str, object]:
    """Return the fields that are not at their default. Each is written as `name=(value, default)`."""
    return {name: value for name, (value, default) in fields.items() if value != default}


def digest(value: object, length: int) -> str:
    """Return the first `length` hex characters of the hash of a definition.

    Never of its `repr`: that escapes the characters which a Python does not know yet, so an upgrade would change the hash.
    """
    return sha256(orjson.dumps(canonical(value), option=orjson.OPT_SORT_KEYS)).hexdigest()[:length]


def canonical(value: object) -> object:
    """Return the definition as JSON values: `["Compare", {"op": ">=", ...}]`. Raises TypeError for a class without a wire form."""
    definition: Any = value
    if hasattr(definition, "wire"):
        name, fields = definition.wire()
        return [name, {field: canonical(item) for field, item in fields.items()}]
    if is_dataclass(value):
        raise TypeError(f"{type(value).__name__} has no wire form")
    if isinstance(value, tuple | list):
        return [canonical(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if type(value) is int and not -(2**63) <= value < 2**63:  # beyond what the encoder knows
        return str(value)
    return value
