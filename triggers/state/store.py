"""Where encoded states lie, and what is known of all of them together: who is due, who has not met the rules, which rule sets they need.

A store is a cache of the changelog: it is written after the commit, never before, and speaks of committed states alone
(`triggers.state.table` lays over it what has changed since). No call takes more than some milliseconds, however many users there are.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge
from typing import Any, Final, Protocol

import msgspec

from triggers.base.model import NEVER
from triggers.state.due import STALE, DueIndex
from triggers.state.user import HEAD, RUNS_BYTE, WrongSchema, due_of, met_of, rule_sets_of

LOOKS: Final = 5_000
"""How many users one call of `unmet` looks at: some milliseconds."""

_YES: Final = b"\1"

Batch = Iterable[tuple[str, bytes | None]]
"""States by user id, in the order in which they were written; None: the user is erased."""


class Store(Protocol):
    """Encoded states of the users of one partition."""

    def get(self, user_id: str) -> bytes | None: ...

    def apply(self, batch: Batch, stamp: bytes | None = None) -> None:
        """Takes in what was committed, all or nothing. `stamp` says up to where that is; None leaves it as it was."""

    def stamp(self) -> bytes | None:
        """What the last `apply` was given."""

    def due(self, until: int, limit: int) -> list[tuple[int, str]]:
        """Users who are due up to a moment, with the moment: at most `limit`, by moment, then by id in UTF-8.

        Each is given once, and again when a later `apply` has brought a state of them. There may be more where `next_due` says so.
        """

    def next_due(self) -> int:
        """The earliest moment of those whom `due` has not given yet; NEVER for none. It may be too early, never too late."""

    def unmet(self, after: str, limit: int, met: int | None = None) -> tuple[list[str], bool]:
        """Users whose ids come after this one, by id in UTF-8, at most `limit`; and whether there may be more.

        `met` leaves out those who have met that rule set. Users who come in while somebody goes through them may be left out. The list may
        be empty although there are more.
        """

    def needs(self) -> Mapping[str, int]:
        """The rule sets that runs are pinned to, with the number of runs."""

    def items(self) -> Iterable[tuple[str, bytes]]: ...

    def __len__(self) -> int: ...


class MemoryStore:
    """Encoded states in a dict."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._order: list[str] = []
        """Ids in the order in which they came; one that was erased and came again is there twice."""
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
            if data[RUNS_BYTE:HEAD] == _YES or (before is not None and before[RUNS_BYTE:HEAD] == _YES):
                self._count(before, data)
            states[user_id] = data
            due = int.from_bytes(data[:8], "big")
            if due < index.queued.get(user_id, NEVER):
                index.add(user_id, due)
        if stamp is not None:
            self._stamp = stamp

    def _count(self, before: bytes | None, after: bytes | None) -> None:
        """Keeps count of the rule sets that runs are pinned to."""
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
    """The rule sets that runs of a state are pinned to; none of what is no state: whoever opens a partition says so."""
    try:
        return [] if data is None else rule_sets_of(data)
    except (WrongSchema, msgspec.DecodeError):
        return []


class _Walk:
    """All ids in their order, from one on. They are sorted a part at a time, and the parts are merged as they are asked for."""

    def __init__(self, order: list[str], after: str) -> None:
        self._order = order
        self._sorted = 0
        self._end = len(order)
        self._parts: list[list[str]] = []
        self.last = after
        self.ids: Iterator[Any] = iter(())

    def is_sorted(self) -> bool:
        """Whether `ids` can be gone through; sorts the next part where it cannot."""
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
