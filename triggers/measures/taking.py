"""What a window takes of an event's properties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from triggers.base.numbers import TALLY, Unfit, scaled

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
