"""`standings`: whether a user is inside each segment, by the key of its definition.

    [due moment of the earliest, or nil; key -> standing]

An absent standing means: known to be outside, and time alone cannot change that. So most segments take no space in most states.
"""

from typing import Any, Final

import msgspec

from triggers.base.model import NEVER
from triggers.state.runs import Standing
from triggers.state.sections.base import Legend, Needed, Section

_STANDING: Final = 32
_decode = msgspec.msgpack.Decoder(tuple[int | None, dict[str, Standing]]).decode
_decode_due = msgspec.msgpack.Decoder(tuple[int | None, msgspec.Raw]).decode


def _read(raw: Any) -> dict[str, Standing]:  # noqa: ANN401
    return _decode(raw)[1]


class Standings(Section):
    """Key of a segment -> standing."""

    def content(self, value: dict[str, Standing]) -> Any:  # noqa: ANN401
        if not value:
            return None
        due = self.due(value)
        return (None if due == NEVER else due), value

    def due(self, value: dict[str, Standing]) -> int:
        due = NEVER
        for standing in value.values():
            if standing.due < due:
                due = standing.due
        return due

    def due_of(self, raw: Any) -> int:  # noqa: ANN401
        due = _decode_due(raw)[0]
        return NEVER if due is None else due

    def size(self, value: dict[str, Standing]) -> int:
        return _STANDING * len(value)

    def forget(self, value: dict[str, Standing], needed: Needed) -> None:
        for key in [key for key in value if key not in needed.standings and key not in needed.pinned_standings]:
            del value[key]

    def show(self, value: dict[str, Standing], legend: Legend) -> dict[str, Any]:
        return {"segments": legend.segments(value)}

    def timers(self, value: dict[str, Standing], legend: Legend) -> list[tuple[int, str]]:
        return [(standing.due, f"look at segment {legend.segment(key)}") for key, standing in value.items() if standing.due != NEVER]


STANDINGS: Final = Standings("standings", _read, timed=True)
