"""How far a partition has been folded: everything, beside the users' states, that the next decision depends on.

It is saved in every checkpoint under a reserved key of the changelog, and says which log it belongs to (PROTOCOL law 6).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from triggers.base.model import ENGINE
from triggers.records.messages import Terms

POSITION_KEY: Final = b"\0position"
"""Key of the position in the changelog; no user id can be it (law 13)."""


Origin = tuple[int, int]
"""Since when a window is kept of all users: the number of the rule set that first needed it without a break, and that command's moment."""


class Meeting(msgspec.Struct, kw_only=True):
    """A command that users are still being brought to: in the order of their ids, and before that who has a record or a timer."""

    kind: Literal["apply", "resume"]
    at: int
    """Logical time at which everybody meets it: the clock at the command."""
    previous: str | None = None
    """apply: the rule set before."""
    cut: list[str] = []
    """apply: rule sets that not all users had met when a rebase put the next one in force, the latest first. See `previous_of`."""
    journey: str | None = None
    """resume: whose held runs go on."""
    after: str = ""
    """Users up to this id have met it."""

    def previous_of(self, met: int, applied: int) -> str | None:
        """The rule set that a user comes from. `met` is the number of the one that the user has met, `applied` that of the new one."""
        place = applied - 1 - met
        return self.cut[place] if place < len(self.cut) else self.previous


class Position(msgspec.Struct, kw_only=True, omit_defaults=False):
    """The reserved record of one partition. Offsets and clock are -1 before the first record."""

    offset: int = -1
    """Of the last record folded."""
    clock: int = -1
    """The highest record timestamp read."""
    epoch: int = 0
    """The log's identity as ids see it; a rebase counts it up."""
    app: str = ""
    cluster: str = ""
    topic_id: str = ""
    """Of `events`."""
    changelog_id: str = ""
    """Of the topic that the states are in: a worker that outlives it would write this into an empty one."""
    partitions: int = 0
    engine: int = ENGINE
    state_schema: int = 2
    tzdata: str = ""
    foreign_keys: bool = False
    """Keys of other partitions are folded."""
    handed_to: Terms | None = None
    """The last record folded was an upgrade to these terms: only a worker that has them may go on."""
    upgraded: int = 0
    """Number of the upgrade whose terms hold. A fold that begins again passes it, and those before it, without handing over."""
    converted: int = -1
    """The clock at which states of an older schema were taken over; see `triggers.state.old`. -1: there were none."""
    rule_set: str | None = None
    """Hash of the rule set in force."""
    applied: int = 0
    """How many rule sets have been applied; a user's `met` is held against it."""
    users: int = 0
    """How many users have a state: so many start incomplete under windows that a new rule set brings."""
    last_command: int = 0
    live: bool = False
    paused: list[str] = []
    """Journeys, sorted."""
    meeting: Meeting | None = None
    windows: dict[str, Origin] = {}
    """Key of a window -> since when it is kept: of the windows that the rule set in force needs. See `since_of_absent`."""
    left: dict[str, Origin] = {}
    """Those that the rule set under way in `meeting` has put an end to, or begun again, as they were before."""
    kept: int = -1
    """Of which rule set, by its number, `windows` are."""
    begun: int = 0
    """Offset of the first record of this fold: above 0 where the log had lost its beginning before. Nothing is decided by it."""
    schema: int = 1

    @property
    def terms(self) -> Terms:
        """What decides here besides the log and the rules."""
        return Terms(engine=self.engine, tzdata=self.tzdata, foreign_keys=self.foreign_keys)

    def keep_windows(self, keys: Iterable[str], before: Iterable[str] | None, at: int) -> None:
        """The rule set in force needs these windows; those that it shares with the one `before` go on without a break.

        `before` is None where no window was ever kept count of: then all are taken for complete. A window of it that is not kept any more
        begins again: a rebase has cut short the meeting of a rule set that does not need the window, and some users have lost it.
        """
        old, number = self.windows, self.applied
        shared = frozenset(() if before is None else before)
        if self.kept >= 0:
            shared &= old.keys()
        fresh = (0, 0) if before is None else (number, at)
        self.windows = {key: old.get(key, _ALWAYS) if key in shared else fresh for key in keys}
        self.left = {**self.left, **{key: origin for key, origin in old.items() if self.windows.get(key) != origin}}
        self.kept = number

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @staticmethod
    def decode(data: bytes) -> "Position":
        """Raises `msgspec.DecodeError` where it is none."""
        try:
            return msgspec.json.decode(data, type=Position)
        except UnicodeDecodeError as error:  # msgspec lets it through
            raise msgspec.DecodeError(f"a text in a position is not UTF-8: {error.reason}") from None


def since_of_absent(origins: Mapping[str, Origin], key: str, first: int) -> int:
    """The moment from which a window that a user's state leaves out would have seen all events; 0: it would have seen all of the user's.

    So it is where the user's first record was folded under the rule set that first needed the window, or a later one. Were it 0 for older
    users too, what they did before would count as not done: "never paid" would be true of everybody on the day on which it is first asked.
    """
    number, at = origins.get(key, _ALWAYS)
    return at if number > first else 0


_ALWAYS: Final[Origin] = (0, 0)
