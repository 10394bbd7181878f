"""aiokafka's admin client with retries: a request that any node can answer goes to the other nodes if one is away.

aiokafka 0.14 picks one node at random from the metadata and fails with it (`NodeNotReadyError`). The metadata names nodes that are down
until the cluster itself has declared them dead, which takes its session timeout. So a worker that started while one of three nodes was down
ended, although the cluster was healthy. Only this module knows that private part of the admin client; contract tests check it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError, NotControllerError, RequestTimedOutError

from streams.kafka.retry import insist

DEADLINE: Final = 20.0
"""Longest time in s for which a request is repeated. A cluster declares a dead node dead in about 10 s."""
PAUSE: Final = 0.25
"""Seconds between two rounds over all nodes."""
AWAY: Final = (NodeNotReadyError, KafkaConnectionError, RequestTimedOutError, NotControllerError, OSError, asyncio.TimeoutError)
"""Errors which say that one node does not answer. They say nothing about the others."""


class PatientAdmin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka exports no types
    """An admin client that asks every node before it fails."""

    async def ask(self, request: Any, node: int | None = None) -> Any:  # noqa: ANN401 - aiokafka's requests and responses
        """Send a request to this node, or without one to any node that answers. Raises the last error after `DEADLINE` s."""
        if node is not None:
            return await self._client.send(node, request)

        return await self._insist(lambda: self._ask_all(request))

    async def _ask_all(self, request: Any) -> Any:  # noqa: ANN401 - as above
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()]
        random.shuffle(nodes)
        failure: Exception = KafkaConnectionError("no node is known")
        for node in nodes:
            try:
                return await self._client.send(node, request)
            except AWAY as error:
                failure = error
        raise failure

    async def _insist(self, once: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - as above
        """Repeat until it succeeds, with fresh metadata before each repetition. Raises the last error after `DEADLINE` s."""
        return await insist(once, AWAY, pause=PAUSE, within=DEADLINE, between=self._client.force_metadata_update)

    async def ask_anybody(self, request: Any) -> None:  # noqa: ANN401 - as above
        """Ask all nodes at once, and return when the first has answered. Raises the last error if none does."""
        nodes = [broker.nodeId for broker in self._client.cluster.brokers()]
        asked = [asyncio.ensure_future(self._client.send(node, request)) for node in nodes]
        failure: BaseException = KafkaConnectionError("no node is known")
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    await answer
                except AWAY as error:
                    failure = error
                else:
                    return
        finally:
            for one in asked:
                one.cancel()
        raise failure

    # ---- what aiokafka's own methods call ------------------------------------------------------------------------------

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:  # noqa: ANN401 - as above
        return await self.ask(request, node_id)

    async def _send_to_controller(self, request: Any) -> Any:  # noqa: ANN401 - as above
        """Ask the controller that the metadata names now: with KRaft any live node, which forwards the request."""

        async def once() -> Any:  # noqa: ANN401 - as above
            controller = self._client.cluster.controller
            if controller is None:
                raise KafkaConnectionError("no controller is known")
            return await self._client.send(controller.nodeId, request)

        return await self._insist(once)


# ---- one connection for all ------------------------------------------------------------------------------------------


class _Shared:
    """The admin client that all users of one loop and owner share, and their number."""

    def __init__(self, owner: object) -> None:
        self.owner = owner  # kept, so that no other object gets its id
        self.lock = asyncio.Lock()
        self.users = 0
        self.admin: PatientAdmin | None = None


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Shared]] = WeakKeyDictionary()


async def borrow(owner: object, start: Callable[[], Awaitable[PatientAdmin]]) -> PatientAdmin:
    """Return the client of this owner and loop, or `start` one. Each call needs a `give_back`, unless it raises."""
    shared = _shared.setdefault(asyncio.get_running_loop(), {}).setdefault(id(owner), _Shared(owner))
    shared.users += 1
    try:
        async with shared.lock:
            if shared.admin is None:
                shared.admin = await start()
            return shared.admin
    except BaseException:
        await give_back(owner)
        raise


async def give_back(owner: object) -> None:
    """Close the client when its last user gives it back."""
    clients = _shared[asyncio.get_running_loop()]
    shared = clients[id(owner)]
    shared.users -= 1
    if shared.users == 0:
        del clients[id(owner)]
        if shared.admin is not None:
            await shared.admin.close()


def causes(error: BaseException) -> str:
    """Describe an error and its cause: aiokafka hides the cause in `KafkaError('Unexpected error ...')`."""
    words: list[str] = []
    found: BaseException | None = error
    while found is not None and len(words) < 10:
        text, kind = str(found), type(found).__name__
        words.append(text if text.startswith(kind) else f"{kind}: {text}" if text else kind)
        found = found.__cause__
    return ", because of ".join(words)
