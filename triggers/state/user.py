"""The state of one user, and its bytes.

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

from triggers.base.model import NEVER
from triggers.state.runs import Run, Standing
from triggers.state.sections import SECTIONS
from triggers.state.sections.base import Needed, Section
from triggers.state.sections.entered import ENTERED
from triggers.state.sections.refused import REFUSED
from triggers.state.sections.runs import RUNS, rule_sets_in
from triggers.state.sections.seen import SEEN, UNREAD
from triggers.state.sections.standings import STANDINGS
from triggers.state.sections.traits import TRAITS
from triggers.state.sections.windows import WINDOWS
from triggers.state.shapes import Traits
from triggers.state.sizes import DECODED, decoded_bytes

STATE_SCHEMA: Final = 2
HEAD: Final = 26
"""Bytes of a state before its sections."""
RUNS_BYTE: Final = 25
"""The place in the head that says whether there are runs."""

_NAMES: Final = frozenset(section.name for section in SECTIONS)
_TIMED: Final = [section for section in SECTIONS if section.timed and section is not RUNS and section is not STANDINGS]
BEFORE: Final[dict[str, Section]] = {section.before[0]: section for section in SECTIONS if section.before is not None}
"""Names of sections in the version before this one."""
_NOTHING: Final[dict[str, Any]] = {}
"""The sections of a user who was never written. Do not change it."""


class User:
    """The state of one user. It is not a msgspec struct, because the fold uses its fields most often.

    The contents of a section are in an attribute `held_...`, which is None until code asks for the section. Code that runs for each event
    reads that attribute first, because a property costs a call. Sections of later releases are in `more`, see `value`.
    """

    __slots__ = (
        "due",
        "first",
        "held_entered",
        "held_refused",
        "held_runs",
        "held_seen",
        "held_standings",
        "held_traits",
        "held_unread",
        "held_windows",
        "indexed",
        "met",
        "more",
        "offset",
        "sections",
        "weight",
    )

    def __init__(self, met: int = 0) -> None:
        self.due: int = NEVER
        self.indexed: int = NEVER
        """The due indexes list this user at that moment, or before. See `triggers.state.table`."""
        self.met: int = met
        """The number of the rule set that the user was last migrated to."""
        self.first: int = met
        """The number of the rule set that was active at the user's first record; see `triggers.state.position`."""
        self.offset: int = -1
        """Of the user's last record."""
        self.sections: dict[str, Any] = _NOTHING
        """The sections as they were read, by name, as bytes: also those that have been decoded since."""
        self.weight: int = DECODED
        """The approximate memory of this object, in bytes. It decides nothing."""
        self.held_entered: Any = None
        self.held_refused: Any = None
        self.held_runs: Any = None
        self.held_seen: Any = None
        self.held_standings: Any = None
        self.held_traits: Any = None
        self.held_unread: Any = None
        self.held_windows: Any = None
        self.more: dict[str, Any] | None = None

    def value(self, section: Section) -> Any:  # noqa: ANN401 -- each section has a type of its own
        """Return the contents of a section. Change them in place, or set them by `put`."""
        value = self._held(section)
        if value is None:
            value = self._read(section)
            self.put(section, value)
        return value

    def put(self, section: Section, value: Any) -> None:  # noqa: ANN401
        """Set the contents of a section."""
        if section.name in _OWN:
            setattr(self, _OWN[section.name], value)
        else:
            self.more = {**(self.more or {}), section.name: value}

    def _held(self, section: Section) -> Any:  # noqa: ANN401
        if section.name in _OWN:
            return getattr(self, _OWN[section.name])
        return None if self.more is None else self.more.get(section.name)

    def _read(self, section: Section) -> Any:  # noqa: ANN401
        raw = self.sections.get(section.name)
        if raw is None:
            return section.empty()
        value = section.read(raw)
        self.weight += section.nested(value)
        return value

    # ---- the sections that the fold touches --------------------------------------------------------------------------

    @property
    def windows(self) -> Any:  # noqa: ANN401 -- a dict; the compiler would look past the methods of `LazyWindows`
        """By key of the window's definition."""
        value = self.held_windows
        if value is None:
            value = self.held_windows = self._read(WINDOWS)
        return value

    @windows.setter
    def windows(self, value: Any) -> None:  # noqa: ANN401
        self.held_windows = value

    @property
    def standings(self) -> dict[str, Standing]:
        """By key of the segment's definition; absent: known to be outside, with no timer."""
        value = self.held_standings
        if value is None:
            value = self.held_standings = self._read(STANDINGS)
        return value  # type: ignore[no-any-return]

    @standings.setter
    def standings(self, value: dict[str, Standing]) -> None:
        self.held_standings = value

    @property
    def runs(self) -> list[Run]:
        """In the order of their entries."""
        value = self.held_runs
        if value is None:
            value = self.held_runs = self._read(RUNS)
        return value  # type: ignore[no-any-return]

    @runs.setter
    def runs(self, value: list[Run]) -> None:
        self.held_runs = value

    @property
    def seen(self) -> bytes:
        """Message ids of calls that a rule reads; see `triggers.state.duplicates`."""
        value = self.held_seen
        if value is None:
            value = self.held_seen = self._read(SEEN)
        return value  # type: ignore[no-any-return]

    @seen.setter
    def seen(self, value: bytes) -> None:
        self.held_seen = value

    @property
    def unread(self) -> bytes:
        """Those of calls that no rule reads."""
        value = self.held_unread
        if value is None:
            value = self.held_unread = self._read(UNREAD)
        return value  # type: ignore[no-any-return]

    @unread.setter
    def unread(self, value: bytes) -> None:
        self.held_unread = value

    @property
    def entered(self) -> dict[str, int]:
        """Journey -> logical time of its last entry."""
        value = self.held_entered
        if value is None:
            value = self.held_entered = self._read(ENTERED)
        return value  # type: ignore[no-any-return]

    @entered.setter
    def entered(self, value: dict[str, int]) -> None:
        self.held_entered = value

    @property
    def refused(self) -> dict[str, tuple[int, int]]:
        """What was reported once -> its local day, and how often it was left out since. See `triggers.journeys.context`."""
        value = self.held_refused
        if value is None:
            value = self.held_refused = self._read(REFUSED)
        return value  # type: ignore[no-any-return]

    @refused.setter
    def refused(self, value: dict[str, tuple[int, int]]) -> None:
        self.held_refused = value

    # ---- traits ------------------------------------------------------------------------------------------------------

    @property
    def _known(self) -> Traits:
        value = self.held_traits
        if value is None:
            value = self.held_traits = self._read(TRAITS)
        return value  # type: ignore[no-any-return]

    @property
    def traits(self) -> dict[str, Any]:
        return self._known.values

    @traits.setter
    def traits(self, value: dict[str, Any]) -> None:
        self._known.values = value

    @property
    def trait_times(self) -> list[int]:
        """When each trait was set, ms, in the order of `traits`. A single moment is that of all; see `triggers.state.traits`."""
        return self._known.times

    @trait_times.setter
    def trait_times(self, value: list[int]) -> None:
        self._known.times = value

    @property
    def gone(self) -> dict[str, int]:
        """Deleted traits, and when they were deleted, ms."""
        return self._known.gone

    @gone.setter
    def gone(self, value: dict[str, int]) -> None:
        self._known.gone = value

    def may_have_trait(self, name: str) -> bool:
        """Return whether there may be a trait of this name; false is certain. This does not read the traits."""
        value = self.held_traits
        if value is not None:
            return name in value.values
        raw = self.sections.get("traits")
        return raw is not None and name.encode() in bytes(raw)

    # ---- as a whole --------------------------------------------------------------------------------------------------

    def set_due(self) -> None:
        """Set `due` to the earliest timer. This reads no section."""
        due = NEVER
        standings, runs = self.held_standings, self.held_runs
        if standings is None:
            if "standings" in self.sections:
                due = STANDINGS.due_of(self.sections["standings"])
        elif standings:
            for standing in standings.values():
                if standing.due < due:
                    due = standing.due
        moment = NEVER
        if runs is None:
            if "runs" in self.sections:
                moment = RUNS.due_of(self.sections["runs"])
        elif runs:
            moment = RUNS.due(runs)
        if moment < due:
            due = moment
        if _TIMED:
            due = min(due, *(self._due_in(section) for section in _TIMED))
        self.due = due

    def _due_in(self, section: Section) -> int:
        value = self._held(section)
        if value is not None:
            return section.due(value)
        raw = self.sections.get(section.name)
        return NEVER if raw is None else section.due_of(raw)

    def forget(self, needed: Needed) -> None:
        """Remove all contents that no rule needs any more. An absent section is skipped."""
        for section in SECTIONS:
            if section.name in self.sections or self._held(section) is not None:
                section.forget(self.value(section), needed)

    def open(self) -> None:
        """Read all sections and all windows. Raises `msgspec.DecodeError` if one of them is damaged."""
        for section in SECTIONS:
            self.value(section)
        self.windows.values()

    def new_rule_sets(self) -> list[str]:
        """List the rule sets that the runs are pinned to, if they may differ from those in the bytes that were read."""
        runs: list[Run] | None = self.held_runs
        return [] if runs is None else [run.rule_set for run in runs]


