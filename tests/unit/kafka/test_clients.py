"""Stopping a client: a cancellation of its own inner tasks is not ours."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from streams.kafka.clients import stop


class Client:
    """One whose inner task passes its cancellation on."""

    def __init__(self) -> None:
        self.closed = False
        self._client: Any = SimpleNamespace(close=self._close)

    async def _close(self) -> None:
        self.closed = True

    async def stop(self) -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError


async def test_a_cancellation_of_a_clients_own_task_does_not_leave_stop_and_connections_are_closed() -> None:
    client = Client()
    await stop(client)
    assert client.closed


async def test_a_cancellation_that_was_asked_for_does_leave_stop() -> None:
    client = Client()
    task = asyncio.create_task(stop(client))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert client.closed
