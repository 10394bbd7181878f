"""`begun`: the moments at which running runs were entered, of journeys that an entry can restart: `journey:end of the run's id` -> ms."""

from typing import Final

import msgspec

from triggers.state.sections.base import Section
from triggers.state.sizes import value_bytes


class Begun(Section):
    """The moment of each such run, in the order of their entries."""

    def size(self, value: dict[str, int]) -> int:
        return value_bytes(value)


BEGUN: Final = Begun("begun", msgspec.msgpack.Decoder(dict[str, int]).decode)


def begun_bytes(journey: str, entry: str) -> int:
    """Return the maximum bytes of one run in this section."""
    return 16 + len(journey.encode()) + len(entry)
