"""How far a partition has been folded: everything that the next decision depends on in addition to the users' states.

Each checkpoint saves it under a reserved key of the changelog. It says which log it belongs to (PROTOCOL law 6).
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from triggers.base.model import ENGINE
from triggers.records.messages import Terms

POSITION_KEY: Final = b"\0position"
"""Key of the position in the changelog; no user id can equal it (law 13)."""


Origin = tuple[int, int]
"""Since when a window is kept for all users: the number of the rule set that first needed it without a break, and the command's moment."""


class Meeting(msgspec.Struct, kw_only=True):
    """A command that users are still being migrated to, in the order of their ids. A user with a record or a timer comes before."""

    kind: Literal["apply", "resume"]
    at: int
    """Logical time at which all users meet it: the clock at the command."""
    previous: str | None = None
    """apply: the rule set before."""
    cut: list[str] = []
    """apply: rule sets that not all users had met when a rebase made the next one active, the latest first. See `previous_of`."""
    journey: str | None = None
    """resume: the journey whose held runs continue."""
    after: str = ""
    """Users up to this id have met it."""

    def previous_of(self, met: int, applied: int) -> str | None:
        """Return the rule set that a user comes from. `met` is the number of the one that the user has met, `applied` of the new one."""
        place = applied - 1 - met
        return self.cut[place] if place < len(self.cut) else self.previous


class Position(msgspec.Struct, kw_only=True, omit_defaults=False):
    """The reserved record of one partition. Offsets and clock are -1 before the first record."""

    offset: int = -1
    """Of the last record folded."""
    clock: int = -1
    """The highest record timestamp read."""
    epoch: int = 0
    """The log's identity in ids; a rebase adds one."""
    app: str = ""
    cluster: str = ""
    topic_id: str = ""
    """Of `events`."""
    changelog_id: str = ""
    """Of the topic of the states. If that topic were created again, a worker that kept running would write into an empty one."""
    partitions: int = 0
    engine: int = ENGINE
    state_schema: int = 2
    tzdata: str = ""
    foreign_keys: bool = False
    """Keys of other partitions are folded."""
    handed_to: Terms | None = None
    """The last record folded was an upgrade to these terms. Only a worker that has them may continue."""
    upgraded: int = 0
    """Number of the upgrade whose terms hold. A fold from the beginning passes it, and earlier ones, without handing over."""
    converted: int = -1
    """The clock at which states of an older schema were taken over; see `triggers.state.old`. -1: never."""
    rule_set: str | None = None
    """Hash of the active rule set."""
    applied: int = 0
    """How many rule sets have been applied. A user's `met` is compared with it."""
    users: int = 0
    """How many users have a state: the new windows of a new rule set start incomplete for them."""
    last_command: int = 0
    live: bool = False
    paused: list[str] = []
    """Journeys, sorted."""
    meeting: Meeting | None = None
    windows: dict[str, Origin] = {}
    """Key of a window that the active rule set needs -> since when it is kept. See `since_of_absent`."""
    left: dict[str, Origin] = {}
    """The windows that the rule set in `meeting` has ended or begun again, as they were before."""
    kept: int = -1
    """Number of the rule set that `windows` belongs to."""
    begun: int = 0
    """Offset of the first record of this fold: above 0 if the log had lost its beginning before. It decides nothing."""
    schema: int = 1

    @property
    def terms(self) -> Terms:
        """What decides here in addition to the log and the rules."""
        return Terms(engine=self.engine, tzdata=self.tzdata, foreign_keys=self.foreign_keys)

    def keep_windows(self, keys: Iterable[str], before: Iterable[str] | None, at: int) -> None:
        """Note that the active rule set needs these windows. Those that it shares with the one `before` continue without a break.

        `before` is None if the position has never listed windows: then all count as complete. A window of `before` that is no longer listed
        begins again: a rebase cut short the migration to rules that do not need the window, and some users have lost it.
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
        """Decode a position. Raises `msgspec.DecodeError`."""
        try:
            return msgspec.json.decode(data, type=Position)
        except UnicodeDecodeError as error:  # msgspec lets it through
            raise msgspec.DecodeError(f"a text in a position is not UTF-8: {error.reason}") from None


def since_of_absent(origins: Mapping[str, Origin], key: str, first: int) -> int:
    """Return the moment since which a window that a state leaves out has seen all events; 0: all events of the user.

    It is 0 if the user's first record was folded under the rule set that first needed the window, or a later one. If it were 0 for older
    users, too, their earlier events would count as not done: "never paid" would be true of all users on the day of the first such rule.
    """
    number, at = origins.get(key, _ALWAYS)
    return at if number > first else 0


_ALWAYS: Final[Origin] = (0, 0)
