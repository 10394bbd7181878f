"""`refused`: what was reported once, its local day, and how often it was left out since. See `UserContext.report_once`."""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso_day
from triggers.state.sections.base import Legend, Needed, Section
from triggers.state.sizes import value_bytes

Reported = dict[str, tuple[int, int]]


class Refused(Section):
    """Journey and reason -> day and number. Without a journey it is an unknown time zone."""

    def size(self, value: Reported) -> int:
        return value_bytes({what: list(day_and_number) for what, day_and_number in value.items()})

    def forget(self, value: Reported, needed: Needed) -> None:
        for what in [what for what in value if (name := what.partition("\0")[0]) and name not in needed.journeys]:
            del value[what]

    def show(self, value: Reported, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        parts = [(*what.partition("\0")[::2], day, unreported) for what, (day, unreported) in sorted(value.items())]
        refusals = [
            {"journey": name, "reason": reason, "told": iso_day(day), "not_told": unreported}
            for name, reason, day, unreported in parts
            if name
        ]
        return {"refusals": refusals}


REFUSED: Final = Refused("refused", msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode)
