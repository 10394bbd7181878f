r"""Read the records of a batch in Python, with limits. The parser in C is faster; it refuses some batches that brokers accept.

It refuses a header name that is not UTF-8. Brokers accept such names, and librdkafka, PHP and Go write them. Here a byte that is not UTF-8
becomes the text `\xNN`. The parser in C also has no limit: from 64 MiB of headers it would create 20 million objects at once.

The names of aiokafka in this module are private; `tests/unit/kafka/test_records.py` checks them against the pinned version.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.util import decode_varint

SLOW: Final = 250_000
"""Maximum records and headers of one batch for the slow parser. It needs a second or two, in which the client sends no heartbeat."""
LARGE: Final = 4 << 20
"""Maximum bytes of a record for the fast parser: from 64 MiB of headers it would create 20 million objects at once."""


def slow_records(batch: _DefaultRecordBatchPy) -> Iterator[_DefaultRecordPy]:
    """Yield a batch's records. Raises `CorruptRecordException`, `ValueError` or `IndexError` if its bytes are invalid."""
    batch._maybe_uncompress()
    data, at = bytes(batch._buffer), batch._pos
    count = batch._header_data[12]
    left = SLOW - count
    if left < 0:
        raise _too_many()
    for _ in range(count):
        length, at = decode_varint(data, at)
        end = at + length
        if length < 0 or end > len(data):
            raise CorruptRecordException(f"a record of {length} bytes does not fit into its batch")
        record = _record(batch, data, at, end, left)
        left -= len(record.headers)
        yield record
        at = end
    if at != len(data):
        raise CorruptRecordException(f"{len(data) - at} bytes remain after the last record")


def _too_many() -> CorruptRecordException:
    return CorruptRecordException(
        f"it has more than {SLOW:,} records and headers, and also a header name that is not UTF-8 or a record above {LARGE >> 20} MiB"
    )


def _record(batch: _DefaultRecordBatchPy, data: bytes, at: int, end: int, left: int) -> _DefaultRecordPy:
    """Read one record. Raises as `slow_records`, also if it has more than `left` headers."""
    _, at = decode_varint(data, at)  # attributes: none is in use
    elapsed, at = decode_varint(data, at)
    timestamp = batch.max_timestamp if batch.timestamp_type == batch.LOG_APPEND_TIME else batch.first_timestamp + elapsed
    delta, at = decode_varint(data, at)
    key, at = _bytes(data, at, end)
    value, at = _bytes(data, at, end)
    count, at = decode_varint(data, at)
    if not 0 <= count <= end - at:
        raise CorruptRecordException(f"a record cannot have {count} headers")
    if count > left:
        raise _too_many()
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        name, at = _bytes(data, at, end)
        if name is None:
            raise CorruptRecordException("a header has no name")
        content, at = _bytes(data, at, end)
        headers.append((name.decode("utf-8", "backslashreplace"), content))
    if at != end:
        raise CorruptRecordException(f"{end - at} bytes remain at the end of a record")
    return _DefaultRecordPy(batch.base_offset + delta, timestamp, batch.timestamp_type, key, value, headers)


def _bytes(data: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(data, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise CorruptRecordException(f"{length} bytes do not fit into their record")
    return data[at : at + length], at + length
