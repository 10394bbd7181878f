"""Read without a group: a consumer that sees uncommitted records, and where partitions begin and end for it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

from streams.kafka.clients import consumer

if TYPE_CHECKING:
    from aiokafka import TopicPartition

    from streams.settings import Settings


class Ends(NamedTuple):
    """For one partition: the first offset kept, and the one after the last, committed or not."""

    begin: int
    end: int


def reader(settings: Settings, **more: Any) -> AbstractAsyncContextManager[Any]:  # noqa: ANN401 - aiokafka's options
    """Provide a started consumer without a group, which by default sees uncommitted records. Raises `Unreachable`."""
    return consumer(settings, **{"isolation_level": "read_uncommitted", "auto_offset_reset": "earliest", **more})


async def ends(client: Any, *tps: TopicPartition) -> dict[TopicPartition, Ends]:  # noqa: ANN401 - an aiokafka consumer
    """Return where these partitions begin and end; includes uncommitted records if the client reads such."""
    begins, high = await client.beginning_offsets(tps), await client.end_offsets(tps)
    return {tp: Ends(begins[tp], high[tp]) for tp in tps}
