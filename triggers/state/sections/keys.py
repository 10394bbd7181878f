"""`keys`: the keys of runs, and of runs that have ended and whose goal is watched: `journey:end of the run's id` -> key."""

from typing import Any, Final

import msgspec

from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes


class Keys(Section):
    """Run -> key."""

    def size(self, value: dict[str, str]) -> int:
        return value_bytes(value)

    def show(self, value: dict[str, str], legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"keys": value} if value else {}


KEYS: Final = Keys("keys", msgspec.msgpack.Decoder(dict[str, str]).decode)
