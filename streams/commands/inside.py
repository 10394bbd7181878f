"""Count the users who are inside runs that a new rule set affects, and those whose goals it ends.

The changelog says it. A user can have several records there, of which the last counts, so one pass must remember users. It remembers only
those who are affected, of one partition at a time, and at most `MOST` of them: beyond it, only each second user is counted, then each
fourth. A user belongs to these by the hash of the id, so the count is then an estimate over a fair sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from streams.commands.log_history import last_position
from streams.kafka import clients
from triggers.state.encoding import RUNS_BYTE, WrongSchema, decode, runs_of
from triggers.state.old import converted
from triggers.state.position import POSITION_KEY, Position
from triggers.state.sections.watches import WATCHES

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.state.watches import Watch

MOST: Final = 200_000
"""Users that are remembered at a time, some 30 MB. A sample of half of them is off by less than 1 %."""
_NO: Final = b"\0"
Progress = Callable[[int, int], None]
"""Called with the offsets that have been read, and with how many there are."""


@dataclass(frozen=True)
class Affected:
    """What a new rule set changes for users who are in the middle of a journey."""

    journeys: Mapping[str, str | None]
    """The journeys that change or disappear, with their new version. A run of that version is not affected."""
    goals: Mapping[str, str | None]
    """The journeys whose goal changes or disappears, with the key of the new one."""
    at: int = 0
    """The moment of the change, ms: a goal that is not watched any longer then does not count."""

    def __bool__(self) -> bool:
        return bool(self.journeys or self.goals)

    def ends(self, watch: Watch) -> bool:
        """Return whether a goal is watched no longer."""
        return watch.until > self.at and watch.journey in self.goals and watch.goal != self.goals[watch.journey]


@dataclass
class Inside:
    """How many users are affected."""

    runs: Counter[str] = field(default_factory=Counter)
    """Users inside runs, by journey."""
    goals: Counter[str] = field(default_factory=Counter)
    """Users whose goal is watched, by journey."""
    exact: bool = True
    """False: there were too many to remember, so they were counted by a sample."""
    unreadable: int = 0
    """Records that are no states of this release."""


class Sample:
    """Remembers what each user is inside of, for as many users as there is room."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        """One object for users who are inside of the same."""
        self.rare = 0
        """One of so many users is counted, as a power of 2."""

    def put(self, user: bytes, runs: tuple[str, ...], goals: tuple[str, ...]) -> None:
        """Set the journeys in whose runs a user is, and those whose goals are watched."""
        name = int.from_bytes(blake2b(user, digest_size=8).digest())
        if name & ((1 << self.rare) - 1):
            return
        if not (runs or goals):
            self._kept.pop(name, None)
            return
        self._kept[name] = self._known.setdefault((runs, goals), (runs, goals))
        while len(self._kept) > self._most:
            self.rare += 1
            self._kept = {name: found for name, found in self._kept.items() if not name & ((1 << self.rare) - 1)}

    def count(self, inside: Inside) -> None:
        """Add the numbers of users."""
        for found, users in Counter(self._kept.values()).items():
            for names, counts in zip(found, (inside.runs, inside.goals), strict=True):
                counts.update(dict.fromkeys(names, users << self.rare))
        inside.exact = inside.exact and not self.rare


async def inside(settings: Settings, affected: Affected, progress: Progress) -> Inside:
    """Read the changelog, and count the affected users. Costs nothing if there can be none."""
    found, changelog = Inside(), settings.names.changelog
    if not affected:
        return found
    async with clients.Cluster(settings) as cluster:
        if changelog not in await cluster.topics([changelog]):
            return found
    extents = await clients.spans(settings, [changelog])
    total, done = sum(span.end - span.begin for span in extents.values()), 0
    for tp, span in sorted(extents.items()):
        if span.end > span.begin:
            clock = (await last_position(settings, tp.partition) or Position()).converted
            sample = Sample()
            async for records in clients.read(settings, changelog, tp.partition, end=span.end):
                for record in records:
                    if record.key is not None and record.key != POSITION_KEY:
                        take(sample, record.key, record.value, affected, clock, found)
                progress(done + (records[-1].offset - span.begin if records else 0), total)
            sample.count(found)
        done += span.end - span.begin
        progress(done, total)
    return found


def take(sample: Sample, user: bytes, state: bytes | None, affected: Affected, clock: int, found: Inside) -> None:
    """Take one record of the changelog. `clock`: as in `converted`."""
    runs: set[str] = set()
    goals: set[str] = set()
    try:
        if state is not None:
            state = converted(state, clock)
            wanted = affected.journeys
            if state[RUNS_BYTE : RUNS_BYTE + 1] != _NO and wanted:
                runs = {run.journey for run in runs_of(state) if run.journey in wanted and run.version != wanted[run.journey]}
            if affected.goals:
                goals = {one.journey for one in decode(state).value(WATCHES) if affected.ends(one)}
    except (WrongSchema, msgspec.DecodeError):
        found.unreadable += 1
    sample.put(user, tuple(sorted(runs)), tuple(sorted(goals)))
