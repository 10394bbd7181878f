"""Under which terms a log is decided, and who may work on it: the part of an upgrade that needs no Kafka (`streams.commands.upgrade`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from streams.commands.logbook import last_position
from streams.kafka import clients
from triggers.base.model import ENGINE
from triggers.base.moments import tz_version
from triggers.records.messages import Terms

if TYPE_CHECKING:
    from streams.commands.history import Entry
    from streams.settings import Settings
    from triggers.state.position import Position

RELEASES: Final = {1: "0.1.0"}
"""Releases by their engine, where one is known here."""
AT_ONCE: Final = 8
"""How many partitions' last positions are read at a time."""
SHOWN: Final = 5


def own(settings: Settings) -> Terms:
    """Give the terms of this release with these settings."""
    return Terms(engine=ENGINE, tzdata=tz_version(), foreign_keys=settings.accept_foreign_keys)


def release_of(terms: Terms) -> str:
    """Name the release that works under these terms, as far as it can be named."""
    name = RELEASES.get(terms.engine)
    return f"the release with {terms}" if name is None else f"release {name} ({terms})"


class Verdict(Enum):
    """What a worker does before it joins the group."""

    JOIN = "join"
    WAIT = "wait"
    LEAVE = "leave"
    """There is nothing left to do for it; exit code 0."""
    REFUSE = "refuse"
    """A restart changes nothing; exit code 78."""


class Advice(NamedTuple):
    """A verdict, and why."""

    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class State:
    """How far a log has gone over to new terms."""

    positions: Mapping[int, Position]
    """The last one that each partition has saved; absent where there is none."""
    upgrade: Entry | None = None
    """The last one that was written."""
    is_of_engine_1: bool = False
    """Its first command is one of engine 1: it does not say which engine wrote it."""

    @property
    def in_force(self) -> Terms | None:
        """Give the terms under which what comes next in the log is decided; None where nothing says so yet."""
        if self.upgrade is not None:
            return self.upgrade.command.terms
        found = [position.terms for _, position in sorted(self.positions.items())]
        if found:
            return min(found, key=lambda terms: terms.engine)
        return Terms(engine=1, tzdata="", foreign_keys=False) if self.is_of_engine_1 else None

    @property
    def not_handed_over(self) -> list[int]:
        """List the partitions that have not come to the last upgrade; a partition without a position has nothing to hand over."""
        return sorted(partition for partition, position in self.positions.items() if not self.is_handed_over(partition, position))

    def is_handed_over(self, partition: int, position: Position) -> bool:
        """Tell whether workers under the terms of the last upgrade may go on from this position, or have done so."""
        upgrade = self.upgrade
        if upgrade is None or upgrade.command.terms is None:
            return False
        terms = upgrade.command.terms
        return has_gone_to(terms, position) or was_left(upgrade, partition, position)


def has_gone_to(terms: Terms, position: Position) -> bool:
    """Tell whether a position is one under these terms, or was handed to them."""
    return position.handed_to == terms or (position.terms == terms and position.handed_to is None)


def was_left(upgrade: Entry, partition: int, position: Position) -> bool:
    """Tell whether workers of engine 1, which cannot read an upgrade, have left the partition where this upgrade found it."""
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
    """Read the last position of every partition; where there is no changelog there is none."""
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
    """Tell a worker under these terms what to do, before it joins a group that has so many members."""
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
        what = f"release {RELEASES[1]} has folded {_named(moved)} on after the upgrade (command {upgrade.command.seq})"
        return Advice(Verdict.REFUSE, f"{what}: stop its workers, `cueline rebase --from FILE` with the copy, then `cueline upgrade` again")
    was = "the release before" if upgrade.was is None else release_of(upgrade.was)
    partition = left[0]
    at = state.positions[partition].offset
    lag = upgrade.offsets[partition] - at if partition < len(upgrade.offsets) else 0
    where = f"partition {partition} is at offset {at}, {max(lag, 0)} before the upgrade"
    who = f"{members} workers are at it" if members else f"nobody is at it: start a worker of {was}"
    return Advice(Verdict.WAIT, f"{_named(left)} not handed over yet ({where}); {who}")


def _advise_old(upgrade: Entry, left: list[int], members: int) -> Advice:
    if not left:
        return Advice(Verdict.LEAVE, f"this log has gone over to {upgrade.command.terms} (command {upgrade.command.seq})")
    if len(left) > members:
        return Advice(Verdict.JOIN)
    return Advice(Verdict.WAIT, f"{members} workers are handing over {_named(left)}")


def differ(mine: Terms, theirs: Terms | None) -> str:
    """Say that a log is decided under other terms than ours, naming both."""
    return f"this log is decided under {theirs}, and this worker has {mine}"


REMEDY: Final = "Start the release, with the settings, that has those; to change them: `cueline upgrade`"


def _no_upgrade(mine: Terms, theirs: Terms | None) -> str:
    if theirs is not None and theirs.engine > mine.engine:
        return f"{differ(mine, theirs)}. Nothing was changed. Start the newer release; back goes `cueline rebase --from FILE`"
    return f"{differ(mine, theirs)}, and no upgrade was written. Nothing was changed. {REMEDY}"


def _named(partitions: list[int]) -> str:
    shown = ", ".join(map(str, partitions[:SHOWN]))
    more = f" and {len(partitions) - SHOWN} more" if len(partitions) > SHOWN else ""
    return f"partition {shown}" if len(partitions) == 1 else f"partitions {shown}{more}"
