"""A connection that breaks under the restore of a changelog does not keep its partition closed."""

from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest

from streams.broker import Broker
from streams.commands import topics
from streams.kafka import clients
from streams.kafka.reading import Ends
from streams.worker.restore import restore
from tests.conftest import SettingsFor
from triggers.state.store import MemoryStore


async def test_a_fetch_of_the_changelog_that_fails_while_the_client_is_stopped_raises_no_cancellation(
    kafka: Broker, settings_for: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiokafka's fetch task sleeps before its retry then, and `stop` passes the cancellation of that sleep on."""
    settings = settings_for(kafka, partitions=1)
    await topics.create(settings)
    async with clients.producer(settings) as producer:
        for number in range(10):
            await producer.send_and_wait(settings.names.changelog, b"state", key=b"user%d" % number, partition=0)
    send, fetches = AIOKafkaClient.send, 0

    async def failing(self: Any, node: int, request: Any, **more: Any) -> Any:
        nonlocal fetches
        if isinstance(request, FetchRequest):
            fetches += 1
            if fetches > 1:
                raise KafkaConnectionError("the connection was closed")
        return await send(self, node, request, **more)

    monkeypatch.setattr(AIOKafkaClient, "send", failing)
    end = 10
    for _ in range(5):  # whether the fetch task sleeps at that moment is a matter of some milliseconds
        fetches = 0
        store = MemoryStore()
        found = await restore(settings, 0, Ends(0, end), store)
        assert (found.records, len(store)) == (10, 10)
