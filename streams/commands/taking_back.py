"""`cueline rebase --all --from FILE`: restore the copy that `cueline upgrade` made, and take the upgrade back.

Per partition, in this order, each step safe to repeat after a crash:

1. fence, as in any rebase;
2. one transaction: a position that no worker accepts, and an audit record that keeps the one before;
3. tombstones for all users, then the records of the copy, in transactions of bounded size;
4. one transaction: the position of the copy, with the next epoch, and the audit record.

When all partitions are done, one transaction takes back the upgrade and the commands after it. They leave the history, and each record of
the upgrade gets an override, which makes it a dead letter. The old release gives its next command the number of the upgrade. The commands
after the upgrade follow the upgrade, so each partition refuses them. After a crash before that transaction the upgrade still holds: old
workers fold up to it again.

The states are restored byte for byte. So any release can do this, also for release 0.1.0.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from aiokafka import TopicPartition
from aiokafka.errors import ProducerFenced

from streams.commands import history, snapshot
from streams.commands.history import Entry
from streams.commands.log_history import last_position
from streams.commands.rebase import SLICE, UNDER_WAY, Refused, changelog_of, check_members, send_all
from streams.commands.write import transaction, writer
from streams.kafka import clients
from triggers.state.position import POSITION_KEY, Position

if TYPE_CHECKING:
    from streams.settings import Settings

BYTES: Final = 1 << 20
"""Size of the states in one transaction, without its last one."""


@dataclass(frozen=True)
class Back:
    """The content of a copy, and the effects of restoring it."""

    file: Path
    header: snapshot.Header
    positions: dict[int, dict[str, Any]]
    """The positions of the copy as JSON objects: the release that wrote them may have other fields."""
    undone: tuple[Entry, ...]
    """The upgrade, and the commands after it."""
    sends: int
    """Number of actions in the topic that may be sent again."""

    @property
    def lines(self) -> tuple[str, ...]:
        """Describe it to an operator."""
        offsets = ", ".join(f"{number}: {position['offset']}" for number, position in sorted(self.positions.items()))
        return (
            f"back to {self.header.terms}, copied by {self.header.by} after command {self.header.seq}",
            f"partitions continue after these offsets: {offsets}",
            *(
                f"! command {entry.command.seq} ({entry.command.kind}) is taken back; write it again if you need it"
                for entry in self.undone
            ),
        )


async def plan(settings: Settings, file: Path) -> Back:
    """Check the file against the log, and change nothing. Raise `Refused` or `BadSnapshot`."""
    header = snapshot.header_of(file)
    async with clients.Cluster(settings) as cluster:
        identity, events = await cluster.identity(), await cluster.need(settings.names.events)
        changelog = await cluster.need(settings.names.changelog)
    for what, theirs, ours in (
        ("the app", header.app, settings.app),
        ("the cluster id", header.cluster, identity),
        ("the id of the topic", header.topic_id, events.id),
        ("the id of the changelog", header.changelog_id, changelog.id),
        ("the number of partitions", header.partitions, changelog.partitions),
    ):
        if theirs != ours:
            raise Refused(f"{file} is of another log: {what} is {theirs} there, and {ours} here")
    positions = {
        partition: orjson.loads(value) for partition, key, value in snapshot.items(file) if key == POSITION_KEY and value is not None
    }
    spans = await clients.spans(settings, [events.name], stable=False)
    for number in range(header.partitions):
        if number not in positions:
            raise Refused(f"{file} holds no position of partition {number}")
        begin, end = spans[TopicPartition(events.name, number)]
        if not begin <= positions[number]["offset"] + 1 <= end:
            offset = positions[number]["offset"]
            raise Refused(f"{events.name}[{number}] holds offsets {begin} to {end - 1}: no fold can continue after offset {offset}")
    past = await history.read(settings)
    problem = past.of_another(settings.app)
    if problem is not None:
        raise Refused(f"{events.name} {problem}")
    sends = sum([await _sent(settings, number, positions[number]) for number in positions])
    return Back(file, header, positions, _undone(past, header), sends)


def _undone(past: history.History, header: snapshot.Header) -> tuple[Entry, ...]:
    """List the first upgrade after the copy, and all later commands. Empty if there is none: commands before it are carried out again.

    That upgrade need not be the next command. `cueline upgrade` is refused if a command is written after its copy, and the copy stays.
    """
    later = [entry for seq, entry in sorted(past.entries.items()) if seq > header.seq]
    return tuple(dropwhile(lambda entry: entry.command.kind != "upgrade", later))


async def _sent(settings: Settings, partition: int, position: dict[str, Any]) -> int:
    """Count the actions that were decided after the position."""
    sent = 0
    async for records in clients.read(settings, settings.names.actions, partition):
        for record in records:
            try:
                action = orjson.loads(record.value or b"")
                sent += action["cause"]["offset"] > position["offset"] or action["at"] > position["clock"]
            except (ValueError, LookupError, TypeError):  # no worker wrote this
                continue
    return sent


async def take_back(
    settings: Settings, planned: Back, *, force: bool = False, done: Callable[[int, int], None] = lambda _number, _records: None
) -> None:
    """Restore all partitions, then take the upgrade back. Raise `Refused`. After a crash, do it again.

    `done` gets each partition and the number of its records.
    """
    if not force:
        await check_members(settings)
    past = await history.read(settings)
    epochs: dict[int, int] = {}
    for number in range(planned.header.partitions):
        try:
            records, epochs[number] = await _one(settings, planned, number, past.epochs.get(number, 0))
        except ProducerFenced:
            raise Refused(f"partition {number}: a worker has opened it meanwhile; stop the workers, then try again") from None
        done(number, records)
    await _check_untouched(settings, planned, epochs)
    await _undo(settings, planned)


async def _check_untouched(settings: Settings, planned: Back, epochs: Mapping[int, int]) -> None:
    """Raise `Refused` if a partition is no longer as it was restored.

    The upgrade still holds. So a worker that its supervisor starts now takes a restored partition over again, or folds it up to the
    upgrade. If the upgrade were taken back then, no release could continue with that partition.
    """
    for number, epoch in epochs.items():
        position, copied = await last_position(settings, number), planned.positions[number]
        if position is None or (position.epoch, position.offset, position.engine) != (epoch, copied["offset"], copied["engine"]):
            raise Refused(
                f"partition {number}: a worker has opened it since it was restored. The upgrade still holds. Stop the workers and their "
                "supervisors, then try again"
            )


async def _one(settings: Settings, planned: Back, number: int, epoch: int) -> tuple[int, int]:
    """Restore one partition; return the number of its records, and its new epoch."""
    options = {"transactional_id": f"{settings.app}-{number}", "transaction_timeout_ms": int(settings.transaction_timeout * 1000)}
    changelog, at = settings.names.changelog, int(time.time() * 1000)
    async with clients.producer(settings, **options) as producer:
        before, users = await changelog_of(settings, number)
        position = dict(planned.positions[number])
        position["epoch"] = max(epoch, 0 if before is None else before.epoch, position["epoch"]) + 1

        def audit(*, is_done: bool) -> tuple[str, int, bytes, bytes]:
            document = _audit(planned, number, before, position, at, is_done=is_done)
            return settings.names.rules, 0, f"audit:{at}:{number}".encode(), orjson.dumps(document)

        await send_all(producer, [(changelog, number, POSITION_KEY, orjson.dumps({**position, "app": UNDER_WAY})), audit(is_done=False)])
        gone = sorted(users)
        for first in range(0, len(gone), SLICE):
            await send_all(producer, [(changelog, number, key, None) for key in gone[first : first + SLICE]])
        records = 0
        for some in _slices(planned.file, number):
            await send_all(producer, [(changelog, number, key, value) for key, value in some])
            records += len(some)
        await send_all(producer, [(changelog, number, POSITION_KEY, orjson.dumps(position)), audit(is_done=True)])
    return records, position["epoch"]


def _slices(file: Path, number: int) -> Iterator[list[tuple[bytes, bytes | None]]]:
    """Read the users' records of one partition, in slices of one transaction."""
    some: list[tuple[bytes, bytes | None]] = []
    size = 0
    for partition, key, value in snapshot.items(file):
        if partition == number and key != POSITION_KEY:
            some.append((key, value))
            size += len(value or b"")
            if size >= BYTES or len(some) >= SLICE:
                yield some
                some, size = [], 0
    if some:
        yield some


