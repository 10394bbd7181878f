"""Batches that cannot be read, in a real log: damaged on the broker's disk, or accepted by it although no client could unpack them."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from streams.broker.kafka import KafkaBroker
from streams.browse import event_names as names
from streams.browse import inspect
from streams.browse.replay import replay_topic
from streams.commands import send as control
from streams.commands import skipping
from streams.commands.log_history import CannotReplay
from streams.kafka import clients
from streams.kafka.records import Unreadable
from streams.settings import Settings
from tests.conftest import SettingsFor
from tests.integration.running import ROOT, Log, Worker, eventually, installed

MARK = b"mark-of-the-one-to-spoil"


def _event(user: str, note: str = "") -> bytes:
    return json.dumps({"type": "track", "userId": user, "event": "Paid", "properties": {"note": note}}).encode()


def spoil(broker: KafkaBroker, topic: str, partition: int, mark: bytes = MARK) -> None:
    """Change a byte of a record where it lies on the broker's disk, as a bad disk would. The broker does not look at what it serves."""
    (segment,) = (broker.folder / "logs" / f"{topic}-{partition}").glob("*.log")
    with segment.open("r+b") as file:
        at = file.read().index(mark)
        file.seek(at)
        file.write(bytes((mark[0] ^ 1,)))


async def _spoilt(broker: KafkaBroker, log: Log) -> int:
    topic = log.settings.names.events
    sent = await log.producer.send_and_wait(topic, _event("ann", MARK.decode()), key=b"ann", partition=0)
    spoil(broker, topic, 0)
    offset: int = sent.offset
    return offset


async def _bomb(broker: KafkaBroker, log: Log) -> int:
    """70 MiB in a batch of 70 KB: the broker takes it."""
    async with clients.producer(log.settings, compression_type="gzip", max_request_size=80 << 20, enable_idempotence=False) as producer:
        sent = await producer.send_and_wait(log.settings.names.events, bytes(70 << 20), key=b"ann", partition=0)
    offset: int = sent.offset
    return offset


async def _cueline(settings: Settings, folder: Path, *words: str) -> tuple[int | None, str, str]:
    """Run the command line: exit code, output, complaints."""
    own = {"CUELINE_BOOTSTRAP": settings.bootstrap, "CUELINE_APP": settings.app, "CUELINE_PREFIX": settings.prefix}
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli.main", *words),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    shown, said = await run.communicate()
    return run.returncode, shown.decode(), said.decode()


def _places(found: list[Any]) -> list[tuple[int, int]]:
    return [(record.partition, record.offset) for record in found]


async def _inspected(settings: Settings) -> list[Any]:
    return [record async for records in inspect.read(settings, settings.names.events) for record in records]


@pytest.mark.parametrize("make", [_spoilt, _bomb], ids=["damaged on disk", "gzip bomb"])
async def test_its_partition_stops_the_others_go_on_and_an_override_passes_it_for_worker_and_replay_alike(
    own_kafka: KafkaBroker, settings_for: SettingsFor, tmp_path: Path, make: Callable[[KafkaBroker, Log], Awaitable[int]]
) -> None:
    settings = settings_for(own_kafka, partitions=2, accept_foreign_keys=True)
    events = settings.names.events
    async with installed(settings) as log:
        before = (await log.track("ann", "Paid", partition=0)).offset
        bad = await make(own_kafka, log)
        behind = (await log.track("cat", "Paid", partition=0)).offset
        assert (before + 1, bad + 1) == (bad, behind)
        with Worker(settings, tmp_path) as worker:
            await worker.says(rf"events\[0\]: stopped before offset {bad}: offsets {bad} to {bad}: the batch cannot be read: ")
            assert f"`cueline override 0 {bad}-{bad} --reason TEXT`" in worker.said()
            assert 'cueline_partition_blocked{partition="0",reason="unreadable"} 1.0' in (await worker.get("/metrics"))[1]
            assert (await worker.get("/healthz"))[0] == (await worker.get("/readyz"))[0] == 200
            await log.track("bob", "Paid", partition=1)

            async def neighbour() -> bool:
                return "receipt bob" in await log.actions()

            await eventually(neighbour, 20, "the neighbour does not continue")
            assert (await log.positions())[0].offset == bad - 1

            for words in (("replay", "--topic", "--summary"), ("inspect", "events")):
                code, _, said = await _cueline(settings, tmp_path, *words)
                assert code == 1
                assert re.search(rf"events\[0\], offsets {bad} to {bad}: .*`cueline override 0 {bad}-{bad} --reason TEXT`", said), said
            with pytest.raises(control.Refused, match="can be read: no skip is needed"):
                await skipping.look(settings, 0, before, before)
            with pytest.raises(control.Refused, match=rf"name exactly these .*{bad}-{bad}"):
                await skipping.look(settings, 0, bad, behind)
            with pytest.raises(control.Refused, match="holds offsets 0 to"):
                await skipping.look(settings, 0, bad, behind + 100)

            loss = await skipping.look(settings, 0, bad, bad)
            assert "up to 1 record will never be folded" in loss.lines[1]
            with pytest.raises(control.Refused, match="needs a reason"):
                await skipping.skip(settings, loss, " ")
            skip = ("override", "0", f"{bad}-{bad}", "--reason", "a test")
            code, shown, said = await _cueline(settings, tmp_path, *skip)
            assert (code, "there is no terminal to ask on; give --yes" in said) == (1, True), said
            assert "will never be folded" in shown
            code, shown, said = await _cueline(settings, tmp_path, *skip, "--yes")
            assert (code, said) == (0, "")
            assert shown.endswith(f"events[0] continues after offset {bad}; offsets {bad} to {bad} are skipped\n")
            await log.is_saved()
            assert await names.of_topic(settings, 1 << 20) == {"Paid"}
            assert 'reason="unreadable"' not in (await worker.get("/metrics"))[1]
            assert await log.actions() == ["receipt ann", "receipt bob", "receipt cat"]
            with pytest.raises(control.Refused, match="is folded up to offset"):
                await skipping.look(settings, 0, bad, bad)
            await worker.leaves()

        replayed = await replay_topic(settings)
        for partition in (0, 1):
            assert replayed.actions[partition] == [r.value for r in await log.records(settings.names.actions) if r.partition == partition]  # type: ignore[attr-defined]
            assert replayed.decisions[partition] == [
                r.value
                for r in await log.records(settings.names.decisions)
                if r.partition == partition  # type: ignore[attr-defined]
            ]
        places = _places(await _inspected(settings))
        assert (0, bad) not in places
        assert {(0, before), (0, behind)} <= set(places)
        assert events == (await _inspected(settings))[0].topic


