"""`cueline upgrade`: how a log goes over to other terms, that is engine, time zone data and foreign keys, with nothing lost or repeated.

A log is decided under one set of terms at each place. They are those of the last upgrade; before the first one, those in the positions.

1. The command is written by the new release, with its terms T: one record in every partition, in one transaction, like all commands. Its
   entry in `rules` says besides which terms S held before, and the offset that each partition had saved.
2. Before it is written, all states and positions are copied to a file. The way back is `cueline rebase --from FILE`.
3. A fold under S carries the upgrade out as it does all commands: what is due before is drained first. Then it folds nothing more. When
   that is saved, the partition is *handed over*: its position is the upgrade, and says T.
4. Release 0.1.0 (engine 1) makes a dead letter of a command that it does not know. So its workers must be away, and each of its
   partitions is handed over where it stands; what the log holds between there and the upgrade is folded under T.
5. A worker looks before it joins the group (`streams.commands.terms.advise`). Under T: all partitions are handed over, it joins; else it
   waits outside. Under S: all are handed over, it ends with 0; as many others as there are partitions left, it waits; else it joins.
   Other terms end with 78. With no upgrade written, terms other than those of the positions end with 78.
6. A worker under S whose partitions are all handed over leaves, with 0. It holds what is handed over and folds none of it.
7. A worker under T that opens a partition which is handed over takes it over: states are converted as they are read, and the position is
   saved at once, so that release 0.1.0 refuses it. What is neither handed over nor T's is refused, with 78.

What was tried against it, on paper:

* *A worker dies between saving and leaving:* the position is the upgrade; started again it finds its partitions handed over.
* *An old worker opens what new ones have taken over,* because it had not left yet: it holds the partition, and leaves (6). Its fence makes
  the new owner open it again; nothing was folded in between.
* *A command comes between look and write:* the upgrade is not written, look again. *After the upgrade:* it is behind it, and T's.
* *Two upgrades at once:* one writer fences the other. *One after the other:* refused until all partitions are handed over.
* *A partition without a record:* the upgrade is one. *Without a position:* with engine 1, T begins it; else it is refused, start workers.
* *A new worker in the group by mistake* is refused at the first partition that is not handed over, and leaves.
* *A rebase during it:* refused for partitions that are not under the terms of the release that runs it.
* *An old worker that is started again and again* waits outside or ends with 0; it disturbs nobody.
* *Release 0.1.0 is started after the upgrade:* it folds on and moves the position, which is then not the one that the entry says: refused.
* *The last old worker dies early:* the new ones say which partition is not handed over, and which release to start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streams.commands import history, snapshot
from streams.commands import terms as log_terms
from streams.commands.rebase import UNDER_WAY
from streams.commands.send import Done
from streams.commands.write import Refused, Session, look, now, session
from streams.kafka import clients
from triggers.records.messages import Terms

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.state.position import Position


@dataclass(frozen=True)
class Plan:
    """What an upgrade would write."""

    last: int
    """The number of the last command that it would follow on."""
    terms: Terms
    was: Terms | None
    positions: dict[int, Position]
    message: str
    written: bool
    """False: there is nothing to change, so nothing would be."""

    @property
    def is_of_engine_1(self) -> bool:
        return self.was is not None and self.was.engine == 1

    @property
    def lines(self) -> tuple[str, ...]:
        """Say it to people."""
        after = (
            "the workers are stopped: each partition goes on where it was saved, by this release"
            if self.is_of_engine_1
            else "the workers that run fold up to the upgrade, then leave; those of this release wait for them, and take over"
        )
        return (f"from {self.was}", f"to   {self.terms}", after)


async def plan(settings: Settings, *, at: int | None = None) -> Plan:
    """Tell what an upgrade to this release and these settings would do. Writes nothing. Raises `Refused` where it cannot be done."""
    seen = await look(settings, at, upgrading=True)
    mine, was = log_terms.own(settings), seen.state.in_force

    def nothing(message: str) -> Plan:
        return Plan(seen.last, mine, was, dict(seen.state.positions), f"{message}; nothing was written", written=False)

    if was is None:
        return nothing("nothing has been decided yet, so workers begin under their own terms")
    left = seen.state.not_handed_over if seen.state.upgrade is not None else []
    if was == mine:
        others = left or [n for n, position in seen.state.positions.items() if not log_terms.has_gone_to(mine, position)]
        if not others or seen.state.upgrade is not None:
            under_way = f", and partitions {left} are not handed over yet" if left else ""
            return nothing(f"this log is decided under {mine} already{under_way}")
        was = seen.state.positions[others[0]].terms  # workers with different settings have begun it
    await _check(settings, seen, mine, was, left)
    return Plan(seen.last, mine, was, dict(seen.state.positions), f"upgrade would be command {seen.last + 1}", written=True)


async def _check(settings: Settings, seen: Session, mine: Terms, was: Terms, left: list[int]) -> None:
    """Raise `Refused` where the log cannot go over to these terms now."""
    if was.engine > mine.engine:
        what = f"this log is decided under {was}, and this release has engine {mine.engine}"
        raise Refused(f"{what}: back goes only `cueline rebase --all --from FILE`")
    if left:
        seq = 0 if seen.state.upgrade is None else seen.state.upgrade.command.seq
        raise Refused(f"the upgrade before (command {seq}) is under way: partitions {left} are not handed over; nothing was written")
    positions = seen.state.positions
    begun = sorted(number for number, position in positions.items() if position.app == UNDER_WAY)
    if begun:
        raise Refused(f"a rebase of partitions {begun} was interrupted: finish it; nothing was written")
    if was.engine == 1:
        await _check_members(settings)
        return
    missing = sorted(set(range(seen.partitions)) - positions.keys())
    if missing:
        raise Refused(f"partitions {missing} have no position yet: start workers until they have opened them; nothing was written")


async def _check_members(settings: Settings) -> None:
    """Raise `Refused` while workers of engine 1 run: they would make a dead letter of the upgrade, and fold past it."""
    async with clients.Cluster(settings) as cluster:
        members = await cluster.members(settings.app)
    if members:
        what = f"the group {settings.app} has live members ({', '.join(members)})"
        raise Refused(
            f"{what}, and release {log_terms.RELEASES[1]} cannot read an upgrade: stop all workers first. One that was killed counts until "
            f"its session ends ({settings.session_timeout:.0f} s); nothing was written"
        )


async def upgrade(
    settings: Settings,
    planned: Plan,
    file: Path,
    *,
    at: int | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Done:
    """Copy everything to a file, then let every partition go over. Raises `Refused`: nothing was written, but perhaps the file."""
    copied = planned.positions
    if copied:
        copied = await snapshot.write(settings, file, await _header(settings, planned), progress)
    async with session(settings, at, upgrading=True) as writing:
        if writing.last != planned.last:
            raise Refused(f"command {writing.last} has been written since you were shown what happens; nothing was written: say it again")
        if planned.is_of_engine_1:
            await _check_members(settings)
            if _offsets(writing.state.positions) != _offsets(copied):
                raise Refused("a worker has saved a position since the copy was made: stop all workers, then say it again")
        saved = [copied[number].offset if number in copied else -1 for number in range(writing.partitions)]
        command = await writing.write("upgrade", terms=planned.terms, was=planned.was, saved=saved)
    return Done(command, f"upgrade written as command {command.seq}; start the workers of this release", planned.lines)


def _offsets(positions: Mapping[int, Position]) -> dict[int, int]:
    return {number: position.offset for number, position in positions.items()}


async def _header(settings: Settings, planned: Plan) -> snapshot.Header:
    assert planned.was is not None
    async with clients.Cluster(settings) as cluster:
        identity, events = await cluster.identity(), await cluster.need(settings.names.events)
        changelog = await cluster.need(settings.names.changelog)
    return snapshot.Header(
        app=settings.app,
        cluster=identity,
        topic_id=events.id,
        changelog_id=changelog.id,
        partitions=changelog.partitions,
        seq=planned.last,
        terms=planned.was,
        at=now(),
        by=history.operator(),
    )
