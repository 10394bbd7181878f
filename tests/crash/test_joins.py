"""The first events of fresh partitions, while workers join and leave cleanly.

Where a partition has no committed offset yet, Faust seeks nowhere after a rebalance, and what it had fetched and thrown away is gone: the
old prototype lost 16 events of such a run. PROTOCOL laws 2 and 3 are there for it.
"""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from streams.broker import Broker
from streams.commands import send as control
from streams.commands import topics
from streams.kafka.clients import producer
from streams.kafka.partitioner import Partitions
from tests.conftest import SettingsFor
from tests.crash.rig import leave, until_quiet
from tests.crash.storm import SESSION
from tests.crash.verdict import judge
from tests.crash.workers import Worker, Workers

PARTITIONS: Final = 24
ROUNDS: Final = 6
PER_ROUND: Final = PARTITIONS // ROUNDS
RULES: Final = {
    "rules.yaml": """version: 1
journeys:
  echo:
    entry: {event: said}
    re_entry: always
    steps: [{send: {channel: push, text: "{{ properties.word }}"}}]
"""
}


@pytest.mark.timeout(170)
async def test_first_events_of_fresh_partitions_survive_graceful_joins(
    kafka: Broker, settings_for: SettingsFor, crash_folder: Path
) -> None:
    settings = settings_for(kafka, partitions=PARTITIONS, session_timeout=SESSION)
    await topics.create(settings)
    await control.apply(settings, RULES)
    await control.go_live(settings)
    users, words = _users(), 0
    fresh = list(users)
    with Workers(settings, crash_folder) as workers:
        async with producer(settings) as client:

            async def say(partition: int) -> None:
                nonlocal words
                words += 1
                value = b'{"type":"track","event":"said","userId":"%s","properties":{"word":"w%d"}}' % (users[partition], words)
                await client.send(settings.names.events, value, key=users[partition], partition=partition)

            first = workers.start()
            await _until(lambda: "partitions are open" in _log(first), first)
            guests: list[Worker] = []
            for number in range(ROUNDS):
                rests = _log(first).count("partitions settled")
                if number % 2 == 0:
                    guests.append(workers.start())
                    # Half of the time from before the rebalance begins, half from the moment in which it does.
                    if number % 4 == 0:
                        await _until(lambda: "worker of" in _log(guests[-1]), guests[-1])
                else:
                    guests.pop().send(signal.SIGTERM)
                if number % 4:
                    await _until(lambda rests=rests: _log(first).count("partitions settled") > rests, first)  # type: ignore[misc]
                for _ in range(PER_ROUND):
                    await say(fresh.pop())
                    await asyncio.sleep(0.01 if number % 4 else 0.15)
                await _until(lambda rests=rests: _log(first).count("partitions settled") > rests, first)  # type: ignore[misc]
                await asyncio.sleep(2)
                for partition in set(users) - set(fresh):
                    await say(partition)
            await client.flush()
        await until_quiet(settings, 60, lull=0)
        late = await leave(settings, workers)
    verdict = await judge(settings)
    assert not verdict.differences, f"all logs are in {crash_folder}:\n{verdict}"
    assert not late
    assert len(verdict.got.actions) == words


def _users() -> dict[int, bytes]:
    """A user id for each partition."""
    found: dict[int, bytes] = {}
    place, number = Partitions(PARTITIONS), 0
    while len(found) < PARTITIONS:
        user = b"user-%d" % number
        found.setdefault(place.of(user), user)
        number += 1
    return found


def _log(worker: Worker) -> str:
    return worker.log.read_text("utf-8", "replace")


async def _until(happened: Callable[[], Any], worker: Worker, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert worker.code is None, f"{worker} ended with {worker.code}:\n{worker.last_words()}"
        assert time.monotonic() < deadline, f"nothing happens; {worker}:\n{worker.last_words()}"
        await asyncio.sleep(0.005)
