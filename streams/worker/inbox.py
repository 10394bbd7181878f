"""The batches of one partition that are not saved yet.

A batch waits, is folded, waits again until it is in a checkpoint, and is acked then: Faust waits for acks when partitions are revoked. The
position decides what is read again, not the acks, so dropped batches are acked too. The client pauses the partition in two cases: more than
one fetch waits and another is being folded, or the waiting batches exceed their share of memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.worker.batches import Event
    from triggers.base.model import Record


class Inbox:
    """The batches in the order of the log."""

    def __init__(self, room: int, share: int, withhold: Callable[[], None], release: Callable[[], None]) -> None:
        """`room`: how many records may wait in addition to as many being folded; `share`: how many bytes of keys and values may wait."""
        self._room, self._share = room, share
        self._withhold, self._release = withhold, release
        self._waiting: deque[Event] = deque()
        self._folded: deque[Event] = deque()
        self._records = 0
        """Records that wait or are being folded."""
        self._bytes = 0
        """Bytes of the keys, values and headers of these records."""
        self._sizes: deque[int] = deque()
        """The sizes of the batches that wait or are being folded, in their order."""
        self.end = 0
        """The end of the log's committed records at the last fetch."""

    def __bool__(self) -> bool:
        """Return whether a batch waits."""
        return bool(self._waiting)

    def put(self, event: Event) -> None:
        self._waiting.append(event)
        self._records += len(event.value)
        size = sum(map(_size, event.value))
        self._sizes.append(size)
        self._bytes += size
        self.end = event.value.end
        if self._records >= 2 * self._room or self._bytes >= self._share:
            self._withhold()

    def pop(self) -> Event:
        """Take the next batch to fold it; `done` must follow."""
        return self._waiting.popleft()

    def done(self, event: Event, *, folded: bool) -> None:
        """Finish a batch. If it is `folded` completely, it waits for its checkpoint."""
        if folded:
            self._folded.append(event)
        else:
            event.ack()
        self._left(event)

    def saved(self, offset: int) -> None:
        """Ack the batches up to this offset: they are in a checkpoint."""
        while self._folded and self._folded[0].value.next <= offset + 1:
            self._folded.popleft().ack()

    def drop(self) -> None:
        """Drop the waiting batches: they will be fetched again."""
        while self._waiting:
            event = self._waiting.popleft()
            event.ack()
            self._left(event)

    def let_go(self) -> None:
        """Drop the waiting batches, and ack the folded ones, saved or not."""
        self.drop()
        while self._folded:
            self._folded.popleft().ack()

    def _left(self, event: Event) -> None:
        self._records -= len(event.value)
        self._bytes -= self._sizes.popleft()
        if self._records <= self._room and self._bytes <= self._share // 2:
            self._release()


def _size(record: Record) -> int:
    return len(record.value or b"") + len(record.key or b"") + 200 * len(record.headers)
