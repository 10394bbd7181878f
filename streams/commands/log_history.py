"""What a replay must know of the log before it folds the log again: its end, its rules and overrides, and where and how its folds began.

A fold begins at the log's first record, unless a rebase has begun it again. The audit record in `rules` then says where, and with which
rules. If the log had lost its beginning before the first worker, the latest position says where that worker began. It also says which epoch
the log is in; every run's name contains the epoch.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from aiokafka import TopicPartition

from streams.commands import snapshot
from streams.commands.rule_store import LONGEST_OFFSET, RuleStore
from streams.kafka.clients import Cluster, Span, read, spans
from streams.kafka.partitioner import Partitions
from triggers.base.model import ENGINE, Place
from triggers.base.moments import tz_version
from triggers.engine.interface import Options
from triggers.journeys.library import Library
from triggers.records.messages import Terms
from triggers.state.encoding import WrongSchema
from triggers.state.old import converted, go_over
from triggers.state.position import POSITION_KEY, Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table

if TYPE_CHECKING:
    from streams.kafka.skips import Skip
    from streams.settings import Settings
    from triggers.definitions.model import RuleSet


KEY_HEADER: Final = "cueline-key-id"
"""Header of a command's records in `rules`: which key it was signed with. Without it, with none."""


class CannotReplay(Exception):  # noqa: N818 - it says what is the matter
    """The log cannot be replayed as it is; the message says why."""


