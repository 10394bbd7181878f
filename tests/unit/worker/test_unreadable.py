"""Batches that no client can read, built by hand and served by a test broker: each is reported with its place, and the rest continues."""

from __future__ import annotations

import gzip
import io
import resource
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.errors import CorruptRecordException
from aiokafka.record.util import calc_crc32c

from streams.kafka import clients, inflate
from streams.kafka.batch_bytes import in_the_clear, whole
from streams.kafka.records import RawRecords, Unreadable, on_unreadable
from streams.kafka.slow_parser import SLOW
from streams.kafka.unpacked import Opened
from streams.settings import Settings
from tests.fake_broker import FakeBroker, good

HEADER = 61
TRANSACTIONAL, CONTROL = 16, 32
MIB = 1 << 20


def sealed(batch: bytes) -> bytes:
    """Give a batch the length and the checksum that it should have."""
    batch = batch[:8] + struct.pack(">i", len(batch) - 12) + batch[12:]
    return batch[:17] + struct.pack(">I", calc_crc32c(batch[21:])) + batch[21:]


def made(first: int, records: bytes, *, count: int = 2, attributes: int = 0, delta: int = 1) -> bytes:
    """A batch of these bytes, whatever they are."""
    head = struct.pack(">qiibIhiqqqhii", first, 0, 0, 2, 0, attributes, delta, 1_000, 1_001, -1, -1, -1, count)
    return sealed(head + records)


def varint(number: int) -> bytes:
    """A number as Kafka writes it: zigzag, seven bits a byte."""
    number, found = number << 1 ^ number >> 63, bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*found, number))


def record(delta: int, value: bytes = b"v", headers: bytes = b"\0", key: bytes | None = b"k") -> bytes:
    body = b"\0\0" + varint(delta) + varint(-1 if key is None else len(key)) + (key or b"") + varint(len(value)) + value + headers
    return varint(len(body)) + body


BOTH = record(0) + record(1)
ZEROS = bytes(inflate.LIMIT + MIB)


def _count(batch: bytes, count: int) -> bytes:
    return sealed(batch[:57] + struct.pack(">i", count) + batch[61:])


def _bombs() -> dict[str, bytes]:
    framed = b"".join(struct.pack(">i", len(part)) + part for part in [bytes(cramjam.snappy.compress_raw(bytes(4 * MIB)))] * 17)
    zeros = bytes(8 * MIB)
    return {
        "a bomb in gzip": made(2, gzip_encode(ZEROS), attributes=1),
        "a bomb in several members of gzip": made(2, gzip.compress(zeros) * 9, attributes=1),
        "a bomb in snappy": made(2, snappy_encode(ZEROS, xerial_compatible=False), attributes=2),
        "a bomb in snappy's blocks": made(2, b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + framed, attributes=2),
        "a bomb in lz4": made(2, lz4_encode(ZEROS), attributes=3),
        "a bomb in zstd": made(2, zstd_encode(ZEROS), attributes=4),
        "a bomb in several frames of zstd": made(2, zstd_encode(zeros) * 9, attributes=4),
    }


def _heavy() -> dict[str, bytes]:
    """Batches that would unpack to little, and keep a client from its heartbeats for a minute."""
    bad, count = b"\x02\x02\xff\x01", SLOW
    many = b"".join(record(delta, b"", bad, None) for delta in range(count))
    headers = record(0) + record(1, headers=varint(count) + b"\x02\xff\x01" * count)
    several = b"".join(record(delta, headers=varint(MIB) + b"\x02a\x01" * MIB) for delta in range(12))
    large = record(0) + record(1, headers=varint(2 * MIB) + b"\x02a\x01" * (2 * MIB))
    return {
        "many records with a bad header name": made(2, gzip_encode(many), count=count, delta=count - 1, attributes=1),
        "a record of many headers with a bad name": made(2, gzip_encode(headers), attributes=1),
        "a record of millions of headers": made(2, gzip_encode(large), attributes=1),
        "a record of millions of headers in zstd": made(2, zstd_encode(large), attributes=4),
        "a record of millions of headers in the clear": made(2, large),
        "records of millions of headers together": made(2, zstd_encode(several), count=12, delta=11, attributes=4),
    }


