"""The topics of one installation: what each must be like, making them so, holding them against it, and looking at them (DESIGN §7).

A worker refuses to start over topics that would break a promise (PROTOCOL law 27). The usual accident is a topic that a broker created by
itself when somebody first wrote to it: one partition, `CreateTime`, and a changelog that is deleted after a week.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import orjson

from streams.commands import history
from streams.commands.history import operator
from streams.kafka.clients import DENIED, Cluster, Topic, producer, read, spans
from streams.kafka.retry import until
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

MADE: Final = b"topic:"
"""Begins the key of the record in `rules` that says which topic `create` has made."""

TIMES: Final = "message.timestamp.type"
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


class Refused(Exception):  # noqa: N818 - an outcome that the operator has to hear of
    """Nothing was changed; the message says why and what to do."""


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
        # Small segments: the one being written is never compacted. A week for tombstones: no restore may miss that a user was erased.
        topic(names.changelog, "compact", segment_bytes=128 * MIB, delete_retention_ms=7 * DAY),
    ]


async def create(settings: Settings, say: Callable[[str], None] = lambda _: None, *, reconfigure: bool = False) -> None:
    """Create the topics that are missing and correct the settings of those that are ours; each thing done is told to `say`.

    A topic is ours if `create` made it, or if it is empty. The settings of another one are changed with `reconfigure` only, and so are
    those of `events` where it holds records of the other clock.
    Raises `TopicsWrong` with what is left: a number of partitions or replicas cannot be corrected. Warnings are told to `say`.
    """
    replication = 3 if settings.profile == "prod" else 1
    names = settings.names
    async with Cluster(settings) as cluster:
        there = await cluster.topics(names)
        if names.events not in there and (elsewhere := _elsewhere(settings, await cluster.topics(_bare(settings)))):
            raise TopicsWrong(elsewhere)
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

        found = await until(all_there, pause=0.1, within=20) or {}  # several brokers hear of a new topic one after the other
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

    await until(is_set, pause=0.1, times=LOOKS)  # the controller has a new value at once, the brokers hear of it a little later
    left = await verify(settings)
    _raise_or_warn([_held_back(settings, one, is_ours=one.topic not in foreign) if one.topic in kept else one for one in left], say)


def _held_back(settings: Settings, deviation: Deviation, *, is_ours: bool) -> Deviation:
    if deviation.fix is None:
        return deviation
    on_demand = f"`--reconfigure` sets {deviation.fix[0]} to {deviation.fix[1]}"
    remedy = (
        f"it holds records and `cueline topics create` did not make it, so it was not changed. If it is Cueline's, {on_demand}; "
        "else choose another prefix (CUELINE_PREFIX)"
    )
    if is_ours:
        other = "broker" if settings.clock == "log" else "log"
        remedy = f"its records have the times of clock={other}, so it was not changed: set CUELINE_CLOCK={other}. {on_demand} all the same"
    return deviation._replace(remedy=remedy)


async def _of_another_clock(settings: Settings, deviations: list[Deviation]) -> set[str]:
    """Name `events` where its records have the times of the other clock: those that follow would move the log's clock for good."""
    events = settings.names.events
    if not any(one.topic == events and one.fix and one.fix[0] == TIMES for one in deviations):
        return set()
    return {tp.topic for tp, span in (await spans(settings, [events], stable=False)).items() if span.end > 0}


async def _foreign(settings: Settings, found: Mapping[str, Topic], known: Mapping[str, str], made: set[str]) -> set[str]:
    """Name the topics that `create` has not made and that hold records."""
    others = [name for name, topic in found.items() if name not in made and known.get(name) != topic.id]
    extents = await spans(settings, others, stable=False) if others else {}
    return {tp.topic for tp, span in extents.items() if span.end > 0}


async def made_topics(settings: Settings, there: Mapping[str, Topic]) -> dict[str, str]:
    """Tell which topics `create` has made, by name, with the id that each had then: the topic `rules` records it."""
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
    """What `topics delete` takes away, and what it leaves."""

    gone: list[str]
    """Topics that `create` has made; `rules`, which records that, is the last one."""
    left: list[str]
    """Topics of these names that `create` has not made."""


async def removal(settings: Settings) -> Removal:
    """Tell what `delete` would take away. Raises `Refused` while workers run, and where the topics belong to another app."""
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
        unprefixed = {} if settings.names.events in found else await cluster.topics(_bare(settings))
        internal: dict[str, Topic] = {}
        with suppress(*DENIED):  # who may not look at them has nothing to do with them
            internal = await cluster.topics(INTERNAL) if settings.profile == "prod" else {}
    return _elsewhere(settings, unprefixed) + judge(settings, found, configs, internal)


def _bare(settings: Settings) -> list[str]:
    return [name.removeprefix(settings.prefix) for name in settings.names]


def _elsewhere(settings: Settings, unprefixed: Mapping[str, Topic]) -> list[Deviation]:
    """Find the log of a release that had no prefix by default: beside it, an empty new one would begin in silence."""
    changelog = settings.names.changelog.removeprefix(settings.prefix)
    if settings.prefix != Settings.model_fields["prefix"].default or not {"events", changelog} <= unprefixed.keys():
        return []
    problem = f"does not exist, but the topics events and {changelog} do, without the prefix {settings.prefix}"
    return [Deviation(settings.names.events, problem, "if they are this installation's, set CUELINE_PREFIX=none")]


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
    remedy = f"`cueline topics create` sets it to {right}"
    if key == TIMES:
        clock, when = (
            ("log", "the records bring their own historic time") if right == "LogAppendTime" else ("broker", "the broker says when")
        )
        remedy = f"set CUELINE_CLOCK={clock} if {when}; in an empty topic `cueline topics create` sets it to {right}"
    return Deviation(topic.name, problem, remedy, (key, right))


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
