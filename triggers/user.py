"""The state of one user, and its bytes.

    8 bytes  next due moment, ms, big-endian: the store's due index reads it without decoding
    1 byte   schema version
    4 bytes  number of the rule set that the user has met, big-endian
    rest     msgpack of the fields of `User` in their order, no names

The bytes are a function of what happened to the user, nothing else: no set, no hash order, no time of encoding.
"""

from struct import Struct
from typing import Any, Final

import msgspec

from triggers.model import NEVER
from triggers.state import Run, Standing, Window

STATE_SCHEMA: Final = 1
ID_BYTES: Final = 8
"""Of the hash of a message id."""


class User:
    """Everything that is remembered of a user. No msgspec struct: its fields are what the fold touches most."""

    __slots__ = ("due", "entered", "ids", "met", "offset", "refused", "runs", "standings", "traits", "windows")

    def __init__(self, met: int = 0) -> None:
        self.due: int = NEVER
        self.met: int = met
        """The number of the rule set that the user was last brought to."""
        self.offset: int = -1
        """Of the user's last record."""
        self.traits: dict[str, Any] = {}
        self.windows: dict[str, Window] = {}
        self.standings: dict[str, Standing] = {}
        """By key of the segment's definition."""
        self.runs: list[Run] = []
        """In the order of their entries."""
        self.entered: dict[str, int] = {}
        """Journey -> logical time of its last entry."""
        self.ids: bytes = b""
        """8-byte hashes of the last message ids, oldest first."""
        self.refused: dict[str, tuple[int, int]] = {}
        """What has been told once -> local day of that, and how often it was not told since. See `triggers.visit.Visit.tell`."""

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


_head = Struct(">QBI").pack
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(
    tuple[int, int, int, dict[str, Any], dict[str, Window], dict[str, Standing], list[Run], dict[str, int], bytes]
)
_decoder_with_refused = msgspec.msgpack.Decoder(
    tuple[
        int,
        int,
        int,
        dict[str, Any],
        dict[str, Window],
        dict[str, Standing],
        list[Run],
        dict[str, int],
        bytes,
        dict[str, tuple[int, int]],
    ]
)
_REFUSED: Final = 0x9A
"""The first byte of the fields where `refused` is among them: an array of ten. States without it stay as they were."""
_PREFIX: Final = bytes((STATE_SCHEMA,))


class WrongSchema(Exception):  # noqa: N818 -- it says what is the matter
    """A state was written by another release: the message says which schema was met and which is understood."""


def encode(user: User) -> bytes:
    fields = user.due, user.met, user.offset, user.traits, user.windows, user.standings, user.runs, user.entered, user.ids
    body = _encoder.encode((*fields, user.refused) if user.refused else fields)
    return _head(user.due, STATE_SCHEMA, user.met) + body


def decode(data: bytes) -> User:
    """Raises `WrongSchema`, or `msgspec.DecodeError` for bytes that are no state."""
    if data[8:9] != _PREFIX:
        raise WrongSchema(f"a user's state has schema {data[8]}, this engine reads {STATE_SCHEMA}")
    user = User()
    body = memoryview(data)[13:]
    fields: tuple[Any, ...]
    if body and body[0] == _REFUSED:
        fields = _decoder_with_refused.decode(body)
        user.refused = fields[9]
    else:
        fields = _decoder.decode(body)
    user.due, user.met, user.offset, user.traits, user.windows, user.standings, user.runs, user.entered, user.ids = fields[:9]
    return user


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
