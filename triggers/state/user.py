"""The state of one user, and its bytes.

    8 bytes  next due moment, ms, big-endian: the store's due index reads it without decoding
    1 byte   schema version
    4 bytes  number of the rule set that the user has met, big-endian
    8 bytes  offset of the user's last record, big-endian, -1 for none
    rest     msgpack map: name of a section -> what it holds

A section that is empty is absent: a user carries nothing for what never touched them. A section whose name is not known here is kept and
written back byte for byte. `entered` is decoded when somebody asks for it and is otherwise written back as the bytes that it was.

The bytes are a function of what happened to the user, nothing else: no set, no hash order, no time of encoding.
"""

from struct import Struct
from typing import Any, Final

import msgspec

from triggers.base.model import NEVER
from triggers.measures.shapes import Window
from triggers.state.runs import PinnedRuns, Run, Standing
from triggers.state.sizes import decoded_bytes, nested_bytes

STATE_SCHEMA: Final = 2
HEAD: Final = 21
"""Bytes of a state before its sections."""


class User:
    """Everything that is remembered of a user. No msgspec struct: its fields are what the fold touches most."""

    __slots__ = (
        "_entered",
        "_entered_bytes",
        "due",
        "gone",
        "hours",
        "ids",
        "met",
        "offset",
        "others",
        "refused",
        "runs",
        "standings",
        "trait_times",
        "traits",
        "unread",
        "unread_hours",
        "weight",
        "windows",
    )

    def __init__(self, met: int = 0) -> None:
        self.due: int = NEVER
        self.met: int = met
        """The number of the rule set that the user was last brought to."""
        self.offset: int = -1
        """Of the user's last record."""
        self.traits: dict[str, Any] = {}
        self.trait_times: list[int] = []
        """When each trait was set, ms, in the order of `traits`; one moment alone stands for all; see `triggers.state.traits`."""
        self.gone: dict[str, int] = {}
        """Deleted traits, and when they were deleted, ms."""
        self.windows: dict[str, Window] = {}
        self.standings: dict[str, Standing] = {}
        """By key of the segment's definition."""
        self.runs: list[Run] = []
        """In the order of their entries."""
        self.ids: bytes = b""
        """8-byte hashes of the message ids of calls that a rule reads, oldest first; see `triggers.state.duplicates`."""
        self.refused: dict[str, tuple[int, int]] = {}
        """What has been told once -> local day of that, and how often it was not told since. See `triggers.journeys.context.Visit.tell`."""
        self.hours: dict[int, int] = {}
        """How many of them came in each hour of the clock, oldest first."""
        self.unread: bytes = b""
        """Those of calls that no rule reads."""
        self.unread_hours: dict[int, int] = {}
        self.others: dict[str, Any] | None = None
        """Sections that this engine does not know, as they were read."""
        self.weight: int = decoded_bytes(0)
        """Roughly the bytes of memory that this object takes. It decides nothing."""
        self._entered: dict[str, int] | None = None
        self._entered_bytes: Any = None

    @property
    def entered(self) -> dict[str, int]:
        """Journey -> logical time of its last entry."""
        entered = self._entered
        if entered is None:
            data = self._entered_bytes
            entered = self._entered = {} if data is None else _decode_entered(data)
            self._entered_bytes = None
        return entered

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


_head = Struct(">QBIq")
_encode = msgspec.msgpack.Encoder().encode
_decode_sections = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_decode_traits = msgspec.msgpack.Decoder(dict[str, Any]).decode
_decode_times = msgspec.msgpack.Decoder(tuple[list[int], dict[str, int]]).decode
_decode_windows = msgspec.msgpack.Decoder(dict[str, Window]).decode
_decode_standings = msgspec.msgpack.Decoder(dict[str, Standing]).decode
_decode_runs = msgspec.msgpack.Decoder(list[Run]).decode
_decode_pinned = msgspec.msgpack.Decoder(PinnedRuns).decode
_decode_entered = msgspec.msgpack.Decoder(dict[str, int]).decode
_decode_ids = msgspec.msgpack.Decoder(tuple[bytes, dict[int, int]]).decode
_decode_refused = msgspec.msgpack.Decoder(dict[str, tuple[int, int]]).decode
_PREFIX: Final = bytes((STATE_SCHEMA,))


