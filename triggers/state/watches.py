"""The goals that are watched for a user.

In its own module, because msgspec structs must not be compiled (docs/design.md, the compiled engine).
"""

from typing import Final

import msgspec

MOST_OF_JOURNEY: Final = 20
"""Watches of one journey and user."""
MOST: Final = 100
"""Watches of a user."""


class Watch(msgspec.Struct, array_like=True, gc=False):
    """The goal of one run. It outlives the run."""

    journey: str
    version: str
    """Of the journey that the run entered."""
    entry: str
    """The end of the run's id."""
    goal: str
    """The key of the goal's definition."""
    entered: int
    """Logical time of the entry, ms."""
    until: int
    """An event at this moment or later does not convert."""
    dry: bool = False
    """The run entered before go-live."""
    conversions: int = 0
