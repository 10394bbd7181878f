"""One of three nodes is away and the cluster is healthy: whatever starts now works, at each start."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError

from streams.commands import topics
from streams.kafka.clients import Cluster, spans
from streams.settings import Settings, load
from streams.worker.checkpoint import Writer
from tests.cluster import ThreeNodes
from tests.conftest import kafka_jars
from tests.crash.workers import Workers
from triggers.base.model import Out
from triggers.engine.interface import Output

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeNodes]:
    """Three nodes, the third killed after the topics were made."""
    lib = kafka_jars()
    with ThreeNodes(tmp_path_factory.mktemp("three"), lib) as cluster:
        asyncio.run(topics.create(settings_of(cluster)))
        cluster.nodes[2].kill()
        yield cluster


def settings_of(cluster: ThreeNodes) -> Settings:
    return load(bootstrap=cluster.bootstrap, app="away", prefix="away.", partitions=4, profile="prod", http_port=-1, session_timeout=6)


@pytest.mark.timeout(180)
async def test_each_question_to_the_cluster_is_answered_by_the_nodes_that_are_there(nodes: ThreeNodes) -> None:
    """Asked of one random node it would fail in a third of the starts."""
    settings = settings_of(nodes)
    for _ in range(15):
        async with Cluster(settings) as cluster:
            assert await cluster.identity()
            assert (await cluster.need(settings.names.events)).replication == 3
            assert await cluster.configs([settings.names.events])
            assert await cluster.group_offsets("away", settings.names.events) == {}
            assert await cluster.members("away") == []
    assert len(await spans(settings, [settings.names.events])) == 4


async def test_one_node_is_enough_to_say_that_brokers_answer(nodes: ThreeNodes) -> None:
    """Also where the node that is away is asked first."""
    async with Cluster(settings_of(nodes)) as cluster:
        for _ in range(5):
            async with asyncio.timeout(2):
                await cluster.answers()


@pytest.mark.timeout(180)
async def test_a_topic_can_be_made_while_a_node_is_away(nodes: ThreeNodes) -> None:
    async with Cluster(settings_of(nodes)) as cluster:
        assert await cluster.create("another", 2, 2, {})
        await cluster.delete(["another"])


@pytest.mark.timeout(240)
async def test_workers_start_while_a_node_is_away(nodes: ThreeNodes, tmp_path: Path) -> None:
    settings = settings_of(nodes)
    with Workers(settings, tmp_path) as workers:
        for _ in range(3):
            workers.start()
        async with asyncio.timeout(120), Cluster(settings) as cluster:
            while not {partition for share in (await cluster.shares("away", settings.names.events) or {}).values() for partition in share}:
                assert all(worker.code is None for worker in workers.all), [worker.last_words() for worker in workers.all]
                await asyncio.sleep(0.5)
        await asyncio.sleep(5)  # nothing must happen: no worker ends
        assert [worker.code for worker in workers.all] == [None] * 3, [worker.last_words() for worker in workers.all]
        assert await asyncio.to_thread(workers.leave, 20) == []


@pytest.mark.timeout(120)
async def test_a_checkpoint_that_fails_names_what_ended_its_producer(nodes: ThreeNodes) -> None:
    """The sender of aiokafka says only `Unexpected error during batch delivery`; the connection that it lost is what a person looks for."""
    writer = Writer(settings_of(nodes), 1)
    await writer.open()
    producer = writer._producer

    async def lost(*_: object, **__: object) -> None:
        raise KafkaConnectionError("Connection at 127.0.0.1:9 closed")

    producer._sender._coordinators.clear()
    producer.client.coordinator_lookup = lost
    with pytest.raises(KafkaError, match=r"because of .*Connection at 127\.0\.0\.1:9 closed"):
        await writer.write(Output([], [Out(b"ann", b"{}")], [], [], 0, []))
    await writer.close()