def _audit(planned: Back, number: int, before: Position | None, after: dict[str, Any], at: int, *, is_done: bool) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "rebase",
        "done": is_done,
        "partition": number,
        "from": planned.file.name,
        "state": "copy",
        "epoch": after["epoch"],
        "before": None if before is None or before.app == UNDER_WAY else msgspec.to_builtins(before),
        "after": after,
        "notes": list(planned.lines),
        "at": at,
        "by": history.operator(),
    }


async def _undo(settings: Settings, planned: Back) -> None:
    """Remove the upgrade and later commands from the history, and let each partition pass the upgrade.

    Fence first, then read: a command can be written between the preview and this.
    """
    rules, events = settings.names.rules, settings.names.events
    async with writer(settings) as producer:
        past = await history.read(settings)
        undone = _undone(past, planned.header)
        if not undone:
            return
        upgrade = undone[0]
        reason = {"schema": 1, "reason": f"upgrade (command {upgrade.command.seq}) taken back", "at": int(time.time() * 1000)}
        override = orjson.dumps({**reason, "by": history.operator(), "topic_id": upgrade.topic_id, "taken_back": True})
        last = past.entries.get(upgrade.command.seq - 1)
        head = None if last is None else msgspec.json.encode(last.command)
        async with transaction(producer):
            for entry in undone:
                seq = entry.command.seq
                await producer.send_and_wait(rules, msgspec.json.encode(entry), key=f"undone:{seq}".encode(), partition=0)
                await producer.send_and_wait(rules, None, key=f"command:{seq}".encode(), partition=0)
            await producer.send_and_wait(rules, head, key=b"command:head", partition=0)
            for number, offset in enumerate(upgrade.offsets):
                await producer.send_and_wait(rules, override, key=f"override:{events}:{number}:{offset}".encode(), partition=0)
