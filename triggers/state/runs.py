"""The standings and runs in a user's state.

In its own module, because msgspec structs must not be compiled (docs/design.md, the compiled engine).
"""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from triggers.base.model import NEVER

if TYPE_CHECKING:
    from triggers.state.watches import Watch


class Standing(msgspec.Struct, array_like=True, gc=False):
    """Whether a user is inside one segment, and when time could change that."""

    inside: bool | None = None
    """The last known value; None: it was never known. An unknown value neither enters nor leaves."""
    due: int = NEVER
    """When time alone could next change it."""
    asked: bool = False
    """A decision has said that there is no entry because the value is unknown."""


class Run(msgspec.Struct, array_like=True, gc=False):
    """One user's passage through one version of a journey."""

    journey: str
    version: str
    rule_set: str
    entry: str
    """The end of the id: log epoch, and offset or moment of the entry."""
    entered: int
    """Logical time of the entry."""
    cause: int
    """Offset of the entry's record; of the user's last record if time caused the entry."""
    step: str
    """Name of the step at which the run rests; empty while the run takes its first steps. See also `at_index`."""
    moment: int
    """When the run should continue: the entry's event time plus the waits so far."""
    due: int = NEVER
    """Logical time at which the wait ends: `moment`, or when the wait began if that was later. NEVER while held."""
    late: bool = False
    """The moment had passed for longer than the late policy allows: its sends are skipped."""
    held: bool = False
    """The journey was paused when the wait ended."""
    properties: dict[str, Any] = {}
    """Of the entry event, as far as the templates read them."""


INDEX: Final = "#"
"""Begins the replacement of a step's name in a run of release 0.1.0. No name of a step begins with it."""


def at_index(index: int) -> str:
    """Return the step of a run of release 0.1.0. It kept the index of the step after the wait at which the run rests.

    Only the run's own rule set knows the name. `Program.find` finds it when the run continues.
    """
    return f"{INDEX}{index}"


# ---- runs, in passing -----------------------------------------------------------------------------------------------


class PinnedRun(msgspec.Struct, array_like=True, gc=False):
    """The beginning of `Run`. To read it without the rest takes a third of the time."""

    journey: str
    version: str
    rule_set: str


def name_of(run: "Run | Watch") -> str:
    """Return the name of a run, or of the run of a watched goal, in the sections that are kept by run."""
    return f"{run.journey}:{run.entry}"
