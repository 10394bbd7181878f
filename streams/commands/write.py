"""The only writer of commands: what it checks before it writes one, and the transaction that writes it (PROTOCOL law 19).

One transaction holds all of a command: its record in every partition of `events`, the rule set's text, and its entry in `rules`. So either
all partitions meet it, each at its own place in the log, or none does. One writer at a time: all use the transactional id `<app>-control`,
and a later writer fences the one before, which then has written nothing. The transaction may take 5 s: while it is open, no partition can
be read beyond it.

A command that no partition would carry out is refused before it is written: one that follows on a command that the partitions have not met,
or that was signed with another key. It could not be taken back, and every later one would be refused with it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
from aiokafka.errors import IllegalOperation, ProducerFenced

from streams.commands import history, topic_layout
from streams.commands import terms as log_terms
from streams.commands.log_history import KEY_HEADER, command_keys, foreign_commands, key_id
from streams.kafka import clients
from streams.kafka.clients import Topic
from triggers.base.model import ENGINE
from triggers.base.moments import iso
from triggers.records.control import command_after, command_headers, command_value
from triggers.rules.checks import load

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.definitions.model import RuleSet
    from triggers.records.control import Kind
    from triggers.records.messages import Command, Terms
    from triggers.state.position import Position

TRANSACTION_TIMEOUT: Final = 5_000
"""Milliseconds after which the broker ends the transaction of a command that hangs."""


class Refused(Exception):  # noqa: N818 - an outcome that the caller has to hear of
    """The command was not written; the message says why and what to do."""


class Session:
    """The only writer of commands, which knows all that were written before."""

    def __init__(
        self,
        settings: Settings,
        producer: Any,  # noqa: ANN401 - aiokafka's producer
        events: Topic,
        past: history.History,
        own: history.Standing,
        at: int | None,
        positions: dict[int, Position],
    ) -> None:
        self.state = log_terms.State(positions, past.upgrade, past.is_of_engine_1)
        """Under which terms the log is decided, and the last positions."""
        self._settings = settings
        self._producer = producer
        self._events = events
        self._past = past
        self._at = at
        self.standing = own
        """The result of the commands if those of another key were refused."""

    def rules(self, rule_set: str | None) -> RuleSet | None:
        """Give a rule set that was published before; None if there is none or this release cannot read it."""
        files = None if rule_set is None else self._past.files.get(rule_set)
        try:
            return None if files is None else load(files, applied=True)
        except Exception:  # noqa: BLE001 - a rule set of an older release must not keep a new one from being applied
            return None

    def know(self, journey: str) -> None:
        """Raise `Refused` unless the active rule set has this journey, or an earlier one of which runs may remain."""
        current = self.rules(self._past.standing().rule_set)
        if current is None:
            raise Refused("no rule set has been applied yet; `cueline apply RULES` comes first")
        if journey in current.journeys or journey in self.standing.paused:
            return
        if any(earlier is not None and journey in earlier.journeys for earlier in map(self.rules, self._past.files)):
            return
        known = list(current.journeys)
        near = get_close_matches(journey, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise Refused(f"the active rule set has no journey {journey}; {hint}")

    @property
    def partitions(self) -> int:
        """Return how many partitions `events` has."""
        return self._events.partitions

    @property
    def last(self) -> int:
        """Return the number of the last command."""
        return self._past.seq

    async def write(
        self,
        kind: Kind,
        *,
        rules: RuleSet | None = None,
        journey: str | None = None,
        terms: Terms | None = None,
        was: Terms | None = None,
        saved: Sequence[int] = (),
    ) -> Command:
        """Write one command, whole; `terms`, `was` and `saved` are an upgrade's."""
        rule_set = None if rules is None else rules.hash
        command = command_after(self._past.seq, kind, rule_set=rule_set, journey=journey, app=self._settings.app, terms=terms)
        async with transaction(self._producer):
            if rules is not None and not self._has(rules):
                text = orjson.dumps({"schema": 1, "hash": rules.hash, "files": dict(rules.files)}, option=orjson.OPT_SORT_KEYS)
                await self._publish(f"rule-set:{rules.hash}", text)
            offsets = await self._send_everywhere(command_value(command))
            entry = history.Entry(
                command=command,
                topic_id=self._events.id,
                offsets=offsets,
                at=now(),
                by=history.operator(),
                was=was,
                saved=list(saved),
            )
            signer = key_id(self._settings.signing_key)
            headers = [] if signer is None else [(KEY_HEADER, signer.encode())]
            await self._publish(f"command:{command.seq}", msgspec.json.encode(entry), headers)
            await self._publish("command:head", command_value(command), headers)
        return command

    def _has(self, rules: RuleSet) -> bool:
        """Return whether its text is in the topic; a damaged one does not count."""
        there = self.rules(rules.hash)
        return there is not None and there.hash == rules.hash

    async def _publish(self, key: str, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        await self._producer.send_and_wait(self._settings.names.rules, value, key=key.encode(), partition=0, headers=headers)

    async def _send_everywhere(self, value: bytes) -> list[int]:
        """Put the command into every partition; returns the offsets."""
        headers = command_headers(value, self._events.name, self._settings.signing_key)
        sent = [
            await self._producer.send(self._events.name, value, partition=partition, timestamp_ms=self._at, headers=headers)
            for partition in range(self._events.partitions)
        ]
        return [(await acknowledged).offset for acknowledged in sent]


@asynccontextmanager
async def session(settings: Settings, at: int | None, *, force: bool = False, upgrading: bool = False) -> AsyncIterator[Session]:
    """Become the writer of commands. Raises `Refused` where no command can be written, or only an upgrade."""
    events = await _ground(settings, at)
    # Fence first, then read: the transaction of the writer before us has ended when we look (as in law 5).
    async with writer(settings) as producer:
        yield await _looked(settings, producer, events, at, force=force, upgrading=upgrading)


async def look(settings: Settings, at: int | None, *, force: bool = False, upgrading: bool = False) -> Session:
    """Check all that a writer checks, without becoming one: this fences no writer, and the session cannot write."""
    return await _looked(settings, None, await _ground(settings, at), at, force=force, upgrading=upgrading)


async def _ground(settings: Settings, at: int | None) -> Topic:
    """Hold the settings and the moment against the topics; returns `events`."""
    if settings.clock == "log" and at is None:
        what = "with clock=log the log has its own clock: say the command's moment with --at, for example --at 1996-12-31T00:00Z"
        raise Refused(f"{what}; if the broker says when, set CUELINE_CLOCK=broker")
    if settings.clock == "broker" and at is not None:
        raise Refused("the broker's clock says when (clock=broker); leave --at out")
    if at is not None and at > now():
        raise Refused(f"{iso(at)} is later than now: the log's clock would remain there permanently; nothing was written")
    async with clients.Cluster(settings) as cluster:
        events = await cluster.need(settings.names.events)
        await cluster.need(settings.names.rules)
    await _check_topics(settings)
    return events


async def _looked(
    settings: Settings,
    producer: Any,  # noqa: ANN401 - aiokafka's producer
    events: Topic,
    at: int | None,
    *,
    force: bool,
    upgrading: bool,
) -> Session:
    past = await _past(settings)
    _check_app(settings, past)
    positions = await log_terms.read_positions(settings)
    if not upgrading:
        _check_engine(log_terms.State(positions, past.upgrade, past.is_of_engine_1))
    if not force:
        await _check_key(settings, past)
        _check_partitions(events, past, positions)
    foreign = await foreign_commands(settings, past.entries)
    own = replace(past, entries={seq: entry for seq, entry in past.entries.items() if seq not in foreign}).standing()
    return Session(settings, producer, events, past, own, at, positions)


def _check_engine(state: log_terms.State) -> None:
    """Raise `Refused` if the log is decided by another engine: its workers would stop before the command, or make a dead letter of it."""
    theirs = state.in_force
    if theirs is None or theirs.engine == ENGINE:
        return
    what = f"this log is decided by engine {theirs.engine}, and this release has engine {ENGINE}; nothing was written"
    if theirs.engine > ENGINE:
        raise Refused(f"{what}: use the newer release")
    raise Refused(f"{what}: first `cueline upgrade`, or use {log_terms.release_of(theirs)}")


async def _past(settings: Settings) -> history.History:
    try:
        return await history.read(settings)
    except TimeoutError:
        raise Refused(f"{settings.names.rules} has an open transaction that does not end; is a rebase in progress?") from None


async def _check_topics(settings: Settings) -> None:
    """Raise `Refused` over topics that every worker refuses; a wrong setting `clock` is the usual reason."""
    wrong = [deviation for deviation in await topic_layout.verify(settings) if not deviation.warning]
    if wrong:
        lines = "\n".join(str(deviation) for deviation in wrong)
        raise Refused(f"no worker would start over these topics, so nothing was written:\n{lines}")


async def check_owner(settings: Settings) -> None:
    """Raise `Refused` if the log belongs to another app, or its clock is another one than the settings say."""
    _check_app(settings, await _past(settings))
    await _check_topics(settings)


def _check_app(settings: Settings, past: history.History) -> None:
    """Raise `Refused` if the log belongs to another app: that of its first command."""
    problem = past.of_another(settings.app)
    if problem is not None:
        raise Refused(f"{settings.names.events} {problem}")


async def _check_key(settings: Settings, past: history.History) -> None:
    """Raise `Refused` if the last command carries another signature than the next one would."""
    if past.seq == 0:
        return
    theirs, ours = (await command_keys(settings)).get(past.seq), key_id(settings.signing_key)
    if theirs == ours:
        return
    if theirs is None:
        what = "was not signed, and this one would be: workers that have the command_key refuse what follows on it"
    elif ours is None:
        what = f"was signed (key id {theirs}), and no command_key is set here: workers that have it refuse what is not signed"
    else:
        what = f"was signed with another command_key (key id {theirs}, here {ours}): workers refuse what has not theirs"
    raise Refused(
        f"command {past.seq} {what}, and then every later command too. Nothing was written. Set CUELINE_COMMAND_KEY as the workers "
        "have it; where the key was changed on purpose, `cueline rebase --state keep` brings the partitions to it; then say --force once"
    )


def _check_partitions(events: Topic, past: history.History, positions: dict[int, Position]) -> None:
    """Raise `Refused` if a partition would refuse the next command, because its last one is not the last one."""
    last = past.entries.get(past.seq)

    def stands_wrong(number: int, position: Position) -> bool:
        if position.topic_id != events.id or position.last_command == past.seq:
            return False
        comes = last is not None and not last.stands_before(events.id, number, position.offset + 1)
        return not comes or position.last_command > past.seq

    wrong = [
        f"partition {number} at command {position.last_command}" for number, position in positions.items() if stands_wrong(number, position)
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise Refused(
            f"the last command is number {past.seq}, but {', '.join(wrong[:3])}{more} is past its place: no command that follows "
            "would be read there. Nothing was written. Look for `refused` in the decisions and for dead letters without a signature; then "
            "`cueline rebase --from OFFSET --state keep` with the workers stopped (--force writes anyway)"
        )


@asynccontextmanager
async def writer(settings: Settings) -> AsyncIterator[Any]:
    """Open a producer under the one transactional id of all writers of commands."""
    options = {"transactional_id": f"{settings.app}-control", "transaction_timeout_ms": TRANSACTION_TIMEOUT, "request_timeout_ms": 10_000}
    async with clients.producer(settings, **options) as producer:
        yield producer


@asynccontextmanager
async def transaction(producer: Any) -> AsyncIterator[None]:  # noqa: ANN401 - aiokafka's producer
    """Commit what was sent and acknowledged inside (law 10: the sender waits for it), or nothing."""
    try:
        async with producer.transaction():
            yield
    except (ProducerFenced, IllegalOperation, AssertionError) as error:  # the last where it was ended between the last send and the commit
        if not isinstance(clients.ended_by(producer, error), ProducerFenced):
            raise
        raise Refused("another program wrote a command at the same moment; nothing of this one was written: look, and try again") from None


def now() -> int:
    """Return the time of the system clock, ms."""
    return int(time.time() * 1000)
