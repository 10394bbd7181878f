"""`arms`: the arms of runs: `journey:end of the run's id` -> name of the split -> name of the arm. No name: control and holdout."""

from typing import Any, Final

import msgspec

from triggers.base.draws import ARM
from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes


class Arms(Section):
    """The arms of each run that has any, until it has ended and its goal is not watched any more."""

    def size(self, value: dict[str, dict[str, str]]) -> int:
        return value_bytes(value)

    def show(self, value: dict[str, dict[str, str]], legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        drawn = {run: arms[ARM] for run, arms in value.items() if ARM in arms}
        splits = {run: {split: arm for split, arm in arms.items() if split != ARM} for run, arms in value.items() if arms.keys() != {ARM}}
        return ({"arm": drawn} if drawn else {}) | ({"arms": splits} if splits else {})


ARMS: Final = Arms("arms", msgspec.msgpack.Decoder(dict[str, dict[str, str]]).decode)
