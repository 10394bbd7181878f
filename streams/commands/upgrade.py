"""`cueline upgrade`: move a log to other terms (engine, time zone data, foreign keys) without losing or repeating anything.

At each place a log is decided under one set of terms: those of the last upgrade, or before the first upgrade those in the positions.

1. The new release writes the command, with its terms T: one record in each partition, in one transaction, like all commands. Its entry in
   `rules` also has S, the terms before, and the offset that each partition had saved.
2. Before that, the command copies all states and positions to a file. The way back is `cueline rebase --from FILE`.
3. A fold under S carries out the upgrade like any command: it first drains what is due. Then it folds no further record. When this is
   saved, the partition is *handed over*: its position is at the upgrade, and names T.
4. Release 0.1.0 (engine 1) writes a dead letter for a command that it does not know. So its workers must be stopped. Each of its partitions
   is handed over at its saved position. T folds the records between that position and the upgrade.
5. A worker checks the log before it joins the group (`streams.commands.terms.advise`). Under T it joins if all partitions are handed over;
   else it waits outside. Under S it exits with 0 if all are handed over, waits if the group has as many members as there are partitions
   left, and else joins. Under other terms it exits with 78. So does a worker whose terms differ from the positions' without an upgrade.
6. A worker under S leaves with 0 when all its partitions are handed over. Until then it holds them and folds nothing.
7. A worker under T that opens a partition which is handed over takes it over. It converts states as it reads them, and saves the position
   at once, so that release 0.1.0 refuses it. It refuses a partition that is neither handed over nor under T, with 78.

These cases were tried on paper:

* *A worker dies between saving and leaving.* The position is at the upgrade. After a restart the worker finds its partitions handed over.
* *An old worker opens a partition that a new one has taken over,* since it had not left yet. It holds the partition and leaves (6). Its
  fence makes the new owner open the partition again. Nothing was folded in between.
* *A command is written between look and write.* The upgrade is refused: look again. *After the upgrade* the command follows it, under T.
* *Two upgrades at once.* One writer fences the other. *One after the other:* the second is refused until all partitions are handed over.
* *A partition without records.* The upgrade is its first. *Without a position:* the upgrade is refused, unless no partition has one.
* *A new worker in the group by mistake.* It refuses the first partition that is not handed over, and leaves.
* *A rebase during the upgrade.* It refuses partitions that are not under the active terms.
* *A supervisor that restarts an old worker in a loop.* The worker waits outside or exits with 0. The group does not notice.
* *Release 0.1.0 starts after the upgrade.* It moves the position, which then differs from the entry: new workers refuse it.
* *The last old worker dies early.* The new workers name the partition that is left, and the release to start.
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
    """The changes that an upgrade would make."""

    last: int
    """The number of the last command, which the upgrade would follow."""
    terms: Terms
    was: Terms | None
    positions: dict[int, Position]
    message: str
    written: bool
    """False if there is nothing to change."""

    @property
    def is_of_engine_1(self) -> bool:
        return self.was is not None and self.was.engine == 1

    @property
    def lines(self) -> tuple[str, ...]:
        """Describe the plan to an operator."""
        after = (
            "the workers are stopped: this release continues each partition at its saved position"
            if self.is_of_engine_1
            else "running workers fold up to the upgrade and leave; workers of this release wait for them and take over"
        )
        return (f"from {self.was}", f"to   {self.terms}", after)


async def plan(settings: Settings, *, at: int | None = None) -> Plan:
    """Plan an upgrade to this release and these settings, and write nothing. Raise `Refused` if it is impossible."""
    seen = await look(settings, at, upgrading=True)
    mine, was = log_terms.own(settings), seen.state.in_force

    def nothing(message: str) -> Plan:
        return Plan(seen.last, mine, was, dict(seen.state.positions), f"{message}; nothing was written", written=False)

    if was is None:
        return nothing("the log has no decisions yet, so workers begin under their own terms")
    left = seen.state.not_handed_over if seen.state.upgrade is not None else []
    if was == mine:
        others = left or [n for n, position in seen.state.positions.items() if not log_terms.has_gone_to(mine, position)]
        if not others or seen.state.upgrade is not None:
            waiting = f", and partitions {left} are not handed over yet" if left else ""
            return nothing(f"this log is decided under {mine} already{waiting}")
        was = seen.state.positions[others[0]].terms  # workers with different settings have begun it
    await _check(settings, seen, mine, was, left)
    return Plan(seen.last, mine, was, dict(seen.state.positions), f"upgrade would be command {seen.last + 1}", written=True)


async def _check(settings: Settings, seen: Session, mine: Terms, was: Terms, left: list[int]) -> None:
    """Raise `Refused` if the log cannot move to these terms now."""
    if was.engine > mine.engine:
        what = f"this log is decided under {was}, and this release has engine {mine.engine}"
        raise Refused(f"{what}: only `cueline rebase --all --from FILE` goes back")
    if left:
        seq = 0 if seen.state.upgrade is None else seen.state.upgrade.command.seq
        raise Refused(f"the upgrade before (command {seq}) is in progress: partitions {left} are not handed over; nothing was written")
    positions = seen.state.positions
    begun = sorted(number for number, position in positions.items() if position.app == UNDER_WAY)
    if begun:
        raise Refused(f"a rebase of partitions {begun} was interrupted: finish it; nothing was written")
    missing = sorted(set(range(seen.partitions)) - positions.keys())
    if missing and (positions or was.engine > 1):  # a copy without them could not be restored
        raise Refused(f"partitions {missing} have no position yet: start workers until they have opened them; nothing was written")
    _check_rules(seen)
    if was.engine == 1:
        await _check_members(settings)


def _check_rules(seen: Session) -> None:
    """Raise `Refused` if this release cannot use the active rules: its workers would open no partition."""
    needed = {seen.standing.rule_set}
    for position in seen.state.positions.values():
        needed |= {position.rule_set, None if position.meeting is None else position.meeting.previous}
    for rule_set in sorted(filter(None, needed)):
        rules = seen.rules(rule_set)
        if rules is None or rules.hash != rule_set:
            what = f"this release cannot use the active rule set {rule_set[:12]}, so its workers would open no partition"
            raise Refused(f"{what}. First apply rules that both releases can use; nothing was written")


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
    """Copy all states and positions to a file, then write the upgrade. Raise `Refused` if only the file was written."""
    copied = planned.positions
    if copied:
        copied = await snapshot.write(settings, file, await _header(settings, planned), progress)
    async with session(settings, at, upgrading=True) as writing:
        if writing.last != planned.last:
            raise Refused(f"command {writing.last} was written since the preview; nothing was written: try again")
        if planned.is_of_engine_1:
            await _check_members(settings)
            if _offsets(writing.state.positions) != _offsets(copied):
                raise Refused("a worker has saved a position since the copy: stop all workers, then try again; nothing was written")
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
