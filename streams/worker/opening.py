"""Open a partition: check, fence, restore, and refuse if the log is not the one that the position names.

Laws of PROTOCOL.md kept here:

5. First the fence, then the end of the changelog, then its records, then the log itself: all transactions of our predecessor have ended.
6. The position knows its log. Every difference is refused with what it means and what to do; nothing is skipped, doubled or restarted
   silently. `cueline rebase` carries out what an operator decides.
17. Overrides are read when the partition opens.
24. States of an older schema are converted as they are read; a partition that was handed over to our terms is taken over, and no other
    one (`streams.commands.upgrade`).
21. Every rule set that the position or a user's run is pinned to is here before the fold begins. The open refuses a text that this release
    cannot use, and waits for one that is not in the topic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from aiokafka import TopicPartition

from streams.commands import terms as log_terms
from streams.commands.log_history import last_position
from streams.commands.rule_store import Unusable
from streams.kafka import skips
from streams.kafka.clients import DENIED, Cluster
from streams.kafka.partitioner import partition_of
from streams.kafka.reading import Ends, ends
from streams.kafka.records import Unreadable
from streams.kafka.retry import until
from streams.worker.restore import Damaged, Restored, restore
from triggers.base.model import Place
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.state.encoding import STATE_SCHEMA, WrongSchema, rule_sets_of
from triggers.state.old import converted, go_over
from triggers.state.position import Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table

if TYPE_CHECKING:
    from streams.commands.rule_store import RuleStore
    from streams.settings import Settings
    from streams.worker.checkpoint import Writer
    from triggers.records.messages import Terms


class Refused(Exception):  # noqa: N818 - an outcome that an operator has to decide on
    """The partition cannot be opened as things are; the message says why and what to do."""


class HandedOver(Exception):  # noqa: N818 - an outcome, not an error
    """The partition has moved to other terms than ours. The message names them and the place."""


@dataclass(frozen=True)
class Log:
    """Which log this is: what a position must agree with."""

    app: str
    cluster: str
    topic_id: str
    changelog_id: str
    partitions: int

    @staticmethod
    async def of(settings: Settings) -> Log:
        """Ask the cluster."""
        async with Cluster(settings) as cluster:
            topic, changelog = await cluster.need(settings.names.events), await cluster.need(settings.names.changelog)
            return Log(settings.app, await cluster.identity(), topic.id, changelog.id, topic.partitions)


async def open_partition(
    settings: Settings,
    log: Log,
    partition: int,
    *,
    writer: Writer,
    rule_store: RuleStore,
    fence: Callable[[Callable[[], Awaitable[None]]], Awaitable[None]],
    turn: asyncio.Semaphore,
    log_reader: Any,  # noqa: ANN401 - an aiokafka consumer that sees uncommitted records
    progress: Callable[[int, int], None],
    patience: Callable[[bool], None],
) -> tuple[Partition, Restored]:
    """Give the fold of the partition as the last checkpoint left it.

    `fence` carries out `writer.open` when the group still counts the partition as ours; the restore waits for its `turn`. `patience` is
    called when a wait begins that may take any time, and when it is over. Raises `Refused` and `HandedOver`.
    """
    mine = log_terms.own(settings)
    changelog, events = TopicPartition(settings.names.changelog, partition), TopicPartition(settings.names.events, partition)
    store = MemoryStore()
    try:
        await fence(writer.open)
        await _leave_to_others(settings, partition, mine, rule_store)
        patience(True)
        async with turn:
            patience(False)
            found = await ends(log_reader, changelog, events)
            restored = await restore(settings, partition, found[changelog], store, progress)
    except msgspec.DecodeError as error:
        raise Refused(_refusal(settings, partition, f"the position in {changelog.topic} cannot be read: {error}")) from None
    except Damaged as damaged:
        raise Refused(_refusal(settings, partition, str(damaged))) from None
    except Unreadable as unreadable:
        raise Refused(f"{events.topic}[{partition}] is not opened: {unreadable}. {skips.remedy(unreadable, events.topic)}") from None
    except DENIED as denied:
        raise Refused(f"{settings.names.events}[{partition}] is not opened: {denied!r}; docs/topics.md lists what workers need") from None
    position = restored.position
    if position is None:
        position = await _first_position(settings, log, partition, found[events], states=len(store))
        go_over(position, mine, 0 if rule_store.upgrade is None else rule_store.upgrade.command.seq)
    else:
        await _check(settings, log, partition, position, found[events], log_reader)
        if position.terms != mine or position.handed_to is not None:
            _take_over(settings, partition, position, mine, rule_store)
            restored = restored._replace(taken_over=True)
    patience(True)
    if position.converted >= 0:
        await _convert(settings, partition, store, position.converted)
    await _hold(settings, partition, position, store, rule_store)
    options = Options(
        belongs=lambda key: partition_of(key, log.partitions) == partition,
        accept_foreign_keys=position.foreign_keys,
        command_key=settings.signing_key,
        overrides=rule_store.overrides(settings.names.events, partition, log.topic_id),
        taken_back=rule_store.taken_back(settings.names.events, partition, log.topic_id),
    )
    table = Table(store, working_set=settings.share(log.partitions, 2, 4 << 20))
    patience(False)
    return Partition(Place(events.topic, partition), table, rule_store.library, position, options), restored


async def _leave_to_others(settings: Settings, partition: int, mine: Terms, rule_store: RuleStore) -> None:
    """Raise `HandedOver` if the partition has moved to other terms already. Then this worker need not restore its states."""
    upgrade = rule_store.upgrade
    if upgrade is None or upgrade.was != mine or upgrade.command.terms == mine:
        return
    position = await last_position(settings, partition)
    terms = upgrade.command.terms
    if position is not None and terms is not None and log_terms.has_gone_to(terms, position):
        raise HandedOver(f"it has moved to {terms}, and was saved at offset {position.offset}")


def _take_over(settings: Settings, partition: int, position: Position, mine: Terms, rule_store: RuleStore) -> None:
    """Take over a position that was handed over to our terms. Raise `Refused` or `HandedOver`."""
    upgrade = rule_store.upgrade
    if position.handed_to == mine:
        go_over(position, mine)
        return
    if upgrade is not None and upgrade.command.terms == mine and log_terms.was_left(upgrade, partition, position):
        go_over(position, mine, upgrade.command.seq)
        return
    if position.terms == mine:
        raise HandedOver(f"it was handed over to {position.handed_to} at offset {position.offset}")
    what = f"the position was saved under {position.terms}, and this worker has {mine}"
    newer = position.engine > mine.engine
    remedy = "Start the newer release, or go back with `cueline rebase --all --from FILE`" if newer else log_terms.REMEDY
    raise Refused(_refusal(settings, partition, what, remedy))


async def _convert(settings: Settings, partition: int, store: MemoryStore, clock: int) -> None:
    """Convert the states of an older schema, in a thread: there can be millions."""

    def convert() -> None:
        states = ((user_id, data, converted(data, clock)) for user_id, data in store.items())
        store.apply([(user_id, now) for user_id, data, now in states if now is not data])

    try:
        await asyncio.to_thread(convert)
    except msgspec.DecodeError as error:
        raise Refused(_refusal(settings, partition, f"{settings.names.changelog} holds a state that is none: {error}")) from None


async def _hold(settings: Settings, partition: int, position: Position, store: MemoryStore, rule_store: RuleStore) -> None:
    """Return when every rule set is here that the fold can ask for."""
    try:
        pinned = await asyncio.to_thread(rule_sets, store.items())
    except msgspec.DecodeError as error:
        raise Refused(_refusal(settings, partition, f"{settings.names.changelog} holds a state that is none: {error}")) from None
    meeting = position.meeting
    needs = [(position.rule_set, "is active there")]
    needs += [(previous, "was active until now") for previous in ([] if meeting is None else [meeting.previous, *meeting.cut])]
    for rule_set, why in [*needs, *((rule_set, f"user {user!r} is in a journey of it") for rule_set, user in sorted(pinned.items()))]:
        try:
            await rule_store.hold(rule_set)
        except Unusable as problem:
            what = f"{settings.names.events}[{partition}] is not opened: {problem} ({why}). Nothing was changed."
            again = "`cueline apply --force` with the same folder puts it back"
            raise Refused(
                f"{what} Start a release that can use it, as the one that applied it can; if the text is damaged, {again}"
            ) from None


def rule_sets(states: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Name the rule sets that runs are pinned to, each with one of the users. Raises `msgspec.DecodeError`."""
    found: dict[str, str] = {}
    for user_id, data in states:
        try:
            for rule_set in rule_sets_of(data):
                found.setdefault(rule_set, user_id)
        except WrongSchema as wrong:
            raise msgspec.DecodeError(f"of {user_id!r}: {wrong}") from None
    return found


