"""The broker goes away and comes back: nothing is lost or repeated."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.broker.kafka import KafkaBroker
from tests.conftest import SettingsFor
from tests.integration.running import Log, Worker, eventually, installed


@pytest.mark.timeout(300)
async def test_a_broker_that_is_killed_and_comes_back(own_kafka: KafkaBroker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Workers outlive a short absence; one that gives up after all is started again, as an orchestrator would."""
    settings = settings_for(own_kafka, partitions=4)
    async with installed(settings) as log:
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(settings, tmp_path)) for _ in range(2)]
            for worker in workers:
                await worker.opens()
            writing = asyncio.create_task(_pay(log, 100))
            await asyncio.sleep(0.5)
            own_kafka.kill()
            await asyncio.sleep(3)
            own_kafka.start()
            await asyncio.wait_for(writing, 60)

            async def saved() -> bool:
                for worker in [worker for worker in workers if worker.process.poll() is not None]:
                    assert worker.process.returncode in {69, 70}  # no broker for too long, or fenced
                    workers.remove(worker)
                    workers.append(stack.enter_context(Worker(settings, tmp_path)))
                return await log.saved()

            await eventually(saved, 90, "not everything is saved")
            assert await log.actions() == sorted(f"receipt u{number}" for number in range(100))


async def _pay(log: Log, count: int) -> None:
    """One message id each: what a client wrote twice, because the broker's answer was lost, counts once."""
    for number in range(count):
        await log.track(f"u{number}", "Paid", messageId=f"m{number}")
        await asyncio.sleep(0.02)


async def test_a_broker_that_stays_away_is_told_by_readyz_and_ends_the_worker_without_stacks(
    own_kafka: KafkaBroker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    settings = settings_for(own_kafka, partitions=1, broker_patience=15)
    async with installed(settings):
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            assert (await worker.get("/readyz"))[0] == 200
            own_kafka.kill()

            async def told() -> bool:
                status, text = await worker.get("/readyz")
                return status == 503 and "no broker has answered since" in text

            await eventually(told, 10, "/readyz does not say that the broker is away")
            assert (await worker.get("/healthz"))[0] == 200
            assert await worker.ends(40) == 69
            assert "longer than broker_patience" in worker.said()
            assert "Thread 0x" not in worker.said()
            own_kafka.start()
