"""What a worker says while no broker answers."""

import asyncio
import logging

import pytest

from streams.kafka.brokers import Brokers


async def test_a_broker_that_is_away_is_told_once_and_ends_the_worker_after_the_patience(caplog: pytest.LogCaptureFixture) -> None:
    is_away, ended = False, asyncio.Event()
    said: list[str] = []

    async def ask() -> None:
        if is_away:
            await asyncio.Event().wait()

    def end(message: str) -> None:
        said.append(message)
        ended.set()

    brokers = Brokers(ask, 0.1, end)
    caplog.set_level(logging.WARNING)
    watching = asyncio.create_task(brokers.watch(0.01, 0.01))
    await asyncio.sleep(0.03)
    assert brokers.away() is None
    is_away = True
    await asyncio.wait_for(ended.wait(), 5)
    assert str(brokers.away()).startswith("no broker has answered since ")
    assert "longer than broker_patience" in said[0]
    assert caplog.text.count("no broker has answered") == 1
    is_away = False
    async with asyncio.timeout(5):
        while brokers.away() is not None:
            await asyncio.sleep(0.01)
    assert "brokers answer again" in caplog.text
    watching.cancel()