_OWN: Final = {section.name: f"held_{section.name}" for section in (ENTERED, REFUSED, RUNS, SEEN, STANDINGS, TRAITS, UNREAD, WINDOWS)}
"""Sections that have an attribute of their own."""
_WRITTEN: Final = [(section.name, None if section.plain else section.content) for section in SECTIONS if section.name in _OWN]
_LATER: Final = [section for section in SECTIONS if section.name not in _OWN]
_head = Struct(">QBIIqB")
_encode = msgspec.msgpack.Encoder().encode
_decode_sections = msgspec.msgpack.Decoder(dict[str, msgspec.Raw]).decode
_PREFIX: Final = bytes((STATE_SCHEMA,))


class WrongSchema(Exception):  # noqa: N818 -- the name says what is wrong
    """Another release wrote a state. The message names its schema and the one that this release reads."""


def encode(user: User) -> bytes:
    sections: dict[str, Any] = {}
    read = user.sections
    held = (
        user.held_entered,
        user.held_refused,
        user.held_runs,
        user.held_seen,
        user.held_standings,
        user.held_traits,
        user.held_unread,
        user.held_windows,
    )
    for (name, content), value in zip(_WRITTEN, held, strict=True):
        if value is None:
            if name in read:
                sections[name] = read[name]
        elif content is None:
            if value:
                sections[name] = value
        else:
            found = content(value)
            if found is not None:
                sections[name] = found
    if user.more is not None or (read and not _NAMES.issuperset(read)):
        sections = _with_more(user, sections)
    return _head.pack(user.due, STATE_SCHEMA, user.met, user.first, user.offset, "runs" in sections) + _encode(sections)


def _with_more(user: User, sections: dict[str, Any]) -> dict[str, Any]:
    """Add the sections of later releases, and unknown ones, all in the order of their names."""
    more = {name: raw for name, raw in user.sections.items() if name not in _OWN}
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
    _check_head(data)
    try:
        raw = _decode_sections(memoryview(data)[HEAD:]).get("runs")
        return [] if raw is None else rule_sets_in(raw)
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
