"""What bytes of a record are for people: JSON where they are some, else text."""

from __future__ import annotations

from typing import Any

import orjson


def text(data: bytes | None) -> str | None:
    """Bytes as JSON can hold them."""
    return None if data is None else data.decode("utf-8", "backslashreplace")


def value(data: bytes | None) -> Any:  # noqa: ANN401 - a record's JSON
    """The JSON of a record; text where it is none (a dead letter, a tick)."""
    try:
        return orjson.loads(data or b"null")
    except orjson.JSONDecodeError:
        return text(data)
