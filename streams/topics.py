"""The topics of one installation: what each must be like, making them so, holding them against it, and looking at them (DESIGN §7).

A worker refuses to start over topics that would break a promise (PROTOCOL law 27). The usual accident is a topic that a broker created by
itself when somebody first wrote to it: one partition, `CreateTime`, and a changelog that is deleted after a week.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from streams.clients import DENIED, Cluster, Topic, spans

if TYPE_CHECKING:
    from streams.settings import Settings

log = logging.getLogger(__name__)

DAY: Final = 24 * 3_600_000
WEEK: Final = 7 * DAY
"""How long `events` should be kept at least: an outage of the workers must not outlast it."""
INTERNAL: Final = ("__consumer_offsets", "__transaction_state")
"""Kafka's own topics that transactions hang on."""
IN_SYNC: Final = "min.insync.replicas"
LOOKS: Final = 50
"""How often `create` looks whether a setting that it has changed has come through, a tenth of a second apart."""
MIB: Final = 1 << 20
KAFKAS_OWN_LIMIT: Final = MIB + 12
"""Kafka's default of `max.message.bytes`: a batch of 1 MiB and its header. What the engine writes is bounded below it (law 12)."""

Number = Literal["any", "as events", "exact"]


@dataclass(frozen=True)
class Wanted:
    """What one topic must be like."""

    name: str
    partitions: int
    """How many it is created with."""
    number: Number
    """What is asked of their number later: the setting `partitions` only says what to create."""
    configs: Mapping[str, str]
    """What it is created with."""
    must: frozenset[str]
    """Which of these must be exactly so; the others are advice to whoever creates it."""
    at_least: Mapping[str, int] = field(default_factory=dict)
    """Settings that may be higher; -1 is the highest."""


class Deviation(NamedTuple):
    """One thing about a topic that must not be so."""

    topic: str
    problem: str
    remedy: str
    fix: tuple[str, str] | None = None
    """The setting and the value with which `create` mends it; None where it cannot."""
    warning: bool = False
    """It should not be so, but a worker starts all the same."""

    def __str__(self) -> str:
        return f"{'warning: ' if self.warning else ''}{self.topic}: {self.problem}; {self.remedy}"


class TopicsWrong(Exception):  # noqa: N818 - it says what is the matter
    """The topics are not what they must be; the message has a line for each deviation."""

    def __init__(self, deviations: list[Deviation]) -> None:
        super().__init__("\n".join(str(deviation) for deviation in deviations))
        self.deviations = deviations


class Row(NamedTuple):
    """One topic as `cueline topics list` shows it."""

    topic: Topic
    offsets: int
    """From the first kept record to the end; control records and what compaction removed count."""
    bytes: int | None
    """On disk, of one replica; None where the brokers do not say."""
    lag: dict[int, int] | None
    """By partition: offsets that no checkpoint holds yet. Of `events` only."""
    configs: dict[str, str]
    """Those that matter here."""


def wanted(settings: Settings) -> list[Wanted]:
    """List what the topics of this installation must be like."""
    names = settings.names
    safety = {"unclean.leader.election.enable": "false", IN_SYNC: "2" if settings.profile == "prod" else "1"}
    least = {IN_SYNC: int(safety[IN_SYNC]), "max.message.bytes": KAFKAS_OWN_LIMIT}

    def topic(name: str, policy: str, number: Number = "as events", must: Mapping[str, str] | None = None, **advice: int) -> Wanted:
        exact = {"cleanup.policy": policy, "unclean.leader.election.enable": "false", **(must or {})}
        rest = {"max.message.bytes": str(KAFKAS_OWN_LIMIT), **{key.replace("_", "."): str(value) for key, value in advice.items()}}
        return Wanted(name, 1 if number == "exact" else settings.partitions, number, {**rest, **safety, **exact}, frozenset(exact), least)

    if settings.clock == "log":
        # Historic timestamps would fall to time-based retention at its next look.
        events = topic(names.events, "delete", "any", must={"message.timestamp.type": "CreateTime", "retention.ms": "-1"})
    else:
        events = topic(names.events, "delete", "any", must={"message.timestamp.type": "LogAppendTime"}, retention_ms=365 * DAY)
    return [
        events,
        topic(names.actions, "delete", retention_ms=7 * DAY),
        topic(names.decisions, "delete", retention_ms=30 * DAY),
        topic(names.receipts, "delete", "any", retention_ms=30 * DAY),
        topic(names.dead_letters, "delete", retention_ms=30 * DAY),
        topic(names.rules, "compact", "exact"),
        # Small segments: the one being written is never compacted. A week for tombstones: no restore may miss that a user was erased.
        topic(names.changelog, "compact", segment_bytes=128 * MIB, delete_retention_ms=7 * DAY),
    ]


