"""Access to Kafka without Faust: producers, consumers, and requests to the cluster.

All readers read committed records only (PROTOCOL law 1). No request in this module creates a topic by asking about it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IncompatibleBrokerVersion,
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    for_code,
)

from streams.kafka import wire
from streams.kafka.admin import PatientAdmin, borrow, give_back
from streams.kafka.cancel import is_requested
from streams.kafka.records import Unreadable
from streams.kafka.retry import insist, until
from streams.kafka.skips import Skip, last_skipped, without
from streams.kafka.unreachable import why_unreachable

if TYPE_CHECKING:
    from faust.types.auth import CredentialsT

    from streams.settings import Settings
    from triggers.base.model import Record

ABSENT = 3
"""Kafka's error code for a topic that does not exist."""

DENIED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
"""The brokers deny permission. A retry changes nothing."""


class Unreachable(Exception):  # noqa: N818 - its name says what is wrong
    """No broker answers, or none accepts the login. The message says which were tried and what they answered."""


class TopicMissing(Exception):  # noqa: N818 - its name says what is wrong
    """A required topic does not exist."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"there is no topic {topic}; `cueline topics create` makes it")
        self.topic = topic


class Truncated(Exception):  # noqa: N818 - its name says what is wrong
    """A partition begins after the requested offset, because retention has deleted it."""

    def __init__(self, tp: TopicPartition, wanted: int, begins: int) -> None:
        super().__init__(
            f"{tp.topic}[{tp.partition}] begins at offset {begins}, after {wanted}: retention has deleted the requested records"
        )
        self.begins = begins


class Topic(NamedTuple):
    """What the cluster knows of a topic."""

    name: str
    id: str
    """As Kafka's own tools print it. A topic that is deleted and created again has another id. It is empty if the broker has no ids. The
    embedded one has none, and also gives every data folder the same cluster id, so there only offsets identify a log.
    """
    partitions: int
    replication: int
    """Replicas of the partition that has the fewest."""


class Span(NamedTuple):
    """The part of a partition that can be read: `begin` is the first offset kept, `end` the one after the last."""

    begin: int
    end: int


# ---- Faust -----------------------------------------------------------------------------------------------------------


def faust_broker(settings: Settings) -> str:
    """Return the bootstrap servers in the form of Faust's setting `broker`."""
    return ";".join(f"kafka://{server}" for server in settings.servers)


def faust_credentials(settings: Settings) -> CredentialsT | None:
    """Return login and encryption in the form of Faust's setting `broker_credentials`; None for plain connections."""
    from faust.auth import SASLCredentials, SSLCredentials

    if settings.sasl_username and settings.sasl_password:
        return SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=settings.tls,
        )
    return SSLCredentials(settings.tls) if settings.tls else None


# ---- producing and consuming -----------------------------------------------------------------------------------------


