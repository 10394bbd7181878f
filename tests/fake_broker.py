"""A broker that serves whatever bytes a test gives it: real ones refuse most damaged batches when they are produced.

It speaks Kafka's own wire format, as much of it as a consumer without a group needs: ApiVersions, Metadata, ListOffsets, Fetch. A fetch is
answered as a real broker does: with whole batches from the one on that holds the offset, so many as fit, but at least one.
"""

from __future__ import annotations

import asyncio
import io
import struct
from typing import Any, Final, Self
from uuid import UUID

from aiokafka.protocol.admin import ApiVersionRequest_v0
from aiokafka.protocol.fetch import FetchRequest_v4
from aiokafka.protocol.metadata import MetadataRequest_v0, MetadataRequest_v5
from aiokafka.protocol.offset import OffsetRequest_v1, OffsetRequest_v2
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.kafka.wire import MetadataRequestV10

KNOWN: Final = {
    (request.API_KEY, request.API_VERSION): request
    for request in (
        ApiVersionRequest_v0,
        FetchRequest_v4,
        MetadataRequest_v0,
        MetadataRequest_v5,
        MetadataRequestV10,
        OffsetRequest_v1,
        OffsetRequest_v2,
    )
}
FETCH, OFFSETS, METADATA, VERSIONS = 1, 2, 3, 18
EARLIEST: Final = -2
HEADER: Final = 61


def first_of(batch: bytes) -> int:
    """The offset at which a batch begins."""
    return int(struct.unpack_from(">q", batch)[0])


def good(first: int, count: int = 2, codec: int = 0) -> bytes:
    """A batch as a producer makes it."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 20)
    for number in range(count):
        builder.append(number, 1_000 + first + number, b"key", b"value %d" % (first + number), [("a", b"x")])
    return struct.pack(">q", first) + bytes(builder.build())[8:]


class FakeBroker:
    """Use it as `async with FakeBroker({"events": [[batch, ...], ...]}) as broker`."""

    def __init__(self, topics: dict[str, list[list[bytes]]], ends: dict[tuple[str, int], int]) -> None:
        """`topics`: the batches of each partition. `ends`: the offset after the last record of each."""
        self.topics, self.ends = topics, ends
        self.fetches: list[tuple[str, int, int]] = []
        """Topic, partition and offset of each."""
        self.chunk = 1 << 20
        self._server: asyncio.Server | None = None
        self._serving: list[asyncio.Task[None]] = []
        self._port = 0

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for serving in self._serving:
            serving.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.append(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                data = io.BytesIO(await reader.readexactly(size))
                key, version, correlation = struct.unpack(">hhi", data.read(8))
                data.read(max(0, struct.unpack(">h", data.read(2))[0]))  # the client's id
                request = KNOWN[key, version]
                flexible = bool(request.FLEXIBLE_VERSION)
                if flexible:
                    assert data.read(1) == b"\0"
                answer = await self._answer(key, version, request.SCHEMA.decode(data))
                body = struct.pack(">i", correlation) + (b"\0" if flexible else b"") + request.RESPONSE_TYPE.SCHEMA.encode(answer)
                writer.write(struct.pack(">i", len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, key: int, version: int, asked: Any) -> Any:
        if key == VERSIONS:
            served = {(served, min(v for k, v in KNOWN if k == served), max(v for k, v in KNOWN if k == served)) for served, _ in KNOWN}
            return (0, sorted(served))
        if key == METADATA:
            return self._metadata(version)
        if key == OFFSETS:
            offsets = [(topic, [self._offset(topic, number, moment) for number, moment in parts]) for topic, parts in asked[-1]]
            return (offsets,) if version < 2 else (0, offsets)
        found = [(topic, [self._fetched(topic, number, offset) for number, offset, _ in parts]) for topic, parts in asked[-1]]
        if not any(part[-1] for _, parts in found for part in parts):
            await asyncio.sleep(min(asked[1] / 1000, 0.05))
        return (0, found)

    def _metadata(self, version: int) -> Any:
        if version == MetadataRequestV10.API_VERSION:
            topics: list[Any] = [
                (0, name, UUID(int=7), False, [(0, number, 0, 0, [0], [0], [], {}) for number in range(len(parts))], 0, {})
                for name, parts in self.topics.items()
            ]
            return (0, [(0, "127.0.0.1", self._port, None, {})], "cluster", 0, topics, 0, {})
        if version == 0:
            old = [(0, name, [(0, number, 0, [0], [0]) for number in range(len(parts))]) for name, parts in self.topics.items()]
            return ([(0, "127.0.0.1", self._port)], old)
        partitions: dict[str, Any] = {
            name: [(0, number, 0, [0], [0], []) for number in range(len(parts))] for name, parts in self.topics.items()
        }
        return (0, [(0, "127.0.0.1", self._port, None)], "cluster", 0, [(0, name, False, parts) for name, parts in partitions.items()])

    def _offset(self, topic: str, number: int, moment: int) -> tuple[int, int, int, int]:
        batches = self.topics[topic][number]
        begin = first_of(batches[0]) if batches else self.ends[topic, number]
        return number, 0, -1, begin if moment == EARLIEST else self.ends[topic, number]

    def _fetched(self, topic: str, number: int, offset: int) -> Any:
        self.fetches.append((topic, number, offset))
        end = self.ends[topic, number]
        batches = self.topics[topic][number]
        found = b""
        for place, batch in enumerate(batches):
            following = first_of(batches[place + 1]) if place + 1 < len(batches) else end
            if following <= offset:
                continue
            if found and len(found) + len(batch) > self.chunk:
                break
            found += batch
        return number, 0, end, end, [], found
