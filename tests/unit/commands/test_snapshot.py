"""A copy of states and positions is read back as it was written, or not at all."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from aiokafka import TopicPartition

from streams.commands import snapshot
from streams.commands.log_history import CannotReplay, Copy
from streams.commands.snapshot import BadSnapshot, Header, _Frames, header_of, items
from streams.kafka import clients
from streams.kafka.clients import Span
from streams.settings import Settings
from triggers.records.messages import Terms
from triggers.state.position import POSITION_KEY, Position

HEADER = Header(
    app="shop",
    cluster="c",
    topic_id="t",
    changelog_id="l",
    partitions=2,
    seq=4,
    terms=Terms(engine=2, tzdata="2026f", foreign_keys=False),
    at=5,
    by="ann@host",
)
RECORDS = [(0, b"ann", b"\0\1\2"), (0, b"bob", b""), (0, b"ann", None), (1, b"\0position", b"{}")]


def written(path: Path, *, end: bool = True) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as packed:
        frames = _Frames(packed)
        frames.put(b"H", msgspec.json.encode(HEADER))
        at = -1
        for partition, key, value in RECORDS:
            if partition != at:
                at = partition
                frames.put(b"P", partition.to_bytes(4, "big"))
            frames.record(key, value)
        if end:
            frames.end()
    return path


def test_a_copy_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    file = written(tmp_path / "copy")
    assert header_of(file) == HEADER
    assert list(items(file)) == RECORDS


def test_a_copy_without_its_end_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadSnapshot, match="damaged or cut off"):
        header_of(written(tmp_path / "copy", end=False))


def test_no_byte_of_a_copy_can_change_or_be_missing(tmp_path: Path) -> None:
    """What the compression does not notice the checksum does."""
    whole = gzip.decompress(written(tmp_path / "copy").read_bytes())
    file = tmp_path / "damaged"
    for at in range(len(whole)):
        for damaged in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at]):
            file.write_bytes(gzip.compress(damaged, 1))
            with pytest.raises(BadSnapshot):
                header_of(file)
    packed = (tmp_path / "copy").read_bytes()
    for at in range(0, len(packed), 7):
        file.write_bytes(packed[:at])
        with pytest.raises(BadSnapshot):
            header_of(file)


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"another file"), gzip.compress(b"cueline snapshot 2\n")])
def test_another_file_is_no_copy(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "other"
    file.write_bytes(content)
    with pytest.raises(BadSnapshot):
        header_of(file)


class Compacting:
    """A changelog whose users are saved again, and whose older records are compacted away, while it is read."""

    def __init__(self) -> None:
        self.log = {0: (b"ann", b"1"), 1: (b"bob", b"1"), 2: (POSITION_KEY, Position(offset=7).encode())}
        self.end = 3

    async def spans(self, _settings: object, topics: list[str], **_: object) -> dict[TopicPartition, Span]:
        return {TopicPartition(topics[0], 0): Span(0, self.end)}

    async def read(self, _settings: object, _topic: str, _partition: int, start: int, end: int) -> AsyncIterator[list[SimpleNamespace]]:
        if self.end == 3:
            del self.log[1], self.log[2]
            self.log |= {3: (b"bob", b"2"), 4: (POSITION_KEY, Position(offset=9).encode())}
            self.end = 5
        yield [SimpleNamespace(offset=at, key=key, value=value) for at, (key, value) in self.log.items() if start <= at < end]


async def test_a_user_whose_record_is_compacted_away_during_the_copy_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of engine 2 and later save on while `cueline upgrade` copies."""
    changelog = Compacting()
    monkeypatch.setattr(snapshot, "SHORT", 2)
    monkeypatch.setattr(clients, "spans", changelog.spans)
    monkeypatch.setattr(clients, "read", changelog.read)
    seen: list[tuple[int, int]] = []
    header = msgspec.structs.replace(HEADER, partitions=1)
    positions = await snapshot.write(Settings(), tmp_path / "copy", header, lambda done, of: seen.append((done, of)))
    assert positions[0].offset == 9
    assert [(key, value) for _, key, value in items(tmp_path / "copy") if key != POSITION_KEY] == [(b"ann", b"1"), (b"bob", b"2")]
    assert seen[-1] == (3, 3)


def test_a_replay_does_not_give_a_partition_without_records_the_states_of_the_next(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "copy", "wb") as packed:
        frames = _Frames(packed)
        frames.put(b"H", msgspec.json.encode(msgspec.structs.replace(HEADER, partitions=3)))
        for partition in range(3):
            frames.put(b"P", partition.to_bytes(4, "big"))
            if partition != 1:
                frames.record(b"\0position", Position(offset=partition).encode())
        frames.end()
    copy = Copy(tmp_path / "copy")
    assert copy.take(0)[0].offset == 0
    with pytest.raises(CannotReplay, match="holds no position of partition 1"):
        copy.take(1)
    assert copy.take(2)[0].offset == 2
