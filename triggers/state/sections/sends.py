"""`sends`: the send log, which caps and `sent` count. It is kept while the rules have policies, or ask `sent`, or a pinned run
asks it.

See `triggers.state.sends`.
"""

from typing import Any, Final

import msgspec

from triggers.state.sections.base import Legend, Section
from triggers.state.sends import number_of


class Sends(Section):
    """Packed bytes."""

    def empty(self) -> bytes:
        return b""

    def size(self, value: bytes) -> int:
        return len(value)

    def show(self, value: bytes, legend: Legend) -> dict[str, Any]:
        shown: dict[str, Any] = {"sends": number_of(value)} if value else {}
        caps = legend.caps(value)
        return {**shown, "caps": caps} if caps else shown


SENDS: Final = Sends("sends", msgspec.msgpack.Decoder(bytes).decode)
