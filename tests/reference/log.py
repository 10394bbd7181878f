"""What a partition of the log holds, already decoded, and what comes out: the reference's own plain words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


@dataclass(frozen=True, kw_only=True)
class Said:
    """A record of one user: a track (with `event`), an identify (with `traits`), or something else that only counts as a record."""

    offset: int
    timestamp: int
    """Of the record, ms."""
    user: str
    at: int
    """Event time, ms; one later than the record is taken as the record's."""
    event: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    """Without the traits in it."""
    message_id: str | None = None

    @property
    def event_time(self) -> int:
        return min(self.at, self.timestamp)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """It is now `timestamp`. Also represents a record that could not be read: it only moves the clock."""

    offset: int
    timestamp: int


@dataclass(frozen=True, kw_only=True)
class Command:
    offset: int
    timestamp: int
    kind: Literal["apply", "pause", "resume", "go-live"]
    rule_set: str | None = None
    journey: str | None = None


@dataclass(frozen=True, kw_only=True)
class UserCommand:
    """A command about one user, in that user's order."""

    offset: int
    timestamp: int
    kind: Literal["suppress", "unsuppress", "erase", "enter"]
    user: str
    id: str
    channel: str | None = None
    """None: all channels."""
    journey: str | None = None


Entry = Said | Tick | Command | UserCommand


class Outcome(NamedTuple):
    """One decision. `sent` is the decision and its action in one."""

    user: str
    kind: str
    journey: str
    step: str
    """Empty where no step is concerned."""
    at: int
    """Logical time at which it was decided, ms."""
    due: int | None
    """The moment for which it was meant: of an entry the moment from which waits count; none where nothing is meant for a moment."""
    run: str
    """Of what was refused or skipped at the entry: the id that the run would have had."""
    reason: str = ""
    rule_set: str | None = None
    """The rules that it was decided by: of a run those that it belongs to."""
    tie: int = 0
    """Among one user's outcomes that share a number above 0 it is open which run comes first (`interpreter`, 31)."""
    arms: tuple[tuple[str, str], ...] = ()
    """Of a run: split and arm of each that it has passed."""
    arm: str | None = None
    """Of a run: that of control and holdout."""
    dry: bool = False
    """An entry, or what came of it: before go-live."""
    path: tuple[tuple[str, str | None, bool], ...] = ()
    """Of a run: the branches since its last decision: the step, which one (none: None), and whether a condition was unknown."""
    key: str | None = None
    """Of a run."""
