"""The contents of the section of traits, and the part of a state that has the runs.

In its own module, because msgspec structs must not be compiled (docs/design.md, the compiled engine).
"""

from typing import Any

import msgspec


class Traits(msgspec.Struct, array_like=True, gc=False):
    """A user's traits; see `triggers.state.traits`."""

    values: dict[str, Any] = {}
    times: list[int] = []
    """When each trait was set, ms, in the order of `values`. A single moment is that of all."""
    gone: dict[str, int] = {}
    """Deleted traits, and when they were deleted, ms."""


class RunsOnly(msgspec.Struct, gc=False):
    """The sections of a state, of which only the runs are read."""

    runs: msgspec.Raw = msgspec.Raw()
    """Empty: there are none."""