class Log:
    """The log of one installation; get one by `look`."""

    def __init__(
        self,
        settings: Settings,
        topic_id: str,
        spans: dict[TopicPartition, Span],
        rule_store: RuleStore,
        positions: dict[int, Position],
        audits: dict[int, dict[str, Any]],
        copy: Copy | None = None,
    ) -> None:
        self.spans = spans
        self._copy = copy
        self._upgrades = [entry for entry in rule_store.upgrades if entry.topic_id == topic_id]
        self.partitions = len(spans)
        self._settings = settings
        self._topic = settings.names.events
        self._topic_id = topic_id
        self._rule_store = rule_store
        self._positions = positions
        self._audits = audits
        self._place = Partitions(self.partitions)

    @classmethod
    async def look(cls, settings: Settings, file: Path | None = None) -> Log:
        """Ask the cluster. `file`: a copy with which folds begin. Raises `TopicMissing`, `Unreachable`, `BadSnapshot`, `CannotReplay`."""
        names = settings.names
        copy = None if file is None else Copy(file)
        found = await spans(settings, [names.events])
        async with Cluster(settings) as cluster:
            there = await cluster.topics(names)
        positions: dict[int, Position] = {}
        if names.changelog in there:
            latest = await asyncio.gather(*(last_position(settings, number) for number in range(len(found))))
            positions = {number: position for number, position in enumerate(latest) if position is not None}
        rule_store = RuleStore(settings)
        audits: dict[int, dict[str, Any]] = {}
        if names.rules in there:
            audits = await _audits(settings)
            try:
                await rule_store.start(fail=lambda _: None)
                await rule_store.hold_all()
            finally:
                await rule_store.stop()
        if copy is not None:
            copy.check(settings.app, there[names.events].id)
        return cls(settings, there[names.events].id, found, rule_store, positions, audits, copy)

    @property
    def library(self) -> Library:
        """Return the rule sets of the log."""
        return self._rule_store.library

    @property
    def clock(self) -> int:
        """Return the latest moment that a worker has reached, ms; -1: none."""
        return max((position.clock for position in self._positions.values()), default=-1)

    def in_force(self, partition: int) -> tuple[str | None, int]:
        """Return the active rule set of a partition, and how many users have a state there."""
        position = self._positions.get(partition, Position())
        return position.rule_set, position.users

    def check_engine(self) -> None:
        """Raise `CannotReplay` if another engine decided a part of the log that a replay would fold."""
        for partition in range(self.partitions) if self._copy is None else ():
            position = self._beginning(partition, whole=False)
            if position.engine != ENGINE:
                until = f" up to the upgrade (command {self._upgrades[0].command.seq})" if self._upgrades else ""
                raise CannotReplay(f"this log was decided under {position.terms}{until}: {_NEEDS.format(position.engine)}")
            self._check_upgrades(position.upgraded)
        if self._copy is not None:
            self._check_upgrades(self._copy.header.seq)

    def _check_upgrades(self, after: int) -> None:
        for upgrade in self._upgrades:
            terms = upgrade.command.terms
            if terms is not None and upgrade.command.seq > after and terms.engine != ENGINE:
                what = f"this log is decided under {terms} after the upgrade (command {upgrade.command.seq})"
                raise CannotReplay(f"{what}: {_NEEDS.format(terms.engine)}")

    def _terms_at_first(self, partition: int) -> Terms:
        """Return the terms before the first upgrade."""
        own = self._own_terms
        if self._upgrades:
            return self._upgrades[0].was or own
        known = self._positions.get(partition)
        if known is not None:
            return known.terms
        return msgspec.structs.replace(own, engine=1) if self._rule_store.is_of_engine_1 else own

    @property
    def _own_terms(self) -> Terms:
        return Terms(engine=ENGINE, tzdata=tz_version(), foreign_keys=self._settings.accept_foreign_keys)

    def parts(self, partition: int, own: RuleSet | None = None) -> tuple[Place, Table, Library, Position, Options]:
        """Return the parts of which a worker made the fold of a partition when it began. Raises `CannotReplay`.

        `own`: rules that are tried over the whole log instead of its own.
        """
        settings = self._settings
        table = Table()
        if self._copy is not None and own is None:
            position, table = self._copied(partition)
        else:
            position = self._beginning(partition, own is not None)
            go_over(position, msgspec.structs.replace(position.terms, engine=ENGINE))
        options = Options(
            belongs=lambda key: self._place.of(key) == partition,
            accept_foreign_keys=position.foreign_keys,
            command_key=settings.signing_key if own is None else None,
            overrides=self._rule_store.overrides(self._topic, partition, self._topic_id),
            taken_back=self._rule_store.taken_back(self._topic, partition, self._topic_id),
        )
        library = self._rule_store.library if own is None else Library([own])
        return Place(self._topic, partition), table, library, position, options

    def _copied(self, partition: int) -> tuple[Position, Table]:
        """Begin with a copy, as the workers that took the partition over there have done. Raises `CannotReplay`."""
        assert self._copy is not None
        position, store = self._copy.take(partition)
        known = self._positions.get(partition, Position())
        if position.epoch != known.epoch:
            raise CannotReplay(f"{self._topic}[{partition}] was rebased since the copy was made")
        upgrade = next((one for one in self._upgrades if one.command.seq == self._copy.header.seq + 1), None)
        if position.engine != ENGINE:
            if upgrade is None or upgrade.command.terms is None:
                raise CannotReplay(f"the upgrade that the copy was made for is not in {self._topic}")
            go_over(position, msgspec.structs.replace(upgrade.command.terms, engine=ENGINE), upgrade.command.seq)
        if position.converted >= 0:
            store.apply([(user_id, converted(data, position.converted)) for user_id, data in store.items()])
        return position, Table(store)

    def skips(self, partition: int) -> frozenset[Skip]:
        """Return the batches of this partition that are left out, because they could not be read."""
        return self._rule_store.skips(self._topic, partition, self._topic_id)

    def _beginning(self, partition: int, whole: bool) -> Position:
        """Return where the fold begins, as a worker began it: at the log's first record, unless the log had lost some before.

        `whole`: at the log's first record if that is still there, whatever workers have made of it.
        """
        known = self._positions.get(partition, Position())
        audit = self._audits.get(partition)
        if not whole and audit is not None and audit["epoch"] == known.epoch:
            if not audit.get("done", True):
                raise CannotReplay(f"a rebase of {self._topic}[{partition}] was interrupted; finish it")
            if audit["state"] != "drop":
                raise CannotReplay(
                    f"{self._topic}[{partition}] was rebased with its states kept (epoch {known.epoch}): no log contains what they held"
                )
            return msgspec.convert(audit["after"], Position)
        is_there = self.spans[TopicPartition(self._topic, partition)].begin == 0
        begun = 0 if whole and is_there else known.begun
        terms = self._own_terms if whole else self._terms_at_first(partition)
        return Position(
            offset=begun - 1,
            begun=begun,
            epoch=known.epoch,
            app=known.app,
            cluster=known.cluster,
            topic_id=known.topic_id,
            changelog_id=known.changelog_id,
            partitions=self.partitions,
            engine=terms.engine,
            tzdata=terms.tzdata,
            foreign_keys=terms.foreign_keys,
        )


