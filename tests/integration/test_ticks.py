"""Ticks on real Kafka: what a broker says of the time at which it took one (PROTOCOL law 16)."""

import asyncio
import time

from streams.broker import Broker
from streams.commands import topics
from streams.kafka import clients
from streams.worker.ticks import Ticker
from tests.conftest import SettingsFor
from triggers.base.model import Record


class Partition:
    """One whose ticks are read back at once."""

    partition = 0
    offset = 1 << 61

    def __init__(self, due: int) -> None:
        self.due = due

    def tick_due(self) -> int:
        return self.due


async def test_a_clock_ahead_of_the_brokers_leads_to_a_few_ticks_and_none_is_late(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka, partitions=1)
    await topics.create(settings)
    partition = Partition(int(time.time() * 1000) + 2_000)
    ticker = Ticker(settings, lambda: [partition], now=lambda: time.time() + 60)
    ticking = asyncio.create_task(ticker.run())
    ticks: list[Record] = []
    async with asyncio.timeout(20):
        while not ticks or ticks[-1].timestamp < partition.due:
            await asyncio.sleep(0.1)
            ticks = [record async for batch in clients.read(settings, settings.names.events, 0) for record in batch]
    ticking.cancel()
    assert ticks[0].timestamp < partition.due - 1_000
    assert len([tick for tick in ticks if tick.timestamp < partition.due]) <= 3
    assert ticks[-1].timestamp < partition.due + 1_000
