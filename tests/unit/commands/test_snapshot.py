"""A copy of states and positions is read back as it was written, or not at all."""

import gzip
from pathlib import Path

import msgspec
import pytest

from streams.commands.snapshot import BadSnapshot, Header, _Frames, header_of, items
from triggers.records.messages import Terms

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
