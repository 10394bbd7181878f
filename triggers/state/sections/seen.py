"""`seen` and `unread`: the known message ids, so that a message that comes twice is folded once.

`seen` has the ids of calls that a rule reads, `unread` those of other calls. Each is one string of bytes; see `triggers.state.duplicates`.
"""

from typing import Any, Final

import msgspec

from triggers.state.sections.base import Legend, Section

GROUP: Final = 8
"""Bytes before the ids of one hour."""
ID_BYTES: Final = 8
"""Of the hash of a message id."""


def number_of(ids: bytes) -> int:
    """Count the ids."""
    at = number = 0
    while at < len(ids):
        here = int.from_bytes(ids[at + 4 : at + GROUP], "big")
        number += here
        at += GROUP + ID_BYTES * here
    return number


class SeenIds(Section):
    """Ids by the hour in which they came."""

    def empty(self) -> bytes:
        return b""

    def size(self, value: bytes) -> int:
        return len(value)

    def show(self, value: bytes, legend: Legend) -> dict[str, Any]:  # noqa: ARG002
        return {"message_ids" if self.name == "seen" else "unread_message_ids": number_of(value)}


SEEN: Final = SeenIds("seen", msgspec.msgpack.Decoder(bytes).decode)
UNREAD: Final = SeenIds("unread", msgspec.msgpack.Decoder(bytes).decode)
