"""Find how much a compressed batch would unpack to, without unpacking it beyond a limit.

A megabyte of a batch can unpack to gigabytes. The codecs of aiokafka unpack all of it at once, so this module finds the size first:

| codec | how |
|---|---|
| gzip | unpacked here, up to the limit; the parser gets the result |
| snappy | each block begins with its length |
| lz4, zstd | adds up each block's maximum length; if the sum exceeds the limit, unpacks once, into a buffer of that size |

Data of another format takes the careful path too, and the parser reports the problem. This module does not trust the size in a frame's
header: a block of zstd or lz4 has a maximum length, whatever the header says.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from aiokafka import codec as codecs

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT: Final = 64 << 20
"""Maximum bytes of one unpacked batch."""
CHUNK: Final = 4_096
"""First output buffer for a member of gzip, in bytes; it doubles. zlib copies the remaining input; a member may have only 20 bytes."""
PIECE: Final = 1 << 20
"""Bytes that are unpacked at a time."""
SMALL: Final = 1 << 20
"""Smaller data is not examined."""
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4

XERIAL_HEADER: Final = 16
LZ4_MAGIC: Final = 0x184D2204
LZ4_WHOLE: Final = 0x8000_0000
"""Bit in the length of a block that is not compressed."""
LZ4_RATIO: Final = 255
ZSTD_MAGIC: Final = 0xFD2FB528
ZSTD_BLOCK: Final = 128 << 10
ZSTD_RATIO: Final = ZSTD_BLOCK // 4
"""A block has at least four bytes."""
SKIPPED_MAGIC: Final = 0x184D2A50
"""The first of sixteen magic numbers of skippable frames, in lz4 and zstd."""

_little = struct.Struct("<I")
_big = struct.Struct(">i")


class TooLarge(Exception):  # noqa: N818 - its name says what is wrong
    """It would unpack to more than `LIMIT`."""

    def __init__(self) -> None:
        super().__init__(f"it unpacks to more than {LIMIT >> 20} MiB")


def gunzip(data: bytes, head: bytes = b"") -> bytearray:
    """Unpack gzip, all members of it, after `head`. Raises `TooLarge`, `zlib.error`, and `EOFError` if it is cut off.

    It unpacks piece by piece into one buffer, so there is never a second copy of large data.
    """
    found = bytearray(head)
    most, at = LIMIT + len(head), 0
    while at < len(data):
        member, chunk = zlib.decompressobj(wbits=31), CHUNK
        while not member.eof:
            if at >= len(data):
                raise EOFError("gzip data is cut off")
            part = data[at : at + chunk]
            at += len(part)
            while part and not member.eof:
                found += member.decompress(part, PIECE)
                part = member.unconsumed_tail
                if len(found) > most:
                    raise TooLarge
            chunk *= 2
        at -= len(member.unused_data)
        while data[at : at + 1] == b"\0":  # as `gzip` does
            at += 1
    return found


def check(codec: int, data: bytes) -> None:
    """Raise `TooLarge` if these bytes would unpack to more than `LIMIT`. Codec 0 and unknown ones pass."""
    if codec == GZIP:
        gunzip(data)
    elif at_most(codec, data) > LIMIT and (codec == SNAPPY or not _fits(codec, data)):
        raise TooLarge


def at_most(codec: int, data: bytes) -> int:
    """Return an upper bound of the unpacked size, without unpacking; 0 for gzip, codec 0 and unknown ones."""
    if codec == SNAPPY:
        return _snappy(data)
    if codec not in (LZ4, ZSTD):
        return 0
    bound = len(data) * (LZ4_RATIO if codec == LZ4 else ZSTD_RATIO)
    return bound if bound <= SMALL else _greatest(_lz4_frame if codec == LZ4 else _zstd_frame, data)


def _fits(codec: int, data: bytes) -> bool:
    if codecs.cramjam is None:  # the parser reports it
        return True
    module = codecs.cramjam.lz4 if codec == LZ4 else codecs.cramjam.zstd
    try:
        module.decompress_into(data, bytearray(LIMIT))
    except codecs.cramjam.DecompressionError as error:
        return "whole buffer" not in str(error)
    return True


def _snappy(data: bytes) -> int:
    if not codecs._detect_xerial_stream(data):  # noqa: SLF001 - the parser asks the same
        return _varint(data, 0)
    at, size = XERIAL_HEADER, 0
    while at + 4 <= len(data):
        (length,) = _big.unpack_from(data, at)
        if length <= 0:  # the parser refuses it
            break
        size += _varint(data, at + 4)
        at += 4 + length
    return size


def _varint(data: bytes, at: int) -> int:
    size = 0
    for shift, byte in zip(range(0, 35, 7), data[at : at + 5], strict=False):
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return size


def _greatest(frame: Callable[[bytes, int], tuple[int, int]], data: bytes) -> int:
    """Add up the maximum sizes of all blocks; return more than `LIMIT` if the data has another format, or is cut off."""
    at = size = 0
    try:
        while at < len(data):
            (magic,) = _little.unpack_from(data, at)
            if magic & 0xFFFF_FFF0 == SKIPPED_MAGIC:
                at += 8 + _little.unpack_from(data, at + 4)[0]
                continue
            more, at = frame(data, at)
            size += more
    except (struct.error, IndexError):
        return LIMIT + 1
    return size


def _lz4_frame(data: bytes, at: int) -> tuple[int, int]:
    if _little.unpack_from(data, at)[0] != LZ4_MAGIC:
        return LIMIT + 1, len(data)
    flags, kind = data[at + 4], data[at + 5] >> 4 & 7
    block = 1 << (2 * kind + 8)  # 64 KiB to 4 MiB
    at += 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
    size = 0
    while True:
        (length,) = _little.unpack_from(data, at)
        at += 4
        if length == 0:
            return size, at + (4 if flags & 4 else 0)
        whole, length = length & LZ4_WHOLE, length & ~LZ4_WHOLE
        size += length if whole else min(block, length * LZ4_RATIO)
        at += length + (4 if flags & 16 else 0)


def _zstd_frame(data: bytes, at: int) -> tuple[int, int]:
    if _little.unpack_from(data, at)[0] != ZSTD_MAGIC:
        return LIMIT + 1, len(data)
    flags = data[at + 4]
    single = flags >> 5 & 1
    size_bytes = (single, 2, 4, 8)[flags >> 6]
    at += 5 + (0 if single else 1) + (0, 1, 2, 4)[flags & 3] + size_bytes
    size = 0
    while True:
        header = data[at] | data[at + 1] << 8 | data[at + 2] << 16
        at += 3
        kind, length = header >> 1 & 3, header >> 3
        size += length if kind < 2 else ZSTD_BLOCK
        at += 1 if kind == 1 else length
        if header & 1:
            return size, at + (4 if flags & 4 else 0)
