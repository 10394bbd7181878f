"""`arms`: the arms of runs: `journey:end of the run's id` -> name of the split -> name of the arm. No name: control and holdout."""

from typing import Final

import msgspec

from triggers.state.sections.base import Section
from triggers.state.sizes import value_bytes


class Arms(Section):
    """The arms of each run that has any, until it has ended and its goal is not watched any more. Runs and watched goals show them."""

    def size(self, value: dict[str, dict[str, str]]) -> int:
        return value_bytes(value)


ARMS: Final = Arms("arms", msgspec.msgpack.Decoder(dict[str, dict[str, str]]).decode)
