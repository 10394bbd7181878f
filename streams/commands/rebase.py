"""Carry out how a partition continues that a worker refuses to open (PROTOCOL law 6): at which place, and with which states.

Per partition, in this order, each step safe to repeat after a crash:

1. fence: the transactional id of the partition's owner, as a worker does it. The previous owner can write nothing more;
2. read the changelog to its end: the last position, and whose states there are;
3. `state=drop`: one transaction with a position that no worker accepts (`UNDER_WAY`) and an audit record that keeps the one before; then
   tombstones for all users, in transactions of `SLICE` records. A crash here leaves a partition that is refused until the rebase has been
   done again: never one with half of its states;
4. one transaction: the new position, which belongs to the log as it is now, and the audit record in `rules`, in the place of the first one.

The epoch counts up: ids of runs and actions contain it, so that none repeats although the log is read again. The rules, pauses and go-live
that are active at the new place come from the history of commands (`streams.commands.history`); commands that are skipped are made up
for, and those that will be read again are either carried out (`drop`) or, having been carried out already, recorded as refused (`keep`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import orjson
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, ProducerFenced

from streams.commands import history
from streams.commands import terms as log_terms
from streams.commands.history import History, Standing
from streams.commands.log_history import foreign_commands, last_position
from streams.kafka import clients
from streams.kafka.clients import Span, Topic
from triggers.base.model import ENGINE
from triggers.state.encoding import STATE_SCHEMA
from triggers.state.old import go_over
from triggers.state.position import POSITION_KEY, Meeting, Position

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.records.messages import Terms

UNDER_WAY: Final = "(a rebase is under way)"
"""Replaces the app's name in the position while states are dropped. It is no app's name, so every worker refuses."""
SLICE: Final = 2_000
"""Tombstones of one transaction: well below a second."""

Start = Literal["start", "end", "here"] | int
State = Literal["keep", "drop"]


class Refused(Exception):  # noqa: N818 - an outcome that the operator has to hear of
    """Nothing was changed; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What a rebase does, or has done, to one partition."""

    partition: int
    before: Position | None
    """None: there is none that can be read. Where a rebase was interrupted, the one before that."""
    after: Position
    users: int
    """How many have a state that is kept or dropped."""
    state: State
    notes: tuple[str, ...]
    """What the operator must know."""
    sends: int = 0
    """How many of the actions that can still be read will be sent again. Known of a plan only, not of what is done."""


@dataclass(frozen=True)
class _Ground:
    """What the rebase of one partition depends on: the log as it is now, and the commands so far."""

    cluster: str
    events: Topic
    changelog: Topic
    past: History
    foreign: Set[int]
    """Numbers of the commands that workers with our `command_key` refuse: signed with another one, or not at all."""
    span: Span
    """Read before the history: a command that comes between the two is after it, and will be read."""
    first: dict[int, Position]
    """The first position of any partition that can be read: the terms of a log without an upgrade."""


async def plan(settings: Settings, partitions: Iterable[int] | None, start: Start, state: State) -> list[Plan]:
    """Return what a rebase would do; change nothing. Raises `Refused` if it cannot be done."""
    plans = []
    for partition in _chosen(await _events(settings), partitions):
        position, users = await changelog_of(settings, partition)
        ground = await _ground(settings, partition)
        planned = _plan(settings, ground, partition, position, len(users), start, state)
        plans.append(await (_sends_again if state == "drop" else _sends_twice)(settings, ground, planned))
    return plans


async def _sends_again(settings: Settings, ground: _Ground, plan: Plan) -> Plan:
    """Add to a plan that drops the states what the log will do when it is folded again."""
    begin, partition = plan.after.offset + 1, plan.partition
    ahead = [entry for seq, entry in sorted(ground.past.entries.items()) if seq not in ground.foreign]
    ahead = [entry for entry in ahead if not entry.stands_before(ground.events.id, partition, begin)]
    live = next((entry.offsets[partition] for entry in ahead if entry.command.kind == "go-live"), None)
    notes = []
    if applies := [entry.offsets[partition] for entry in ahead if entry.command.kind == "apply"]:
        notes.append(f"the log applies rules again at offset {', '.join(map(str, applies[:5]))}{' ...' if len(applies) > 5 else ''}")
    sends, where = 0, f"the log goes live again at offset {live}"
    if plan.after.live:
        live, where = begin, f"the log is live at offset {begin}"
    if live is not None:
        sends = await _sent(settings, partition, begin, ground.events.name)
        notes.append(f"{where}: {sends} actions will be sent again, and those that {settings.names.actions} no longer holds")
    return replace(plan, notes=(*plan.notes, *notes), sends=sends)


async def _sends_twice(settings: Settings, ground: _Ground, plan: Plan) -> Plan:
    """Add to a plan that keeps the states what events that are folded into them once more will send."""
    begin, before = plan.after.offset + 1, plan.before
    if not plan.after.live or before is None or before.topic_id != ground.events.id or begin > before.offset:
        return plan
    sends = await _sent(settings, plan.partition, begin, ground.events.name)
    note = f"the log is live: up to {sends} actions will be sent again; only events whose message id is remembered send nothing"
    return replace(plan, notes=(*plan.notes, note), sends=sends)


async def _sent(settings: Settings, partition: int, begin: int, events: str) -> int:
    """Count the actions that can still be read, of runs that were entered at this offset of the log or later."""
    sent: set[tuple[object, ...]] = set()  # a log that was folded twice before has sent each of them twice
    async for records in clients.read(settings, settings.names.actions, partition):
        for record in records:
            with suppress(ValueError, LookupError, TypeError):  # what no worker has written
                action = orjson.loads(record.value or b"")
                cause = action["cause"]
                if cause["topic"] == events and cause["offset"] >= begin:
                    sent.add((action["user"], action["journey"], action["step"], action["due"], cause["offset"]))
    return len(sent)


async def rebase(
    settings: Settings,
    partitions: Iterable[int] | None,
    start: Start,
    state: State,
    *,
    force: bool = False,
    done: Callable[[Plan], None] = lambda _: None,
) -> None:
    """Do it, and report each finished partition to `done`. After `Refused`, the partitions not reported are as they were.

    Without `force` it refuses while the group has live members: they would be fenced, restart and interfere.
    """
    if not force:
        await check_members(settings)
    for partition in _chosen(await _events(settings), partitions):
        try:
            done(await _one(settings, partition, start, state))
        except ProducerFenced:
            raise Refused(f"partition {partition}: a worker has opened it meanwhile; stop the workers, then do it again") from None


async def check_members(settings: Settings) -> None:
    """Raise `Refused` while the group has live members."""
    async with clients.Cluster(settings) as cluster:
        members = await cluster.members(settings.app)
    if members:
        what = f"the group {settings.app} has live members ({', '.join(members)}): stop the workers first"
        raise Refused(
            f"{what}. One that was killed counts until its session ends ({settings.session_timeout:.0f} s); --force does not wait"
        )


async def _one(settings: Settings, partition: int, start: Start, state: State) -> Plan:
    options = {"transactional_id": f"{settings.app}-{partition}", "transaction_timeout_ms": int(settings.transaction_timeout * 1000)}
    async with clients.producer(settings, **options) as producer:
        position, users = await changelog_of(settings, partition)
        plan = _plan(settings, await _ground(settings, partition), partition, position, len(users), start, state)
        changelog, at = settings.names.changelog, int(time.time() * 1000)

        def audit(*, done: bool) -> tuple[str, int, bytes, bytes]:
            return settings.names.rules, 0, f"audit:{at}:{partition}".encode(), orjson.dumps(_audit(plan, start, at, done=done))

        if state == "drop":
            marker = msgspec.structs.replace(plan.after, app=UNDER_WAY)
            await send_all(producer, [(changelog, partition, POSITION_KEY, marker.encode()), audit(done=False)])
            gone = sorted(users)
            for first in range(0, len(gone), SLICE):
                await send_all(producer, [(changelog, partition, key, None) for key in gone[first : first + SLICE]])
        await send_all(producer, [(changelog, partition, POSITION_KEY, plan.after.encode()), audit(done=True)])
    return plan


async def send_all(producer: Any, records: list[tuple[str, int, bytes, bytes | None]]) -> None:  # noqa: ANN401 - aiokafka's producer
    """Write one transaction, committed only when every record was acknowledged (law 10)."""
    try:
        async with producer.transaction():
            sent = [await producer.send(topic, value, key=key, partition=partition) for topic, partition, key, value in records]
            await asyncio.gather(*sent)
    except (IllegalOperation, AssertionError) as error:  # the latter where the producer was ended between the last send and the commit
        raise clients.ended_by(producer, error) from None


# ---- looking -------------------------------------------------------------------------------------------------------------


async def _events(settings: Settings) -> Topic:
    async with clients.Cluster(settings) as cluster:
        return await cluster.need(settings.names.events)


async def _ground(settings: Settings, partition: int) -> _Ground:
    async with clients.Cluster(settings) as cluster:
        identity, events = await cluster.identity(), await cluster.need(settings.names.events)
        changelog = await cluster.need(settings.names.changelog)
    if changelog.partitions != events.partitions:
        counts = f"{changelog.name} has {changelog.partitions} partitions and {events.name} {events.partitions}"
        raise Refused(
            f"{counts}: the partitions of users have changed, and no position can correct that; begin under another app or prefix"
        )
    span = (await clients.spans(settings, [events.name], stable=False))[TopicPartition(events.name, partition)]
    past = await history.read(settings)
    problem = past.of_another(settings.app)
    if problem is not None:
        raise Refused(f"{events.name} {problem}")
    first = await _first_position(settings, changelog.partitions) if past.upgrade is None else {}
    return _Ground(identity, events, changelog, past, await foreign_commands(settings, past.entries), span, first)


async def _first_position(settings: Settings, partitions: int) -> dict[int, Position]:
    for number in range(partitions):
        with suppress(msgspec.DecodeError):
            position = await last_position(settings, number)
            if position is not None:
                return {number: position}
    return {}


def _chosen(events: Topic, partitions: Iterable[int] | None) -> list[int]:
    if partitions is None:
        return list(range(events.partitions))
    chosen = sorted(set(partitions))
    wrong = [partition for partition in chosen if not 0 <= partition < events.partitions]
    if wrong:
        raise Refused(f"{events.name} has no partition {wrong[0]}; it has 0 to {events.partitions - 1}")
    return chosen


async def changelog_of(settings: Settings, partition: int) -> tuple[Position | None, set[bytes]]:
    """Read the last position (None where it is missing or unreadable) and the keys of all users who have a state."""
    topic = settings.names.changelog
    span = (await clients.spans(settings, [topic], stable=False))[TopicPartition(topic, partition)]
    position: bytes | None = None
    users: set[bytes] = set()
    async for records in clients.read(settings, topic, partition, end=span.end):
        for record in records:
            key = record.key or b""
            if key == POSITION_KEY:
                position = record.value
            elif record.value is None:
                users.discard(key)
            else:
                users.add(key)
    try:
        return None if position is None else Position.decode(position), users
    except msgspec.DecodeError:
        return None, users


# ---- deciding ------------------------------------------------------------------------------------------------------------


def _plan(settings: Settings, ground: _Ground, partition: int, before: Position | None, users: int, start: Start, state: State) -> Plan:
    span = ground.span
    terms = _terms(settings, ground, partition, before, state)
    if start == "here":
        if before is None:
            raise Refused(f"partition {partition} has no position that can be read, so its place is unknown")
        begin = before.offset + 1
    else:
        begin = {"start": span.begin, "end": span.end}[start] if isinstance(start, str) else start
    if not span.begin <= begin <= span.end:
        raise Refused(f"{ground.events.name}[{partition}] holds offsets {span.begin} to {span.end - 1}: it cannot continue at {begin}")
    place = (ground.events.id, partition, begin)
    # A foreign command is not carried out, but it is counted: the next one follows on it.
    last = ground.past.standing_before(place).seq
    own = replace(ground.past, entries={seq: entry for seq, entry in ground.past.entries.items() if seq not in ground.foreign})
    standing = replace(own.standing_before(place), seq=last)
    notes: list[str] = []
    after = _dropped(standing) if state == "drop" else _kept(partition, before, begin, standing, ground, notes)
    first = 0 if state == "drop" or before is None else before.last_command
    notes += [
        f"command {seq} ({ground.past.entries[seq].command.kind}) is not carried out: it was signed with another command_key, or not at all"
        for seq in sorted(ground.foreign)
        if first < seq <= last
    ]
    real = before
    if before is not None and before.app == UNDER_WAY:
        real = ground.past.interrupted.get(partition, before)
    if before is not None and before.topic_id != ground.events.id:
        notes.append(f"{ground.events.name} was deleted and made again: the position's offset {before.offset} is one of the topic before")
    else:
        notes += _skipped(real, begin)
    after.offset = begin - 1
    if state == "drop":
        after.begun = begin
    after.epoch = max(ground.past.epochs.get(partition, 0), 0 if before is None else before.epoch) + 1
    after.app, after.cluster, after.topic_id, after.changelog_id = settings.app, ground.cluster, ground.events.id, ground.changelog.id
    after.partitions = ground.events.partitions
    if state == "drop":
        go_over(after, terms, 0 if ground.past.upgrade is None else ground.past.upgrade.command.seq)
    return Plan(partition, real, after, users, state, tuple(notes))


def _terms(settings: Settings, ground: _Ground, partition: int, before: Position | None, state: State) -> Terms:
    """Return the terms under which the partition continues. Raises `Refused`: only an upgrade and a rebase back change them."""
    positions = ground.first if before is None else {partition: before}
    in_force = log_terms.State(positions, ground.past.upgrade, ground.past.is_of_engine_1).in_force or log_terms.own(settings)
    if in_force.engine != ENGINE:
        older = "first `cueline upgrade`, or use" if in_force.engine < ENGINE else "use"
        what = f"this log is decided under {in_force}, and this release has engine {ENGINE}"
        raise Refused(f"{what}: {older} {log_terms.release_of(in_force)}")
    if state == "keep" and before is not None and (before.terms != in_force or before.handed_to is not None):
        what = f"partition {partition} was saved under {before.terms}, and has not been taken over by workers under {in_force}"
        raise Refused(f"{what}: start them, or take the upgrade back with --from FILE")
    return in_force


def _dropped(standing: Standing) -> Position:
    """Return the position without any state: only the active rules, pauses and go-live at the new place."""
    return Position(
        rule_set=standing.rule_set,
        applied=standing.applied,
        last_command=standing.seq,
        live=standing.live,
        paused=sorted(standing.paused),
    )


def _kept(partition: int, before: Position | None, begin: int, standing: Standing, ground: _Ground, notes: list[str]) -> Position:
    """Return the position with all states kept, after the commands between the old place and the new one, except foreign ones."""
    past = ground.past
    if before is None:
        raise Refused(f"partition {partition} has no position that can be read, so the meaning of its states is unknown: --state drop")
    if before.app == UNDER_WAY:
        raise Refused(f"partition {partition}: a rebase that drops the states was interrupted; finish it with --state drop")
    if before.state_schema != STATE_SCHEMA:
        what = f"its states have schema {before.state_schema}, this release reads {STATE_SCHEMA}"
        raise Refused(f"partition {partition}: {what}: --state drop, or the release that wrote them")
    after = Position.decode(before.encode())
    if begin <= before.offset and before.topic_id == ground.events.id:
        notes.append(f"offsets {begin} to {before.offset} are folded into the kept states a second time")
    if before.last_command > past.seq:
        notes.append(
            f"the history of commands ends at {past.seq}, before command {before.last_command}: the next command follows on {past.seq}"
        )
        after.last_command = past.seq
        return after
    if standing.seq <= before.last_command:
        return after
    between = sorted(seq for seq in past.entries if before.last_command < seq <= standing.seq)
    skipped = [past.entries[seq].command for seq in between if seq not in ground.foreign]
    if ground.foreign:
        # This partition may have had another key then, or none, so the history differs from what it did. Start from its own position.
        now = Standing(rule_set=before.rule_set, live=before.live, paused=frozenset(before.paused))
        for command in skipped:
            now = now.after(command)
        standing = replace(now, seq=standing.seq)
    after.last_command, after.live = standing.seq, standing.live
    # A resume that is skipped would never release its held runs: the journey stays paused, for the operator to resume.
    paused = {command.journey for command in skipped if command.kind == "pause" and command.journey} | set(before.paused)
    if standing.rule_set != before.rule_set:
        meeting = before.meeting
        if meeting is not None and meeting.kind == "resume" and meeting.journey:
            paused.add(meeting.journey)
        # During a migration, some users have met the rules in between and some have not: each comes from their own rules. A window that the
        # rules in between do not need begins again for all users who do not have it. It then reads as unknown, also for some who had it.
        previous, cut = before.rule_set, list[str]()
        if meeting is not None and meeting.kind == "apply":
            previous, cut = meeting.previous, [*([] if before.rule_set is None else [before.rule_set]), *meeting.cut]
        after.rule_set, after.applied = standing.rule_set, before.applied + 1
        after.meeting = Meeting(kind="apply", at=max(before.clock, 0), previous=previous, cut=cut)
    after.paused = sorted(paused)
    notes += [f"journey {journey} stays paused: `cueline resume {journey} --force`" for journey in sorted(paused - standing.paused)]
    return after


def _skipped(before: Position | None, begin: int) -> list[str]:
    first = 0 if before is None else before.offset + 1
    return [f"offsets {first} to {begin - 1} are never folded: what they hold did not happen"] if begin > first else []


def _audit(plan: Plan, start: Start, at: int, *, done: bool) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "rebase",
        "done": done,
        "partition": plan.partition,
        "from": start,
        "state": plan.state,
        "users": plan.users,
        "epoch": plan.after.epoch,
        "before": None if plan.before is None else msgspec.to_builtins(plan.before),
        "after": msgspec.to_builtins(plan.after),
        "notes": list(plan.notes),
        "at": at,
        "by": history.operator(),
    }
