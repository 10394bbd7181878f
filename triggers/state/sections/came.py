"""`came`: what has ended the wait of a run: `journey:end of the run's id` -> [number of the cause or -1, properties of the event].

It is there while a pause holds such a run, and while later texts of the run may show the event.
"""

from typing import Any, Final

import msgspec

from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import nested_bytes, value_bytes

Came = dict[str, tuple[int, dict[str, Any]]]


class Comings(Section):
    """Run -> number of the cause, properties."""

    def size(self, value: Came) -> int:
        return value_bytes({run: [cause, properties] for run, (cause, properties) in value.items()})

    def nested(self, value: Came) -> int:
        return sum(nested_bytes(properties) for _, properties in value.values())

    def show(self, value: Came, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"came": {run: properties for run, (_, properties) in value.items()}} if value else {}


CAME: Final = Comings("came", msgspec.msgpack.Decoder(dict[str, tuple[int, dict[str, Any]]]).decode)
