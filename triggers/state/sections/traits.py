"""`traits`: a user's traits, when each was set, and which were deleted. See `triggers.state.traits`."""

from typing import Any, Final

import msgspec

from triggers.state.sections.base import Legend, Section
from triggers.state.shapes import Traits
from triggers.state.sizes import nested_bytes, value_bytes

_TIME: Final = 9


class UserTraits(Section):
    """Values, times, deletions."""

    def empty(self) -> Traits:
        return Traits()

    def content(self, value: Traits) -> Any:  # noqa: ANN401
        return value if value.values or value.times or value.gone else None

    def size(self, value: Traits) -> int:
        return value_bytes(value.values) + _TIME * len(value.times) + value_bytes(value.gone)

    def nested(self, value: Traits) -> int:
        return nested_bytes(value.values)

    def show(self, value: Traits, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"traits": value.values}


TRAITS: Final = UserTraits("traits", msgspec.msgpack.Decoder(Traits).decode)
