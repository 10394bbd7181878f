"""The vocabulary that the engine shares with the code that carries its records: input, output, and their limits.

All moments are integers of milliseconds since 1970-01-01T00:00Z; all lengths of time are milliseconds.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

ENGINE: Final = 3
"""Version of the decisions' meaning. Same log and same engine version: same decisions, byte for byte (PROTOCOL law 23)."""

NEVER: Final = (1 << 63) - 1
"""The moment that does not come: what a user without timers is due at."""

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

CONTROL_HEADER: Final = "cueline-control"
"""Header that marks a record of `events` as no event: its value is `tick` or `command`."""
SIGNATURE_HEADER: Final = "cueline-signature"
"""Header of a command that carries the hex HMAC-SHA256 of its value under the `command_key`."""

MAX_USER_ID: Final = 256
"""Longest user id in bytes of UTF-8."""
MAX_VALUE: Final = 256 * 1024
"""Largest event in bytes; a bigger one is a dead letter."""
MAX_TRAITS: Final = 16 * 1024
"""Largest encoded traits of one user in bytes; an `identify` that would exceed them is a dead letter."""
MAX_ACTION: Final = 64 * 1024
"""Largest action or decision in bytes; a bigger one becomes a `failed` decision with the reason."""
MAX_DEAD_LETTER: Final = 64 * 1024
"""How much of an unreadable value is kept."""
MAX_WINDOWS: Final = 640 * 1024
"""Most bytes that the windows of one user may take, by the estimate of `triggers.rules.bounds`, over all rule sets that the user's runs are
pinned to; the oldest runs are ended where it would be more."""
MAX_DEPTH: Final = 32
"""Deepest nesting of an event's JSON; a deeper one is a dead letter."""
MAX_COMMAND: Final = 4 * 1024
"""Largest command in bytes."""
MAX_ENTERED: Final = 1_000
"""How many journeys' last entries are remembered of one user; beyond that, the oldest of those that are not active is forgotten."""
MAX_REPORTED: Final = 100
"""How many reported refusals of one user are remembered; beyond that, the oldest is forgotten and can be reported again."""
MAX_MOVES: Final = 1_000
"""Most steps that one record or one moment moves a user through, over all runs; the run that would take the next one ends."""
SLICE_BYTES: Final = 1024 * 1024
"""Roughly how many bytes of output and changed states one call of `advance` or `drain` may make, beyond its last record or user."""
MAX_RUNS_OF_ONE: Final = 50
"""Most runs of one journey at a time, where it has one for each key."""
MAX_RUNS: Final = 128 * 1024
"""Most bytes of one user's runs, by the formula of `triggers.state.sizes`; an entry that finds no room is refused."""

Headers = Sequence[tuple[str, bytes | None]]
"""A header without a value has None."""


class Record(Protocol):
    """One record of a topic; aiokafka's `ConsumerRecord` is one."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...


class LogRecord(NamedTuple):
    """A record that was not read from Kafka: from a file, a test, a scenario."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Out(NamedTuple):
    """One record to be written; `key` decides nothing: everything goes to the partition number that the input came from."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class Place(NamedTuple):
    """Which partition of which topic a fold reads; actions and decisions name it as their cause."""

    topic: str
    partition: int
