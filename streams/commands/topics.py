"""Create, list and delete the topics of one installation. `streams/commands/topic_layout.py` defines their layout."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final, NamedTuple

import orjson

from streams.commands import history
from streams.commands.history import operator
from streams.commands.topic_layout import TIMES, Deviation, TopicsWrong, elsewhere, raise_or_warn, verify, wanted, without_prefix
from streams.kafka.clients import Cluster, Topic, producer, read, spans
from streams.kafka.retry import until
from streams.settings import Settings

LOOKS: Final = 50
"""How often `create` checks whether a changed setting has arrived, a tenth of a second apart."""
MADE: Final = b"topic:"
"""Prefix of the key of the record in `rules` that says which topic `create` has created."""


class Refused(Exception):  # noqa: N818 - an outcome that the operator has to hear of
    """Nothing was changed. The message says why and what to do."""


class Row(NamedTuple):
    """One topic as `cueline topics list` shows it."""

    topic: Topic
    offsets: int
    """From the first kept record to the end, including control records and what compaction removed."""
    bytes: int | None
    """On disk, of one replica; None if the brokers do not report it."""
    lag: dict[int, int] | None
    """By partition: offsets that no checkpoint contains yet. Only for `events`."""
    configs: dict[str, str]
    """The relevant settings."""


async def create(settings: Settings, say: Callable[[str], None] = lambda _: None, *, reconfigure: bool = False) -> None:
    """Create missing topics and correct the settings of our topics; report each change to `say`.

    A topic is ours if `create` created it, or if it is empty. Settings of other topics change only with `reconfigure`, and so do those of
    `events` if it holds records of the other clock. Raises `TopicsWrong` with the remaining deviations: numbers of partitions and replicas
    cannot be corrected. Warnings go to `say`.
    """
    replication = 3 if settings.profile == "prod" else 1
    names = settings.names
    async with Cluster(settings) as cluster:
        there = await cluster.topics(names)
        if names.events not in there and (others := elsewhere(settings, await cluster.topics(without_prefix(settings)))):
            raise TopicsWrong(others)
        known = await made_topics(settings, there)
        events = there.get(names.events)
        partitions = settings.partitions if events is None else events.partitions
        if partitions != settings.partitions:
            say(f"{names.events}: has {partitions} partitions and keeps them; {settings.partitions} is for a topic that is made")
        made = []
        for topic in wanted(settings):
            number = partitions if topic.number == "as events" else topic.partitions
            if topic.name not in there and await cluster.create(topic.name, number, replication, topic.configs):
                say(f"{topic.name}: created, partitions: {number}")
                made.append(topic.name)

        async def all_there() -> dict[str, Topic] | None:
            seen = await cluster.topics(names)
            return seen if len(seen) == len(names) else None

        found = await until(all_there, pause=0.1, within=20) or {}  # several brokers learn of a new topic one after the other
        deviations = await verify(settings)
        foreign = set[str]() if reconfigure else await _foreign(settings, found, known, {*made})
        kept = set[str]() if reconfigure else foreign | await _of_another_clock(settings, deviations)
        for deviation in deviations:
            if deviation.fix and deviation.topic not in kept:
                await cluster.alter(deviation.topic, dict([deviation.fix]))
                say(f"{deviation.topic}: {deviation.problem}; set to {deviation.fix[1]}")
    if made and (names.rules not in foreign or known):
        await _record(settings, [found[name] for name in made])

    async def is_set() -> bool:
        return not any(deviation.fix and deviation.topic not in kept for deviation in await verify(settings))

    await until(is_set, pause=0.1, times=LOOKS)  # the controller has a new value at once, the brokers get it a little later
    left = await verify(settings)
    raise_or_warn([_held_back(settings, one, is_ours=one.topic not in foreign) if one.topic in kept else one for one in left], say)


def _held_back(settings: Settings, deviation: Deviation, *, is_ours: bool) -> Deviation:
    if deviation.fix is None:
        return deviation
    on_demand = f"`--reconfigure` sets {deviation.fix[0]} to {deviation.fix[1]}"
    remedy = (
        f"it holds records and `cueline topics create` did not make it, so it was not changed. If it is Cueline's, {on_demand}; "
        "otherwise choose another prefix (CUELINE_PREFIX)"
    )
    if is_ours:
        other = "broker" if settings.clock == "log" else "log"
        remedy = f"its records have the times of clock={other}, so it was not changed: set CUELINE_CLOCK={other}. {on_demand} anyway"
    return deviation._replace(remedy=remedy)


async def _of_another_clock(settings: Settings, deviations: list[Deviation]) -> set[str]:
    """Return `events` if its records have the times of the other clock: new records would move the log's clock permanently."""
    events = settings.names.events
    if not any(one.topic == events and one.fix and one.fix[0] == TIMES for one in deviations):
        return set()
    return {tp.topic for tp, span in (await spans(settings, [events], stable=False)).items() if span.end > 0}