BOMBS = _bombs()
HEAVY = _heavy()
BAD: dict[str, bytes] = {
    "bad varints": made(2, b"\xff" * 40),
    "a record that is longer than the batch": made(2, b"\xfe\x7f" + BOTH),
    "a key that is longer than the record": made(2, record(0) + b"\x10\0\0\x02\xfe\x01abcd"),
    "a count that is too high": _count(good(2), 3),
    "a count that is too low": _count(good(2), 1),
    "a count below zero": _count(good(2), -1),
    "a count of two thousand million": _count(good(2), 2_000_000_000),
    "offsets beyond those that it names": made(2, record(0) + record(7)),
    "the same offset twice": made(2, record(1) + record(1)),
    "offsets that fall": made(2, record(1) + record(0)),
    "a header without a name": made(2, record(0) + record(1, headers=b"\x02\x01\x02x")),
    "a header that is cut off": made(2, record(0) + record(1, headers=b"\x02\x10ab")),
    "a bad header name, and damage behind it": made(2, record(0, headers=b"\x02\x08caf\xe9\x02x") + b"\xff\xff"),
    "a bad checksum": good(2)[:-1] + b"!",
    "a checksum of nothing": made(2, BOTH)[:17] + bytes(4) + made(2, BOTH)[21:],
    "an unknown codec": made(2, BOTH, attributes=6),
    "no gzip": made(2, BOTH, attributes=1),
    "gzip that is cut off": made(2, gzip_encode(BOTH)[:-9], attributes=1),
    "no snappy": made(2, BOTH, attributes=2),
    "no lz4": made(2, BOTH, attributes=3),
    "no zstd": made(2, BOTH, attributes=4),
    "a control batch without a record": made(2, b"", count=0, attributes=TRANSACTIONAL | CONTROL),
    "a control record of one byte": made(2, record(0, key=b"\0"), count=1, attributes=TRANSACTIONAL | CONTROL),
    "a control record without a key": made(2, record(0, key=None), count=1, attributes=TRANSACTIONAL | CONTROL),
    **BOMBS,
    **HEAVY,
}
READABLE: dict[str, tuple[bytes, list[int]]] = {
    "a control batch of an unknown type": (made(2, record(0, key=b"\0\0\0\x07"), count=1, attributes=TRANSACTIONAL | CONTROL), []),
    "header names that are not UTF-8": (
        made(2, record(0, headers=b"\x02\x08caf\xe9\x02x") + record(1, headers=b"\x04\x02\xff\x01\x02\xfe\x00")),
        [2, 3],
    ),
    "no records": (made(2, b"", count=0), []),
    "a record less than it names": (made(2, record(1), count=1), [3]),
    "lz4 with as many blocks as fit": (good(2, codec=3), [2, 3]),
}


def _served(bad: bytes) -> FakeBroker:
    return FakeBroker({"events": [[good(0), bad, good(4)], [good(0), good(2), good(4)]]}, {("events", 0): 6, ("events", 1): 6})


def _settings(broker: FakeBroker) -> Settings:
    return Settings(bootstrap=broker.bootstrap, prefix="")


async def _offsets(settings: Settings, **more: Any) -> list[int]:
    return [record.offset async for batch in clients.read(settings, "events", 0, **more) for record in batch]


