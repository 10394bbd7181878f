"""Read one partition's states back from its changelog: a plain consumer of committed records, from the beginning to a known end.

The end is the high watermark after the fence (law 5), not the last stable offset: if another transaction is still open in the changelog,
the restore waits for what our predecessor has committed behind it. Positions move past control records, so "until the position has
reached the end" ends; counting records would not.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import TopicPartition

from streams.kafka.reading import Ends, reader
from triggers.state.position import POSITION_KEY, Position

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.state.store import Store

log = logging.getLogger(__name__)

CHUNK: Final = 2_000
"""Records that are taken in between two looks at the loop."""
PATIENCE: Final = 10.0
"""Seconds without a record after which the log says what is being waited for."""


class Damaged(Exception):  # noqa: N818 - it says what is the matter
    """The changelog holds a record that no worker has written."""


class Restored(NamedTuple):
    """What a changelog held."""

    position: Position | None
    records: int
    seconds: float
    taken_over: bool = False
    """The position was another release's, and is ours from here on."""


async def restore(
    settings: Settings, partition: int, extent: Ends, store: Store, progress: Callable[[int, int], None] = lambda _done, _end: None
) -> Restored:
    """Fill the store from the changelog's committed records; report the offset reached and the end to `progress`.

    Raises `msgspec.DecodeError` for a position that is none, `Damaged` for a key that is no text and has no tombstone behind it.
    """
    begun, heard, records = time.monotonic(), time.monotonic(), 0
    tp = TopicPartition(settings.names.changelog, partition)
    position: bytes | None = None
    foreign: dict[bytes | None, int] = {}
    begin, end = extent
    if begin == end:
        return Restored(None, 0, 0.0)
    async with reader(settings, isolation_level="read_committed", max_partition_fetch_bytes=4 << 20, fetch_max_wait_ms=100) as client:
        client.assign([tp])
        await client.seek_to_beginning(tp)
        while (reached := await client.position(tp)) < end:
            progress(reached, end)
            got = (await client.getmany(tp, timeout_ms=200, max_records=CHUNK)).get(tp, ())
            if got:
                position = _take_in(store, got, position, foreign)
                records += len(got)
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE:
                heard = time.monotonic()
                log.warning("%s[%d]: waits at offset %d of %d for a transaction that another program left open", *tp, reached, end)
    progress(end, end)
    for key, offset in foreign.items():
        raise Damaged(f"{tp.topic} holds at offset {offset} a record with the key {key!r}, which no worker has written")
    found = None if position is None else Position.decode(position)
    return Restored(found, records, time.monotonic() - begun)


def _take_in(
    store: Store,
    records: Any,  # noqa: ANN401 - aiokafka's records
    position: bytes | None,
    foreign: dict[bytes | None, int],
) -> bytes | None:
    """Store one chunk; returns the latest position. `foreign`: keys that are no text, and their offsets."""
    states: list[tuple[str, bytes | None]] = []
    for record in records:
        key, value = record.key, record.value
        if key == POSITION_KEY:
            position = value
            continue
        try:
            user_id = key.decode()
        except (UnicodeDecodeError, AttributeError):
            if value is None:
                foreign.pop(key, None)
            else:
                foreign[key] = record.offset
            continue
        states.append((user_id, value))
    store.apply(states)
    return position
