"""Give Kafka's batches to aiokafka's fetcher completely, or report the place of one that cannot be read.

This module replaces the classes with which aiokafka's fetcher reads a response, for every consumer of the process. It reads each batch as a
whole before it returns a record of it, so no consumer folds a part of an *unreadable* one. For an unreadable batch it raises `Unreadable`,
with the topic, the partition and the first and last offset of the batch, after it has returned all records before it. The position stays
before the batch. With `on_unreadable` a consumer gets a call instead: then only that partition ends there, and the others continue.

`batch_bytes` checks and unpacks one batch, `slow_parser` reads what the parser in C refuses.

All names of aiokafka that this module uses are private; `tests/unit/kafka/test_records.py` checks them against the pinned version.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final
from weakref import proxy

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from streams.kafka.batch_bytes import HEADER, LENGTH, MAGIC_AT, in_the_clear, whole
from streams.kafka.slow_parser import LARGE
from streams.kafka.unpacked import ROOM, NoRoom, Opened

FIRST: Final = struct.Struct(">q")
LENGTH_AT: Final = 8
OVERHEAD: Final = 12
"""Bytes before those that the length of a batch counts: its first offset and the length itself."""
DELTA_AT: Final = 23
"""The place of the number of offsets after the first one."""
LEGACY: Final = 26
"""The minimum size of a record of the formats before 2."""

_PartitionRecords: Any = fetcher.PartitionRecords
_FetchResult: Any = fetcher.FetchResult


class Unreadable(CorruptRecordException):  # type: ignore[misc]
    """A batch that cannot be read; `last` is None if its end is unknown. The text names the place and the problem."""

    retriable = False

    def __init__(self, tp: TopicPartition, at: int, first: int, last: int | None, problem: Exception) -> None:
        self.begin = max(at, first)
        """The first offset that cannot be read."""
        last = last if last is not None and last >= self.begin else None
        self.tp, self.at, self.first, self.last = tp, at, first, last
        """`at`: the offset from which to read."""
        self.no_library = isinstance(problem, UnsupportedCodecError) and "Libraries" in str(problem)
        said = problem.args[0] if len(problem.args) == 1 else str(problem)
        self.what = f"{said or type(problem).__name__}"
        self.span = f"from offset {first} on" if last is None else f"offsets {first} to {last}"
        super().__init__(f"{tp.topic}[{tp.partition}], {self.span}: the batch cannot be read: {self.what}")

    def __str__(self) -> str:
        return str(self.args[0])


# ---- the bytes of a response -----------------------------------------------------------------------------------------


class RawRecords:
    """Replaces aiokafka's `MemoryRecords`: returns the batches of a response, and the bytes of the last one.

    A response that does not hold even one whole batch is not ignored. Its only batch is damaged, and reading it reports that.
    """

    def __init__(self, data: bytes | None) -> None:
        self._data = memoryview(data or b"")
        self._size = len(self._data)
        self._begin = self._end = 0
        self._next = self._after()
        self.raw = self._data[:0]
        """The bytes of the batch that `next_batch` returned last, or failed to return."""

    def size_in_bytes(self) -> int:
        return self._size

    def has_next(self) -> bool:
        return self._next <= self._size or (self._end == 0 and self._size > 0)

    def next_batch(self) -> Any:  # noqa: ANN401 - aiokafka's batch
        if not self.has_next():
            return None
        begin, end = self._end, self._next
        self._begin, self._end = begin, end
        raw = self.raw = self._data[begin:end]
        size = len(raw)
        if end > self._size:
            raise CorruptRecordException(f"only {size} bytes of it came, and there are no more")
        self._next = self._after()
        if size < HEADER and (size < LEGACY or raw[MAGIC_AT] >= 2):
            raise CorruptRecordException(f"it has {size} bytes, fewer than any batch")
        magic = raw[MAGIC_AT]
        if magic < 2:
            return LegacyRecordBatch(raw, magic)
        if raw[DELTA_AT] > 0x7F:
            raise CorruptRecordException("its last offset is less than its first one")
        return DefaultRecordBatch(raw)

    def _after(self) -> int:
        """Return where the next batch ends; after the end of the data if it is cut off."""
        if self._size - self._end < OVERHEAD:
            return self._size + 1
        return int(self._end + OVERHEAD + max(0, LENGTH.unpack_from(self._data, self._end + LENGTH_AT)[0]))

    def bounds(self) -> tuple[int | None, int | None]:
        """Return the first and last offset of that batch, as far as they are known."""
        raw = self.raw
        if len(raw) < 8:
            return None, None
        (first,) = FIRST.unpack_from(raw)
        if self._end + 8 <= len(self._data):  # not covered by the checksum, so this works even if it is wrong
            (following,) = FIRST.unpack_from(self._data, self._end)
            if following > first:
                return first, following - 1
        if len(raw) >= HEADER and raw[MAGIC_AT] >= 2:
            (delta,) = LENGTH.unpack_from(raw, DELTA_AT)
            return first, first + delta if delta >= 0 else None
        return first, None


# ---- what one fetch brought of a partition ---------------------------------------------------------------------------


class CarefulRecords(_PartitionRecords):  # type: ignore[misc]
    """aiokafka's `PartitionRecords`, which ends before a batch that cannot be read. Raises `Unreadable` if no record comes before it."""

    def __init__(self, tp: TopicPartition, records: RawRecords, aborted: Any, offset: int, *options: Any) -> None:  # noqa: ANN401
        self.opened = Opened(offset)
        super().__init__(tp, records, aborted, offset, *options)

    @property
    def next_fetch_offset(self) -> int:
        """The offset after the last record returned."""
        return self.opened.offset

    @next_fetch_offset.setter
    def next_fetch_offset(self, offset: int) -> None:
        self.opened.offset = offset

    def _unpack_records(self) -> Iterator[Any]:
        # The iterator has no reference to this object, which refers to it. So an unpacked batch is freed with its last reference.
        return _given(self.opened, self._records, proxy(self))

    def skips(self, batch: Any) -> bool:  # noqa: ANN401 - aiokafka's batch
        """Return whether to skip this batch, as aiokafka does: a control batch, or one of an aborted transaction."""
        if self._isolation_level == fetcher.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)

    def check(self, batch: Any) -> None:  # noqa: ANN401 - aiokafka's batch
        """Raise `CorruptRecordException` if checksums are checked and this one is wrong."""
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException("its checksum is wrong")

    def unreadable(self, error: Exception) -> Unreadable:
        """Return the error with the place of the batch that has raised it."""
        first, last = self._records.bounds()
        return Unreadable(self._tp, self.next_fetch_offset, self.next_fetch_offset if first is None else first, last, error)


