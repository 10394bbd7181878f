"""One partition waits, the others continue: it waits for a rule set, the system clock, its own restore."""

import asyncio
import time
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from streams.broker import Broker
from streams.browse.replay import replay_topic
from streams.commands import send as control
from streams.commands.log_history import CannotReplay
from streams.kafka import clients
from tests.conftest import SettingsFor
from tests.integration.running import PROMPT, Worker, eventually, installed
from triggers.base.model import CONTROL_HEADER, ENGINE
from triggers.records.control import opening
from triggers.rules.checks import load


async def test_a_record_far_ahead_stops_its_partition_before_it_is_applied(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Law 17; the way past is an override, and then the record doesn't move the clock."""
    settings = settings_for(kafka, clock="log", max_ahead=60)
    async with installed(settings, rules=None) as log:
        ahead = int(time.time() * 1000) + 20 * 60_000
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            event = b'{"type":"track","userId":"%s","event":"Paid"}'
            for partition, user in enumerate((b"ann", b"bob")):
                await log.producer.send_and_wait(settings.names.events, event % user, key=user, partition=partition)
            await log.is_saved()
            wrong = await log.producer.send_and_wait(settings.names.events, event % b"ann", key=b"ann", partition=0, timestamp_ms=ahead)
            await log.producer.send_and_wait(settings.names.events, event % b"ann", key=b"ann", partition=0)

            await worker.says(r"events\[0\]: stopped before offset 1")
            assert 'cueline_partition_blocked{partition="0",reason="ahead"} 1.0' in (await worker.get("/metrics"))[1]
            await log.producer.send_and_wait(settings.names.events, event % b"bob", key=b"bob", partition=1)

            async def neighbour() -> bool:
                return (await log.positions())[1].offset == 1

            await eventually(neighbour, 10, "the neighbour does not continue")
            assert (await log.positions())[0].offset == 0
            await control.override(settings, 0, wrong.offset, "a test")
            await log.is_saved()
            assert (await log.positions())[0].clock < ahead - 10 * 60_000
            assert 'reason="ahead"' not in (await worker.get("/metrics"))[1]
            await worker.leaves()


async def test_what_a_newer_release_has_written_stops_its_partition_and_an_override_passes_it(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Also with running workers: all of them have stopped before it."""
    newest = f"a command of engine {ENGINE + 1}"
    settings = settings_for(kafka)
    async with installed(settings, rules=None) as log:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            newer = orjson.dumps({"kind": "split", "seq": 9, "previous": 0, "engine": ENGINE + 1})
            headers = [(CONTROL_HEADER, b"command")]
            stop = await log.producer.send_and_wait(settings.names.events, newer, partition=0, headers=headers)
            event = b'{"type":"track","userId":"%s","event":"Paid"}'
            for partition, user in enumerate((b"ann", b"bob")):
                await log.producer.send_and_wait(settings.names.events, event % user, key=user, partition=partition)
            await worker.says(rf"events\[0\]: stopped before offset 0, which is {newest}: this log needs a newer release")

            async def neighbour() -> bool:
                return (await log.positions())[1].offset == 0

            await eventually(neighbour, 10, "the neighbour does not continue")
            assert 'cueline_partition_blocked{partition="0",reason="newer-release"} 1.0' in (await worker.get("/metrics"))[1]
            with pytest.raises(CannotReplay, match=rf"events\[0\] offset 0 is {newest}: this log needs a newer release"):
                await replay_topic(settings)
            await control.override(settings, 0, stop.offset, "a test")
            await log.is_saved()
            assert (await log.positions())[0].offset == 1
            dead = (await log.records(settings.names.dead_letters))[0]
            assert dict(dead.headers)["reason"] == f"passed by an override: {newest}".encode()
            await worker.leaves()


async def test_a_record_a_little_ahead_waits_until_the_wall_has_caught_up(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka, clock="log", max_ahead=2, partitions=1)
    async with installed(settings, rules=None) as log:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            moment = int(time.time() * 1000) + 6_000
            await log.producer.send_and_wait(settings.names.events, b"{}", key=b"ann", timestamp_ms=moment)
            await worker.says("stopped before offset 0")
            await log.is_saved()
            assert time.time() * 1000 >= moment - 2_000
            await worker.leaves()


async def test_it_can_leave_while_it_is_stopped(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka, clock="log", max_ahead=60, partitions=1)
    async with installed(settings, rules=None) as log:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.producer.send_and_wait(settings.names.events, b"{}", key=b"ann", timestamp_ms=int(time.time() * 1000) + 20 * 60_000)
            await worker.says("stopped before offset 0")
            assert await worker.leaves() < 10


async def test_a_command_waits_for_the_text_of_its_rule_set(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Law 21."""
    settings = settings_for(kafka, partitions=1)
    files = {"rules.yaml": PROMPT}
    rule_set = load(files).hash
    async with installed(settings, rules=None) as log:
        for command in opening(rule_set, 0):
            await log.producer.send_and_wait(settings.names.events, command.value, partition=0, headers=list(command.headers))
        await log.track("ann", "Paid")
        with Worker(settings, tmp_path) as worker:
            await worker.says(f"waiting for rule set {rule_set[:12]}")
            assert 'reason="rule-set"} 1.0' in (await worker.get("/metrics"))[1]
            value = orjson.dumps({"schema": 1, "hash": rule_set, "files": files})
            await log.producer.send_and_wait(settings.names.rules, b"not it", key=b"rule-set:" + sha256(b"x").hexdigest().encode())
            await log.producer.send_and_wait(settings.names.rules, value, key=f"rule-set:{rule_set}".encode())
            await log.is_saved()
            assert await log.actions() == ["receipt ann"]
            await worker.leaves()


async def test_a_restore_that_has_to_wait_does_not_hold_up_the_others(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """A foreign transaction is open in the changelog: a restore must wait for what we have committed after it (law 5)."""
    settings = settings_for(kafka)
    async with installed(settings) as log:
        for partition in (0, 1):
            await log.track(f"u{partition}", "Paid", partition=partition)
        with Worker(settings, tmp_path, accept_foreign_keys=True) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        names = settings.names
        async with clients.producer(settings, transactional_id=f"{settings.app}-stranger", transaction_timeout_ms=12_000) as stranger:
            await stranger.begin_transaction()
            await stranger.send_and_wait(names.changelog, b"x", key=b"nobody", partition=0)
            # Behind it, committed, as if by a worker that has died since.
            async with clients.producer(settings, transactional_id=f"{settings.app}-0") as predecessor:
                position = (await log.positions())[0]
                await predecessor.begin_transaction()
                await predecessor.send_and_wait(names.changelog, position.encode(), key=b"\0position", partition=0)
                await predecessor.commit_transaction()
            with Worker(settings, tmp_path, accept_foreign_keys=True) as worker:
                await worker.says(r"events\[1\]: open")
                await log.track("u1", "Paid", partition=1)

                async def neighbour() -> bool:
                    return (await log.positions())[1].offset == await log.end(1) - 1

                await eventually(neighbour, 10, "the neighbour does not continue")
                assert "events[0]: open" not in worker.said()
                assert (await worker.get("/readyz")) == (503, "not ready: partitions not open: 0\n")
                await stranger.abort_transaction()
                await worker.opens()
                await worker.leaves()
        assert len(await log.actions()) == 3


async def test_a_busy_partition_that_is_stopped_does_not_slow_its_neighbour(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Its queue is full, and the client holds one chunk of it; the neighbour's events pass in well under a second."""
    settings = settings_for(kafka, clock="log", max_ahead=60, max_poll_records=100, heartbeat=1)
    async with installed(settings, rules=None) as log:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.producer.send_and_wait(
                settings.names.events, b"{}", key=b"ann", partition=0, timestamp_ms=int(time.time() * 1000) + 20 * 60_000
            )
            for _ in range(3_000):
                await log.producer.send(settings.names.events, b"x" * 1_000, key=b"ann", partition=0)
            await log.producer.flush()
            await worker.says("stopped before offset 0")
            slowest = 0.0
            for number in range(20):
                begun = time.monotonic()
                await log.producer.send_and_wait(settings.names.events, b"{}", key=b"bob", partition=1)
                while await worker.metric("cueline_events") < number + 1:
                    await asyncio.sleep(0.01)
                slowest = max(slowest, time.monotonic() - begun)
            assert slowest < 1

            # It is not fetched any more; its lag still grows.
            for _ in range(50):
                await log.producer.send_and_wait(settings.names.events, b"{}", key=b"ann", partition=0)
            end = await log.end(0)

            async def lag_is_told() -> bool:
                return f'cueline_partition_lag{{partition="0"}} {float(end)}' in (await worker.get("/metrics"))[1]

            await eventually(lag_is_told, 10, "the lag does not move")
            assert "where the log ends" not in worker.said()
            await worker.leaves()
