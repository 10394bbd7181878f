"""Records that aiokafka's own parser refuses, and the private names of aiokafka that `streams.kafka` relies on."""

from __future__ import annotations

import inspect
import struct
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from streams.kafka import clients
from streams.kafka.records import CarefulRecords, CarefulResult, RawRecords, Unreadable
from streams.kafka.slow_parser import slow_records
from streams.worker import faust_thread

TP = TopicPartition("events", 3)
BAD = b"caf\xe9"
STAND_IN = "cafe"
"""Has as many bytes as the bad name, which is put into its place afterwards."""


def _batch(codec: int, *names: str, first: int = 0) -> bytes:
    """One record for each header name; `STAND_IN` becomes the bad name."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for offset, name in enumerate(names):
        builder.append(offset, 1_000 + offset, b"key", b"value %d" % offset, [(name, b"x"), ("empty", None)])
    return _moved(bytes(builder.build()), first)


def _moved(batch: bytes, first: int) -> bytes:
    return first.to_bytes(8, "big") + batch[8:]


def _spoilt(batch: bytes) -> bytes:
    return batch.replace(STAND_IN.encode(), BAD)


def _read(data: bytes, start: int = 0) -> list[Any]:
    return list(_records(data, start))


def _records(data: bytes, start: int = 0) -> Any:
    # The checksum is off: the bytes were changed after it was taken.
    return CarefulRecords(TP, RawRecords(data), None, start, None, None, False, 1)


def test_aiokafkas_fetcher_reads_with_our_classes_in_every_process_that_has_a_client() -> None:
    for module in (clients, faust_thread):
        assert "from streams.kafka.records import " in inspect.getsource(module)
    source = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "MemoryRecords(part_data[-1])" in source
    assert "partition_records = PartitionRecords(" in source
    assert fetcher.PartitionRecords is CarefulRecords
    assert fetcher.MemoryRecords is RawRecords
    assert fetcher.FetchResult is CarefulResult
    assert "FetchResult(" in source
    assert "getall(max_records)" in inspect.getsource(fetcher.Fetcher.fetched_records)


def test_the_parser_of_aiokafka_still_refuses_such_a_name_so_that_this_module_is_needed() -> None:
    from aiokafka.record.memory_records import MemoryRecords

    from streams.kafka.records import _PartitionRecords

    with pytest.raises(UnicodeDecodeError):
        list(_PartitionRecords(TP, MemoryRecords(_spoilt(_batch(0, STAND_IN))), None, 0, None, None, False, 1))


def test_a_record_with_a_header_name_that_is_not_utf_8_is_read_with_all_around_it() -> None:
    good, bad = _batch(0, "a", "b"), _spoilt(_batch(0, "c", STAND_IN, "d", first=2))
    got = _read(good + bad + _batch(0, "e", first=5))
    assert [record.offset for record in got] == [0, 1, 2, 3, 4, 5]
    assert [record.headers[0][0] for record in got] == ["a", "b", "c", "caf\\xe9", "d", "e"]
    assert [(record.key, record.value, record.timestamp) for record in got[2:5]] == [
        (b"key", b"value %d" % number, 1_000 + number) for number in range(3)
    ]
    assert got[3].headers == (("caf\\xe9", b"x"), ("empty", None))


def test_reading_can_begin_in_the_middle_of_such_a_batch() -> None:
    assert [record.offset for record in _read(_spoilt(_batch(0, STAND_IN, "b", STAND_IN)), start=1)] == [1, 2]


def test_the_position_after_such_a_batch_is_behind_it() -> None:
    records = _records(_spoilt(_batch(0, STAND_IN, "b")))
    list(records)
    assert records.next_fetch_offset == 2


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_the_slow_parser_reads_what_the_fast_one_reads_in_every_codec(codec: int) -> None:
    from aiokafka.record.default_records import _DefaultRecordBatchPy

    raw = _batch(codec, "a", "b", "ü")
    slow = [(r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in slow_records(_DefaultRecordBatchPy(raw))]
    assert slow == [(r.offset, r.timestamp, r.key, r.value, r.headers) for r in _read(raw)]


def test_a_batch_that_is_damaged_besides_is_named_with_its_place() -> None:
    raw = _spoilt(_batch(0, STAND_IN, "b", first=7))
    more = raw[:57] + (3).to_bytes(4, "big") + raw[61:]  # claims a record more than it has
    with pytest.raises(CorruptRecordException, match=r"events\[3\], offsets 7 to 8: "):
        _read(more, start=7)


def _attributes(batch: bytes, attributes: int) -> bytes:
    return batch[:21] + attributes.to_bytes(2, "big") + batch[23:]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_batch(0, "a", "b", first=7)[:61] + b"\xff" * 40, id="bad varints"),
        pytest.param(_attributes(_batch(0, "a", "b", first=7), 1), id="no gzip"),
        pytest.param(_attributes(_batch(0, "a", "b", first=7), 2), id="no snappy"),
        pytest.param(_attributes(_batch(0, "a", "b", first=7), 3), id="no lz4"),
        pytest.param(_attributes(_batch(0, "a", "b", first=7), 4), id="no zstd"),
        pytest.param(_attributes(_batch(0, "a", "b", first=7), 5), id="unknown codec"),
    ],
)
def test_a_batch_that_cannot_be_read_is_named_with_its_place(data: bytes) -> None:
    data = data[:8] + (len(data) - 12).to_bytes(4, "big") + data[12:]
    with pytest.raises(Unreadable, match=r"events\[3\], offsets 7 to 8: the batch cannot be read: "):
        _read(data, start=7)


def test_a_bad_checksum_is_named_with_its_place() -> None:
    spoilt = _spoilt(_batch(0, STAND_IN, first=7))
    records: Any = CarefulRecords(TP, RawRecords(spoilt), None, 7, None, None, True, 1)
    with pytest.raises(CorruptRecordException, match=r"events\[3\], offsets 7 to 7: the batch cannot be read: its checksum is wrong"):
        list(records)


# ---- our own loop over the batches, compared with aiokafka's ------------------------------------------------------------------


def _of_a_transaction(first: int, producer: int, codec: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 1, producer, 0, 0, 1 << 20)
    for offset in range(2):
        builder.append(offset, 1_000 + offset, b"key", None if offset else b"value", [])
    return _moved(bytes(builder.build()), first)


def _end_of_a_transaction(first: int, producer: int, kind: int) -> bytes:
    key = struct.pack(">hh", 0, kind)
    record = b"\0\0\0" + bytes((2 * len(key),)) + key + b"\x0c" + bytes(6) + b"\0"
    head = struct.pack(">qiibIhiqqqhii", first, 0, 0, 2, 0, 0x30, 0, 1_000, 1_000, producer, 0, -1, 1)
    batch = head + bytes((2 * len(record),)) + record
    batch = batch[:8] + struct.pack(">i", len(batch) - 12) + batch[12:]
    return batch[:17] + struct.pack(">I", calc_crc32c(batch[21:])) + batch[21:]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("isolation", [0, 1])
def test_a_log_is_read_as_aiokafka_reads_it_transactions_and_what_was_compacted_away_included(seed: int, isolation: int) -> None:
    from aiokafka.record.memory_records import MemoryRecords

    from streams.kafka.records import _PartitionRecords

    random, batches, offset = Random(seed), list[tuple[int, bytes]](), 0
    aborted: list[tuple[int, int]] = []
    begun: dict[int, int] = {}
    for _ in range(12):
        offset += random.choice((0, 0, 3))
        producer, codec = random.randrange(3), random.randrange(5)
        kind = random.choice(("plain", "transaction", "transaction", "end"))
        if kind == "plain":
            batches.append((offset, _batch(codec, "a", "b", first=offset)))
            offset += 2
        elif kind == "transaction":
            begun.setdefault(producer, offset)
            batches.append((offset, _of_a_transaction(offset, producer, codec)))
            offset += 2
        else:
            committed = random.randrange(2)
            if not committed and producer in begun:
                aborted.append((producer, begun[producer]))
            begun.pop(producer, None)
            batches.append((offset, _end_of_a_transaction(offset, producer, committed)))
            offset += 1
    at = random.randrange(6)
    start, data = batches[at][0], b"".join(batch for _, batch in batches[at:])
    if batches[at][1][60] == 2:  # its records
        start += random.randrange(2)
    theirs = _PartitionRecords(TP, MemoryRecords(data), list(aborted), start, None, None, True, isolation)
    ours: Any = CarefulRecords(TP, RawRecords(data), list(aborted), start, None, None, True, isolation)
    expected, got = list(theirs), list(ours)
    assert got == expected
    assert ours.next_fetch_offset == theirs.next_fetch_offset == offset
