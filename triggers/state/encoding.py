"""The bytes of a state: from a user, and back.

    8 bytes  next due moment, ms, big-endian: the store's due index reads it without decoding the rest
    1 byte   schema version
    4 bytes  number of the rule set that the user has met, big-endian
    4 bytes  number of the rule set that was active at the user's first record, big-endian
    8 bytes  offset of the user's last record, big-endian, -1 for none
    1 byte   1 if there are runs, else 0
    rest     msgpack map: name of a section -> its contents, in the order of names

An empty section is absent, so a user stores nothing for unused features. Sections are read when code asks for them
(`triggers.state.sections`); the others are written back as the same bytes. So are sections with unknown names.

The bytes depend only on what happened to the user: on no set, no hash order, no time of encoding, and not on which sections were read.
"""

from struct import Struct
from typing import Any, Final

import msgspec

from triggers.state.runs import PinnedRun
from triggers.state.sections import SECTIONS
from triggers.state.sections.base import Section
from triggers.state.sections.runs import RUNS, pinned_in
from triggers.state.sections.standings import STANDINGS
from triggers.state.shapes import RunsOnly
from triggers.state.sizes import decoded_bytes
from triggers.state.user import OWN, User

STATE_SCHEMA: Final = 2
HEAD: Final = 26
"""Bytes of a state before its sections."""
RUNS_BYTE: Final = 25
"""The place in the head that says whether there are runs."""
BEFORE: Final[dict[str, Section]] = {section.before[0]: section for section in SECTIONS if section.before is not None}
"""Names of sections in the version before this one."""
_NAMES: Final = frozenset(OWN)
_runs, _standings = RUNS.content, STANDINGS.content
_LATER: Final = [section for section in SECTIONS if section.name not in OWN]
_head = Struct(">QBIIqB")
_encode = msgspec.msgpack.Encoder().encode
_decode_sections = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_decode_runs = msgspec.msgpack.Decoder(RunsOnly).decode
_PREFIX: Final = bytes((STATE_SCHEMA,))


class WrongSchema(Exception):  # noqa: N818 -- the name says what is wrong
    """Another release wrote a state. The message names its schema and the one that this release reads."""


def encode(user: User) -> bytes:
    # Two tests for each section and no loop: this runs for each user of each checkpoint, and most sections are empty or unread.
    sections: dict[str, Any] = {}
    read = user.sections
    value: Any
    value = user.held_entered
    if value:
        sections["entered"] = value
    elif value is None and "entered" in read:
        sections["entered"] = read["entered"]
    value = user.held_refused
    if value:
        sections["refused"] = value
    elif value is None and "refused" in read:
        sections["refused"] = read["refused"]
    value = user.held_runs
    if value:
        sections["runs"] = _runs(value)
    elif value is None and "runs" in read:
        sections["runs"] = read["runs"]
    value = user.held_seen
    if value:
        sections["seen"] = value
    elif value is None and "seen" in read:
        sections["seen"] = read["seen"]
    value = user.held_standings
    if value:
        sections["standings"] = _standings(value)
    elif value is None and "standings" in read:
        sections["standings"] = read["standings"]
    value = user.held_traits
    if value is not None and (value.values or value.times or value.gone):
        sections["traits"] = value
    elif value is None and "traits" in read:
        sections["traits"] = read["traits"]
    value = user.held_unread
    if value:
        sections["unread"] = value
    elif value is None and "unread" in read:
        sections["unread"] = read["unread"]
    value = user.held_windows
    if value:
        sections["windows"] = value
    elif value is None and "windows" in read:
        sections["windows"] = read["windows"]
    if user.more is not None or (read and not _NAMES.issuperset(read)):
        sections = _with_more(user, sections)
    return _head.pack(user.due, STATE_SCHEMA, user.met, user.first, user.offset, "runs" in sections) + _encode(sections)


def _with_more(user: User, sections: dict[str, Any]) -> dict[str, Any]:
    """Add the sections of later releases, and unknown ones, all in the order of their names."""
    more = {name: raw for name, raw in user.sections.items() if name not in OWN}
    for section in _LATER:
        value = None if user.more is None else user.more.get(section.name)
        if value is not None:
            found = section.content(value)
            if found is None:
                more.pop(section.name, None)
            else:
                more[section.name] = found
    return dict(sorted({**sections, **more}.items()))


def rule_sets_of(data: bytes) -> list[str]:
    """List the rule sets that the runs of a state are pinned to. Raises as `decode`."""
    return [run.rule_set for run in runs_of(data)]


def runs_of(data: bytes) -> list[PinnedRun]:
    """List the runs of a state, without their contents. Raises as `decode`."""
    _check_head(data)
    try:
        raw = _decode_runs(memoryview(data)[HEAD:]).runs
        return pinned_in(raw) if raw else []
    except UnicodeDecodeError as error:  # msgspec lets it through
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None


def decode(data: bytes) -> User:
    """Decode the user of these bytes; sections are read later, see `User.open`.

    Raises `WrongSchema`, or `msgspec.DecodeError` for bytes that are not a state.
    """
    if data[8:9] != _PREFIX or len(data) < HEAD:
        _check_head(data)
    user = User()
    user.due, _, user.met, user.first, user.offset, _ = _head.unpack_from(data)
    try:
        user.sections = _decode_sections(memoryview(data)[HEAD:])
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"a text in a state is not UTF-8: {error.reason}") from None
    user.indexed = user.due
    user.weight = decoded_bytes(len(data))
    for name, section in BEFORE.items():
        if name in user.sections:
            assert section.before is not None
            user.put(section, section.before[1](user.sections.pop(name)))
    return user


def _check_head(data: bytes) -> None:
    if data[8:9] != _PREFIX:
        raise WrongSchema(
            f"a user's state has schema {data[8]}, this engine reads {STATE_SCHEMA}" if data[8:9] else "a state without a head"
        )
    if len(data) < HEAD:
        raise msgspec.DecodeError("a state ends within its head")


def due_of(data: bytes) -> int:
    """Return the next due moment of an encoded state."""
    return int.from_bytes(data[:8], "big")


def met_of(data: bytes) -> int:
    """Return the number of the rule set that the user of an encoded state has met."""
    return int.from_bytes(data[9:13], "big")
