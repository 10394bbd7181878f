"""The history of commands, read from the topic `rules`.

| key | value |
| --- | --- |
| `rule-set:<hash>` | the text of a rule set: `{"schema", "hash", "files"}` |
| `command:head` | the last command, as `events` holds it |
| `command:<seq>` | each command, with its places in `events`: `Entry` |
| `undone:<seq>` | a command that a rebase from a copy has taken back, as `command:<seq>` held it |
| `override:<topic>:<partition>:<offset>` | that record does not move the clock: `{"schema", "reason", "at", "by", "topic_id"}`, |
| | and `"taken_back": true` if it is an upgrade that a rebase from a copy has taken back |
| `override:<topic>:<partition>:<first>-<last>` | these offsets are skipped: the same, and `"lost"`, why they cannot be read |
| `topic:<name>` | `topics create` has made this topic: `{"schema", "topic_id", "at", "by"}` |
| `audit:<ms>:<partition>` | what a rebase did, or (`done` is false) has begun to do |

The topic is compacted. Nothing in it is deleted, except commands that are taken back with an upgrade. It keeps every command with its
places, so `cueline rebase` can begin a partition anywhere in the log with the rules that were active there.
"""

from __future__ import annotations

import asyncio
import getpass
import socket
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from streams.kafka import clients
from triggers.records.messages import Command, Terms
from triggers.state.position import Position

if TYPE_CHECKING:
    from streams.settings import Settings

PATIENCE: Final = 30.0
"""Seconds to wait for another writer's open transaction in `rules`."""


class Entry(msgspec.Struct, kw_only=True):
    """One command and its places in the log."""

    command: Command
    topic_id: str
    """Of `events` when it was written; a topic made again has another one."""
    offsets: list[int]
    """Of its record in each partition."""
    at: int
    """When it was written, ms."""
    by: str
    was: Terms | None = None
    """upgrade: the terms before it."""
    saved: list[int] = []
    """upgrade: the offset of the position that each partition had saved when it was written; -1 for none."""
    schema: int = 1

    def stands_before(self, topic_id: str, partition: int, offset: int) -> bool:
        """Return whether a fold of this log from `offset` on does not reach it, because it is earlier or in another log."""
        return self.topic_id != topic_id or partition >= len(self.offsets) or self.offsets[partition] < offset


@dataclass(frozen=True)
class Standing:
    """The result of some commands: rule set, go-live, pauses."""

    seq: int = 0
    rule_set: str | None = None
    applied: int = 0
    paused: frozenset[str] = frozenset()
    live: bool = False

    def after(self, command: Command) -> Standing:
        """Return the result with one more command."""
        now = replace(self, seq=command.seq)
        if command.kind == "apply":
            return replace(now, rule_set=command.rule_set, applied=self.applied + 1)
        if command.kind == "go-live":
            return replace(now, live=True)
        if command.kind == "upgrade":
            return now
        journey = {command.journey} if command.journey else set()
        return replace(now, paused=self.paused | journey if command.kind == "pause" else self.paused - journey)


@dataclass
class History:
    """The `rules` topic, read to its end."""

    files: dict[str, dict[str, str]] = field(default_factory=dict)
    """Rule sets by hash: text by file name."""
    head: Command | None = None
    entries: dict[int, Entry] = field(default_factory=dict)
    """Commands by their number."""
    epochs: dict[int, int] = field(default_factory=dict)
    """By partition: the highest epoch that a rebase has begun."""
    interrupted: dict[int, Position | None] = field(default_factory=dict)
    """By partition: the position before a rebase that has begun to drop the states and has not finished."""

    @property
    def seq(self) -> int:
        """Return the number of the last command, 0 before the first."""
        return 0 if self.head is None else self.head.seq

    @property
    def owner(self) -> str | None:
        """Return the app that commands this log, which the first command with an app names; None if there is none."""
        return next((entry.command.app for _, entry in sorted(self.entries.items()) if entry.command.app), None)

    @property
    def upgrade(self) -> Entry | None:
        """Return the last upgrade."""
        return next((entry for _, entry in sorted(self.entries.items(), reverse=True) if entry.command.kind == "upgrade"), None)

    @property
    def is_of_engine_1(self) -> bool:
        """Return whether engine 1 has written the first command: such a command does not name its engine."""
        return bool(self.entries) and not self.entries[min(self.entries)].command.engine

    def of_another(self, app: str) -> str | None:
        """Return the problem if the log belongs to another app than this; otherwise None."""
        if self.owner in (None, app):
            return None
        return f"is commanded by the app {self.owner}, and the app here is {app}: set CUELINE_APP"

    def standing(self) -> Standing:
        """Return the result of all commands."""
        return self.standing_before(None)

    def standing_before(self, place: tuple[str, int, int] | None) -> Standing:
        """Return the result of the commands before a place: topic id, partition and offset; None: of all commands."""
        standing = Standing()
        for _, entry in sorted(self.entries.items()):
            if place is None or entry.stands_before(*place):
                standing = standing.after(entry.command)
        return standing


async def read(settings: Settings) -> History:
    """Read it after all open transactions have ended. Raises `TopicMissing`, and `TimeoutError` if one does not end."""
    rules = settings.names.rules
    ((_, span),) = (await clients.spans(settings, [rules], stable=False)).items()
    history = History()
    async with asyncio.timeout(PATIENCE):
        async for records in clients.read(settings, rules, 0, end=span.end):
            for record in records:
                _take_in(history, (record.key or b"").decode("utf-8", "replace"), record.value)
    return history


def _take_in(history: History, key: str, value: bytes | None) -> None:
    kind, _, rest = key.partition(":")
    if value is None:
        if key == "command:head":
            history.head = None
        elif kind == "command" and rest.isdecimal():
            history.entries.pop(int(rest), None)
        return
    if kind == "rule-set":
        with suppress(ValueError, LookupError, TypeError):  # a damaged text: `apply` writes it again
            history.files[rest] = orjson.loads(value)["files"]
    elif key == "command:head":
        history.head = msgspec.json.decode(value, type=Command)
    elif kind == "command":
        entry = msgspec.json.decode(value, type=Entry)
        history.entries[entry.command.seq] = entry
    elif kind == "audit":
        done: dict[str, Any] = orjson.loads(value)
        partition = int(done["partition"])
        history.epochs[partition] = max(int(done["epoch"]), history.epochs.get(partition, 0))
        if done.get("done", True):
            history.interrupted.pop(partition, None)
        else:
            history.interrupted[partition] = msgspec.convert(done["before"], Position | None)


def operator() -> str:
    """Name who gives a command, for the record: user and machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