async def _foreign(settings: Settings, found: Mapping[str, Topic], known: Mapping[str, str], made: set[str]) -> set[str]:
    """Return the topics that `create` has not created and that hold records."""
    others = [name for name, topic in found.items() if name not in made and known.get(name) != topic.id]
    extents = await spans(settings, others, stable=False) if others else {}
    return {tp.topic for tp, span in extents.items() if span.end > 0}


async def made_topics(settings: Settings, there: Mapping[str, Topic]) -> dict[str, str]:
    """Return which topics `create` has created, by name, with their ids at that time: the topic `rules` records it."""
    found: dict[str, str] = {}
    if settings.names.rules not in there:
        return found
    async for records in read(settings, settings.names.rules, 0):
        for record in records:
            key = record.key or b""
            if key.startswith(MADE) and record.value is not None:
                with suppress(ValueError, LookupError, TypeError):  # another program's record
                    found[key[len(MADE) :].decode("utf-8", "replace")] = str(orjson.loads(record.value)["topic_id"])
    return found


async def _record(settings: Settings, made: list[Topic]) -> None:
    async with producer(settings) as client:
        for topic in made:
            value = {"schema": 1, "topic_id": topic.id, "at": int(time.time() * 1000), "by": operator()}
            await client.send_and_wait(settings.names.rules, orjson.dumps(value), key=MADE + topic.name.encode(), partition=0)


class Removal(NamedTuple):
    """What `topics delete` deletes, and what it leaves."""

    gone: list[str]
    """Topics that `create` has created; `rules`, which records that, is the last one."""
    left: list[str]
    """Topics of these names that `create` has not created."""


async def removal(settings: Settings) -> Removal:
    """Return what `delete` would delete. Raises `Refused` while workers run, and if the topics belong to another app."""
    async with Cluster(settings) as cluster:
        there = await cluster.topics(settings.names)
        members = await cluster.members(settings.app)
    if members:
        raise Refused(f"the group {settings.app} has live members ({', '.join(members)}): stop the workers first")
    problem = (await history.read(settings)).of_another(settings.app) if settings.names.rules in there else None
    if problem is not None:
        raise Refused(f"{settings.names.events} {problem}")
    known = await made_topics(settings, there)
    ours = sorted((name for name, topic in there.items() if known.get(name) == topic.id), key=lambda name: name == settings.names.rules)
    return Removal(ours, sorted(there.keys() - set(ours)))


async def delete(settings: Settings, names: list[str]) -> None:
    """Delete these topics, one after the other."""
    async with Cluster(settings) as cluster:
        for name in names:
            await cluster.delete([name])


async def survey(settings: Settings) -> list[Row]:
    """Describe the topics that exist: partitions, settings, sizes, and the lag of `events`."""
    async with Cluster(settings) as cluster:
        found = await cluster.topics(settings.names)
        configs = await cluster.configs(found) if found else {}
        sizes = await cluster.sizes(found.values())
        committed = await cluster.group_offsets(settings.app, settings.names.events)
    extents = await spans(settings, found)
    rows = []
    for topic in wanted(settings):
        if topic.name not in found:
            continue
        own = {tp.partition: span for tp, span in extents.items() if tp.topic == topic.name}
        known = [size for tp, size in sizes.items() if tp.topic == topic.name]
        lag = None
        if topic.name == settings.names.events:
            lag = {partition: max(0, span.end - max(span.begin, committed.get(partition, 0))) for partition, span in own.items()}
        kinds = topic.must | set(topic.at_least) | ({"retention.ms"} if topic.configs["cleanup.policy"] == "delete" else set())
        shown = {key: configs[topic.name][key] for key in sorted(kinds) if key in configs[topic.name]}
        offsets = sum(span.end - span.begin for span in own.values())
        rows.append(Row(found[topic.name], offsets, sum(known) if known else None, lag, shown))
    return rows
