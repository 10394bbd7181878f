"""`exited_keys`: when an exit with a key last happened, packed by the hash of the exit; see `triggers.state.moments_of_keys`.

An entry that is read after its exit, and that happened before it, starts nothing. For exits without a key a window shows this.
"""

from typing import Any, Final

import msgspec

from triggers.state.moments_of_keys import SIZE, Moments
from triggers.state.sections.base import Legend, Needed, Section
from triggers.state.sections.entered_keys import moments_bytes


class ExitedKeys(Section):
    """Hash of the exit -> moments of the events, by key."""

    def size(self, value: Moments) -> int:
        return moments_bytes(value)

    def forget(self, value: Moments, needed: Needed) -> None:
        known = {name for plan in needed.journeys.values() for name in plan.keyed_exits} if value else set()
        for name in [name for name in value if name not in known]:
            del value[name]

    def show(self, value: Moments, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"exited_keys": sum(map(len, value.values())) // SIZE} if value else {}


EXITED_KEYS: Final = ExitedKeys("exited_keys", msgspec.msgpack.Decoder(dict[str, bytes]).decode)
