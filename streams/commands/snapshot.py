"""Copy all states and positions to a file, for `cueline upgrade`, and read it back, for `cueline rebase --from FILE`.

The file is gzip over one line of magic and frames: a letter, the length of what follows (4 bytes, big-endian), and that.

| frame | holds |
| --- | --- |
| `H` | `Header`, as JSON: which log this is, and its progress |
| `P` | the number of the partition that the next records are of |
| `R` | length of the key (4 bytes), key, value: one record of the changelog, in its order |
| `D` | a key whose user was erased |
| `E` | the end, as JSON: how many records there were, and the SHA-256 of all bytes before this frame |

The records of a partition are those of its changelog, up to its last position. The last record of a key counts. So copying holds one batch
in memory, for any number of users. Readers check the whole file before they use a part of it.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from struct import Struct
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import TopicPartition

from streams.kafka import clients
from triggers.records.messages import Terms
from triggers.state.position import POSITION_KEY, Position

if TYPE_CHECKING:
    from streams.settings import Settings
    from triggers.base.model import Record

MAGIC: Final = b"cueline snapshot 1\n"
BIGGEST: Final = 64 << 20
"""The largest frame. A larger one is damage."""
SHORT: Final = 20_000
"""Offsets that are read within seconds. Compaction leaves the active segment alone, so it does not reach records so young."""
_frame = Struct(">cI")
_length = Struct(">I")

Item = tuple[int, bytes, bytes | None]
"""One record: partition, key, value; None: the user was erased."""


class BadSnapshot(Exception):  # noqa: N818 - an outcome for the operator
    """The file is no snapshot, or it is damaged; the message says how."""


class Header(msgspec.Struct, kw_only=True):
    """The log of a snapshot, and its progress at that time."""

    app: str
    cluster: str
    topic_id: str
    changelog_id: str
    partitions: int
    seq: int
    """Number of the last command."""
    terms: Terms
    """The terms of the log at that time."""
    at: int
    """Time of the copy, ms."""
    by: str
    schema: int = 1


class _End(msgspec.Struct):
    records: int
    sha256: str


async def write(
    settings: Settings, path: Path, header: Header, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> dict[int, Position]:
    """Copy the changelog to a new file and return its positions. Raise `FileExistsError`. A failure leaves no partial file.

    `progress` gets the number of offsets that are done, and their total.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already; name another file with --snapshot")
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1, filename="", mtime=0) as packed:
                positions = await _copy(settings, _Frames(packed), header, progress)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    return positions


class _Frames:
    """Write frames, with their count and digest."""

    def __init__(self, to: IO[bytes] | gzip.GzipFile) -> None:
        self._to = to
        self._digest = sha256()
        self._records = 0
        self._put(MAGIC)

    def put(self, letter: bytes, content: bytes) -> None:
        self._put(_frame.pack(letter, len(content)) + content)

    def record(self, key: bytes, value: bytes | None) -> None:
        self._records += 1
        if value is None:
            self.put(b"D", key)
        else:
            self.put(b"R", _length.pack(len(key)) + key + value)

    def end(self) -> None:
        self.put(b"E", msgspec.json.encode(_End(self._records, self._digest.hexdigest())))

    def _put(self, data: bytes) -> None:
        self._digest.update(data)
        self._to.write(data)


async def _copy(settings: Settings, frames: _Frames, header: Header, progress: Callable[[int, int], None]) -> dict[int, Position]:
    topic = settings.names.changelog
    frames.put(b"H", msgspec.json.encode(header))
    extents = await clients.spans(settings, [topic])
    of, done = sum(span.end - span.begin for span in extents.values()), 0
    positions: dict[int, Position] = {}
    for partition in range(header.partitions):
        frames.put(b"P", _length.pack(partition))
        async for record in _records(settings, partition):
            if record.key is not None:
                frames.record(record.key, record.value)
            if record.key == POSITION_KEY and record.value is not None:
                positions[partition] = Position.decode(record.value)
            progress(min(done + record.offset + 1 - extents[TopicPartition(topic, partition)].begin, of), of)
        span = extents[TopicPartition(topic, partition)]
        done += span.end - span.begin
    frames.end()
    return positions


async def _records(settings: Settings, partition: int) -> AsyncIterator[Record]:
    """Read the changelog of a partition up to a committed end: a checkpoint is there as a whole, or not at all.

    Workers may be running. If one saves a user again, the broker can compact the user's older record away before it is read here. So the
    end is asked again after each pass, and the next pass reads what was written during this one, until a pass was short.
    """
    tp = TopicPartition(settings.names.changelog, partition)
    begin, end = (await clients.spans(settings, [tp.topic]))[tp]
    while True:
        async for records in clients.read(settings, tp.topic, partition, start=begin, end=end):
            for record in records:
                yield record
        read, begin = end - begin, end
        if read <= SHORT:
            return
        end = (await clients.spans(settings, [tp.topic]))[tp].end


# ---- reading -------------------------------------------------------------------------------------------------------------


def header_of(path: Path) -> Header:
    """Check the whole file and return its header. Raise `BadSnapshot` or `OSError`."""
    header: Header | None = None
    for letter, content in _read(path):
        if letter == b"H":
            try:
                header = msgspec.json.decode(content, type=Header)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise BadSnapshot(f"{path}: its header cannot be read: {error}") from None
    if header is None:
        raise BadSnapshot(f"{path} has no header")
    return header


def items(path: Path) -> Iterator[Item]:
    """Read the records in order. Raise as `header_of`, at the end at the latest."""
    partition = -1
    for letter, content in _read(path):
        if letter == b"D":
            yield partition, content, None
        elif letter in (b"P", b"R"):
            if len(content) < _length.size:
                raise BadSnapshot(f"{path} is damaged: a frame is too short")
            (size,) = _length.unpack_from(content)
            if letter == b"P":
                partition = size
                continue
            yield partition, content[4 : 4 + size], content[4 + size :]


def _read(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Read the frames up to the end frame, and check it."""
    digest, records, letter = sha256(MAGIC), 0, b""
    try:
        with gzip.open(path) as packed:
            if packed.read(len(MAGIC)) != MAGIC:
                raise BadSnapshot(f"{path} is no snapshot of this release's form")
            while True:
                head = _exactly(packed, _frame.size)
                letter, size = _frame.unpack(head)
                if size > BIGGEST or letter not in (b"H", b"P", b"R", b"D", b"E"):
                    raise BadSnapshot(f"{path} is damaged")
                content = _exactly(packed, size)
                if letter == b"E":
                    break
                digest.update(head)
                digest.update(content)
                records += letter in (b"R", b"D")
                yield letter, content
            if packed.read(1):
                raise BadSnapshot(f"{path} continues after its end")
        end = msgspec.json.decode(content, type=_End)
    except (EOFError, gzip.BadGzipFile, zlib.error, msgspec.DecodeError) as error:
        raise BadSnapshot(f"{path} is damaged or cut off: {error}") from None
    if end != _End(records, digest.hexdigest()):
        raise BadSnapshot(f"{path} is damaged: its checksum differs")


def _exactly(packed: Any, size: int) -> bytes:  # noqa: ANN401 - gzip's file
    data: bytes = packed.read(size)
    if len(data) != size:
        raise EOFError("it ends in the middle")
    return data
