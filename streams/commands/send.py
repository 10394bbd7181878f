"""Write commands into the log: apply a rule set, pause and resume a journey, go live (PROTOCOL laws 19 to 21), and overrides (law 17).

`streams.commands.write` explains how a command is written, completely or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from aiokafka import TopicPartition

from streams.commands import history
from streams.commands.changes import Changes, affected, changes, users_of
from streams.commands.inside import Inside, Progress, inside
from streams.commands.log_history import last_position
from streams.commands.write import Refused, Session, check_owner, look, now, session, transaction, writer
from streams.kafka import clients
from triggers.base.moments import iso
from triggers.records.events import NeedsNewer, Unreadable, control_kind, read_control
from triggers.records.messages import Command
from triggers.records.user_commands import USER_COMMAND
from triggers.rules.checks import load
from triggers.user_commands import read

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.base.model import Record
    from triggers.definitions.model import RuleSet

__all__ = ["Done", "Preview", "Refused", "apply", "go_live", "override", "pause", "preview", "resume"]

READABLE: Final = 10.0
"""Maximum seconds for reading a record of the log."""
MARGIN: Final = 30.0
"""Seconds that a record must be ahead of what workers let pass: their clocks and this machine's differ, and time passes."""


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    command: Command | None
    """None: there was nothing to do."""
    message: str
    changes: tuple[str, ...] = ()
    """The changes of an applied rule set, a line each."""


@dataclass(frozen=True)
class Preview:
    """What an `apply` would write."""

    last: int
    """The number of the last command, which it would follow."""
    changes: Changes
    message: str
    written: bool
    """False: these rules are active already, so nothing would be written."""
    replaces: bool = False
    """Other rules are active now."""


async def preview(
    settings: Settings,
    files: Mapping[str, str],
    *,
    at: int | None = None,
    force: bool = False,
    count: Callable[[], AbstractContextManager[Progress]] | None = None,
) -> Preview:
    """Return what `apply` would do; write nothing and disturb no other writer. Raises what `apply` raises.

    `count`: count the users who are inside runs that change, and show the progress by what this makes. It is not called if none can be.
    """
    rules = load(files)
    seen = await look(settings, at, force=force)
    found = await _changes(settings, seen, rules, at, count)
    if seen.standing.rule_set == rules.hash and not force:
        return Preview(seen.last, found, _in_force(rules), written=False)
    return Preview(
        seen.last,
        found,
        f"rule set {rules.hash[:12]} would be command {seen.last + 1}",
        written=True,
        replaces=seen.standing.rule_set is not None,
    )


async def apply(
    settings: Settings, files: Mapping[str, str], *, at: int | None = None, force: bool = False, after: int | None = None
) -> Done:
    """Check a rule set, publish its text and switch every partition to it.

    `at` is the moment of the command, ms: required if the log has its own clock, otherwise refused. `after` is the last command that the
    operator knew when agreeing; if another one has come since, `apply` refuses. Raises `RuleErrors`: nothing was written.
    """
    rules = load(files)
    async with session(settings, at, force=force) as writing:
        if after is not None and writing.last != after:
            raise Refused(f"command {writing.last} has been written since the changes were shown; nothing was written: run apply again")
        if writing.standing.rule_set == rules.hash and not force:
            return Done(None, _in_force(rules))
        found = await _changes(settings, writing, rules, at)
        command = await writing.write("apply", rules=rules)
    return Done(command, f"rule set {rules.hash[:12]} written as command {command.seq}", found.lines)


def _in_force(rules: RuleSet) -> str:
    return f"rule set {rules.hash[:12]} is active already; nothing was written"


async def _changes(
    settings: Settings,
    seen: Session,
    rules: RuleSet,
    at: int | None,
    count: Callable[[], AbstractContextManager[Progress]] | None = None,
) -> Changes:
    before, moment = seen.standing.rule_set, now() if at is None else at
    old = rules if before == rules.hash else seen.rules(before)
    users = await users_of(settings)
    found: Inside | None = None
    if count is not None and old is not None and users and (change := affected(old, rules, moment)):
        with count() as progress:
            found = await inside(settings, change, progress)
    return changes(old, rules, users, moment, unknown=before is not None and old is None, inside=found)