async def create(settings: Settings, say: Callable[[str], None] = lambda _: None) -> None:
    """Create the topics that are missing and mend the settings of the others; each thing done is told to `say`.

    Raises `TopicsWrong` with what is left: a number of partitions or replicas cannot be mended. Warnings are told to `say`.
    """
    replication = 3 if settings.profile == "prod" else 1
    async with Cluster(settings) as cluster:
        for topic in wanted(settings):
            if await cluster.create(topic.name, topic.partitions, replication, topic.configs):
                say(f"{topic.name}: created, partitions: {topic.partitions}")
        async with asyncio.timeout(20):  # several brokers hear of a new topic one after the other
            while len(await cluster.topics(settings.names)) < len(settings.names):
                await asyncio.sleep(0.1)
        for deviation in await verify(settings):
            if deviation.fix:
                await cluster.alter(deviation.topic, dict([deviation.fix]))
                say(f"{deviation.topic}: {deviation.problem}; set to {deviation.fix[1]}")
    left = await verify(settings)
    for _ in range(LOOKS):  # the controller has a new value at once, the brokers hear of it a little later
        if not any(deviation.fix for deviation in left):
            break
        await asyncio.sleep(0.1)
        left = await verify(settings)
    _raise_or_warn(left, say)


def _raise_or_warn(deviations: list[Deviation], warn: Callable[[str], None]) -> None:
    wrong = [deviation for deviation in deviations if not deviation.warning]
    if wrong:
        raise TopicsWrong(wrong)
    for deviation in deviations:
        warn(str(deviation))


async def require(settings: Settings) -> dict[str, Topic]:
    """Describe the topics, and log the warnings. Raises `TopicsWrong` unless they are what they must be."""
    _raise_or_warn(await verify(settings), log.warning)
    async with Cluster(settings) as cluster:
        return await cluster.topics(settings.names)


async def verify(settings: Settings) -> list[Deviation]:
    """List every deviation, with its remedy; those that are only warnings come last."""
    async with Cluster(settings) as cluster:
        found = await cluster.topics(settings.names)
        configs = await cluster.configs(found) if found else {}
        internal: dict[str, Topic] = {}
        with suppress(*DENIED):  # who may not look at them has nothing to do with them
            internal = await cluster.topics(INTERNAL) if settings.profile == "prod" else {}
    return judge(settings, found, configs, internal)


def judge(
    settings: Settings, found: Mapping[str, Topic], configs: Mapping[str, Mapping[str, str]], internal: Mapping[str, Topic]
) -> list[Deviation]:
    """Hold what was found against what must be."""
    deviations: list[Deviation] = []
    events = found.get(settings.names.events)
    for topic in wanted(settings):
        is_there = found.get(topic.name)
        if is_there is None:
            deviations.append(Deviation(topic.name, "does not exist", "`cueline topics create` makes it"))
            continue
        deviations += _layout(topic, is_there, settings, events)
        deviations += _settings(topic, is_there, configs[topic.name])
        deviations += _in_sync(topic, is_there, configs[topic.name], settings)
    return deviations + list(_warnings(settings, configs, internal))


