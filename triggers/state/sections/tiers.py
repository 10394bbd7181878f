"""`tiers`: the level of a user in each tier, by the tier's name.

    [due moment of the earliest, or nil; name -> standing]

An absent standing means: known to be below the first level, and time alone cannot change that.
"""

from typing import Any, Final

import msgspec

from triggers.base.model import NEVER
from triggers.state.sections.base import Legend, Needed, Section
from triggers.state.tiers import TierStanding

Standings = dict[str, TierStanding]
_STANDING: Final = 48
"""Bytes of a standing without the name."""
_decode = msgspec.msgpack.Decoder(tuple[int | None, Standings]).decode
_decode_due = msgspec.msgpack.Decoder(tuple[int | None, msgspec.Raw]).decode


def _read(raw: Any) -> Standings:  # noqa: ANN401
    return _decode(raw)[1]


class Tiers(Section):
    """Name of a tier -> standing."""

    def content(self, value: Standings) -> Any:  # noqa: ANN401
        if not value:
            return None
        due = self.due(value)
        return (None if due == NEVER else due), dict(sorted(value.items()))

    def due(self, value: Standings) -> int:
        due = NEVER
        for standing in value.values():
            if standing.due < due:
                due = standing.due
        return due

    def due_of(self, raw: Any) -> int:  # noqa: ANN401
        due = _decode_due(raw)[0]
        return NEVER if due is None else due

    def size(self, value: Standings) -> int:
        return sum(_STANDING + len(name.encode()) for name in value)

    def forget(self, value: Standings, needed: Needed) -> None:
        for name in [name for name in value if name not in needed.tiers]:
            del value[name]

    def show(self, value: Standings, legend: Legend) -> dict[str, Any]:
        tiers = legend.tiers(value)
        return {"tiers": tiers} if tiers else {}

    def timers(self, value: Standings, legend: Legend) -> list[tuple[int, str]]:  # noqa: ARG002
        return [(standing.due, f"look at tier {name}") for name, standing in value.items() if standing.due != NEVER]


TIERS: Final = Tiers("tiers", _read, timed=True)
