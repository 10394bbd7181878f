"""Check and unpack one batch, given its bytes, before a record of it is returned.

The parser in C reads all records, unless one is large or a header name is not UTF-8: then `slow_parser` reads the batch.

The names of aiokafka in this module are private; `tests/unit/kafka/test_records.py` checks them against the pinned version.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter, ge
from typing import Any, Final

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.util import decode_varint

from streams.kafka import inflate
from streams.kafka.slow_parser import LARGE, slow_records
from streams.kafka.unpacked import ROOM, Opened

LENGTH: Final = struct.Struct(">i")
MAGIC_AT: Final = 16
CODEC_AT: Final = 22
"""The second byte of the attributes."""
CODEC_MASK: Final = 7
NAMED: Final = struct.Struct(">q15xi30xi")
"""Part of a batch's header: the first offset, the number of offsets after it, the number of records."""
HEADER: Final = _DefaultRecordBatchPy.HEADER_STRUCT.size
"""Bytes of a batch before its records."""
AT_ONCE: Final = 10_000
"""Maximum records of a batch in memory. A batch with more records, or above `LARGE`, is read twice: to check it, and to return its
records.
"""
HEADERS: Final = 1_000_000
"""Maximum headers of one batch: about 100 MB."""
LEAST: Final = 7
"""Bytes of an empty record."""

_offset = attrgetter("offset")


def whole(batch: Any, raw: memoryview) -> Iterable[Any]:  # noqa: ANN401 - aiokafka's batch and records
    """Yield the records of a batch whose bytes are `raw`, uncompressed if they are many, if all of them can be read."""
    if raw[MAGIC_AT] < 2:
        return batch  # type: ignore[no-any-return]
    if raw[CODEC_AT] & CODEC_MASK or not _has_large(raw):
        with contextlib.suppress(UnicodeDecodeError):
            return _whole(raw, batch, DefaultRecordBatch)
    return _whole(raw, _slow(raw), _slow)


def in_the_clear(batch: Any, raw: memoryview, opened: Opened) -> tuple[Any, memoryview]:  # noqa: ANN401 - aiokafka's batch
    """Unpack a batch that may be large, and count its bytes. Raises `NoRoom` if it must wait."""
    if raw[MAGIC_AT] < 2:
        codec, data = legacy_compressed(raw)
        if codec:
            ROOM.open(opened, inflate.LIMIT)
            inflate.check(codec, data)
        return batch, raw
    codec = raw[CODEC_AT] & CODEC_MASK
    if not codec:
        return batch, raw
    size = inflate.LIMIT if codec == inflate.GZIP else inflate.at_most(codec, bytes(raw[HEADER:]))
    if size > LARGE:
        ROOM.open(opened, min(size, inflate.LIMIT))
        raw = memoryview(unpacked(bytes(raw)))
        ROOM.settle(opened, len(raw))
        batch = DefaultRecordBatch(raw)
    return batch, raw


def _has_large(raw: memoryview) -> bool:
    """Return whether a record of an uncompressed batch is larger than `LARGE`."""
    if len(raw) - HEADER - LEAST * NAMED.unpack_from(raw)[2] <= LARGE:
        return False
    data, at = bytes(raw), HEADER
    while at < len(data):
        length, at = decode_varint(data, at)
        if not 0 <= length <= LARGE:
            return True
        at += length
    return False


def _slow(raw: memoryview) -> Iterator[_DefaultRecordPy]:
    return slow_records(_DefaultRecordBatchPy(raw))


def _whole(raw: memoryview, records: Any, again: Callable[[memoryview], Any]) -> Iterable[Any]:  # noqa: ANN401 - aiokafka's records
    first, delta, count = NAMED.unpack_from(raw)
    if count > AT_ONCE or len(raw) > LARGE:
        before, headers = first - 1, 0
        for record in records:
            headers += len(record.headers)
            if headers > HEADERS:
                raise CorruptRecordException(f"its records have more than {HEADERS:,} headers")
            if not before < record.offset <= first + delta:
                raise CorruptRecordException(f"a record has the offset {record.offset}, after one with {before}")
            before = record.offset
        return again(raw)  # type: ignore[no-any-return]
    listed = list(records)
    offsets = [first - 1, *map(_offset, listed), first + delta + 1]
    if len(offsets) == 3 and first <= offsets[1] < offsets[2]:  # many producers do not collect records
        return listed
    if any(map(ge, offsets, offsets[1:])):
        raise CorruptRecordException("its records do not have the offsets of its header, in their order")
    return listed


def unpacked(raw: bytes) -> bytes | bytearray:
    """Convert a compressed batch to an uncompressed one. Its checksum remains that of the compressed one."""
    codec = raw[CODEC_AT] & CODEC_MASK
    head = b"".join((raw[:CODEC_AT], bytes((raw[CODEC_AT] & ~CODEC_MASK,)), raw[CODEC_AT + 1 : HEADER]))
    if codec == inflate.GZIP:
        return inflate.gunzip(raw[HEADER:], head)
    inflate.check(codec, raw[HEADER:])
    batch = _DefaultRecordBatchPy(raw)
    batch._maybe_uncompress()
    data: bytes = batch._buffer
    return head + data


def legacy_compressed(raw: memoryview) -> tuple[int, bytes]:
    """For a message of the formats 0 and 1: its codec, and the compressed data; codec 0 if nothing is compressed."""
    codec = raw[17] & CODEC_MASK
    if not codec:
        return 0, b""
    at = 18 + (8 if raw[MAGIC_AT] else 0)
    at += 4 + max(0, LENGTH.unpack_from(raw, at)[0])
    return codec, bytes(raw[at + 4 :])