def _layout(topic: Wanted, found: Topic, settings: Settings, events: Topic | None) -> list[Deviation]:
    """Compare numbers of partitions and replicas: what no command can mend without losing what is in the topic."""
    deviations = []
    right = events.partitions if topic.number == "as events" and events is not None else topic.partitions
    if topic.number != "any" and found.partitions != right:
        why = f"must have {right}" + (f", as {settings.names.events} has" if topic.number == "as events" else "")
        remedy = (
            "a user's place depends on it, and no command can change it without loss: delete nothing; make topics under another prefix "
            "with `cueline topics create`, and feed them the old log"
        )
        deviations.append(Deviation(topic.name, f"has {found.partitions} partition{'s' if found.partitions > 1 else ''}, {why}", remedy))
    if settings.profile == "prod" and found.replication < 3:
        remedy = "reassign its partitions to three brokers (kafka-reassign-partitions.sh), make the topic anew, or say profile=dev"
        deviations.append(Deviation(topic.name, f"has {_replicas(found)}, profile prod needs 3", remedy))
    return deviations


def _settings(topic: Wanted, found: Topic, configs: Mapping[str, str]) -> list[Deviation]:
    deviations = []
    for key in sorted(topic.must):
        value, right = configs.get(key), topic.configs[key]
        if value is not None and value != right:
            deviations.append(_mendable(topic, key, f"{key} is {value}, must be {right}", right))
    for key, least in sorted(topic.at_least.items()):
        value = configs.get(key)
        if value is None or not -1 < int(value) < least:
            continue
        problem = f"{key} is {value}, must be at least {least}"
        if key == IN_SYNC and found.replication < least:  # set all the same, it would let nothing be written any more
            remedy = "first reassign its partitions to more brokers (kafka-reassign-partitions.sh), or make the topic anew"
            deviations.append(Deviation(topic.name, f"{problem}, and it has {_replicas(found)}", remedy))
        else:
            deviations.append(_mendable(topic, key, problem, topic.configs[key]))
    return deviations


def _in_sync(topic: Wanted, found: Topic, configs: Mapping[str, str], settings: Settings) -> list[Deviation]:
    """Compare replicas with how many of them each write needs: with too few nothing can be written, and each checkpoint hangs."""
    key, replicas = IN_SYNC, found.replication
    least, right = int(configs.get(key, "1")), topic.configs[key]
    if least > replicas:
        why = "nothing can be written to it"
    elif settings.profile == "prod" and least == replicas >= 3:  # of fewer replicas than that `_layout` speaks
        why = "one broker that is down keeps everybody from writing"
    else:
        return []
    problem = f"{key} is {least} and it has {_replicas(found)}: {why}"
    if int(right) <= replicas:
        return [_mendable(topic, key, problem, right)]
    return [Deviation(topic.name, problem, "reassign its partitions to more brokers (kafka-reassign-partitions.sh)")]


def _warnings(settings: Settings, configs: Mapping[str, Mapping[str, str]], internal: Mapping[str, Topic]) -> Iterator[Deviation]:
    events = settings.names.events
    kept = int(configs.get(events, {}).get("retention.ms", "-1"))
    if settings.clock == "broker" and -1 < kept < WEEK:
        problem = f"retention.ms is {kept}: what workers have not read after {_hours(kept)} is gone"
        yield Deviation(events, problem, f"a week ({WEEK}) at least is advised, and more for who wants to replay", warning=True)
    for topic in internal.values():
        if topic.replication < 3:
            problem = f"has {_replicas(topic)}: no transaction is safer than this topic"
            remedy = "reassign its partitions to three brokers (kafka-reassign-partitions.sh)"
            yield Deviation(topic.name, problem, remedy, warning=True)


def _replicas(topic: Topic) -> str:
    return f"{topic.replication} replica{'s' if topic.replication > 1 else ''}"


def _hours(ms: int) -> str:
    return f"{ms / 3_600_000:,.1f} hours"


def _mendable(topic: Wanted, key: str, problem: str, right: str) -> Deviation:
    hint = "; or say clock=log if the records bring their own historic time" if right == "LogAppendTime" else ""
    return Deviation(topic.name, problem, f"`cueline topics create` sets it to {right}{hint}", (key, right))


async def message_limits(settings: Settings) -> dict[str, int]:
    """Tell the `max.message.bytes` of each topic that exists: what a batch written to it may have at most (law 12)."""
    async with Cluster(settings) as cluster:
        configs = await cluster.configs(await cluster.topics(settings.names))
    return {name: int(found.get("max.message.bytes", KAFKAS_OWN_LIMIT)) for name, found in configs.items()}


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
