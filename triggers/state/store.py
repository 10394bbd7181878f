"""Encoded states, and answers about all of them: which users are due, which have not met the rules, which rule sets they need.

A store is a cache of the changelog. It is written after the commit, never before, and knows only committed states; `triggers.state.table`
adds the later changes. No call takes more than some milliseconds, however many users there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from typing import Any, Final, Protocol

import msgspec

from triggers.base.model import NEVER
from triggers.state.due import STALE, DueIndex
from triggers.state.encoding import HEAD, RUNS_BYTE, WrongSchema, due_of, met_of, rule_sets_of

LOOKS: Final = 5_000
"""How many users one call of `unmet` reads. This takes some milliseconds."""

_YES: Final = b"\1"

Batch = Iterable[tuple[str, bytes | None]]
"""States by user id, in the order in which they were written; None: the user is erased."""


class Store(Protocol):
    """Encoded states of the users of one partition."""

    def get(self, user_id: str) -> bytes | None: ...

    def apply(self, batch: Batch, stamp: bytes | None = None) -> None:
        """Store committed states, all or nothing. `stamp` says up to which place; None leaves it unchanged."""

    def stamp(self) -> bytes | None:
        """Return the stamp of the last `apply`."""

    def due(self, until: int, limit: int) -> list[tuple[int, str]]:
        """List users who are due up to a moment, with the moment: at most `limit`, by moment, then by id in UTF-8.

        Each user is listed once, and again after a later `apply` of the user's state. `next_due` says whether there are more.
        """

    def next_due(self) -> int:
        """Return the earliest moment of the users that `due` has not listed; NEVER for none. It may be too early, never too late."""

    def unmet(self, after: str, limit: int, met: int | None = None) -> tuple[list[str], bool]:
        """List users whose ids come after this one, by id in UTF-8, at most `limit`; also return whether there may be more.

        `met` leaves out the users who have met that rule set. New users may be left out while the caller goes through the list. The list
        may be empty although there are more.
        """

    def needs(self) -> Mapping[str, int]:
        """Return the rule sets that runs are pinned to, with the number of runs."""

    def items(self) -> Iterable[tuple[str, bytes]]: ...

    def __len__(self) -> int: ...


class MemoryStore:
    """Encoded states in a dict."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._order: list[str] = []
        """Ids in the order in which they came. An id that was erased and came again is in it twice."""
        self._needs: dict[str, int] = {}
        self._stamp: bytes | None = None
        self._index = DueIndex(self._due_of)
        self._walk: _Walk | None = None
        self.get = self._states.get

    def _due_of(self, user_id: str) -> int:
        data = self._states.get(user_id)
        return NEVER if data is None else due_of(data)

    def apply(self, batch: Batch, stamp: bytes | None = None) -> None:
        states, index = self._states, self._index
        for user_id, data in batch:
            before = states.get(user_id)
            if data is None:
                self._count(before, None)
                states.pop(user_id, None)
                index.drop(user_id)
                continue
            if before is None:
                self._order.append(user_id)
            # A slice, because a damaged state may be shorter.
            if data[RUNS_BYTE:HEAD] == _YES or (before is not None and before[RUNS_BYTE:HEAD] == _YES):
                self._count(before, data)
            states[user_id] = data
            due = int.from_bytes(data[:8], "big")
            if due != NEVER and due < index.queued.get(user_id, NEVER):
                index.add(user_id, due)
        if stamp is not None:
            self._stamp = stamp

    def _count(self, before: bytes | None, after: bytes | None) -> None:
        """Count the rule sets that runs are pinned to."""
        gone, come = _pinned(before), _pinned(after)
        if gone == come:
            return
        needs = self._needs
        for rule_set in come:
            needs[rule_set] = needs.get(rule_set, 0) + 1
        for rule_set in gone:
            if needs[rule_set] == 1:
                del needs[rule_set]
            else:
                needs[rule_set] -= 1

    def stamp(self) -> bytes | None:
        return self._stamp

    def due(self, until: int, limit: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        moved = self._index.moved
        while len(found) < limit and self._index.moved - moved < STALE:
            entry = self._index.pop(until)
            if entry is None:
                break
            found.append(entry)
        return found

    def next_due(self) -> int:
        return self._index.next()

    def unmet(self, after: str, limit: int, met: int | None = None) -> tuple[list[str], bool]:
        walk = self._walk
        if walk is None or walk.last != after:
            walk = self._walk = _Walk(self._order, after)
        if not walk.is_sorted():
            return [], True
        found: list[str] = []
        for _ in range(LOOKS if met is not None else limit):
            user_id = next(walk.ids, None)
            if user_id is None:
                self._walk = None
                return found, False
            data = self._states.get(user_id)
            if data is not None and user_id != walk.last and met_of(data) != met:
                walk.last = user_id
                found.append(user_id)
                if len(found) >= limit:
                    break
        return found, True

    def needs(self) -> Mapping[str, int]:
        return self._needs

    def items(self) -> Iterable[tuple[str, bytes]]:
        return self._states.items()

    def __len__(self) -> int:
        return len(self._states)


def _pinned(data: bytes | None) -> list[str]:
    """List the rule sets that the runs of a state are pinned to. Damaged bytes have none: the opening of a partition reports them."""
    try:
        return [] if data is None else rule_sets_of(data)
    except (WrongSchema, msgspec.DecodeError):
        return []


class _Walk:
    """All ids after a given one, sorted. Each call sorts one part; the parts are merged lazily."""

    def __init__(self, order: list[str], after: str) -> None:
        self._order = order
        self._sorted = 0
        self._end = len(order)
        self._parts: list[list[str]] = []
        self.last = after
        self.ids: Iterator[Any] = iter(())

    def is_sorted(self) -> bool:
        """Return whether `ids` is ready; if not, sort the next part."""
        if self._sorted >= self._end:
            return True
        after, until = self.last, min(self._sorted + LOOKS, self._end)
        self._parts.append(sorted(user_id for user_id in self._order[self._sorted : until] if user_id > after))
        self._sorted = until
        if until < self._end:
            return False
        self.ids = merge(*self._parts)
        self._parts = []
        return True
