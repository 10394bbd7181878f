"""Find the user who is due next: an index of users by moment.

It is a heap with one entry per user that counts, and some that do not. A timer that moves later leaves its entry where it is. When the
entry comes up, the index looks at the user's own due moment and puts the entry back, a bounded number at each call. So a condition such as
`silent(...)`, which every event postpones, costs nothing per event. When most entries no longer count, the others move to a new heap, a few
at each change. No call takes long, however many users there are.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from triggers.base.model import NEVER

STALE: Final = 512
"""How many entries that no longer count one call puts back. This takes a millisecond or two."""


class DueIndex:
    """Users by moment, then by id. `due_of` gives the moment at which a user is due now; NEVER for none."""

    def __init__(self, due_of: Callable[[str], int]) -> None:
        self._due_of = due_of
        self._heap: list[tuple[int, str]] = []
        self._old: list[tuple[int, str]] = []
        """The heap before, while its entries that still count move to the new one."""
        self.queued: dict[str, int] = {}
        """The moment of each user's entry that counts."""
        self.moved = 0
        """How many entries were put back or dropped."""

    def add(self, user_id: str, due: int) -> None:
        """Add a user who is due then. Do nothing if there is an earlier entry: it will come up before."""
        if due < self.queued.get(user_id, NEVER):
            self.queued[user_id] = due
            heappush(self._heap, (due, user_id))
            if self._old:
                self._clean(4)
            elif len(self._heap) > 2 * len(self.queued) + 1_000:
                self._old, self._heap = self._heap, []

    def drop(self, user_id: str) -> None:
        """Remove a user from the index."""
        self.queued.pop(user_id, None)

    def _clean(self, number: int) -> None:
        """Move some entries that still count from the old heap to the new one. They leave at its end, so that it stays a heap."""
        old, queued = self._old, self.queued
        for _ in range(min(number, len(old))):
            entry = old.pop()
            if queued.get(entry[1]) == entry[0]:
                heappush(self._heap, entry)

    def next(self) -> int:
        """Return the earliest moment at which a user is due. It may be too early, if more than `STALE` entries no longer count."""
        for _ in range(STALE):
            heap = self._earliest()
            if not heap:
                return NEVER
            if self._counts(heap):
                return heap[0][0]
        heap = self._earliest()
        return heap[0][0] if heap else NEVER

    def pop(self, until: int) -> tuple[int, str] | None:
        """Remove and return the earliest entry up to a moment. None also if `next` is too early."""
        for _ in range(STALE):
            heap = self._earliest()
            if not heap or heap[0][0] > until:
                return None
            if self._counts(heap):
                entry = heappop(heap)
                del self.queued[entry[1]]
                return entry
        return None

    def _counts(self, heap: list[tuple[int, str]]) -> bool:
        """Return whether the first entry counts. If it does not, drop it or put it back."""
        due, user_id = heap[0]
        live = self.queued.get(user_id) == due
        actual = self._due_of(user_id) if live else NEVER
        if live and actual == due:
            return True
        heappop(heap)
        self.moved += 1
        if live:
            if actual == NEVER:
                del self.queued[user_id]
            else:
                self.queued[user_id] = actual
                heappush(self._heap, (actual, user_id))
        return False

    def _earliest(self) -> list[tuple[int, str]]:
        """Return the heap that contains the earliest entry."""
        heap, old = self._heap, self._old
        return old if old and (not heap or old[0] < heap[0]) else heap

    def __len__(self) -> int:
        """Return the number of entries, including those that no longer count."""
        return len(self._heap) + len(self._old)
