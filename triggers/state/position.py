"""How far a partition has been folded: everything, beside the users' states, that the next decision depends on.

It is saved in every checkpoint under a reserved key of the changelog, and says which log it belongs to (PROTOCOL law 6).
"""

from typing import Final, Literal

import msgspec

from triggers.base.model import ENGINE
from triggers.records.messages import Terms

POSITION_KEY: Final = b"\0position"
"""Key of the position in the changelog; no user id can be it (law 13)."""


class Meeting(msgspec.Struct, kw_only=True):
    """A command that users are still being brought to. Their states tell who has met it, so a restart begins anew and skips those."""

    kind: Literal["apply", "resume"]
    at: int
    """Logical time at which everybody meets it: the clock at the command."""
    previous: str | None = None
    """apply: the rule set before."""
    journey: str | None = None
    """resume: whose held runs go on."""


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
    begun: int = 0
    """Offset of the first record of this fold: above 0 where the log had lost its beginning before. Nothing is decided by it."""
    schema: int = 1

    @property
    def terms(self) -> Terms:
        """What decides here besides the log and the rules."""
        return Terms(engine=self.engine, tzdata=self.tzdata, foreign_keys=self.foreign_keys)

    def encode(self) -> bytes:
        return msgspec.json.encode(self)

    @staticmethod
    def decode(data: bytes) -> "Position":
        """Raises `msgspec.DecodeError` where it is none."""
        try:
            return msgspec.json.decode(data, type=Position)
        except UnicodeDecodeError as error:  # msgspec lets it through
            raise msgspec.DecodeError(f"a text in a position is not UTF-8: {error.reason}") from None
