"""The state of one user, and its bytes.

    8 bytes  next due moment, ms, big-endian: the store's due index reads it without decoding
    1 byte   schema version
    4 bytes  number of the rule set that the user has met, big-endian
    rest     msgpack of `User`, fields in their order, no names

The bytes are a function of what happened to the user, nothing else: no set, no hash order, no time of encoding.
"""

from typing import Any, Final

import msgspec

from triggers.model import NEVER
from triggers.windows import Window

STATE_SCHEMA: Final = 1
ID_BYTES: Final = 8
"""Of the hash of a message id."""


class Standing(msgspec.Struct, array_like=True, gc=False):
    """How a user stands to one segment."""

    inside: bool | None = None
    """The last value known; None: none was ever known. Unknown neither enters nor leaves."""
    due: int = NEVER
    """When time alone could next change it."""
    asked: bool = False
    """It has been said that an entry is kept back because the value is unknown."""


class Run(msgspec.Struct, array_like=True, gc=False):
    """One user's passage through one version of a journey."""

    journey: str
    version: str
    rule_set: str
    entry: str
    """What the id ends with: log epoch, and offset or moment of the entry."""
    entered: int
    """Logical time of the entry."""
    cause: int
    """Offset of the entry's record; of the user's last one where time made the entry."""
    step: int
    """Index of the next step to be carried out."""
    moment: int
    """When that step is meant to be: the entry's event time plus the waits so far."""
    due: int = NEVER
    """Logical time at which the wait ends: `moment`, or when it was armed if that was later. NEVER while held."""
    late: bool = False
    """The moment had passed for longer than the late policy allows: its sends are skipped."""
    held: bool = False
    """The journey was paused when the wait ended."""
    properties: dict[str, Any] = {}
    """Of the entry event, as far as the templates read them."""


class User(msgspec.Struct, array_like=True, gc=False):
    """Everything that is remembered of a user."""

    due: int = NEVER
    met: int = 0
    """The number of the rule set that the user was last brought to."""
    offset: int = -1
    """Of the user's last record."""
    traits: dict[str, Any] = {}
    windows: dict[str, Window] = {}
    standings: dict[str, Standing] = {}
    """By key of the segment's definition."""
    runs: list[Run] = []
    """In the order of their entries."""
    entered: dict[str, int] = {}
    """Journey -> logical time of its last entry."""
    ids: bytes = b""
    """8-byte hashes of the last message ids, oldest first."""

    def reckon_due(self) -> None:
        """Sets `due` to the earliest timer."""
        due = NEVER
        for standing in self.standings.values():
            if standing.due < due:
                due = standing.due
        for run in self.runs:
            if run.due < due:
                due = run.due
        self.due = due


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(User)
_PREFIX: Final = bytes((STATE_SCHEMA,))


class WrongSchema(Exception):  # noqa: N818 -- it says what is the matter
    """A state was written by another release: the message says which schema was met and which is understood."""


def encode(user: User) -> bytes:
    return user.due.to_bytes(8, "big") + _PREFIX + user.met.to_bytes(4, "big") + _encoder.encode(user)


def decode(data: bytes) -> User:
    """Raises `WrongSchema`, or `msgspec.DecodeError` for bytes that are no state."""
    if data[8:9] != _PREFIX:
        raise WrongSchema(f"a user's state has schema {data[8]}, this engine reads {STATE_SCHEMA}")
    return _decoder.decode(memoryview(data)[13:])


def due_of(data: bytes) -> int:
    """The next due moment of an encoded state."""
    return int.from_bytes(data[:8], "big")


def met_of(data: bytes) -> int:
    """The number of the rule set that the user of an encoded state has met."""
    return int.from_bytes(data[9:13], "big")


def seen(ids: bytes, digest: bytes) -> bool:
    """Whether the 8-byte digest stands among the remembered ones."""
    at = ids.find(digest)
    while at >= 0:
        if at % ID_BYTES == 0:
            return True
        at = ids.find(digest, at + 1)
    return False
