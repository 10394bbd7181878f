"""`arms`: the arms that running runs have taken at their splits: `journey:end of the run's id` -> name of the split -> name of the arm."""

from typing import Any, Final

import msgspec

from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes


class Arms(Section):
    """The arms of each run that has passed a split, in the order of the first split of each."""

    def size(self, value: dict[str, dict[str, str]]) -> int:
        return value_bytes(value)

    def show(self, value: dict[str, dict[str, str]], legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"arms": value} if value else {}


ARMS: Final = Arms("arms", msgspec.msgpack.Decoder(dict[str, dict[str, str]]).decode)
