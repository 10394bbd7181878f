"""`entered_keys`: when a user last entered each journey with each key, packed by journey; see `triggers.state.moments_of_keys`."""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso
from triggers.state.moments_of_keys import SIZE, Moments, last
from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes


class EnteredKeys(Section):
    """Journey -> logical times of the last entries, by key."""

    def size(self, value: Moments) -> int:
        return moments_bytes(value)

    def show(self, value: Moments, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        shown = {name: {"keys": len(packed) // SIZE, "last": iso(last(packed))} for name, packed in sorted(value.items())}
        return {"entered_keys": shown} if shown else {}


def moments_bytes(value: Moments) -> int:
    """Return the bytes of packed moments in a state."""
    return sum(value_bytes(name) + len(packed) + 5 for name, packed in value.items())


ENTERED_KEYS: Final = EnteredKeys("entered_keys", msgspec.msgpack.Decoder(dict[str, bytes]).decode)
