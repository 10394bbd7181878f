"""What a window takes of an event's properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from triggers.base.numbers import TALLY, Unfit, scaled

LONGEST_TEXT: Final = 256
"""Longest text that a window keeps as it is, in bytes of UTF-8."""
TOO_LONG: Final = object()
"""A text that is longer than that."""
Take = Callable[[Mapping[str, Any]], Any]
"""From the properties of an event; None where there is nothing to take."""
UNFIT: Final = object()
"""A number that no window can take: from there on the window is incomplete."""


def numbers(path: tuple[str, ...]) -> Take:
    """Take a scaled number; `UNFIT` for one that does not fit. What is no number counts as missing."""
    first, rest = path[0], path[1:]

    def take(properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
        value: Any = properties.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            return None
        try:
            number = scaled(value)
        except Unfit:
            TALLY.unfit += 1
            return UNFIT
        if number is None:
            TALLY.unfit += 1
        return number

    return take


def values(path: tuple[str, ...]) -> Take:
    """Take a text, number or flag. A list or an object counts as missing."""
    first, rest = path[0], path[1:]

    def take(properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
        value: Any = properties.get(first)
        for name in rest:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, dict | list):
            TALLY.unfit += 1
            return None
        return value

    return take


def kept_values(path: tuple[str, ...]) -> Take:
    """Take a text, number or flag; `TOO_LONG` for a text that a window does not keep. A list or an object counts as missing."""
    take_value = values(path)

    def take(properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
        value = take_value(properties)
        return TOO_LONG if type(value) is str and _is_too_long(value) else value

    return take


def kept_texts(path: tuple[str, ...]) -> Take:
    """Take a text that a window keeps. A longer one, and what is no text, count as missing."""
    take_value = values(path)

    def take(properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- it is whatever JSON holds
        value = take_value(properties)
        return value if type(value) is str and not _is_too_long(value) else None

    return take


def _is_too_long(text: str) -> bool:
    return len(text) * 4 > LONGEST_TEXT and len(text.encode()) > LONGEST_TEXT