@pytest.mark.parametrize("bad", [pytest.param(batch, id=name) for name, batch in BAD.items()])
async def test_a_batch_that_cannot_be_read_stops_its_own_partition_and_can_be_skipped(bad: bytes) -> None:
    zero, one = TopicPartition("events", 0), TopicPartition("events", 1)
    async with _served(bad) as broker, clients.consumer(_settings(broker)) as client:
        told: list[Unreadable] = []
        client.assign([zero, one])
        for tp in (zero, one):
            client.seek(tp, 0)
            on_unreadable(client, tp, told.append)
        got: dict[TopicPartition, list[int]] = {zero: [], one: []}

        async def read_until(done: Callable[[], bool]) -> None:
            for _ in range(100):
                for tp, records in (await client.getmany(timeout_ms=100)).items():
                    got[tp] += [record.offset for record in records]
                if done():
                    return

        await read_until(lambda: bool(told) and len(got[one]) == 6)
        assert got == {zero: [0, 1], one: [0, 1, 2, 3, 4, 5]}
        (problem,) = told
        assert (problem.tp, problem.at, problem.first, problem.last) == (zero, 2, 2, 3)
        assert str(problem).startswith("events[0], offsets 2 to 3: the batch cannot be read: ")
        assert await client.position(zero) == 2
        asked = len([place for place in broker.fetches if place[1:] == (0, 2)])
        await client.getmany(timeout_ms=300)
        assert len([place for place in broker.fetches if place[1:] == (0, 2)]) == asked  # it does not ask again and again
        client.seek(zero, 4)
        client.resume(zero)
        await read_until(lambda: len(got[zero]) == 4)
        assert got[zero] == [0, 1, 4, 5]


@pytest.mark.parametrize("bad", [pytest.param(batch, id=name) for name, batch in BAD.items()])
async def test_who_reads_the_log_gets_what_stands_before_such_a_batch_then_its_place(bad: bytes) -> None:
    async with _served(bad) as broker:
        got: list[int] = []

        async def read() -> None:
            async for batch in clients.read(_settings(broker), "events", 0):
                got.extend(record.offset for record in batch)

        with pytest.raises(Unreadable, match=r"events\[0\], offsets 2 to 3: "):
            await read()
        assert got == [0, 1]
        assert await _offsets(_settings(broker), skips={(2, 3)}) == [0, 1, 4, 5]
        assert await _offsets(_settings(broker), skips={(2, 3)}, start=3) == [4, 5]
        with pytest.raises(Unreadable):
            await _offsets(_settings(broker), skips={(0, 1), (3, 9)})


async def test_what_is_skipped_is_left_out_also_where_it_can_be_read() -> None:
    async with _served(good(2)) as broker:
        assert await _offsets(_settings(broker)) == [0, 1, 2, 3, 4, 5]
        assert await _offsets(_settings(broker), skips={(2, 3)}) == [0, 1, 4, 5]


@pytest.mark.parametrize(("batch", "offsets"), [pytest.param(*case, id=name) for name, case in READABLE.items()])
async def test_what_only_looks_strange_is_read(batch: bytes, offsets: list[int]) -> None:
    async with _served(batch) as broker:
        assert await _offsets(_settings(broker)) == [0, 1, *offsets, 4, 5]


@pytest.mark.parametrize("cut", [5, 11, 12, 20, 61, 80])
async def test_a_batch_that_does_not_come_whole_is_not_passed_over(cut: int) -> None:
    """The client takes it for one that is larger than a fetch, and silently continues at the next offset."""
    long = good(2)
    short = long[:8] + struct.pack(">i", 1 << 30) + long[12:cut] if cut > 11 else long[:cut].ljust(8, b"\0")
    broker = FakeBroker({"events": [[short]]}, {("events", 0): 4})
    async with broker, clients.consumer(_settings(broker)) as client:
        tp = TopicPartition("events", 0)
        client.assign([tp])
        client.seek(tp, 2)
        for _ in range(2):  # as often as it is asked
            with pytest.raises(Unreadable, match=r"bytes of it came, and there are no more"):
                await client.getmany(tp, timeout_ms=2_000)
            assert await client.position(tp) == 2


@pytest.mark.parametrize(("again", "offsets"), [(good(0), [0, 1, 4, 5]), (good(1), [0, 1, 2, 4, 5]), (good(1, 1), [0, 1, 4, 5])])
async def test_what_has_been_read_is_not_given_again(again: bytes, offsets: list[int]) -> None:
    async with FakeBroker({"events": [[good(0), again, good(4)]]}, {("events", 0): 6}) as broker:
        assert await _offsets(_settings(broker)) == offsets