async def pause(settings: Settings, journey: str, *, at: int | None = None, force: bool = False) -> Done:
    """Stop the entries of a journey and hold its steps."""
    async with session(settings, at, force=force) as writing:
        writing.know(journey)
        if journey in writing.standing.paused and not force:
            return Done(None, f"journey {journey} is paused already; nothing was written")
        command = await writing.write("pause", journey=journey)
    return Done(command, f"pause of journey {journey} written as command {command.seq}")


async def resume(settings: Settings, journey: str, *, at: int | None = None, force: bool = False) -> Done:
    """Allow entries again and continue held steps by their late policy."""
    async with session(settings, at, force=force) as writing:
        writing.know(journey)
        if journey not in writing.standing.paused and not force:
            return Done(None, f"journey {journey} is not paused; nothing was written")
        command = await writing.write("resume", journey=journey)
    return Done(command, f"resume of journey {journey} written as command {command.seq}")


async def go_live(settings: Settings, *, at: int | None = None, force: bool = False) -> Done:
    """Send decisions from here on."""
    async with session(settings, at, force=force) as writing:
        if writing.standing.live and not force:
            return Done(None, "this log is live already; nothing was written")
        command = await writing.write("go-live")
    return Done(command, f"go-live written as command {command.seq}")


async def override(settings: Settings, partition: int, offset: int, reason: str) -> Done:
    """Let the record at this place pass without moving the clock; a replay follows it too."""
    events = settings.names.events
    if not reason.strip():
        raise Refused("an override needs a reason: the topic keeps it for later questions")
    await check_owner(settings)
    extents = await clients.spans(settings, [events], stable=False)
    span = extents.get(TopicPartition(events, partition))
    if span is None:
        raise Refused(f"{events} has no partition {partition}; it has 0 to {len(extents) - 1}")
    if not span.begin <= offset < span.end:
        raise Refused(f"{events}[{partition}] holds offsets {span.begin} to {span.end - 1}, not {offset}")
    async with clients.Cluster(settings) as cluster:
        topic = await cluster.need(events)
        begun = settings.names.changelog in await cluster.topics([settings.names.changelog])
    position = await last_position(settings, partition) if begun else None
    if position is not None and position.topic_id == topic.id and offset <= position.offset:
        raise Refused(
            f"{events}[{partition}] is folded up to offset {position.offset}: the record at {offset} has moved the clock already, and a "
            "replay in which it does not would decide differently"
        )
    await _stands_still(settings, partition, offset)
    value = {"schema": 1, "reason": reason, "at": now(), "by": history.operator(), "topic_id": topic.id}
    async with writer(settings) as producer, transaction(producer):
        await producer.send_and_wait(settings.names.rules, orjson.dumps(value), key=f"override:{events}:{partition}:{offset}".encode())
    return Done(None, f"the record at {events}[{partition}] offset {offset} will not move the clock")


async def _stands_still(settings: Settings, partition: int, offset: int) -> None:
    """Raise `Refused` if a worker may be folding this record now, because it is not far enough ahead of the system clock to stop them."""
    events = settings.names.events
    found: Record | None = None
    try:
        async with asyncio.timeout(READABLE):
            async for records in clients.read(settings, events, partition, start=offset, end=offset + 1):
                found = next(iter(records), found)
    except TimeoutError:
        raise Refused(f"the record at {events}[{partition}] offset {offset} cannot be read: a transaction is open before it") from None
    if found is None:
        raise Refused(f"{events}[{partition}] offset {offset} holds no record that could move the clock")
    timestamp = found.timestamp
    if timestamp > now() + (settings.max_ahead + MARGIN) * 1000 or _is_of_a_newer_release(found):
        return
    async with clients.Cluster(settings) as cluster:
        if await cluster.members(settings.app):
            raise Refused(
                f"the record at {events}[{partition}] offset {offset} is not far ahead of the clock ({iso(timestamp)}), so workers may be "
                "folding it at this moment, and a replay could decide differently: stop the workers first"
            )


def _is_of_a_newer_release(record: Record) -> bool:
    """Return whether workers stop before this record because they cannot know its meaning."""
    kind = control_kind(record.headers)
    try:
        if kind == USER_COMMAND:
            read(record)
        elif kind not in (None, b"tick"):
            read_control(record, kind)
    except NeedsNewer:
        return True
    except Unreadable:
        return False
    return False