async def test_a_batch_with_a_command_is_not_skipped(own_kafka: KafkaBroker, settings_for: SettingsFor) -> None:
    settings = settings_for(own_kafka, partitions=1)
    async with installed(settings):
        spoil(own_kafka, settings.names.events, 0, b'"kind":"go-live"')
        with pytest.raises(CannotReplay) as told:
            await replay_topic(settings)
        problem = told.value.__context__
        assert isinstance(problem, Unreadable)
        assert problem.last is not None
        with pytest.raises(control.Refused, match=r"the batch contains command 2 \(go-live\): .*cueline rebase --partition 0 --from"):
            await skipping.look(settings, 0, problem.first, problem.last)


async def test_a_changelog_or_rules_that_cannot_be_read_end_the_worker_with_their_place(
    own_kafka: KafkaBroker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    settings = settings_for(own_kafka, partitions=1)
    async with installed(settings) as log:
        await log.track("a-user-to-spoil", "Paid", partition=0)
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        spoil(own_kafka, settings.names.changelog, 0, b"a-user-to-spoil")
        with Worker(settings, tmp_path) as worker:
            assert await worker.ends() == 78
            assert "changelog[0], offsets " in worker.said()
            assert "let another replica lead" in worker.said()
        spoil(own_kafka, settings.names.rules, 0, b"entry: {event: Signed Up}")
        with Worker(settings, tmp_path) as worker:
            assert await worker.ends() == 78
            assert "rules[0], offsets " in worker.said()
            assert "let another replica lead" in worker.said()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux how much memory the worker took")
async def test_batches_that_unpack_to_a_thousand_times_their_size_take_no_more_memory_together_than_is_set(
    kafka: KafkaBroker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Six partitions, each with two batches of 60 MiB in 60 KB. All are folded; a quarter of `memory` holds what is unpacked."""
    settings = settings_for(kafka, partitions=6, accept_foreign_keys=True, memory=256 << 20)
    async with installed(settings) as log:
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            before = _most_memory(worker)
            more = {"compression_type": "gzip", "max_request_size": 80 << 20, "max_batch_size": 80 << 20, "enable_idempotence": False}
            async with clients.producer(settings, **more) as producer:
                for partition in range(6):
                    for _ in range(2):
                        batch = producer.create_batch()
                        for _ in range(60):
                            assert batch.append(key=b"ann", value=bytes(1 << 20), timestamp=None) is not None
                        await (await producer.send_batch(batch, settings.names.events, partition=partition))

            async def folded() -> bool:
                positions = await log.positions()
                return all(positions[partition].offset >= 119 for partition in range(6))

            await eventually(folded, 120, "not all is folded")
            more_memory = _most_memory(worker) - before
            assert more_memory < 256 << 20, f"{more_memory >> 20} MiB"
            await worker.leaves()


def _most_memory(worker: Worker) -> int:
    """The most bytes that the process ever had in memory."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10  # type: ignore[index]
