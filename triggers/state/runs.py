"""What a user's state holds beside windows: standings and runs.

In a module of its own, because what msgspec reads by its annotations must not be compiled (docs/design.md, the compiled engine).
"""

from typing import Any, Final

import msgspec

from triggers.base.model import NEVER


class Standing(msgspec.Struct, array_like=True, gc=False):
    """How a user stands to one segment."""

    inside: bool | None = None
    """The last value known; None: none was ever known. Unknown neither enters nor leaves."""
    due: int = NEVER
    """When time alone could next change it."""
    asked: bool = False
    """It has been said that an entry is kept back because the value is unknown."""


class Run(msgspec.Struct, array_like=True, gc=False):
    """One user's passage through one version of a journey."""

    journey: str
    version: str
    rule_set: str
    entry: str
    """What the id ends with: log epoch, and offset or moment of the entry."""
    entered: int
    """Logical time of the entry."""
    cause: int
    """Offset of the entry's record; of the user's last one where time made the entry."""
    step: str
    """Name of the step at which the run rests, always a wait so far; empty while the run takes its first steps. See also `at_index`."""
    moment: int
    """When the run is meant to go on: the entry's event time plus the waits so far."""
    due: int = NEVER
    """Logical time at which the wait ends: `moment`, or when it was armed if that was later. NEVER while held."""
    late: bool = False
    """The moment had passed for longer than the late policy allows: its sends are skipped."""
    held: bool = False
    """The journey was paused when the wait ended."""
    properties: dict[str, Any] = {}
    """Of the entry event, as far as the templates read them."""


INDEX: Final = "#"
"""Begins what stands for a step's name in a run of release 0.1.0. No name of a step begins with it."""


def at_index(index: int) -> str:
    """The step of a run that release 0.1.0 wrote. It kept the index of the step after the wait at which the run rests.

    Only the run's own rule set knows the name. `JourneyPlan.place` finds it when the run is next looked at.
    """
    return f"{INDEX}{index}"


# ---- runs, in passing -----------------------------------------------------------------------------------------------


class PinnedRun(msgspec.Struct, array_like=True, gc=False):
    """The beginning of `Run`: read without the rest, that takes a third of the time."""

    journey: str
    version: str
    rule_set: str
