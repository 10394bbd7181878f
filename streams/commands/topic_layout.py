"""Define the required layout of the topics of one installation, and list the deviations from it (DESIGN §7).

A worker refuses to start over topics that would break a promise (PROTOCOL law 27). Most often a broker has created a topic automatically at
the first write to it: one partition, `CreateTime`, and a changelog that is deleted after a week.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from streams.kafka.clients import DENIED, Cluster, Topic
from streams.settings import Settings

log = logging.getLogger(__name__)

DAY: Final = 24 * 3_600_000
WEEK: Final = 7 * DAY
"""Minimum retention of `events`: an outage of the workers must not last longer."""
INTERNAL: Final = ("__consumer_offsets", "__transaction_state")
"""Kafka's own topics that transactions depend on."""
IN_SYNC: Final = "min.insync.replicas"
MIB: Final = 1 << 20
KAFKAS_OWN_LIMIT: Final = MIB + 12
"""Kafka's default of `max.message.bytes`: a batch of 1 MiB and its header. The engine writes smaller records (law 12)."""
TIMES: Final = "message.timestamp.type"
Number = Literal["any", "as events", "exact"]


@dataclass(frozen=True)
class Wanted:
    """The required layout of one topic."""

    name: str
    partitions: int
    """The number of partitions at creation."""
    number: Number
    """The required number later: the setting `partitions` applies only at creation."""
    configs: Mapping[str, str]
    """The configuration at creation."""
    must: frozenset[str]
    """The settings that must be exactly so; the others are advice for the creation."""
    at_least: Mapping[str, int] = field(default_factory=dict)
    """Settings that may be higher; -1 is the highest."""


class Deviation(NamedTuple):
    """One deviation of a topic."""

    topic: str
    problem: str
    remedy: str
    fix: tuple[str, str] | None = None
    """The setting and the value with which `create` corrects it; None if it cannot."""
    warning: bool = False
    """It is only a warning: a worker starts anyway."""

    def __str__(self) -> str:
        return f"{'warning: ' if self.warning else ''}{self.topic}: {self.problem}; {self.remedy}"


class TopicsWrong(Exception):  # noqa: N818 - it says what is the matter
    """The topics deviate. The message has a line for each deviation."""

    def __init__(self, deviations: list[Deviation]) -> None:
        super().__init__("\n".join(str(deviation) for deviation in deviations))
        self.deviations = deviations


def wanted(settings: Settings) -> list[Wanted]:
    """List the required layout of this installation's topics."""
    names = settings.names
    safety = {"unclean.leader.election.enable": "false", IN_SYNC: "2" if settings.profile == "prod" else "1"}
    least = {IN_SYNC: int(safety[IN_SYNC]), "max.message.bytes": KAFKAS_OWN_LIMIT}

    def topic(name: str, policy: str, number: Number = "as events", must: Mapping[str, str] | None = None, **advice: int) -> Wanted:
        exact = {"cleanup.policy": policy, "unclean.leader.election.enable": "false", **(must or {})}
        rest = {"max.message.bytes": str(KAFKAS_OWN_LIMIT), **{key.replace("_", "."): str(value) for key, value in advice.items()}}
        return Wanted(name, 1 if number == "exact" else settings.partitions, number, {**rest, **safety, **exact}, frozenset(exact), least)

    if settings.clock == "log":
        # Time-based retention would soon delete historic timestamps.
        events = topic(names.events, "delete", "any", must={TIMES: "CreateTime", "retention.ms": "-1"})
    else:
        events = topic(names.events, "delete", "any", must={TIMES: "LogAppendTime"}, retention_ms=365 * DAY)
    return [
        events,
        topic(names.actions, "delete", retention_ms=7 * DAY),
        topic(names.decisions, "delete", retention_ms=30 * DAY),
        topic(names.receipts, "delete", "any", retention_ms=30 * DAY),
        topic(names.dead_letters, "delete", retention_ms=30 * DAY),
        topic(names.rules, "compact", "exact"),
        # Small segments, because compaction never touches the current one. A week for tombstones: no restore may miss that a user was
        # erased.
        topic(names.changelog, "compact", segment_bytes=128 * MIB, delete_retention_ms=7 * DAY),
    ]


def raise_or_warn(deviations: list[Deviation], warn: Callable[[str], None]) -> None:
    """Raise `TopicsWrong` if one of these is more than a warning; otherwise report each warning to `warn`."""
    wrong = [deviation for deviation in deviations if not deviation.warning]
    if wrong:
        raise TopicsWrong(wrong)
    for deviation in deviations:
        warn(str(deviation))


async def require(settings: Settings) -> dict[str, Topic]:
    """Describe the topics, and log the warnings. Raises `TopicsWrong` if they deviate."""
    raise_or_warn(await verify(settings), log.warning)
    async with Cluster(settings) as cluster:
        return await cluster.topics(settings.names)


async def verify(settings: Settings) -> list[Deviation]:
    """List every deviation, with its remedy; warnings come last."""
    async with Cluster(settings) as cluster:
        found = await cluster.topics(settings.names)
        configs = await cluster.configs(found) if found else {}
        unprefixed = {} if settings.names.events in found else await cluster.topics(without_prefix(settings))
        internal: dict[str, Topic] = {}
        with suppress(*DENIED):  # without permission to look at them, skip the check
            internal = await cluster.topics(INTERNAL) if settings.profile == "prod" else {}
    return elsewhere(settings, unprefixed) + judge(settings, found, configs, internal)