@asynccontextmanager
async def producer(settings: Settings, **more: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - aiokafka's options
    """Provide a started `AIOKafkaProducer`. With a `transactional_id` it has fenced its predecessors and ended their transactions."""
    client = AIOKafkaProducer(**{"acks": "all", "enable_idempotence": True, **settings.client(), **more})
    async with _running(client, settings):
        yield client


def ended_by(producer: Any, error: Exception) -> Exception:  # noqa: ANN401 - aiokafka has no types
    """Return what has ended a producer that raises `IllegalOperation`. If it is fenced between two sends, it only says that no transaction
    is open.
    """
    task = producer._sender.sender_task  # noqa: SLF001 - no public attribute has it; a contract test checks it
    found = task.exception() if task is not None and task.done() and not task.cancelled() else None
    return found if isinstance(found, Exception) else error


@asynccontextmanager
async def consumer(settings: Settings, **more: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - aiokafka's options
    """Provide a started `AIOKafkaConsumer` without a group that reads committed records, and fails if an offset is out of range."""
    quiet = {"group_id": None, "enable_auto_commit": False, "isolation_level": "read_committed", "auto_offset_reset": "none"}
    client = AIOKafkaConsumer(**{**quiet, **settings.client(), **more})
    async with _running(client, settings):
        yield client


@asynccontextmanager
async def _running(client: Any, settings: Settings) -> AsyncIterator[None]:  # noqa: ANN401 - any aiokafka client
    try:
        await client.start()
    except (KafkaConnectionError, OSError) as error:
        await stop(client)
        raise Unreachable(await why_unreachable(settings)) from error
    except BaseException:
        await stop(client)
        raise
    try:
        yield
    finally:
        await stop(client)


async def stop(client: Any) -> None:  # noqa: ANN401 - any aiokafka client
    """Stop a client and close its connections.

    A consumer's inner task that sleeps before a retry, or never ran, passes its own cancellation to the caller of `stop`, which then closes
    nothing. Our code did not request that cancellation, so this function does not raise it.
    """
    try:
        await client.stop()
    except asyncio.CancelledError:
        await client._client.close()  # noqa: SLF001 - what `stop` did not get to
        if is_requested():
            raise


async def read(
    settings: Settings, topic: str, partition: int, start: int | None = None, end: int | None = None, skips: Collection[Skip] = ()
) -> AsyncGenerator[Sequence[Record]]:
    """Yield one partition's committed records from offset `start` up to but not including `end`, in batches as they come.

    The default for `start` is the first one kept, for `end` the last stable one at the call. `skips` are omitted. Raises `TopicMissing`,
    `Truncated` if retention has deleted offset `start`, and `Unreadable` at a batch that no skip covers.
    """
    async with Cluster(settings) as cluster:
        await cluster.need(topic)
    tp = TopicPartition(topic, partition)
    async with consumer(settings, max_poll_records=5_000) as client:
        begin = (await client.beginning_offsets([tp]))[tp]
        stop = (await client.end_offsets([tp]))[tp] if end is None else end
        if start is not None and start < min(begin, stop):
            raise Truncated(tp, start, begin)
        client.assign([tp])
        client.seek(tp, begin if start is None else start)  # at once: a moment later the client would look for a committed offset
        while await client.position(tp) < stop:
            try:
                records = without((await client.getmany(tp, timeout_ms=500)).get(tp, []), skips)
            except Unreadable as problem:
                last = last_skipped(skips, problem)
                if last is None:
                    raise
                client.seek(tp, last + 1)
                continue
            if records and records[-1].offset >= stop:
                records = [record for record in records if record.offset < stop]
                yield records
                return
            if records:
                yield records


async def spans(settings: Settings, topics: Iterable[str], *, stable: bool = True) -> dict[TopicPartition, Span]:
    """Return for each partition of these topics which offsets can be read. Raises `TopicMissing`.

    With `stable=False` a span ends after all written records, including those of open transactions.
    """
    async with Cluster(settings) as cluster:
        found = [await cluster.need(topic) for topic in topics]
    tps = [TopicPartition(topic.name, partition) for topic in found for partition in range(topic.partitions)]
    async with consumer(settings, isolation_level="read_committed" if stable else "read_uncommitted") as client:
        begins, ends = await client.beginning_offsets(tps), await client.end_offsets(tps)
    return {tp: Span(begins[tp], ends[tp]) for tp in tps}


# ---- the cluster -----------------------------------------------------------------------------------------------------


async def _started(settings: Settings) -> PatientAdmin:
    admin = PatientAdmin(**settings.client(), request_timeout_ms=20_000)
    try:
        await admin.start()
    except BaseException as error:
        await admin.close()
        if isinstance(error, (KafkaConnectionError, OSError)):
            raise Unreachable(await why_unreachable(settings)) from error
        raise
    return admin


class Cluster:
    """Requests to the cluster as a whole; use it as `async with Cluster(settings) as cluster`.

    All that are open at the same time on one loop, for one `Settings` object, share a connection. A worker keeps one open while it runs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: Any = None

    async def __aenter__(self) -> Self:
        self._admin = await borrow(self._settings, lambda: _started(self._settings))
        return self

    async def __aexit__(self, *_: object) -> None:
        await give_back(self._settings)

    async def _send(self, request: Any, node: int | None = None) -> Any:  # noqa: ANN401 - aiokafka's requests and responses
        try:
            return await self._admin.ask(request, node)
        except (IncompatibleBrokerVersion, NotImplementedError) as error:
            raise Unreachable(
                f"the broker is too old: {type(request).__name__} is not known to it; Kafka 2.8 or newer is needed"
            ) from error

    async def _patiently(self, ask: Callable[..., Awaitable[Any]], *arguments: object) -> Any:  # noqa: ANN401 - what `ask` returns
        """Repeat the request for 20 s while the broker says that it is not ready: a new cluster creates its coordinator at the first
        request for one.
        """
        async with asyncio.timeout(20):
            return await insist(lambda: ask(*arguments), KafkaError, pause=0.2, passes=attrgetter("retriable"))

    async def answers(self) -> None:
        """Return when the first broker has answered. Raises what `AWAY` names."""
        await self._admin.ask_anybody(wire.Metadata([]))

    async def identity(self) -> str:
        """Return the cluster id: 22 characters that never change, the same after every restart."""
        return str((await self._send(wire.Metadata([]))).cluster_id)

    async def topics(self, names: Sequence[str] | None = None) -> dict[str, Topic]:
        """Describe the existing ones of these topics, or all topics."""
        found = {}
        for code, name, topic_id, _, partitions, *_ in (await self._send(wire.Metadata(None if names is None else list(names)))).topics:
            if code == ABSENT:
                continue
            _raise_for(code, f"topic {name} cannot be described")
            replication = min((len(partition[4]) for partition in partitions), default=0)
            found[name] = Topic(name, _printed(topic_id.bytes), len(partitions), replication)
        return found

    async def need(self, name: str) -> Topic:
        """Describe this topic. Raises `TopicMissing`."""
        topic = (await self.topics([name])).get(name)
        if topic is None:
            raise TopicMissing(name)
        return topic

    async def configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the whole configuration of each of these topics, defaults included."""
        found: dict[str, dict[str, str]] = {}
        for response in await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
            for code, message, _, name, entries in response.resources:
                _raise_for(code, f"the configuration of topic {name} cannot be read: {message}")
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
        return found

    async def create(self, name: str, partitions: int, replication: int, configs: Mapping[str, str]) -> bool:
        """Create a topic and wait until it can be used. Return False if the name exists already."""
        response = await self._admin.create_topics([NewTopic(name, partitions, replication, topic_configs=dict(configs))])
        for _, code, *message in response.topic_errors:
            if code == TopicAlreadyExistsError.errno:
                return False
            _raise_for(code, f"topic {name} cannot be created: {message[0] if message else ''}")
        # The controller knows it. The brokers learn it a little later, even one that is also the controller.
        await until(lambda: self._has_leaders(name), pause=0.05, within=30)
        return True

    async def _has_leaders(self, name: str) -> bool:
        found = (await self._send(wire.Metadata([name]))).topics
        return all(
            code == 0 and partitions and all(partition[2] >= 0 for partition in partitions) for code, _, _, _, partitions, *_ in found
        )

    async def delete(self, names: Sequence[str]) -> None:
        """Delete these topics. A missing topic is no error."""
        response = await self._admin.delete_topics(list(names))
        for name, code, *_ in response.topic_error_codes:
            if code != ABSENT:
                _raise_for(code, f"topic {name} cannot be deleted")

    async def alter(self, name: str, configs: Mapping[str, str]) -> None:
        """Set these values of a topic's configuration; the others stay."""
        for code, message, *_ in (await self._send(wire.IncrementalAlterConfigs(name, dict(configs)))).resources:
            _raise_for(code, f"topic {name} cannot be changed: {message}")

    async def sizes(self, topics: Iterable[Topic]) -> dict[TopicPartition, int]:
        """Return the bytes on disk of each partition, of its biggest replica; empty if the brokers do not report it."""
        asked = [(topic.name, list(range(topic.partitions))) for topic in topics]
        wanted = {name for name, _ in asked}
        found: dict[TopicPartition, int] = {}
        for broker in (await self._send(wire.Metadata([]))).brokers:
            try:
                response = await self._send(wire.DescribeLogDirs(asked), broker[0])
            except (KafkaError, Unreachable):
                continue  # sizes are only for display; a broker that is down must not hide the rest
            for _, _, names in response.results:
                for name, partitions in names:
                    for partition, size, _, is_future in partitions:
                        if not is_future and name in wanted:  # the embedded broker answers for every topic
                            tp = TopicPartition(name, partition)
                            found[tp] = max(size, found.get(tp, 0))
        return found

    async def group_offsets(self, group: str, topic: str) -> dict[int, int]:
        """Return what a consumer group has committed for each partition of a topic."""
        committed = await self._patiently(self._admin.list_consumer_group_offsets, group)
        return {tp.partition: found.offset for tp, found in committed.items() if tp.topic == topic and found.offset >= 0}

    async def members(self, group: str) -> list[str]:
        """List the live members of a consumer group: client id and host."""
        _, members = await self._patiently(self._describe, group)
        return [f"{member[1]} at {member[2]}" for member in members]

    async def shares(self, group: str, topic: str) -> dict[str, set[int]] | None:
        """Return the partitions of a topic that each member of a consumer group has, by member id.

        Return None while the group is about to assign again, and if the broker does not report it.
        """
        state, members = await self._patiently(self._describe, group)
        if state != "Stable":
            return None
        found: dict[str, bytes] = {member[0]: member[-1] for member in members}
        return {member: _share(given, topic) for member, given in found.items()} if any(found.values()) else None

    async def _describe(self, group: str) -> tuple[str, list[Any]]:
        """Return a group's state and its members. Raises the coordinator's error, for example that it is still loading."""
        state, found = "", []
        for response in await self._admin.describe_consumer_groups([group]):
            for code, _, state, _, _, members, *_ in response.groups:  # noqa: B007 - one group is asked for
                _raise_for(code, f"group {group} cannot be described")
                found += members
        return state, found


def _share(assignment: bytes, topic: str) -> set[int]:
    if not assignment:
        return set()
    return {tp.partition for tp in ConsumerProtocolMemberAssignment.decode(assignment).partitions() if tp.topic == topic}


def _printed(uuid: bytes) -> str:
    return "" if not any(uuid) else base64.urlsafe_b64encode(uuid).decode().rstrip("=")


def _raise_for(code: int, what: str) -> None:
    if code:
        error = for_code(code)
        raise error(f"{what} ({error.__name__})")
