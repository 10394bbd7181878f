"""The broker goes away and comes back; the workers stay, and nothing is lost or repeated."""

import asyncio
from pathlib import Path

from streams.broker.kafka import KafkaBroker
from tests.conftest import SettingsFor
from tests.integration.running import Log, Worker, installed


async def test_a_broker_that_is_killed_and_comes_back(own_kafka: KafkaBroker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(own_kafka, partitions=4)
    async with installed(settings) as log:
        users = [f"u{number}" for number in range(100)]
        with Worker(settings, tmp_path) as first, Worker(settings, tmp_path) as second:
            await first.opens()
            await second.opens()
            writing = asyncio.create_task(_pay(log, users))
            await asyncio.sleep(0.5)
            own_kafka.kill()
            await asyncio.sleep(3)
            own_kafka.start()
            await asyncio.wait_for(writing, 60)
            await log.is_saved(60)
            # A timeline of its own: what was acknowledged twice by a client that had to retry is one message with one id.
            assert await log.actions() == sorted(f"receipt {user}" for user in users)
            for worker in (first, second):
                assert worker.process.poll() is None
                await worker.leaves()


async def _pay(log: Log, users: list[str]) -> None:
    for number, user in enumerate(users):
        await log.track(user, "Paid", messageId=f"m{number}")
        await asyncio.sleep(0.02)