def _given(opened: Opened, source: RawRecords, owner: Any) -> Iterator[Any]:  # noqa: ANN401 - a proxy of `CarefulRecords`
    """Yield the records of all batches. Only a call of `owner` may use `owner`."""
    begun, make = opened.offset, fetcher.ConsumerRecord
    topic, partition = owner._tp
    try:
        while source.has_next():
            batch = source.next_batch()
            owner.check(batch)
            following = max(batch.next_offset, opened.offset)  # a position never goes back
            if not owner.skips(batch):
                for record in whole(*in_the_clear(batch, source.raw, opened)):
                    offset, key, value = record.offset, record.key, record.value
                    if offset < opened.offset:
                        continue
                    opened.offset = offset + 1
                    sizes = -1 if key is None else len(key), -1 if value is None else len(value)
                    kind, checksum, headers = record.timestamp_type, record.checksum, tuple(record.headers)
                    yield make(topic, partition, offset, record.timestamp, kind, key, value, checksum, *sizes, headers)
                if opened.held:
                    ROOM.close(opened)
            opened.offset = following
        if opened.offset == begun:  # it would be fetched again without end
            raise CorruptRecordException(f"it ends before offset {begun}, from which to read")
    except NoRoom:
        pass  # the records before it are returned first; the next fetch begins at this batch
    except Exception as error:
        # Codecs and parsers raise arbitrary errors; none of them names the place.
        if opened.offset == begun:
            raise owner.unreadable(error) from error
        # As for `NoRoom`.
    finally:
        ROOM.close(opened)  # also of a batch that could not be read: its error keeps this frame alive


class CarefulResult(_FetchResult):  # type: ignore[misc]
    """aiokafka's `FetchResult`. With `on_unreadable`, an unreadable batch ends only this partition."""

    _partition_records: Any
    """None when all of it is returned."""

    def getall(self, max_records: int | None = None) -> list[Any]:
        """Return what aiokafka's does, but at most `LARGE` bytes of large records at a time: each is a copy."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        found: list[Any] = []
        most, size = max_records or sys.maxsize, 0
        try:
            for record in self._partition_records:
                found.append(record)
                size += record.serialized_value_size
                if len(found) >= most or size >= LARGE:
                    self._update_position()
                    return found
        except Unreadable as problem:
            report = getattr(self._assignment.state_value(self._topic_partition), "on_unreadable", None)
            if report is None:
                raise
            self._partition_records = None
            report(problem)
            return []
        self._update_position()
        self._partition_records = None
        return found

    @property
    def held(self) -> int:
        """Bytes of the unpacked batch of which records are still to be given."""
        return 0 if self._partition_records is None else int(self._partition_records.opened.held)


def on_unreadable(consumer: Any, tp: TopicPartition, call: Callable[[Unreadable], None]) -> None:  # noqa: ANN401 - aiokafka's consumer
    """Pause this assigned partition before an unreadable batch and call `call`. This holds until the next assignment."""
    state = consumer._subscription.subscription.assignment.state_value(tp)

    def stop(problem: Unreadable) -> None:
        consumer.pause(tp)
        call(problem)

    state.on_unreadable = stop


fetcher.PartitionRecords = CarefulRecords
fetcher.MemoryRecords = RawRecords
fetcher.FetchResult = CarefulResult
