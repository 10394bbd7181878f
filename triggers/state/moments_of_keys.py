"""Moments by key, packed: 8 bytes of a hash of the key and 8 bytes of the moment, ms, those that were put first at the front.

One name has at most `MOST_OF_ONE` of them, and a user `MOST` over at most `MOST_NAMES` names; then the oldest goes.
"""

from __future__ import annotations

from typing import Final

from xxhash import xxh3_64_digest

MOST_OF_ONE: Final = 200
MOST: Final = 2_000
MOST_NAMES: Final = 200
SIZE: Final = 16
"""Bytes of one."""
_HASH: Final = 8

Moments = dict[str, bytes]
"""By name: of the journey, or of its exits."""


def moment_of(moments: Moments, name: str, key: str) -> int | None:
    """Return the moment of a key; None: it is not known."""
    packed = moments.get(name, b"")
    place = _find(packed, xxh3_64_digest(key.encode("utf-8", "surrogatepass")))
    return None if place < 0 else int.from_bytes(packed[place + _HASH : place + SIZE], "big", signed=True)


def put(moments: Moments, name: str, key: str, moment: int) -> None:
    """Set the moment of a key, which becomes the newest one."""
    digest = xxh3_64_digest(key.encode("utf-8", "surrogatepass"))
    packed = moments.get(name, b"")
    place = _find(packed, digest)
    if place >= 0:
        packed = packed[:place] + packed[place + SIZE :]
    packed += digest + moment.to_bytes(_HASH, "big", signed=True)
    moments[name] = packed[-MOST_OF_ONE * SIZE :]
    if len(moments) > MOST_NAMES:
        del moments[min(moments, key=lambda one: (last(moments[one]), one))]
    if sum(map(len, moments.values())) > MOST * SIZE:
        oldest = min(moments, key=lambda one: (_first(moments[one]), one))
        left = moments[oldest][SIZE:]
        if left:
            moments[oldest] = left
        else:
            del moments[oldest]


def last(packed: bytes) -> int:
    """Return the moment that was put last."""
    return int.from_bytes(packed[-_HASH:], "big", signed=True)


def _first(packed: bytes) -> int:
    return int.from_bytes(packed[_HASH:SIZE], "big", signed=True)


def _find(packed: bytes, digest: bytes) -> int:
    place = packed.find(digest)
    while place % SIZE and place >= 0:  # across two of them
        place = packed.find(digest, place + 1)
    return place
