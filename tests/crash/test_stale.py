"""A worker that slept through a generation gets its partition back: PROTOCOL law 7.

The one that had it in between has armed a timer and died; the first worker knows nothing of it. Whether it opens the partition again,
or continues from its own position and is fenced at its first checkpoint: with nothing new in the log, the timer must fire.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from streams.broker import Broker
from streams.commands import send as control
from streams.commands import topics
from streams.kafka.clients import producer
from tests.conftest import SettingsFor
from tests.crash.rig import leave, until_quiet
from tests.crash.storm import SESSION
from tests.crash.verdict import judge
from tests.crash.workers import Worker, Workers

RULES: Final = {
    "rules.yaml": """version: 1
journeys:
  welcome:
    entry: {event: signed_up}
    steps: [{wait: 3s}, {send: {channel: push, text: Welcome}}]
"""
}
EVENT: Final = b'{"type":"track","event":"signed_up","userId":"ann"}'


@pytest.mark.timeout(170)
async def test_a_partition_is_not_kept_by_a_worker_that_slept_through_a_generation(
    kafka: Broker, settings_for: SettingsFor, crash_folder: Path
) -> None:
    settings = settings_for(kafka, partitions=1, session_timeout=SESSION, heartbeat=3_600)  # which would find out too
    await topics.create(settings)
    await control.apply(settings, RULES)
    await control.go_live(settings)
    with Workers(settings, crash_folder) as workers:
        first = workers.start()
        await _until(lambda: _owns(first), first)
        second = workers.start()
        await _until(lambda: "generation" in second.log.read_text(), second)
        await _until(lambda: _owns(first) != _owns(second), first)
        sleeper, other = (first, second) if _owns(first) else (second, first)
        sleeper.send(signal.SIGSTOP)
        await _until(lambda: _owns(other), other)
        async with producer(settings) as client:
            await client.send_and_wait(settings.names.events, EVENT, key=b"ann", partition=0)
        await asyncio.sleep(1.5)  # it is armed and saved, and due in 1.5 s
        other.send(signal.SIGKILL)
        sleeper.send(signal.SIGCONT)
        async with asyncio.TaskGroup() as tasks:
            supervisor = tasks.create_task(_replace(workers))
            await until_quiet(settings, 60, lull=0)
            supervisor.cancel()
        late = await leave(settings, workers)
    verdict = await judge(settings)
    assert not verdict.differences, f"all logs are in {crash_folder}:\n{verdict}"
    assert not late
    assert len(verdict.got.actions) == 1


def _owns(worker: Worker) -> bool:
    return 'cueline_partition_open{partition="0"} 1.0' in worker.metrics()


async def _replace(workers: Workers) -> None:
    """One that ends itself because it finds that it is not the owner any more is started again, as a supervisor would."""
    while True:
        if not list(workers):
            workers.start()
        await asyncio.sleep(0.3)


async def _until(happened: Callable[[], bool], worker: Worker, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(happened):
        assert worker.code is None, f"{worker} ended with {worker.code}:\n{worker.last_words()}"
        assert time.monotonic() < deadline, f"nothing happens; {worker}:\n{worker.last_words()}"
        await asyncio.sleep(0.05)
