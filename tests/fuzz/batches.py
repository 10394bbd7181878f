"""Batches as they lie in a log, cut, joined and changed; their checksums are made right again, so that most of them get past that check."""

from __future__ import annotations

import struct
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from hypothesis import strategies as st

from streams.kafka.records import CarefulRecords, RawRecords, Unreadable

TP: Final = TopicPartition("events", 3)
HEADER: Final = 61


def _batch(codec: int, count: int) -> bytes:
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number in range(count):
        builder.append(number, 1_000 + number, b"ann" if number % 2 else None, b'{"type":"track"}' * number, [("a", b"x"), ("b", None)])
    return bytes(builder.build())


SEEDS: Final = [_batch(codec, count) for codec in range(5) for count in (1, 3, 40)]


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Draw what a fetch brings: up to four batches, each with up to four bytes changed, removed or put in."""
    found, first = b"", 0
    for seed in draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=4)):
        batch = bytearray(seed)
        for edit in draw(st.lists(st.sampled_from(["change", "change", "remove", "insert"]), max_size=4)):
            at = draw(st.integers(8, len(batch) - 1) | st.integers(16, min(len(batch) - 1, HEADER + 20)))
            byte = draw(st.integers(0, 255) | st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
            if edit == "change":
                batch[at] = byte
            elif edit == "insert":
                batch.insert(at, byte)
            elif len(batch) > HEADER + 8:
                del batch[at]
        batch[:8] = struct.pack(">q", first)
        if draw(st.integers(0, 9)):
            batch[8:12] = struct.pack(">i", len(batch) - 12)
            batch[17:21] = struct.pack(">I", calc_crc32c(bytes(batch[21:])))
        found += bytes(batch)
        first += draw(st.sampled_from([1, 40, 40, 100]))
    return found[: draw(st.integers(0, len(found)))] if draw(st.booleans()) else found


def read_response(data: bytes) -> None:
    """Read it as the client does. Records come in their order, or the batch is named; nothing else happens."""
    for isolation in (0, 1):
        records: Any = CarefulRecords(TP, RawRecords(data), None, 0, None, None, True, isolation)
        before = -1
        try:
            for record in records:
                assert before < record.offset < records.next_fetch_offset
                before = record.offset
        except Unreadable as error:
            _must_name_its_place(error, before)
        assert records.next_fetch_offset > before


def _must_name_its_place(problem: Unreadable, before: int) -> None:
    assert before == -1, "records before such a batch come first"
    assert problem.at <= problem.begin
    assert problem.last is None or problem.begin <= problem.last
    assert str(problem).startswith("events[3], ")
