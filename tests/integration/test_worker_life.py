"""One worker from its start to its end: events become actions, once, and it says how it is."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from streams.broker import Broker
from streams.commands import send as control
from streams.commands import topics
from streams.kafka import clients
from tests.conftest import SettingsFor
from tests.integration.running import PROMPT, Worker, eventually, installed


async def test_events_become_actions_once_also_over_a_restart(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(broker)
    async with installed(settings) as log:
        for number in range(20):
            await log.track(f"u{number}", "Paid", messageId=f"first-{number}")
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            assert await worker.leaves() < 10
        for number in range(20):
            await log.track(f"u{number}", "Paid", messageId=f"second-{number}")
        with Worker(settings, tmp_path) as worker:
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == sorted([f"receipt u{number}" for number in range(20)] * 2)
        assert len(await log.states()) == 20


async def test_a_timer_fires_by_a_tick_when_nothing_else_is_written(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Law 16; and one tick is outstanding at a time, so few are written."""
    settings = settings_for(broker)
    async with installed(settings) as log:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.track("ann", "Signed Up")

            async def sent() -> bool:
                return await log.actions() == ["prompt ann"]

            await eventually(sent, 15, "the timer has not fired")
            assert await worker.metric("cueline_ticks") <= 3
            await worker.leaves()


async def test_a_worker_tells_a_newcomer_what_is_still_to_be_done(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka)
    async with installed(settings, rules=None):
        with Worker(settings, tmp_path) as worker:
            await worker.says("no rules are active, so no user enters a journey: `cueline apply FOLDER` applies some")
            await control.apply(settings, {"rules.yaml": PROMPT})
            await worker.says("all partitions of this worker have reached command 1: rule set [0-9a-f]{12} is active, dry")
            await control.go_live(settings)
            await worker.says("all partitions of this worker have reached command 2: go-live")
            await worker.leaves()


async def test_with_the_clock_in_the_log_nobody_writes_ticks(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka, clock="log", partitions=1)
    async with installed(settings, rules=None) as log:
        with Worker(settings, tmp_path) as worker:
            await log.track("ann", "Signed Up")
            await log.is_saved()
            assert await worker.metric("cueline_ticks") == 0
            await worker.leaves()
        assert await log.end() == 1


async def test_the_page_tells_how_it_is(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka)
    async with installed(settings) as log:
        for number in range(10):
            await log.track(f"u{number}", "Paid")
        await log.producer.send_and_wait(settings.names.events, b"no JSON", key=b"u1")
        with Worker(settings, tmp_path) as worker:
            assert (await worker.get("/healthz")) == (200, "alive\n")
            await log.is_saved()
            assert (await worker.get("/readyz")) == (200, "ready: 2 partitions\n")
            counted = {
                name: await worker.metric(f"cueline_{name}")
                for name in (
                    "events",
                    "actions",
                    "dead_letters",
                    "dead_letters_by_reason",
                    "partition_open",
                    "partition_lag",
                    "partition_users",
                )
            }
            assert counted == {
                "events": 11,
                "actions": 10,
                "dead_letters": 1,
                "dead_letters_by_reason": 1,
                "partition_open": 2,
                "partition_lag": 0,
                "partition_users": 10,
            }
            assert await worker.metric("cueline_checkpoint_seconds_count") >= 2
            page = (await worker.get("/metrics"))[1]
            for name in ("checkpoint_age_seconds", "clock_lag_seconds", "unstable", "saved"):
                assert f'cueline_partition_{name}{{partition="0"}}' in page
            await worker.leaves()


async def test_an_open_transaction_upstream_holds_the_clock_and_can_be_seen(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Law 28: high watermark minus last stable offset."""
    settings = settings_for(kafka, partitions=1)
    async with installed(settings, rules=None) as log, clients.producer(settings, transactional_id=f"{settings.app}-upstream") as upstream:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await upstream.begin_transaction()
            await upstream.send_and_wait(settings.names.events, b"{}", key=b"ann")
            await log.track("bob", "Paid")

            async def seen() -> bool:
                return await worker.metric("cueline_partition_unstable") == 2

            await eventually(seen, 10, "the metric does not show it")
            assert await worker.metric("cueline_events") == 0
            await upstream.abort_transaction()
            await log.is_saved()
            assert await worker.metric("cueline_events") == 1
            assert await worker.metric("cueline_partition_unstable") == 0
            await worker.leaves()
        assert await log.records(settings.names.dead_letters) == []


async def test_aborted_records_are_never_seen(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Law 1; the position moves past them and past control records, so the log's end is reached (law 2)."""
    settings = settings_for(kafka, partitions=1)
    async with installed(settings) as log, clients.producer(settings, transactional_id=f"{settings.app}-upstream") as upstream:
        with Worker(settings, tmp_path) as worker:
            for number in range(6):
                await upstream.begin_transaction()
                await upstream.send_and_wait(
                    settings.names.events, b'{"type":"track","userId":"ann","event":"Paid","messageId":"%d"}' % number, key=b"ann"
                )
                await (upstream.abort_transaction() if number % 2 else upstream.commit_transaction())
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == ["receipt ann"] * 3


@pytest.mark.parametrize("moment", [0.6, 1.0, 1.4, 1.8, 2.4])
async def test_it_can_be_stopped_at_any_moment_of_its_start(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path, moment: float
) -> None:
    settings = settings_for(kafka)
    async with installed(settings) as log:
        for number in range(50):
            await log.track(f"u{number}", "Paid")
        with Worker(settings, tmp_path) as worker:
            await asyncio.sleep(moment)
            begun = time.monotonic()
            worker.process.send_signal(signal.SIGTERM)
            code = await worker.ends(12)
            # Python's own start, before the handler is there, knows only how to die.
            assert code in {0, -signal.SIGTERM}, worker.said()
            assert time.monotonic() - begun < 10
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == sorted(f"receipt u{number}" for number in range(50))


async def test_it_does_not_start_over_topics_that_are_not_right(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Law 27."""
    settings = settings_for(kafka)
    with Worker(settings, tmp_path) as worker:
        assert await worker.ends() == 78
        assert "does not exist; `cueline topics create` makes it" in worker.said()
    await topics.create(settings)
    async with clients.Cluster(settings) as cluster:
        await cluster.alter(settings.names.events, {"message.timestamp.type": "CreateTime"})
    with Worker(settings, tmp_path) as worker:
        assert await worker.ends() == 78
        assert "message.timestamp.type is CreateTime, must be LogAppendTime" in worker.said()


async def test_it_says_when_no_broker_answers(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka).model_copy(update={"bootstrap": "127.0.0.1:1"})
    with Worker(settings, tmp_path) as worker:
        assert await worker.ends() == 69
        assert "no broker can be reached (127.0.0.1:1" in worker.said()