class WrongSchema(Exception):  # noqa: N818 -- it says what is the matter
    """A state was written by another release: the message says which schema was met and which is understood."""


def encode(user: User) -> bytes:
    sections: dict[str, Any] = {}
    if user.traits:
        sections["traits"] = user.traits
    if user.trait_times or user.gone:
        sections["times"] = user.trait_times, user.gone
    if user.windows:
        sections["windows"] = user.windows
    if user.standings:
        sections["standings"] = user.standings
    if user.runs:
        sections["runs"] = user.runs
    if user._entered_bytes is not None:  # noqa: SLF001 -- it is the other half of the class
        sections["entered"] = user._entered_bytes  # noqa: SLF001
    elif user._entered:  # noqa: SLF001
        sections["entered"] = user._entered  # noqa: SLF001
    if user.ids:
        sections["ids"] = user.ids, user.hours
    if user.unread:
        sections["unread"] = user.unread, user.unread_hours
    if user.refused:
        sections["refused"] = user.refused
    if user.others is not None:
        sections.update(user.others)
    return _head.pack(user.due, STATE_SCHEMA, user.met, user.offset) + _encode(sections)


def rule_sets_of(data: bytes) -> list[str]:
    """The rule sets that the runs of a state are pinned to. Raises as `decode`."""
    _check_head(data)
    try:
        return [run.rule_set for run in _decode_pinned(memoryview(data)[HEAD:]).runs]
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None


def decode(data: bytes) -> User:
    """Raises `WrongSchema`, or `msgspec.DecodeError` for bytes that are no state."""
    try:
        return _decode(data)
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None


def _check_head(data: bytes) -> None:
    if data[8:9] != _PREFIX:
        raise WrongSchema(
            f"a user's state has schema {data[8]}, this engine reads {STATE_SCHEMA}" if data[8:9] else "a state without a head"
        )
    if len(data) < HEAD:
        raise msgspec.DecodeError("a state ends within its head")


def _decode(data: bytes) -> User:
    if data[8:9] != _PREFIX or len(data) < HEAD:
        _check_head(data)
    user = User()
    user.due, _, user.met, user.offset = _head.unpack_from(data)
    sections = _decode_sections(memoryview(data)[HEAD:])
    weight = decoded_bytes(len(data))
    section: Any = sections.pop("traits", None)
    if section is not None:
        user.traits = _decode_traits(section)
        weight += nested_bytes(user.traits)
    section = sections.pop("times", None)
    if section is not None:
        user.trait_times, user.gone = _decode_times(section)
    section = sections.pop("windows", None)
    if section is not None:
        user.windows = _decode_windows(section)
    section = sections.pop("standings", None)
    if section is not None:
        user.standings = _decode_standings(section)
    section = sections.pop("runs", None)
    if section is not None:
        user.runs = _decode_runs(section)
        for run in user.runs:
            if run.properties:
                weight += nested_bytes(run.properties)
    user._entered_bytes = sections.pop("entered", None)  # noqa: SLF001
    section = sections.pop("ids", None)
    if section is not None:
        user.ids, user.hours = _decode_ids(section)
    section = sections.pop("unread", None)
    if section is not None:
        user.unread, user.unread_hours = _decode_ids(section)
    section = sections.pop("refused", None)
    if section is not None:
        user.refused = _decode_refused(section)
    if sections:
        user.others = sections
    user.weight = weight
    return user


def due_of(data: bytes) -> int:
    """The next due moment of an encoded state."""
    return int.from_bytes(data[:8], "big")


def met_of(data: bytes) -> int:
    """The number of the rule set that the user of an encoded state has met."""
    return int.from_bytes(data[9:13], "big")