def without_prefix(settings: Settings) -> list[str]:
    """List the names that the topics had before releases had a default prefix."""
    return [name.removeprefix(settings.prefix) for name in settings.names]


def elsewhere(settings: Settings, unprefixed: Mapping[str, Topic]) -> list[Deviation]:
    """Find the log of a release without a default prefix: next to it, an empty new one would begin silently."""
    changelog = settings.names.changelog.removeprefix(settings.prefix)
    if settings.prefix != Settings.model_fields["prefix"].default or not {"events", changelog} <= unprefixed.keys():
        return []
    problem = f"does not exist, but the topics events and {changelog} do, without the prefix {settings.prefix}"
    return [Deviation(settings.names.events, problem, "if they are this installation's, set CUELINE_PREFIX=none")]


def judge(
    settings: Settings, found: Mapping[str, Topic], configs: Mapping[str, Mapping[str, str]], internal: Mapping[str, Topic]
) -> list[Deviation]:
    """Compare the topics with the required layout."""
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
    """Compare numbers of partitions and replicas: no command can correct them without losing data."""
    deviations = []
    right = events.partitions if topic.number == "as events" and events is not None else topic.partitions
    if topic.number != "any" and found.partitions != right:
        why = f"must have {right}" + (f", as {settings.names.events} has" if topic.number == "as events" else "")
        remedy = (
            "a user's partition depends on it, and no command can change it without loss: delete nothing; use another prefix, create "
            "topics with `cueline topics create`, and feed them the old log"
        )
        deviations.append(Deviation(topic.name, f"has {found.partitions} partition{'s' if found.partitions > 1 else ''}, {why}", remedy))
    if settings.profile == "prod" and found.replication < 3:
        remedy = "reassign its partitions to three brokers (kafka-reassign-partitions.sh), create the topic again, or set profile=dev"
        deviations.append(Deviation(topic.name, f"has {_replicas(found)}, profile prod needs 3", remedy))
    return deviations


def _settings(topic: Wanted, found: Topic, configs: Mapping[str, str]) -> list[Deviation]:
    deviations = []
    for key in sorted(topic.must):
        value, right = configs.get(key), topic.configs[key]
        if value is not None and value != right:
            deviations.append(_correctable(topic, key, f"{key} is {value}, must be {right}", right))
    for key, least in sorted(topic.at_least.items()):
        value = configs.get(key)
        if value is None or not -1 < int(value) < least:
            continue
        problem = f"{key} is {value}, must be at least {least}"
        if key == IN_SYNC and found.replication < least:  # set anyway, it would prevent all writes
            remedy = "first reassign its partitions to more brokers (kafka-reassign-partitions.sh), or create the topic again"
            deviations.append(Deviation(topic.name, f"{problem}, and it has {_replicas(found)}", remedy))
        else:
            deviations.append(_correctable(topic, key, problem, topic.configs[key]))
    return deviations


def _in_sync(topic: Wanted, found: Topic, configs: Mapping[str, str], settings: Settings) -> list[Deviation]:
    """Compare replicas with the minimum for a write: with too few, no write succeeds, and each checkpoint hangs."""
    key, replicas = IN_SYNC, found.replication
    least, right = int(configs.get(key, "1")), topic.configs[key]
    if least > replicas:
        why = "nothing can be written to it"
    elif settings.profile == "prod" and least == replicas >= 3:  # `_layout` reports fewer replicas than that
        why = "one broker that is down blocks all writes"
    else:
        return []
    problem = f"{key} is {least} and it has {_replicas(found)}: {why}"
    if int(right) <= replicas:
        return [_correctable(topic, key, problem, right)]
    return [Deviation(topic.name, problem, "reassign its partitions to more brokers (kafka-reassign-partitions.sh)")]


def _warnings(settings: Settings, configs: Mapping[str, Mapping[str, str]], internal: Mapping[str, Topic]) -> Iterator[Deviation]:
    events = settings.names.events
    kept = int(configs.get(events, {}).get("retention.ms", "-1"))
    if settings.clock == "broker" and -1 < kept < WEEK:
        problem = f"retention.ms is {kept}: what workers have not read after {_hours(kept)} is lost"
        yield Deviation(events, problem, f"a week ({WEEK}) at least is advised, and more if you want to replay", warning=True)
    for topic in internal.values():
        if topic.replication < 3:
            problem = f"has {_replicas(topic)}: no transaction is safer than this topic"
            remedy = "reassign its partitions to three brokers (kafka-reassign-partitions.sh)"
            yield Deviation(topic.name, problem, remedy, warning=True)


def _replicas(topic: Topic) -> str:
    return f"{topic.replication} replica{'s' if topic.replication > 1 else ''}"


def _hours(ms: int) -> str:
    return f"{ms / 3_600_000:,.1f} hours"


def _correctable(topic: Wanted, key: str, problem: str, right: str) -> Deviation:
    remedy = f"`cueline topics create` sets it to {right}"
    if key == TIMES:
        clock, when = (
            ("log", "the records have their own historic time") if right == "LogAppendTime" else ("broker", "the broker sets the time")
        )
        remedy = f"set CUELINE_CLOCK={clock} if {when}; in an empty topic `cueline topics create` sets it to {right}"
    return Deviation(topic.name, problem, remedy, (key, right))