SHOWN: Final = 60
"""Bytes of a key in a message."""
_NEEDS: Final = "replay it with a release of engine {0}, or say --engine current to have this one decide it all"


class Copy:
    """What `cueline upgrade` has copied, partition after partition."""

    def __init__(self, file: Path) -> None:
        """Check the whole file. Raises `BadSnapshot`."""
        self.header = snapshot.header_of(file)
        self._file = file
        self._groups: Iterator[tuple[int, Iterator[snapshot.Item]]] = groupby(snapshot.items(file), key=lambda item: item[0])
        self._next = next(self._groups, None)

    def check(self, app: str, topic_id: str) -> None:
        """Raise `CannotReplay` if it is of another log."""
        if (self.header.app, self.header.topic_id) != (app, topic_id):
            raise CannotReplay(f"{self._file} is of another log: app {self.header.app}, topic {self.header.topic_id}")

    def take(self, partition: int) -> tuple[Position, MemoryStore]:
        """Give position and states of a partition; ask for them in the order of their numbers. Raises `CannotReplay`."""
        store, position = MemoryStore(), None
        while self._next is not None and self._next[0] < partition:
            self._next = next(self._groups, None)
        if self._next is not None and self._next[0] == partition:  # a partition without records has no group
            for _, key, value in self._next[1]:
                try:
                    if key == POSITION_KEY:
                        position = None if value is None else Position.decode(value)
                    else:
                        store.apply([(key.decode(), value)])
                except (UnicodeDecodeError, msgspec.DecodeError, WrongSchema) as error:
                    raise CannotReplay(
                        f"{self._file}: the record {key[:SHOWN]!r} of partition {partition} cannot be read: {error}"
                    ) from None
        if position is None:
            raise CannotReplay(f"{self._file} holds no position of partition {partition}")
        return position, store


async def last_position(settings: Settings, partition: int) -> Position | None:
    """Return the position of the last checkpoint of a partition, from the end of the changelog; None if there is none."""
    topic = settings.names.changelog
    tp = TopicPartition(topic, partition)
    begin, end = (await spans(settings, [topic]))[tp]
    reach = 1_000
    while end > begin:
        start = max(begin, end - reach)
        found = None
        async for batch in read(settings, topic, partition, start=start, end=end):
            found = next((record.value for record in reversed(batch) if record.key == POSITION_KEY), found)
        if found is not None or start == begin:
            return None if found is None else Position.decode(found)
        reach *= 16
    return None


def key_id(key: bytes | None) -> str | None:
    """Name a command key without revealing it: 8 hex digits; None for no key."""
    return None if key is None else hmac.digest(key, b"cueline key id", "sha256").hex()[:8]


async def command_keys(settings: Settings) -> dict[int, str | None]:
    """Return the id of the key that signed each command in `rules`, by the number of the command; None: it was not signed."""
    found: dict[int, str | None] = {}
    async for batch in read(settings, settings.names.rules, 0):
        for record in batch:
            kind, _, seq = (record.key or b"").decode("utf-8", "replace").partition(":")
            if kind == "command" and seq.isdecimal() and len(seq) <= LONGEST_OFFSET and record.value is not None:
                signer = dict(record.headers).get(KEY_HEADER)
                found[int(seq)] = None if signer is None else signer.decode("ascii", "replace")
    return found


async def foreign_commands(settings: Settings, numbers: Iterable[int]) -> frozenset[int]:
    """Return which of these commands workers with our `command_key` refuse: signed with another one, or not at all; without a key, none."""
    ours = key_id(settings.signing_key)
    if ours is None:
        return frozenset()
    signers = await command_keys(settings)
    return frozenset(seq for seq in numbers if signers.get(seq) != ours)


async def _audits(settings: Settings) -> dict[int, dict[str, Any]]:
    """Return the latest rebase of each partition that had one."""
    found: dict[int, dict[str, Any]] = {}
    async for batch in read(settings, settings.names.rules, 0):
        for record in batch:
            if (record.key or b"").startswith(b"audit:") and record.value is not None:
                audit = orjson.loads(record.value)
                found[int(audit["partition"])] = audit
    return found
