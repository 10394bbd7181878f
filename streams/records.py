r"""Read what aiokafka's parser of records refuses: header names that are not UTF-8.

Brokers take such names, and librdkafka, PHP and Go write them. aiokafka's parser in C decodes every name strictly, raises, and names no
place. This module replaces the two classes with which aiokafka's fetcher reads a response, for every consumer of the process. The parser
in C still reads all records. Only a batch that it fails on is read again here, from the record at which it failed.

A byte of a header name that is not UTF-8 becomes the text `\xNN`. Such a name cannot be one of our own headers. A batch that
cannot be read raises `CorruptRecordException` or `UnsupportedCodecError`, with topic, partition and the first and last offset of the batch.

All names of aiokafka that are used here are private; `tests/unit/test_records.py` holds them against the pinned version.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, KafkaError, UnsupportedCodecError
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

LENGTH: Final = struct.Struct(">i")
LENGTH_AT: Final = 8
OVERHEAD: Final = 12
"""Bytes before those that the length of a batch counts: its first offset and the length itself."""
MAGIC_AT: Final = 16
HEADER: Final = _DefaultRecordBatchPy.HEADER_STRUCT.size
"""Bytes of a batch before its records."""

_PartitionRecords: Any = fetcher.PartitionRecords


class RawRecords:
    """aiokafka's `MemoryRecords`, which also tells the bytes of the batch that it gave last."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._begin = self._end = 0

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> Any:  # noqa: ANN401 - aiokafka's batch
        if self._records.has_next():
            self._begin = self._end
            self._end += OVERHEAD + LENGTH.unpack_from(self._data, self._begin + LENGTH_AT)[0]
        return self._records.next_batch()

    @property
    def raw(self) -> bytes:
        """The bytes of the batch that `next_batch` gave last."""
        return self._data[self._begin : self._end]


class CarefulRecords(_PartitionRecords):  # type: ignore[misc]
    """aiokafka's `PartitionRecords`, which reads a batch again by `slow_records` where the parser in C meets a bad header name."""

    next_fetch_offset: int
    """The offset after the last record given."""

    def _unpack_records(self) -> Iterator[Any]:
        while True:
            try:
                yield from super()._unpack_records()
            except UnicodeDecodeError as error:
                yield from self._again(error)
            except Exception as error:
                # Codecs and parsers raise whatever they like; none of them names the place.
                raise self._unreadable(error) from error
            else:
                return

    def _again(self, error: UnicodeDecodeError) -> Iterator[Any]:
        raw: bytes = self._records.raw
        if len(raw) <= MAGIC_AT or raw[MAGIC_AT] < 2:  # older formats have no headers
            raise self._unreadable(error) from error
        batch = _DefaultRecordBatchPy(raw)
        try:
            for record in slow_records(batch):
                if record.offset >= self.next_fetch_offset:
                    found = self._consumer_record(self._tp, record)
                    self.next_fetch_offset = record.offset + 1
                    yield found
        except Exception as problem:
            raise self._unreadable(problem) from problem
        self.next_fetch_offset = batch.next_offset

    def _unreadable(self, error: Exception) -> KafkaError:
        """Say which batch it was. The kind stays where another installation could read it."""
        raw: bytes = self._records.raw
        place = f"{self._tp.topic}[{self._tp.partition}]"
        if len(raw) >= HEADER and raw[MAGIC_AT] >= 2:
            batch = _DefaultRecordBatchPy(raw[:HEADER])
            place = f"{place}, offsets {batch.base_offset} to {batch.next_offset - 1}"
        else:
            place = f"{place}, from offset {self.next_fetch_offset} on"
        kind = UnsupportedCodecError if isinstance(error, UnsupportedCodecError) else CorruptRecordException
        said = error.args[0] if len(error.args) == 1 else str(error)
        return kind(f"{place}: {said or type(error).__name__}")


def slow_records(batch: _DefaultRecordBatchPy) -> Iterator[_DefaultRecordPy]:
    """Give a batch's records. Raises `CorruptRecordException`, `ValueError` or `IndexError` where its bytes make no sense."""
    batch._maybe_uncompress()
    data, at = bytes(batch._buffer), batch._pos
    for _ in range(batch._header_data[12]):
        length, at = decode_varint(data, at)
        end = at + length
        if length < 0 or end > len(data):
            raise CorruptRecordException(f"a record of {length} bytes does not fit into its batch")
        yield _record(batch, data, at, end)
        at = end
    if at != len(data):
        raise CorruptRecordException(f"{len(data) - at} bytes are left behind the last record")


def _record(batch: _DefaultRecordBatchPy, data: bytes, at: int, end: int) -> _DefaultRecordPy:
    _, at = decode_varint(data, at)  # attributes: none is in use
    elapsed, at = decode_varint(data, at)
    timestamp = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else batch.first_timestamp + elapsed
    delta, at = decode_varint(data, at)
    key, at = _bytes(data, at, end)
    value, at = _bytes(data, at, end)
    count, at = decode_varint(data, at)
    if not 0 <= count <= end - at:
        raise CorruptRecordException(f"a record cannot have {count} headers")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _bytes(data, at, end)
        if name is None:
            raise CorruptRecordException("a header has no name")
        content, at = _bytes(data, at, end)
        headers.append((name.decode("utf-8", "backslashreplace"), content))
    if at != end:
        raise CorruptRecordException(f"{end - at} bytes are left at the end of a record")
    return _DefaultRecordPy(batch.base_offset + delta, timestamp, batch.timestamp_type, key, value, headers)


def _bytes(data: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(data, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise CorruptRecordException(f"{length} bytes do not fit into their record")
    return data[at : at + length], at + length


fetcher.PartitionRecords = CarefulRecords
fetcher.MemoryRecords = RawRecords
