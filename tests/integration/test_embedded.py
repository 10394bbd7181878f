"""The brokers that we start ourselves: they come up, keep what they acknowledged, and never outlive us."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from streams.broker import Broker, BrokerFailed, free_port
from streams.broker.embedded import EmbeddedBroker
from streams.broker.guard import Guarded
from streams.broker.kafka import KafkaBroker
from streams.kafka import clients
from tests.conftest import SettingsFor


async def _write(broker: Broker, settings_for: SettingsFor, app: str, values: list[bytes]) -> None:
    settings = settings_for(broker, app=app, prefix=f"{app}.")
    async with clients.Cluster(settings) as cluster:
        await cluster.create(settings.names.events, 1, 1, {})
    async with clients.producer(settings, transactional_id=f"{app}-writer") as producer, producer.transaction():
        for value in values:
            await producer.send_and_wait(settings.names.events, value, key=b"k", partition=0)


async def _read(broker: Broker, settings_for: SettingsFor, app: str) -> list[bytes | None]:
    settings = settings_for(broker, app=app, prefix=f"{app}.")
    # A commit is acknowledged before its marker is in the topic. The next owner of the id can start when it is.
    async with clients.producer(settings, transactional_id=f"{app}-writer"):
        pass
    return [record.value async for records in clients.read(settings, settings.names.events, 0) for record in records]


def test_the_embedded_broker_has_its_records_after_a_restart_on_the_same_folder(tmp_path: Path, settings_for: SettingsFor) -> None:
    broker = EmbeddedBroker(tmp_path)
    with broker:
        asyncio.run(_write(broker, settings_for, "restart", [b"1", b"2"]))
        before = broker.bootstrap
    with broker:
        assert broker.bootstrap == before
        assert asyncio.run(_read(broker, settings_for, "restart")) == [b"1", b"2"]


def test_real_kafka_has_its_records_after_kill_9_and_a_restart_on_the_same_folder(
    own_kafka: KafkaBroker, settings_for: SettingsFor
) -> None:
    asyncio.run(_write(own_kafka, settings_for, "killed", [b"1", b"2"]))
    own_kafka.kill()
    own_kafka.start()
    assert asyncio.run(_read(own_kafka, settings_for, "killed")) == [b"1", b"2"]


async def test_aborted_records_are_not_read_on_either_broker(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    async with clients.Cluster(settings) as cluster:
        await cluster.create(settings.names.events, 1, 1, {})
    async with clients.producer(settings, transactional_id=f"{settings.app}-writer") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(settings.names.events, b"aborted", partition=0)
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait(settings.names.events, b"committed", partition=0)
    assert await _read(broker, settings_for, settings.app) == [b"committed"]


async def test_a_topic_made_again_has_another_id_on_real_kafka(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    async with clients.Cluster(settings) as cluster:
        await cluster.create(settings.names.events, 1, 1, {})
        first = await cluster.need(settings.names.events)
        await cluster.delete([settings.names.events])
        while not await cluster.create(settings.names.events, 1, 1, {}):
            await asyncio.sleep(0.05)
        second = await cluster.need(settings.names.events)
    assert len(first.id) == len(second.id) == 22
    assert first.id != second.id


async def test_asking_for_a_topic_does_not_make_it(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    with pytest.raises(clients.TopicMissing, match="cueline topics create"):
        _ = [records async for records in clients.read(settings, settings.names.events, 0)]
    async with clients.Cluster(settings) as cluster:
        assert settings.names.events not in await cluster.topics()


async def test_a_broker_that_is_not_there_is_named_with_what_came_back(settings_for: SettingsFor) -> None:
    port = free_port()
    broker = EmbeddedBroker(Path("unused"), port)
    with pytest.raises(clients.Unreachable, match=rf"127\.0\.0\.1:{port}.*CUELINE_BOOTSTRAP"):
        async with clients.Cluster(settings_for(broker)):
            pass


def test_a_broker_that_cannot_start_says_what_stands_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder is needed")
    with pytest.raises(BrokerFailed, match=r"broker\.log"):
        EmbeddedBroker(tmp_path).start()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@pytest.mark.skipif(os.name == "nt", reason="asks after a process by signal 0")
def test_a_guarded_process_ends_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    child = f"import os, pathlib, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); time.sleep(600)"
    parent = textwrap.dedent(f"""
        import sys, time, pathlib
        from streams.broker.guard import Guarded
        Guarded([sys.executable, "-c", {child!r}], pathlib.Path({str(tmp_path / "log")!r}), pathlib.Path({str(tmp_path)!r}))
        time.sleep(600)
    """)
    process = subprocess.Popen([sys.executable, "-c", parent], cwd=Path(__file__).parent.parent.parent)
    try:
        deadline = time.monotonic() + 30
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        pid = int((tmp_path / "pid").read_text())
        assert _alive(pid)
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 10
    while _alive(pid):
        assert time.monotonic() < deadline, "the child lives on"
        time.sleep(0.02)


def test_a_guarded_process_that_has_ended_by_itself_tells_its_code(tmp_path: Path) -> None:
    process = Guarded([sys.executable, "-c", "print('so long'); raise SystemExit(3)"], tmp_path / "log", tmp_path)
    deadline = time.monotonic() + 30
    while process.ended() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.stop()
    assert process.ended() == 3
    assert (tmp_path / "log").read_text().strip() == "so long"
