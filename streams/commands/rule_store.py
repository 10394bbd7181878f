"""The `rules` topic as a worker sees it: rule sets by their hash, and overrides.

It is small, compacted and has one partition, so a worker reads all of it at the start and then follows it. A partition that meets a command
before the text of its rule set waits here until the text arrives (PROTOCOL law 21). An override that lets a stopped partition continue (law
17) needs no restart.

Texts are kept packed and parsed only when a position, a run or a command needs them, in a thread: an installation applies hundreds of rule
sets in its life, and each costs a third of a second and some megabytes to parse.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from aiokafka import TopicPartition

from streams.commands.history import Entry
from streams.kafka.cancel import certain
from streams.kafka.clients import Cluster
from streams.kafka.reading import reader
from streams.kafka.records import Unreadable
from streams.kafka.skips import Skip, remedy
from triggers.journeys.library import Library
from triggers.rules.checks import load

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from streams.settings import Settings
    from triggers.definitions.model import RuleSet

log = logging.getLogger(__name__)

RULE_SET: Final = b"rule-set:"
OVERRIDE: Final = b"override:"
COMMAND: Final = b"command:"
LONGEST_OFFSET: Final = 19
"""Digits; offsets have 63 bits."""
REMIND: Final = 60.0
"""Seconds between two reminders that something is waited for."""


class Unusable(Exception):  # noqa: N818 - it says what is the matter
    """The text of a rule set is there, and this release cannot use it; the message says which and why."""


class RuleStore:
    """Rule sets, overrides and upgrades. `start` returns when all existing records are read; a task then follows the topic."""

    def __init__(self, settings: Settings) -> None:
        self.library = Library()
        self._settings = settings
        self._tp = TopicPartition(settings.names.rules, 0)
        self._overrides: dict[str, dict[int, str]] = defaultdict(dict)
        """By topic and partition: offsets, and the id of the topic that was meant; empty where the override names none."""
        self._skips: dict[str, dict[Skip, str]] = defaultdict(dict)
        """The same for the first and the last offset of what is to be skipped."""
        self._taken_back: dict[str, set[int]] = defaultdict(set)
        """By topic and partition: those overrides whose records are upgrades that were taken back."""
        self._texts: dict[str, bytes] = {}
        """Rule sets that were not needed yet: their records' values, packed."""
        self._parsed: dict[str, bytes] = {}
        """The same for those that are in the library."""
        self._parsing: dict[str, asyncio.Task[None]] = {}
        self._broken: dict[str, str] = {}
        self._upgrades: dict[int, Entry] = {}
        self._first: tuple[int, int] | None = None
        """Number of the first command, and the engine that wrote it; 0: it does not say."""
        self._news = asyncio.Event()
        self._followed: asyncio.Task[None] | None = None

    async def start(self, fail: Callable[[str], None], refuse: Callable[[str], None] | None = None) -> None:
        """Read everything, then keep following. Call `fail` when that is no longer possible, `refuse` if a restart cannot help."""
        read = asyncio.get_running_loop().create_future()
        self._followed = asyncio.create_task(self._follow(read, fail, refuse or fail))
        await read

    async def stop(self) -> None:
        if self._followed is not None:
            self._followed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._followed

    async def hold(self, *hashes: str | None) -> None:
        """Return when these rule sets are here. Raises `Unusable`; a text that is not in the topic is waited for."""
        for rule_set in filter(None, hashes):
            await self._parse(rule_set)
            if rule_set in self._broken:
                raise Unusable(f"rule set {rule_set}: {self._broken[rule_set]}")
            await self.fetch(rule_set)

    async def hold_all(self) -> None:
        """Parse every text that is here; those that cannot be used are named in the log. For tools that look at a whole log."""
        for rule_set in list(self._texts):
            await self._parse(rule_set)

    async def fetch(self, rule_set: str) -> None:
        """Return when this rule set is here and parsed, however long that takes."""
        while True:
            await self._parse(rule_set)
            if self.library.get(rule_set) is not None:
                return
            problem = self._broken.get(rule_set, "its text is not in the topic yet; `cueline apply` puts it there")
            log.warning("%s: waiting for rule set %s: %s", self._tp.topic, rule_set[:12], problem)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REMIND):
                    while not self._has(rule_set):
                        await self.news()

    def _has(self, rule_set: str) -> bool:
        """Return whether a text is here that may be usable. The first of those that wait for it parses it before the others look."""
        return rule_set in self._texts or rule_set in self._parsing or self.library.get(rule_set) is not None

    def keep(self, needed: Collection[str]) -> int:
        """Drop all parsed rule sets except these; parse one again when it is needed again. Return how many were dropped."""
        gone = self.library.keep(needed)
        for rule_set in gone:
            self._texts[rule_set] = self._parsed.pop(rule_set)
        return len(gone)

    async def news(self) -> None:
        """Return when something has arrived."""
        await self._news.wait()

    def overrides(self, topic: str, partition: int, topic_id: str) -> frozenset[int]:
        """Return the offsets of records of this partition whose timestamps must not move the clock.

        An override names the topic by its id: a topic created again under the same name does not inherit those of its predecessor.
        """
        found = self._overrides.get(f"{topic}:{partition}")
        return frozenset(offset for offset, meant in found.items() if meant in {"", topic_id}) if found else frozenset()

    def taken_back(self, topic: str, partition: int, topic_id: str) -> frozenset[int]:
        """Offsets of the upgrades of this partition that a rebase from a copy has taken back. They are overrides too."""
        return self.overrides(topic, partition, topic_id) & self._taken_back.get(f"{topic}:{partition}", set())

    def skips(self, topic: str, partition: int, topic_id: str) -> frozenset[Skip]:
        """Return the first and last offsets of the batches of this partition to skip, because they could not be read."""
        found = self._skips.get(f"{topic}:{partition}")
        return frozenset(skip for skip, meant in found.items() if meant == topic_id) if found else frozenset()

    @property
    def upgrade(self) -> Entry | None:
        """Return the last upgrade."""
        return self._upgrades[max(self._upgrades)] if self._upgrades else None

    @property
    def upgrades(self) -> list[Entry]:
        """Return all upgrades, in their order."""
        return [entry for _, entry in sorted(self._upgrades.items())]

    @property
    def is_of_engine_1(self) -> bool:
        """Return whether engine 1 has written the first command: such a command does not name its engine."""
        return self._first is not None and not self._first[1]

    async def _read(self, read: asyncio.Future[None]) -> None:
        async with reader(self._settings, isolation_level="read_committed") as client:
            client.assign([self._tp])
            await client.seek_to_beginning(self._tp)
            end = (await client.end_offsets([self._tp]))[self._tp]
            while True:
                if not read.done() and await client.position(self._tp) >= end:
                    read.set_result(None)
                for record in (await client.getmany(self._tp, timeout_ms=1_000)).get(self._tp, ()):
                    self._take_in(record)

    async def _follow(self, read: asyncio.Future[None], fail: Callable[[str], None], refuse: Callable[[str], None]) -> None:
        try:
            await certain(self._read(read), f"reading {self._tp.topic}")
        except Exception as error:  # noqa: BLE001 - `start` or `fail` gets it
            if not read.done():
                read.set_exception(error)
            elif isinstance(error, Unreadable):
                refuse(f"{error}. {remedy(error, self._settings.names.events)}")
            else:
                fail(f"the topic {self._tp.topic} cannot be followed: {error!r}")

    def _take_in(self, record: Any) -> None:  # noqa: ANN401 - aiokafka's record
        key, value = record.key or b"", record.value
        if key.startswith(RULE_SET) and value is not None:
            self._keep_text(key.removeprefix(RULE_SET).decode("ascii", "replace"), value)
        elif key.startswith(OVERRIDE):
            self._override(key.removeprefix(OVERRIDE).decode("utf-8", "replace"), value)
        elif key.startswith(COMMAND):
            self._command(key.removeprefix(COMMAND).decode("ascii", "replace"), value)
        self._news.set()
        self._news.clear()  # those who wait now are woken, those who come later wait for the next

    def _command(self, number: str, value: bytes | None) -> None:
        if not number.isdecimal() or len(number) > LONGEST_OFFSET:  # the head is another one's business
            return
        if value is None:  # taken back
            self._upgrades.pop(int(number), None)
            return
        try:
            entry = msgspec.json.decode(value, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("%s: command %s cannot be read: %s", self._tp.topic, number, error)  # noqa: TRY400
            return
        if self._first is None or entry.command.seq < self._first[0]:
            self._first = entry.command.seq, entry.command.engine
        if entry.command.kind == "upgrade":
            self._upgrades[entry.command.seq] = entry

    def _override(self, key: str, value: bytes | None) -> None:
        """Read an override. Ignore what `cueline override` would not have written: the topic's contents cannot be trusted."""
        place, _, digits = key.rpartition(":")
        first, dash, last = digits.partition("-")
        if not all(number.isdecimal() and len(number) <= LONGEST_OFFSET for number in ((first, last) if dash else (first,))):
            log.error("%s: %s:%s names no offset", self._tp.topic, place[:300], digits[:50])
            return
        # One record that must not move the clock, or a batch to skip.
        known: dict[Any, str] = self._skips[place] if dash else self._overrides[place]
        named = (int(first), int(last)) if dash else int(first)
        if value is None:
            known.pop(named, None)
            return
        try:
            document = orjson.loads(value)
            known[named] = str(document.get("topic_id", ""))
        except (ValueError, AttributeError) as error:
            log.error("%s: the override of %s:%s cannot be read: %s", self._tp.topic, place, digits, error)  # noqa: TRY400
            return
        if not dash:  # the latest record decides, since the topic is compacted
            (self._taken_back[place].add if document.get("taken_back") is True else self._taken_back[place].discard)(int(first))

    def _keep_text(self, rule_set: str, value: bytes) -> None:
        """Keep a text, unparsed. An unusable text must not stop the reading of others: `hold` reports it to a partition that needs it."""
        if self.library.get(rule_set) is None:  # also while another text of it is parsed, which may be unusable
            self._broken.pop(rule_set, None)
            self._texts[rule_set] = zlib.compress(value, 1)

    async def _parse(self, rule_set: str) -> None:
        """Parse a text that is here, once, also where several partitions need it at the same time."""
        parsing = self._parsing.get(rule_set)
        if parsing is None:
            packed = self._texts.pop(rule_set, None)
            if packed is None:
                return
            parsing = self._parsing[rule_set] = asyncio.create_task(self._parse_packed(rule_set, packed))
        await asyncio.shield(parsing)

    async def _parse_packed(self, rule_set: str, packed: bytes) -> None:
        try:
            rules = await asyncio.to_thread(_loaded, packed)
            if rules.hash == rule_set:
                self.library.add(rules)
                self._parsed[rule_set] = packed
                self._texts.pop(rule_set, None)
                return
            problem = f"its text has the hash {rules.hash[:12]}"
        except Exception as error:  # noqa: BLE001 - the topic's content is not ours to trust
            problem = f"it cannot be used by this release: {str(error)[:500]}"
        finally:
            del self._parsing[rule_set]
        if rule_set not in self._texts:  # else another one has come meanwhile
            self._broken[rule_set] = problem
        log.error("%s: rule set %s: %s", self._tp.topic, rule_set[:12], problem)


def _loaded(packed: bytes) -> RuleSet:
    return load(orjson.loads(zlib.decompress(packed))["files"], applied=True)


async def skips_of(settings: Settings, tps: Iterable[TopicPartition]) -> dict[TopicPartition, frozenset[Skip]]:
    """Return what is skipped of each of these partitions; only parts of `events` can be."""
    names = settings.names
    skips: dict[TopicPartition, frozenset[Skip]] = {tp: frozenset() for tp in tps}
    async with Cluster(settings) as cluster:
        there = await cluster.topics([names.events, names.rules])
    if any(tp.topic == names.events for tp in skips) and names.rules in there:
        rule_store = RuleStore(settings)
        try:
            await rule_store.start(fail=lambda _: None)
        finally:
            await rule_store.stop()
        skips = {tp: rule_store.skips(tp.topic, tp.partition, there[names.events].id) for tp in skips}
    return skips
