"""The send log of one user: when which messages went out, as packed bytes.

    6 bytes: the moment of the newest entry that found no room, ms; 0: none
    then each entry, oldest first: 6 bytes moment, 1 byte (1: before go-live), and 4 bytes each of the hashes of channel, category, journey

A log of 200 entries has 3.8 KB. To look through it costs less than to decode it.
"""

from typing import Final

from xxhash import xxh32_digest

from triggers.base.model import DAY

HEAD: Final = 6
ENTRY: Final = 19
MAX_SENDS: Final = 200
KEPT: Final = 34 * DAY
"""How long an entry is kept, ms."""
MAX_BYTES: Final = HEAD + MAX_SENDS * ENTRY


def hashed(name: str) -> bytes:
    """Return the hash of a channel, a category or a journey."""
    return xxh32_digest(name.encode())


def add(log: bytes, at: int, *, dry: bool, channel: str, category: str, journey: str) -> bytes:
    """Return the log with one more entry, without what is too old."""
    entry = b"".join((at.to_bytes(6, "big"), bytes([dry]), hashed(channel), hashed(category), hashed(journey)))
    lost, begin = log[:HEAD] or bytes(HEAD), HEAD
    while begin < len(log) and int.from_bytes(log[begin : begin + 6], "big") <= at - KEPT:
        begin += ENTRY
    if len(log) - begin >= MAX_SENDS * ENTRY:
        lost = log[begin : begin + 6]
        begin += ENTRY
    if int.from_bytes(lost, "big") <= at - KEPT:
        lost = bytes(HEAD)
    return lost + log[begin:] + entry


def lost(log: bytes) -> int:
    """Return the moment of the newest entry that found no room; 0: none."""
    return int.from_bytes(log[:HEAD], "big")


def entries(
    log: bytes, begin: int, *, dry: bool, channels: frozenset[bytes], categories: frozenset[bytes] | None, journeys: frozenset[bytes] | None
) -> list[tuple[int, bytes]]:
    """Return when messages went out from a moment on, newest first, with the hashes of their journeys: those on these channels, of these
    categories and journeys.
    """
    found: list[tuple[int, bytes]] = []
    for place in range(len(log) - ENTRY, HEAD - 1, -ENTRY):
        at = int.from_bytes(log[place : place + 6], "big")
        if at < begin:
            break
        if log[place + 6] != dry or log[place + 7 : place + 11] not in channels:
            continue
        if categories is not None and log[place + 11 : place + 15] not in categories:
            continue
        if journeys is None or log[place + 15 : place + 19] in journeys:
            found.append((at, log[place + 15 : place + 19]))
    return found


def number_from(log: bytes, begin: int, *, dry: bool, channel: bytes | None, journey: bytes | None, without: frozenset[bytes]) -> int:
    """Count the messages from a moment on, on this channel or on all but some, and of this journey or of all."""
    found = 0
    for place in range(len(log) - ENTRY, HEAD - 1, -ENTRY):
        if int.from_bytes(log[place : place + 6], "big") < begin:
            break
        on = log[place + 7 : place + 11]
        if log[place + 6] != dry or on in without or (channel is not None and on != channel):
            continue
        found += journey is None or log[place + 15 : place + 19] == journey
    return found


def number_of(log: bytes) -> int:
    """Count the entries."""
    return max(0, len(log) - HEAD) // ENTRY
