"""`suppressed`: the channels by which a user must not be contacted, since when, and why. The empty channel means all of them.

An operator's command is the only reason for this section, so it stays when the user is erased.
"""

from typing import Any, Final

import msgspec

from triggers.base.moments import iso
from triggers.state.sections.base import Legend, Section
from triggers.state.sizes import value_bytes

Suppressions = dict[str, tuple[int, str]]
ALL: Final = ""
"""The name of all channels together."""
MAX_SUPPRESSIONS: Final = 20
"""Most suppressions of one user: of all channels, and of single ones."""
SUPPRESSED_BYTES: Final = MAX_SUPPRESSIONS * (4 * 64 + 4 * 200 + 24)
"""Most bytes of this section: a channel has at most 64 characters, a reason 200 (`triggers.records.messages`)."""


class Suppressed(Section):
    """Channel -> logical time of the command, and its reason."""

    def content(self, value: Suppressions) -> Any:  # noqa: ANN401
        return dict(sorted(value.items())) or None

    def size(self, value: Suppressions) -> int:
        return value_bytes({channel: list(since) for channel, since in value.items()})

    def show(self, value: Suppressions, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        listed = [{"channel": name or "all channels", "since": iso(at), "reason": reason} for name, (at, reason) in sorted(value.items())]
        return {"suppressed": listed} if listed else {}


SUPPRESSED: Final = Suppressed("suppressed", msgspec.msgpack.Decoder(dict[str, tuple[int, str]]).decode)
