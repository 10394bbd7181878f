"""The terms under which a log is decided, and which workers may fold it. `streams.commands.upgrade` explains the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.commands.log_history import last_position
from streams.kafka import clients
from triggers.base.model import ENGINE
from triggers.base.moments import tz_version
from triggers.records.messages import Terms

if TYPE_CHECKING:
    from streams.commands.history import Entry
    from streams.settings import Settings
    from triggers.state.position import Position

RELEASES: Final = {1: "0.1.0", 2: "0.2.0"}
"""Known releases by their engine."""
AT_ONCE: Final = 8
"""Positions that are read at the same time."""
SHOWN: Final = 5


def own(settings: Settings) -> Terms:
    """Return the terms of this release with these settings."""
    return Terms(engine=ENGINE, tzdata=tz_version(), foreign_keys=settings.accept_foreign_keys)


def release_of(terms: Terms) -> str:
    """Name the release that has these terms, if it is known here."""
    name = RELEASES.get(terms.engine)
    return f"the release with {terms}" if name is None else f"release {name} ({terms})"


class Verdict(Enum):
    """The choices of a worker before it joins the group."""

    JOIN = "join"
    WAIT = "wait"
    LEAVE = "leave"
    """All its work is done: exit code 0."""
    REFUSE = "refuse"
    """A restart would not help: exit code 78."""


class Advice(NamedTuple):
    """A verdict with its reason."""

    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class State:
    """The progress of a log towards new terms."""

    positions: Mapping[int, Position]
    """The last position of each partition that has one."""
    upgrade: Entry | None = None
    """The last upgrade in the log."""
    is_of_engine_1: bool = False
    """The first command does not name an engine, so engine 1 wrote it."""

    @property
    def in_force(self) -> Terms | None:
        """Return the terms for new records, or None if the log does not say yet."""
        if self.upgrade is not None:
            return self.upgrade.command.terms
        found = [position.terms for _, position in sorted(self.positions.items())]
        if found:
            return min(found, key=lambda terms: terms.engine)
        return Terms(engine=1, tzdata="", foreign_keys=False) if self.is_of_engine_1 else None

    @property
    def not_handed_over(self) -> list[int]:
        """List the partitions that have not reached the last upgrade. A partition without a position has nothing to hand over."""
        return sorted(partition for partition, position in self.positions.items() if not self.is_handed_over(partition, position))

    def is_handed_over(self, partition: int, position: Position) -> bool:
        """Return whether workers under the terms of the last upgrade may continue from this position, or have done so."""
        upgrade = self.upgrade
        if upgrade is None or upgrade.command.terms is None:
            return False
        terms = upgrade.command.terms
        return has_gone_to(terms, position) or was_left(upgrade, partition, position)


def has_gone_to(terms: Terms, position: Position) -> bool:
    """Return whether a position is under these terms, or handed over to them."""
    return position.handed_to == terms or (position.terms == terms and position.handed_to is None)


def was_left(upgrade: Entry, partition: int, position: Position) -> bool:
    """Return whether workers of engine 1, which cannot read upgrades, have left the partition where this upgrade found it."""
    return (
        position.engine == 1
        and upgrade.topic_id == position.topic_id
        and partition < len(upgrade.saved)
        and upgrade.saved[partition] == position.offset
    )


async def first_position(settings: Settings) -> dict[int, Position]:
    """Read the last position of the first partition that has one."""
    changelog = settings.names.changelog
    async with clients.Cluster(settings) as cluster:
        if changelog not in await cluster.topics([changelog]):
            return {}
    for tp, span in sorted((await clients.spans(settings, [changelog])).items()):
        position = await last_position(settings, tp.partition) if span.end > span.begin else None
        if position is not None:
            return {tp.partition: position}
    return {}


async def read_positions(settings: Settings) -> dict[int, Position]:
    """Read the last position of each partition. Without a changelog there are none."""
    changelog = settings.names.changelog
    async with clients.Cluster(settings) as cluster:
        if changelog not in await cluster.topics([changelog]):
            return {}
    extents = await clients.spans(settings, [changelog])
    turn = asyncio.Semaphore(AT_ONCE)

    async def position(partition: int) -> Position | None:
        async with turn:
            return await last_position(settings, partition)

    wanted = sorted(tp.partition for tp, span in extents.items() if span.end > span.begin)
    found = await asyncio.gather(*map(position, wanted))
    return {partition: position for partition, position in zip(wanted, found, strict=True) if position is not None}


def advise(mine: Terms, state: State, members: int) -> Advice:
    """Advise a worker with these terms, before it joins a group with this number of members."""
    upgrade = state.upgrade
    if upgrade is None:
        others = [position.terms for position in state.positions.values() if not has_gone_to(mine, position)]
        theirs = others[0] if others else None if state.positions else state.in_force
        return Advice(Verdict.JOIN) if theirs in (None, mine) else Advice(Verdict.REFUSE, _no_upgrade(mine, theirs))
    left = state.not_handed_over
    if mine == upgrade.command.terms:
        return _advise_new(state, upgrade, left, members)
    if mine == upgrade.was:
        return _advise_old(upgrade, left, members)
    return Advice(Verdict.REFUSE, f"{differ(mine, upgrade.command.terms)}. Nothing was changed. {REMEDY}")


def _advise_new(state: State, upgrade: Entry, left: list[int], members: int) -> Advice:
    if not left:
        return Advice(Verdict.JOIN)
    moved = [partition for partition in left if state.positions[partition].engine == 1]
    if moved:
        what = f"release {RELEASES[1]} has folded {_named(moved)} since the upgrade (command {upgrade.command.seq})"
        return Advice(Verdict.REFUSE, f"{what}: stop its workers, `cueline rebase --from FILE` with the copy, then `cueline upgrade` again")
    was = "the release before" if upgrade.was is None else release_of(upgrade.was)
    partition = left[0]
    at = state.positions[partition].offset
    lag = upgrade.offsets[partition] - at if partition < len(upgrade.offsets) else 0
    where = f"partition {partition} is at offset {at}, {max(lag, 0)} before the upgrade"
    who = f"{members} workers are handing over" if members else f"no worker is handing over: start one of {was}"
    return Advice(Verdict.WAIT, f"{_named(left)} not handed over yet ({where}); {who}")


def _advise_old(upgrade: Entry, left: list[int], members: int) -> Advice:
    if not left:
        return Advice(Verdict.LEAVE, f"this log has moved to {upgrade.command.terms} (command {upgrade.command.seq})")
    if len(left) > members:
        return Advice(Verdict.JOIN)
    return Advice(Verdict.WAIT, f"{members} workers are handing over {_named(left)}")


def differ(mine: Terms, theirs: Terms | None) -> str:
    """Name the terms of the log and of this worker."""
    return f"this log is decided under {theirs}, and this worker has {mine}"


REMEDY: Final = "Start the release, with the settings, that has those; to change them: `cueline upgrade`"


def _no_upgrade(mine: Terms, theirs: Terms | None) -> str:
    if theirs is not None and theirs.engine > mine.engine:
        return f"{differ(mine, theirs)}. Nothing was changed. Start the newer release, or go back with `cueline rebase --all --from FILE`"
    return f"{differ(mine, theirs)}, and no upgrade was written. Nothing was changed. {REMEDY}"


def _named(partitions: list[int]) -> str:
    shown = ", ".join(map(str, partitions[:SHOWN]))
    more = f" and {len(partitions) - SHOWN} more" if len(partitions) > SHOWN else ""
    return f"partition {shown}" if len(partitions) == 1 else f"partitions {shown}{more}"
