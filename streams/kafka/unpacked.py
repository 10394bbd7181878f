"""Limit the bytes of all unpacked batches in one process.

A batch of a megabyte can unpack to `streams.kafka.inflate.LIMIT`, and each partition reads its own. Without a common limit, a few hostile
batches would take a gigabyte of a worker's memory. So a large batch is opened only while the open ones leave room for it. Otherwise its
partition waits: the batch is fetched again, from the same position. One batch may always open, so one partition always continues.

A batch counts until its last record is returned, or until its reader is dropped: `Opened` is counted only while it is alive.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakSet


class NoRoom(Exception):  # noqa: N818 - its name says what is wrong
    """Other partitions' batches use all the room: this one is not opened yet."""


class Opened:
    """The progress of one reader: the offset after the last record returned, and the bytes of its unpacked batch."""

    __slots__ = ("__weakref__", "held", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.held = 0


class Room:
    """The room of one process. Readers without a limit (tools that read one partition after the other) never wait."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = limit
        """Bytes for all unpacked batches together; None: no limit. One batch may always open."""
        self.waited = 0
        """How often a batch had to wait."""
        self._opened: WeakSet[Opened] = WeakSet()

    @property
    def used(self) -> int:
        """Return the bytes of the unpacked batches that are open."""
        return sum(opened.held for opened in self._opened)

    def open(self, opened: Opened, size: int) -> None:
        """Count a batch before it is unpacked, by its maximum size. Raises `NoRoom`."""
        if self.limit is None:
            return
        used = self.used
        if used and used + size > self.limit:
            self.waited += 1
            raise NoRoom
        opened.held = size
        self._opened.add(opened)

    def settle(self, opened: Opened, size: int) -> None:
        """Correct the count after the batch is unpacked."""
        if opened.held:
            opened.held = size

    def close(self, opened: Opened) -> None:
        """Release the batch after it is read to its end."""
        if opened.held:
            opened.held = 0
            self._opened.discard(opened)


ROOM: Final = Room()
"""The room of this process. A worker sets its limit."""
