"""The batches that one partition was handed and has not saved yet.

A batch waits, is at work, waits again until a checkpoint holds it, and is acked then: Faust waits for acks when partitions are taken away.
The position decides what is read again, not the acks, so whatever is given up is acked too. While more than a fetch's worth waits and
another is at work, or what waits exceeds its share of memory, the partition is withheld: the client asks for no more of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.worker.batches import Event
    from triggers.base.model import Record


class Inbox:
    """In the order of the log."""

    def __init__(self, room: int, share: int, withhold: Callable[[], None], release: Callable[[], None]) -> None:
        """`room`: how many records may wait in addition to as many that are at work; `share`: how many bytes of keys and values."""
        self._room, self._share = room, share
        self._withhold, self._release = withhold, release
        self._waiting: deque[Event] = deque()
        self._folded: deque[Event] = deque()
        self._records = 0
        """Waiting or at work."""
        self._bytes = 0
        """Of those records, as far as their keys, values and headers go."""
        self._sizes: deque[int] = deque()
        """Of the batches that wait or are at work, in their order."""
        self.end = 0
        """Where the log's committed records ended at the last fetch."""

    def __bool__(self) -> bool:
        """Whether a batch waits."""
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
        """The next one, which is at work from now on; `done` has to follow."""
        return self._waiting.popleft()

    def done(self, event: Event, *, folded: bool) -> None:
        """It is no longer at work; `folded` as a whole, it waits for its checkpoint."""
        if folded:
            self._folded.append(event)
        else:
            event.ack()
        self._left(event)

    def saved(self, offset: int) -> None:
        """A checkpoint holds everything up to this offset."""
        while self._folded and self._folded[0].value.next <= offset + 1:
            self._folded.popleft().ack()

    def drop(self) -> None:
        """Give up what waits: it will be fetched again."""
        while self._waiting:
            event = self._waiting.popleft()
            event.ack()
            self._left(event)

    def let_go(self) -> None:
        """Give up what waits, and ack what was folded, saved or not."""
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
