"""How much unpacked batches take together in one process, and which partition has to wait for room.

A batch of a megabyte can unpack to `streams.kafka.inflate.LIMIT`, and each partition reads its own. Without a common bound, a few hostile
batches would take a gigabyte of a worker's memory. So a large batch is opened only while the open ones leave room for it. Otherwise its
partition waits: the batch is fetched again, from the same position. One batch is always let in, so one partition always goes on.

A batch counts until its last record is given, or until its reader is dropped: `Opened` is counted only while it is alive.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakSet


class NoRoom(Exception):  # noqa: N818 - it says what is the matter
    """Other partitions' batches take all the room: this one is not opened yet."""


class Opened:
    """How far one reader has come: the offset after the last record given, and the bytes of its unpacked batch."""

    __slots__ = ("__weakref__", "held", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.held = 0


class Room:
    """The room of one process. Readers without a limit (tools that read one partition after the other) never wait."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        """Bytes for all unpacked batches together; None: no bound. At least one batch is open, whatever it says."""
        self.waited = 0
        """How often a batch was not opened."""
        self._opened: WeakSet[Opened] = WeakSet()

    @property
    def used(self) -> int:
        """Bytes of the unpacked batches that are open."""
        return sum(opened.held for opened in self._opened)

    def open(self, opened: Opened, size: int) -> None:
        """Count a batch before it is unpacked, by the most bytes that it can have. Raises `NoRoom`."""
        if self.limit is None:
            return
        used = self.used
        if used and used + size > self.limit:
            self.waited += 1
            raise NoRoom
        opened.held = size
        self._opened.add(opened)

    def settle(self, opened: Opened, size: int) -> None:
        """The batch is unpacked, and has so many bytes."""
        if opened.held:
            opened.held = size

    def close(self, opened: Opened) -> None:
        """The batch is read to its end."""
        opened.held = 0
        self._opened.discard(opened)


ROOM: Final = Room()
"""That of this process. A worker sets its limit."""
