"""`watches`: the goals of a user's runs, in the order of their entries. A watch outlives its run; see `triggers.journeys.goals`."""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso
from triggers.state.sections.base import Legend, Section
from triggers.state.watches import Watch

WATCH: Final = 64
"""Bytes of a watch without its texts."""


class Watches(Section):
    """A list of watches."""

    def empty(self) -> list[Watch]:
        return []

    def size(self, value: list[Watch]) -> int:
        return sum(map(watch_bytes, value))

    def show(self, value: list[Watch], legend: Legend) -> dict[str, Any]:
        goals = [
            {
                "journey": watch.journey,
                "entered": iso(watch.entered),
                "until": iso(watch.until),
                "conversions": watch.conversions,
                **legend.kept(watch),
            }
            for watch in value
        ]
        return {"goals": goals} if goals else {}


def watch_bytes(watch: Watch) -> int:
    """Return the bytes of a watch in a state, by a formula over its contents."""
    return WATCH + len(watch.journey.encode()) + len(watch.entry)


WATCHES: Final = Watches("watches", msgspec.msgpack.Decoder(list[Watch]).decode)