async def _first_position(settings: Settings, log: Log, partition: int, events: Ends, *, states: int) -> Position:
    """Begin where the log begins, if there is no trace of an earlier worker."""
    if states:
        raise Refused(_refusal(settings, partition, f"{settings.names.changelog} holds {states} users, but no position"))
    async with Cluster(settings) as cluster:
        committed = (await cluster.group_offsets(settings.app, settings.names.events)).get(partition)
    if committed:
        what = (
            f"the group {settings.app} has read up to offset {committed}, but {settings.names.changelog} holds no position: "
            "the changelog is gone, and beginning again would send everything again"
        )
        raise Refused(_refusal(settings, partition, what))
    return Position(
        offset=events.begin - 1,
        app=log.app,
        cluster=log.cluster,
        topic_id=log.topic_id,
        changelog_id=log.changelog_id,
        partitions=log.partitions,
        begun=events.begin,
    )


async def _check(settings: Settings, log: Log, partition: int, position: Position, events: Ends, log_reader: Any) -> None:  # noqa: ANN401
    moved = "No position can correct that: create topics under another prefix, and feed them the old log"
    for name, ours, theirs, remedy in (
        ("the app", log.app, position.app, f"Set CUELINE_APP to {position.app}, or another prefix"),
        ("the cluster id", log.cluster, position.cluster, None),
        ("the id of the topic (it was deleted and made again)", log.topic_id, position.topic_id, None),
        ("the id of the changelog (it was deleted and made again, and the states with it)", log.changelog_id, position.changelog_id, None),
        ("the number of partitions (users live elsewhere now)", log.partitions, position.partitions, moved),
    ):
        if ours != theirs:
            raise Refused(_refusal(settings, partition, f"{name} is {ours}, the position was saved for {theirs}", remedy))
    if position.state_schema > STATE_SCHEMA:
        what = f"its states have schema {position.state_schema}, this release reads up to {STATE_SCHEMA}"
        raise Refused(_refusal(settings, partition, what, "Start the release that wrote it"))
    begin, end = events
    if end <= position.offset:  # a broker that has just restarted may not know yet how far its log is replicated
        tp = TopicPartition(settings.names.events, partition)

        async def seen() -> Ends | None:
            nonlocal begin, end
            begin, end = found = (await ends(log_reader, tp))[tp]
            return found if end > position.offset else None

        await until(seen, pause=0.5, times=11)
    if end <= position.offset:
        what = f"the log ends at offset {end}, before the position {position.offset}: records are lost, or the topic is another one"
        raise Refused(_refusal(settings, partition, what))
    if begin > position.offset + 1:
        what = f"the log begins at offset {begin}, after the position {position.offset}: retention has deleted records that were not read"
        raise Refused(_refusal(settings, partition, what))


def _refusal(settings: Settings, partition: int, what: str, remedy: str | None = None) -> str:
    """Return what is wrong and what to do; without a `remedy`, to decide with a rebase."""
    remedy = remedy or (
        "If this is the wrong cluster, prefix or app, correct the settings; "
        f"else decide with `cueline rebase` how partition {partition} continues; see docs/operating.md"
    )
    return f"{settings.names.events}[{partition}] is not opened: {what}. Nothing was changed. {remedy}"
