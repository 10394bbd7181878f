"""The unpacked size of a batch: nothing beyond the limit passes, and nothing that fits is refused, whatever the codec.

The test compares with the codecs themselves, with a small limit. For damaged data it checks only what the codec can unpack.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from random import Random
from typing import Any, Final

import cramjam
import pytest
from aiokafka.codec import gzip_decode, gzip_encode, lz4_decode, lz4_encode, snappy_decode, snappy_encode, zstd_decode, zstd_encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.kafka import inflate

BOUND: Final = 200_000
DECODERS: Final[dict[int, Callable[[bytes], Any]]] = {
    inflate.GZIP: gzip_decode,
    inflate.SNAPPY: snappy_decode,
    inflate.LZ4: lz4_decode,
    inflate.ZSTD: zstd_decode,
}
SKIPPABLE: Final = struct.pack("<II", 0x184D2A53, 5) + b"hello"


def _framed(data: bytes, size: int) -> bytes:
    """Snappy's blocks, as Java writes them."""
    blocks = [bytes(cramjam.snappy.compress_raw(data[at : at + size])) for at in range(0, len(data), size)]
    return b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1) + b"".join(struct.pack(">i", len(block)) + block for block in blocks)


def _in_parts(pack: Callable[[bytes], bytes], between: bytes = b"") -> Callable[[bytes, int], bytes]:
    def packed(data: bytes, size: int) -> bytes:
        return between.join(pack(data[at : at + size]) for at in range(0, max(1, len(data)), size))

    return packed


PACKERS: Final[dict[str, tuple[int, Callable[[bytes, int], bytes]]]] = {
    "gzip": (inflate.GZIP, lambda data, _: gzip_encode(data)),
    "gzip, not packed": (inflate.GZIP, lambda data, _: gzip.compress(data, 0)),
    "gzip in members": (inflate.GZIP, _in_parts(gzip.compress)),
    "gzip in members and zeros": (inflate.GZIP, _in_parts(gzip.compress, bytes(9))),
    "snappy": (inflate.SNAPPY, lambda data, _: bytes(snappy_encode(data, xerial_compatible=False))),
    "snappy in blocks": (inflate.SNAPPY, _framed),
    "lz4": (inflate.LZ4, lambda data, _: bytes(lz4_encode(data))),
    "lz4 at a high level": (inflate.LZ4, lambda data, _: bytes(cramjam.lz4.compress(data, level=9))),
    "lz4 in frames": (inflate.LZ4, _in_parts(lambda data: bytes(lz4_encode(data)))),
    "zstd": (inflate.ZSTD, lambda data, _: bytes(zstd_encode(data))),
    "zstd at a high level": (inflate.ZSTD, lambda data, _: bytes(cramjam.zstd.compress(data, level=19))),
    "zstd in frames": (inflate.ZSTD, _in_parts(lambda data: bytes(zstd_encode(data)))),
    "zstd in frames, and some that are skipped": (inflate.ZSTD, _in_parts(lambda data: bytes(zstd_encode(data)), SKIPPABLE)),
}
sizes = st.one_of(
    st.integers(0, 2 * BOUND),
    st.integers(-3, 3).map(lambda off: BOUND + off),
    st.sampled_from([0, 1, 65_535, 65_536, 65_537, 131_072, 131_073, 4 << 20]),
)
contents = st.sampled_from(["zeros", "noise", "text", "both"])


def _content(kind: str, size: int, seed: int) -> bytes:
    random = Random(seed)
    if kind == "zeros":
        return bytes(size)
    if kind == "noise":
        return random.randbytes(size)
    if kind == "both":
        return random.randbytes(size // 2) + bytes(size - size // 2)
    return (b'{"type":"track","userId":"u%d","event":"Paid"}' % seed * (size // 40 + 1))[:size]


def _passes(codec: int, data: bytes) -> bool:
    try:
        inflate.check(codec, data)
    except inflate.TooLarge:
        return False
    except Exception:  # noqa: BLE001 - it is not of its format, and a batch that raises is not read
        return False
    return True


def _size(codec: int, data: bytes) -> int | None:
    """What it really unpacks to; None where it does not."""
    try:
        return len(bytes(DECODERS[codec](data)))
    except Exception:  # noqa: BLE001 - whatever the codec has against it
        return None


@pytest.fixture(autouse=True)
def _bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "LIMIT", BOUND)


@pytest.mark.parametrize("name", PACKERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=sizes, kind=contents, seed=st.integers(0, 999), part=st.integers(500, 100_000))
def test_exactly_what_fits_passes(name: str, size: int, kind: str, seed: int, part: int) -> None:
    codec, pack = PACKERS[name]
    data = pack(_content(kind, size, seed), part)
    real = _size(codec, data)
    if real is not None:
        assert _passes(codec, data) == (real <= BOUND)


@pytest.mark.parametrize("name", PACKERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=sizes, kind=contents, seed=st.integers(0, 999), damage=st.data())
def test_damaged_data_that_the_codec_unpacks_all_the_same_is_judged_right(
    name: str, size: int, kind: str, seed: int, damage: st.DataObject
) -> None:
    codec, pack = PACKERS[name]
    data = bytearray(pack(_content(kind, size, seed), 60_000))
    for at, byte in damage.draw(st.lists(st.tuples(st.integers(0, min(len(data), 64) - 1), st.integers(0, 255)), max_size=4)):
        data[at] = byte
    cut = damage.draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    real, passes = _size(codec, bytes(data[:cut])), _passes(codec, bytes(data[:cut]))
    if real is not None and (passes or codec != inflate.GZIP):  # Python's own gzip takes reserved flags, which the format forbids
        assert passes == (real <= BOUND)
