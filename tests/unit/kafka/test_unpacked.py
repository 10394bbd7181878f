"""The room that unpacked batches share: who waits for it, and when it is free again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from streams.kafka.records import CarefulRecords, RawRecords, Unreadable
from streams.kafka.slow_parser import LARGE
from streams.kafka.unpacked import ROOM, NoRoom, Opened, Room

MIB = 1 << 20


def batch(codec: int, size: int, records: int = 20) -> bytes:
    """A compressed batch that unpacks to so many bytes."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for offset in range(records):
        builder.append(offset, 1_000, b"key", bytes(size // records), [])
    return bytes(builder.build())


def reader(data: bytes, partition: int = 0) -> Any:
    return CarefulRecords(TopicPartition("events", partition), RawRecords(data), None, 0, None, None, True, 1)


@pytest.fixture
def limit() -> Iterator[int]:
    """Room for one batch of `LARGE` bytes and some more, as in a worker."""
    ROOM.limit, ROOM.waited = 2 * LARGE, 0
    yield ROOM.limit
    ROOM.limit = None


def test_one_batch_is_always_let_in_and_another_only_where_there_is_room() -> None:
    room, first, second, third = Room(10), Opened(0), Opened(0), Opened(0)
    room.open(first, 50)
    with pytest.raises(NoRoom):
        room.open(second, 1)
    assert (room.used, room.waited) == (50, 1)
    room.settle(first, 6)
    room.open(second, 4)
    with pytest.raises(NoRoom):
        room.open(third, 1)
    room.close(first)
    room.open(third, 6)
    assert room.used == 10


def test_who_is_dropped_leaves_its_room() -> None:
    room, first = Room(10), Opened(0)
    room.open(first, 10)
    del first
    room.open(Opened(0), 10)


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_a_large_batch_takes_room_until_its_last_record_is_given(limit: int, codec: int) -> None:
    reading = reader(batch(codec, 2 * LARGE))
    for at, _ in enumerate(reading):
        assert ROOM.used == pytest.approx(2 * LARGE, rel=0.01), at
    assert ROOM.used == 0


@pytest.mark.parametrize("codec", [0, 2, 3, 4])
def test_a_small_batch_takes_none(limit: int, codec: int) -> None:
    next(iter(reader(batch(codec, 20_000))))
    assert ROOM.used == 0


def test_a_batch_that_cannot_be_read_takes_no_room_while_its_error_is_kept(limit: int) -> None:
    """The error of a stopped partition lives until an operator has decided."""
    data = batch(1, 2 * LARGE)
    damaged = data[:-20] + bytes(20)
    damaged = damaged[:17] + calc_crc32c(damaged[21:]).to_bytes(4, "big") + damaged[21:]
    with pytest.raises(Unreadable) as caught:
        list(reader(damaged))
    assert ROOM.used == 0
    assert caught.value.__traceback__ is not None


def test_a_reader_that_is_dropped_lets_go_of_its_batch_at_once(limit: int) -> None:
    gc.disable()
    try:
        reading = reader(batch(1, 2 * LARGE))
        next(reading)
        assert ROOM.used > LARGE
        del reading
        assert ROOM.used == 0
    finally:
        gc.enable()


def test_a_partition_without_room_ends_before_the_batch_and_reads_it_later(limit: int) -> None:
    """Even if no record comes before it: such a batch can be read."""
    held, data = reader(batch(1, 2 * LARGE)), batch(4, 2 * LARGE)
    next(held)
    waiting = reader(data, 1)
    assert list(waiting) == []
    assert (waiting.next_fetch_offset, ROOM.waited) == (0, 1)
    assert len(list(held)) == 19
    assert len(list(reader(data, 1))) == 20
