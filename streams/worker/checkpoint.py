"""Write one checkpoint: all results of a part of the log, in one transaction, all or nothing.

Laws of PROTOCOL.md in this module:

5.  `open` returns when the broker has ended the predecessor's transaction and fenced it. Only then is the end of the changelog final.
10. The commit is sent only after every batch of the transaction was acknowledged, because aiokafka 0.14 commits a transaction even if a
    batch failed. Any error is raised, and the caller ends the process: uncommitted records are invisible.
11. The caller limits the size (`Partition.pending`); the watchdog limits the time (`watch`).
28. A producer is renewed after `RENEW_AFTER` records, because aiokafka's sequence numbers wrap wrongly after 2**31 records in one
    partition. `test_worker_checkpoint.py` renews after a few. 2**31 records of one topic are at least 2**31 of all.

States come first and the position last. A reader of committed records sees no difference. A person who reads uncommitted ones sees the
position after all its states.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, KafkaError, LeaderNotAvailableError, UnknownTopicOrPartitionError

from streams.kafka.admin import causes
from streams.kafka.clients import ended_by, stop
from streams.kafka.retry import insist

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.base.model import Out
    from triggers.engine.interface import Output

BATCH: Final = 512 * 1024
"""Bytes of one record batch, below any reasonable `max.message.bytes`. A single bigger record gets its own batch."""
RENEW_AFTER: Final = 1 << 30
STOP_TIMEOUT: Final = 5.0
"""Longest wait for a producer to stop, s: `stop` during a running transaction can hang permanently (law 9)."""


class Written(NamedTuple):
    """The contents of one transaction."""

    records: int
    bytes: int
    seconds: float


class Writer:
    """Writes one partition's checkpoints with the transactional id `<app>-<partition>`. One caller at a time."""

    def __init__(self, settings: Settings, partition: int, *, renew_after: int = RENEW_AFTER) -> None:
        self._settings = settings
        self._partition = partition
        self._renew_after = renew_after
        self._producer: Any = None
        self._records = 0
        self.since: float | None = None
        """When the current transaction began (`time.monotonic`)."""

    @property
    def transactional_id(self) -> str:
        return f"{self._settings.app}-{self._partition}"

    async def open(self) -> None:
        """Fence the previous writer. On failure, close everything and raise."""
        producer = AIOKafkaProducer(
            **self._settings.client(),
            transactional_id=self.transactional_id,
            transaction_timeout_ms=int(self._settings.transaction_timeout * 1000),
            request_timeout_ms=30_000,
            max_batch_size=BATCH,
        )
        try:
            await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        self._producer, self._records = producer, 0

    async def close(self) -> None:
        """Release the connection. No transaction may be running."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def write(self, output: Output) -> Written:
        """Commit the output, or raise."""
        names = self._settings.names
        begun = self.since = time.monotonic()
        if self._records >= self._renew_after:
            await self.close()
            await self.open()
        producer = self._producer
        try:
            await producer.begin_transaction()
            sent = await asyncio.gather(
                self._send(names.actions, output.actions),
                self._send(names.decisions, output.decisions),
                self._send(names.dead_letters, output.dead_letters),
                self._send(names.changelog, output.changelog),
            )
            await producer.commit_transaction()
        except (IllegalOperation, AssertionError) as error:  # the latter from `begin_transaction`
            raise ended_by(producer, error) from None
        except KafkaError as error:
            if error.__cause__ is None:
                raise
            raise KafkaError(causes(error)) from error
        records, size = sum(part[0] for part in sent), sum(part[1] for part in sent)
        self._records += records
        self.since = None
        return Written(records, size, time.monotonic() - begun)

    async def _send(self, topic: str, records: Sequence[Out]) -> tuple[int, int]:
        """Send the records in batches and wait until each is acknowledged (law 10)."""
        size, acks = 0, []
        for batch in _batches(self._producer, records):
            size += batch.size()
            acks.append(await self._hand_over(batch, topic))
        await asyncio.gather(*acks)
        return len(records), size

    async def _hand_over(self, batch: Any, topic: str) -> Any:  # noqa: ANN401 - aiokafka has no types
        """Give a batch to the producer; return its acknowledgement to await.

        After a broker's restart the cluster may not know the topic for a while. Nothing has been sent then, so we repeat it. The watchdog
        limits the time.
        """
        return await insist(
            lambda: self._producer.send_batch(batch, topic, partition=self._partition),
            (UnknownTopicOrPartitionError, LeaderNotAvailableError),
            pause=0.5,
        )


def _batches(producer: Any, records: Iterable[Out]) -> Iterable[Any]:  # noqa: ANN401 - aiokafka has no types
    batch, now = None, int(time.time() * 1_000)
    for key, value, headers in records:
        if batch is None:
            batch = producer.create_batch()
        if batch.append(timestamp=now, key=key, value=value, headers=list(headers)) is None:  # full
            batch.close()
            yield batch
            batch = producer.create_batch()
            if batch.append(timestamp=now, key=key, value=value, headers=list(headers)) is None:
                raise AssertionError("an empty batch takes any record")
    if batch is not None:
        batch.close()
        yield batch


async def _stop(producer: Any) -> None:  # noqa: ANN401 - aiokafka has no types
    """Stop it, but not at any price: the connection dies with the process, the transaction with its timeout."""
    try:
        async with asyncio.timeout(STOP_TIMEOUT):
            await stop(producer)
    except Exception:  # noqa: BLE001, S110 - whatever it is, there is nothing left to do with this producer
        pass
