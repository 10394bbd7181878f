"""`entered`: when a user last entered each journey, by the name of the journey."""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso
from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes


class Entered(Section):
    """Journey -> logical time of the last entry."""

    def size(self, value: dict[str, int]) -> int:
        return value_bytes(value)

    def show(self, value: dict[str, int], legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"entered": {journey: iso(at) for journey, at in sorted(value.items())}}


ENTERED: Final = Entered("entered", msgspec.msgpack.Decoder(dict[str, int]).decode)
