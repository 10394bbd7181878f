"""The state of one user, as the fold uses it. `triggers.state.encoding` describes its bytes."""

from typing import Any, Final

from triggers.base.model import NEVER
from triggers.state.runs import Run, Standing
from triggers.state.sections import SECTIONS
from triggers.state.sections.base import Needed, Section
from triggers.state.sections.entered import ENTERED
from triggers.state.sections.refused import REFUSED
from triggers.state.sections.runs import RUNS
from triggers.state.sections.seen import SEEN, UNREAD
from triggers.state.sections.standings import STANDINGS
from triggers.state.sections.traits import TRAITS
from triggers.state.sections.windows import WINDOWS
from triggers.state.shapes import Traits
from triggers.state.sizes import DECODED

_TIMED: Final = [section for section in SECTIONS if section.timed and section is not RUNS and section is not STANDINGS]
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
        "ids_since",
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
        self.ids_since: int = -1
        """No remembered message id is of an earlier hour; -1: not known. It decides nothing, but saves a look at all of them."""
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

    def has(self, section: Section) -> bool:
        """Return whether a section may have contents. False is certain. This does not read it."""
        return section.name in self.sections or self._held(section) is not None

    def put(self, section: Section, value: Any) -> None:  # noqa: ANN401
        """Set the contents of a section."""
        if section.name in OWN:
            setattr(self, OWN[section.name], value)
        else:
            self.more = {**(self.more or {}), section.name: value}

    def _held(self, section: Section) -> Any:  # noqa: ANN401
        if section.name in OWN:
            return getattr(self, OWN[section.name])
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
            raw = self.sections.get("seen")
            value = self.held_seen = b"" if raw is None else SEEN.read(raw)
        return value  # type: ignore[no-any-return]

    @seen.setter
    def seen(self, value: bytes) -> None:
        self.held_seen = value

    @property
    def unread(self) -> bytes:
        """Those of calls that no rule reads."""
        value = self.held_unread
        if value is None:
            raw = self.sections.get("unread")
            value = self.held_unread = b"" if raw is None else UNREAD.read(raw)
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
        if self.more is not None or self.sections:
            for section in _TIMED:
                if section.name in self.sections or self.more is not None:
                    moment = self._due_in(section)
                    if moment < due:
                        due = moment
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
            if self.has(section):
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


OWN: Final = {section.name: f"held_{section.name}" for section in (ENTERED, REFUSED, RUNS, SEEN, STANDINGS, TRAITS, UNREAD, WINDOWS)}
"""Sections that have an attribute of their own."""


def new_user(met: int) -> User:
    """Return a user without a record. All sections are empty, so no code has to ask for them one by one."""
    user = User(met)
    user.held_entered = {}
    user.held_refused = {}
    user.held_runs = []
    user.held_seen = user.held_unread = b""
    user.held_standings = {}
    user.held_traits = Traits()
    user.held_windows = {}
    return user