async def test_a_batch_that_ends_before_the_position_is_named_and_not_fetched_for_ever() -> None:
    """The client's position would go back, and the same come again and again."""
    async with FakeBroker({"events": [[good(0), good(0)]]}, {("events", 0): 6}) as broker:
        with pytest.raises(Unreadable, match=r"events\[0\], from offset 0 on: .* it ends before offset 2"):
            await _offsets(_settings(broker))


@pytest.mark.parametrize("length", [-1 << 31, -100, -12, 0, 1, 20, 48])
async def test_a_length_that_no_batch_has_is_named(length: int) -> None:
    batch = good(2)
    broker = FakeBroker({"events": [[batch[:8] + struct.pack(">i", length) + batch[12:]]]}, {("events", 0): 4})
    async with broker:
        with pytest.raises(Unreadable, match=r"events\[0\]"):
            await _offsets(_settings(broker))


# ---- how much a batch unpacks to --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_found_out_in_bounded_memory(name: str) -> None:
    data = BOMBS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(inflate.TooLarge):
        inflate.check(data[22] & 7, data[HEADER:])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 * inflate.LIMIT // 1024


@pytest.mark.parametrize("size", [0, 1, 1_000, 200_000, inflate.LIMIT])
def test_what_fits_passes_in_every_codec(size: int) -> None:
    data = bytes(size)
    assert inflate.gunzip(gzip_encode(data)) == data
    for codec, packed in (
        (inflate.SNAPPY, snappy_encode(data)),
        (inflate.SNAPPY, snappy_encode(data, xerial_compatible=False)),
        (inflate.LZ4, lz4_encode(data)),
        (inflate.ZSTD, zstd_encode(data)),
    ):
        inflate.check(codec, bytes(packed))


def test_many_short_blocks_are_counted_before_they_are_refused() -> None:
    """Each could unpack to 128 KiB, according to its header."""
    parts = [zstd_encode(b"abcabcabc" * 30)] * 600
    assert inflate._greatest(inflate._zstd_frame, b"".join(parts)) > inflate.LIMIT
    inflate.check(inflate.ZSTD, b"".join(parts))


def test_gzip_with_zeros_behind_it_is_read_as_by_the_library() -> None:
    data = gzip.compress(b"abc") + gzip.compress(b"def") + bytes(7)
    assert inflate.gunzip(data) == gzip.decompress(data) == b"abcdef"
    with pytest.raises(zlib.error):
        inflate.gunzip(gzip.compress(b"abc") + b"no gzip")


@pytest.mark.parametrize("heavy", [pytest.param(batch, id=name) for name, batch in HEAVY.items()])
def test_more_records_and_headers_than_the_slow_parser_takes_are_refused_at_once(heavy: bytes) -> None:
    source = RawRecords(heavy)
    batch = source.next_batch()
    begun = time.process_time()
    with pytest.raises(CorruptRecordException, match=r"more than (250,000 records and|1,000,000) headers"):
        whole(*in_the_clear(batch, source.raw, Opened(0)))
    assert time.process_time() - begun < 20 * _seconds_of_one_walk()


def _seconds_of_one_walk() -> float:
    begun = time.process_time()
    for number in range(SLOW):
        varint(number)
    return time.process_time() - begun


def test_a_large_record_and_one_of_many_headers_are_read() -> None:
    for records, headers in (
        (record(0, bytes(5 * MIB)) + record(1), 0),
        (record(0) + record(1, headers=varint(50_000) + b"\x02\xff\x01" * 50_000), 50_000),
    ):
        source = RawRecords(made(2, gzip_encode(records), attributes=1))
        batch = source.next_batch()
        read = list(whole(*in_the_clear(batch, source.raw, Opened(0))))
        assert [one.offset for one in read] == [2, 3]
        assert len(read[1].headers) == headers


def test_gzip_of_very_many_members_is_unpacked_in_linear_time() -> None:
    packed = gzip.compress(b"a") * 150_000
    begun = time.process_time()
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
        expected = file.read()
    theirs = time.process_time() - begun
    begun = time.process_time()
    assert inflate.gunzip(packed) == expected
    assert time.process_time() - begun < 5 * theirs
