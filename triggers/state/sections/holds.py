"""`holds`: the messages that policies hold, by the run: until when, and why. When a run continues is in the run itself."""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso
from triggers.state.runs import Run
from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes

Hold = tuple[int, str]
"""Until when, ms, and the reason."""


class Holds(Section):
    """Journey and entry of the run -> its hold."""

    def size(self, value: dict[str, Hold]) -> int:
        return value_bytes({run: list(hold) for run, hold in value.items()})

    def show(self, value: dict[str, Hold], legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        holds = [
            {"journey": run.partition("\0")[0], "until": iso(until), "reason": reason} for run, (until, reason) in sorted(value.items())
        ]
        return {"holds": holds} if holds else {}


HOLDS: Final = Holds("holds", msgspec.msgpack.Decoder(dict[str, tuple[int, str]]).decode)


def of_run(run: Run) -> str:
    """Return the name of a run in this section."""
    return f"{run.journey}\0{run.entry}"
