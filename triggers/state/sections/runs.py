"""`runs`: a user's running journeys, in the order of their entries.

    [due moment of the earliest, or nil; the runs]

The due moment, and the rule sets that the runs are pinned to, can be read without decoding the runs.
"""

from typing import Any, Final

import msgspec

from triggers.base.model import NEVER
from triggers.state.runs import PinnedRun, Run
from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import nested_bytes, run_bytes

_decode = msgspec.msgpack.Decoder(tuple[int | None, list[Run]]).decode
_decode_due = msgspec.msgpack.Decoder(tuple[int | None, msgspec.Raw]).decode
_decode_pinned = msgspec.msgpack.Decoder(tuple[int | None, list[PinnedRun]]).decode


def _read(raw: Any) -> list[Run]:  # noqa: ANN401
    return _decode(raw)[1]


class Runs(Section):
    """A list of runs."""

    def empty(self) -> list[Run]:
        return []

    def content(self, value: list[Run]) -> Any:  # noqa: ANN401
        if not value:
            return None
        due = self.due(value)
        return (None if due == NEVER else due), value

    def due(self, value: list[Run]) -> int:
        due = NEVER
        for run in value:
            if run.due < due:
                due = run.due
        return due

    def due_of(self, raw: Any) -> int:  # noqa: ANN401
        due = _decode_due(raw)[0]
        return NEVER if due is None else due

    def size(self, value: list[Run]) -> int:
        return sum(run_bytes(run, len(run.step)) for run in value)

    def nested(self, value: list[Run]) -> int:
        return sum(nested_bytes(run.properties) for run in value)

    def show(self, value: list[Run], legend: Legend) -> dict[str, Any]:
        return {"runs": [legend.run(run) for run in value]}

    def timers(self, value: list[Run], legend: Legend) -> list[tuple[int, str]]:  # noqa: ARG002
        return [(run.due, f"continue journey {run.journey}") for run in value if run.due != NEVER]


def pinned_in(raw: Any) -> list[PinnedRun]:  # noqa: ANN401
    """List the runs of these bytes without their contents. Raises `msgspec.DecodeError`, `UnicodeDecodeError`."""
    return _decode_pinned(raw)[1]


RUNS: Final = Runs("runs", _read, timed=True)
