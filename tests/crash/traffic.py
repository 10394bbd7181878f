"""What is written into `events` during the faults: events, poison, and an upstream producer that aborts every other transaction.

The log is the truth: what could not be written while the broker was away is simply not in it, what was written twice is there
twice.
"""

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from aiokafka.errors import KafkaError

from streams.kafka.clients import Unreachable, producer
from streams.settings import Settings

PER_SECOND: Final = 150
USERS: Final = 400
GHOST: Final = "ghost"
"""Prefix of the ids of users who only appear in aborted transactions: no consumer may ever see them."""
NAMES: Final = ("Ann", "Bo", None, "Ünal", "{{ x }}")


class Traffic:
    """Writes until `stop`; `written` counts what the broker acknowledged."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.written = 0
        self.poison = 0
        self.aborted = 0
        self.committed = 0
        self._random = Random(seed * 7 + 1)
        self._stop = asyncio.Event()
        self._serial = 0
        self._earlier: list[tuple[bytes, bytes]] = []

    async def run(self) -> None:
        """Both producers, until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again_and_again(self._produce))
            tasks.create_task(self._again_and_again(self._upstream))

    def stop(self) -> None:
        self._stop.set()

    @property
    def is_over(self) -> bool:
        return self._stop.is_set()

    async def _again_and_again(self, produce: Any) -> None:
        """Replace a producer that the broker's crash has broken, as any client would."""
        while not self._stop.is_set():
            with suppress(KafkaError, Unreachable, TimeoutError, OSError):
                await produce()
            await asyncio.sleep(0.2)

    # ---- events ------------------------------------------------------------------------------------------------------

    async def _produce(self) -> None:
        # Without idempotence a request that is sent again after the broker's death is written again: real duplicates.
        async with producer(self.settings, enable_idempotence=False, request_timeout_ms=20_000) as client:
            begun, sent = time.monotonic(), 0
            pending: set[asyncio.Future[Any]] = set()
            while not self._stop.is_set():
                sent += 1
                key, value, where = self._next()
                future = await client.send(self.settings.names.events, value, key=key, **where)
                pending.add(future)
                future.add_done_callback(self._acknowledged)
                future.add_done_callback(pending.discard)
                ahead = begun + sent / PER_SECOND - time.monotonic()
                if ahead > 0.005:
                    await asyncio.sleep(ahead)
            await asyncio.wait_for(client.flush(), 30)

    def _acknowledged(self, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled() and future.exception() is None:
            self.written += 1

    def _next(self) -> tuple[bytes | None, bytes, dict[str, Any]]:
        random = self._random
        luck = random.random()
        if luck < 0.015:
            self.poison += 1
            return self._poison()
        if luck < 0.04 and self._earlier:
            key, value = random.choice(self._earlier)
            return key, value, {}
        key, value = self._event(f"user-{int(random.paretovariate(0.7)) % USERS}")
        if random.random() < 0.2:
            self._earlier = [*self._earlier[-50:], (key, value)]
        return key, value, {}

    def _event(self, user: str) -> tuple[bytes, bytes]:
        random = self._random
        self._serial += 1
        now = datetime.now(UTC)
        # Most events are on time, some seconds late, some a day; some clocks are wrong, which `sentAt` shows.
        late = random.choice([0.0] * 8 + [random.uniform(0, 12), 86_400.0])
        skew = random.choice([0.0] * 9 + [random.uniform(-90, 90)])
        at = now - timedelta(seconds=late) + timedelta(seconds=skew)
        document: dict[str, Any] = {
            "userId": user,
            "messageId": f"m{self._serial}",
            "timestamp": at.isoformat(),
            "sentAt": (now + timedelta(seconds=skew)).isoformat(),
            "type": "track",
            **self._call(),
        }
        return user.encode(), json.dumps(document).encode()

    def _call(self) -> dict[str, Any]:
        random = self._random
        luck = random.random()
        if luck < 0.08:
            traits = {"country": random.choice(["CN", "DE", None]), "name": random.choice(NAMES)}
            if random.random() < 0.2:
                traits["timezone"] = random.choice(["Asia/Shanghai", "America/St_Johns", "Nowhere/Land"])
            return {"type": "identify", "traits": traits}
        if luck < 0.15:
            return {"event": "signed_up", "properties": {}}
        if luck < 0.27:
            return {"event": "paid", "properties": {"total": random.choice([5, 9.99, "12.50"])}}
        if luck < 0.3:
            return {"type": random.choice(["page", "screen", "group"]), "properties": {"url": "/"}}
        return {"event": "read", "properties": {"minutes": random.randrange(60), "book": f"b{random.randrange(40)}"}}

    def _poison(self) -> tuple[bytes | None, bytes, dict[str, Any]]:
        """Something that must become a dead letter, or be read as documented, and never stops a worker."""
        random = self._random
        good = b'{"type":"track","event":"read","userId":"user-1","properties":{"minutes":%s}}'
        elsewhere: dict[str, Any] = {"partition": random.randrange(self.settings.partitions)}
        choices: list[tuple[bytes | None, bytes, dict[str, Any]]] = [
            (b"user-1", b"\xff{bad", {}),
            (b"user-1", b"", {}),
            (None, b'{"type":"track","event":"read"}', {}),
            (b"user-2", good % b"5", {}),
            (b"user-1", good % b"NaN", {}),
            (b"user-1", good % b"1e300", {}),
            (b"user-1", good % b"0.00000001", {}),
            (b"user-1", good % (b"[" * 20_000), {}),
            (b"user-1", b'{"type":"alias","userId":"user-1","previousId":"x"}', {}),
            (b"user-1", b'{"type":"track","event":"read","userId":"user-1","timestamp":"9999-12-31T23:59:59Z"}', {}),
            (
                b"user-1",
                b'{"type":"track","event":"read","userId":"x","userId":"user-1","properties":{"minutes":1,"minutes":2}}',
                {},
            ),
            (b"big", b'{"type":"track","event":"read","userId":"big","properties":{"x":"' + b"x" * 300_000 + b'"}}', {}),
            (b"\0position", b'{"type":"track","event":"read","userId":"\\u0000position"}', {}),
            (b"stranger", b'{"type":"track","event":"paid","userId":"stranger"}', elsewhere),
            (b"user-1", good % b"5", {"headers": [("cueline-control", b"nonsense")]}),
            (None, b"not a command", {**elsewhere, "headers": [("cueline-control", b"command")]}),
        ]
        return random.choice(choices)

    # ---- the upstream producer that changes its mind -----------------------------------------------------------------

    async def _upstream(self) -> None:
        identity = f"{self.settings.app}-upstream"
        async with producer(self.settings, transactional_id=identity, transaction_timeout_ms=5_000, request_timeout_ms=10_000) as client:
            is_kept = False
            while not self._stop.is_set():
                is_kept = not is_kept
                await client.begin_transaction()
                for _ in range(12):
                    user = f"user-{self._random.randrange(USERS)}" if is_kept else f"{GHOST}-{self._random.randrange(20)}"
                    key, value = self._event(user)
                    await client.send(self.settings.names.events, value, key=key)
                await client.flush()
                if is_kept:
                    await client.commit_transaction()
                    self.committed += 12
                else:
                    await client.abort_transaction()
                    self.aborted += 12
                await asyncio.sleep(0.4)
