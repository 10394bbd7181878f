"""`refused`: what has been told once, the local day of that, and how often it was not told since. See `UserContext.tell`."""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso_day
from triggers.state.sections.base import Legend, Needed, Section
from triggers.state.sizes import value_bytes

Told = dict[str, tuple[int, int]]


class Refused(Section):
    """Journey and reason -> day and number. Without a journey it is a time zone that is unknown."""

    def size(self, value: Told) -> int:
        return value_bytes({what: list(told) for what, told in value.items()})

    def forget(self, value: Told, needed: Needed) -> None:
        for told in [told for told in value if (name := told.partition("\0")[0]) and name not in needed.journeys]:
            del value[told]

    def show(self, value: Told, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        parts = [(*what.partition("\0")[::2], day, untold) for what, (day, untold) in sorted(value.items())]
        told = [
            {"journey": name, "reason": reason, "told": iso_day(day), "not_told": untold} for name, reason, day, untold in parts if name
        ]
        return {"refusals": told}


REFUSED: Final = Refused("refused", msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode, plain=True)
