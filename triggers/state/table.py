"""The users table as the fold sees it: a working set of decoded states over a store of bytes, and who is due next.

The due index is derived: a heap with one entry per user that counts, and some that do not. A timer that moves later leaves its entry where
it is; when the entry comes up, the user's own `due` is looked at and the entry put back, a bounded number at each call. So a condition such
as `silent(...)`, which every event postpones, costs nothing per event. When entries that no longer count are in the majority, the others
move to a new heap, a few at each change.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Final, Protocol

from triggers.base.model import NEVER
from triggers.state.sizes import decoded_bytes
from triggers.state.user import User, decode, due_of, encode, met_of, rule_sets_of

WORKING_SET: Final = 64 << 20
"""Bytes of memory that decoded states may take between checkpoints, by the estimate of `triggers.state.sizes`."""
STALE: Final = 512
"""How many entries of the due index that no longer count one call puts back: a millisecond or two."""

LOOKS: Final = 10_000
"""How many states one call of `unmet` looks at: some milliseconds."""


class Store(Protocol):
    """Where encoded states lie. It is a cache of the changelog: written after the commit, never before."""

    def get(self, user_id: str) -> bytes | None: ...
    def put(self, items: Iterable[tuple[str, bytes]]) -> None: ...
    def delete(self, user_id: str) -> None: ...
    def ids(self) -> Iterable[str]: ...
    def some(self, start: int, number: int) -> list[str]:
        """Ids by their place in the order in which they came; a deleted one may still be among them."""

    def items(self) -> Iterable[tuple[str, bytes]]: ...
    def __len__(self) -> int: ...


class MemoryStore:
    """Encoded states in a dict."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self._order: list[str] = []
        self.get = self._states.get

    def put(self, items: Iterable[tuple[str, bytes]]) -> None:
        states, order = self._states, self._order
        for user_id, data in items:
            if user_id not in states:
                order.append(user_id)
            states[user_id] = data

    def delete(self, user_id: str) -> None:
        self._states.pop(user_id, None)

    def ids(self) -> Iterable[str]:
        return self._states.keys()

    def some(self, start: int, number: int) -> list[str]:
        return self._order[start : start + number]

    def items(self) -> Iterable[tuple[str, bytes]]:
        return self._states.items()

    def __len__(self) -> int:
        return len(self._states)


class Table:
    """Users by id. Whoever changes a user calls `touch` afterwards, or `note`."""

    def __init__(self, store: Store | None = None, *, indexed: bool = True, working_set: int = WORKING_SET) -> None:
        """`indexed=False`: the caller goes through `index` before anything else. `working_set`: bytes that decoded states may take."""
        self._working_set = working_set
        self.store: Store = MemoryStore() if store is None else store
        self._users: dict[str, User] = {}
        self._changed: dict[str, User] = {}
        self._taken: dict[str, User] = {}
        """Changed users of the checkpoint under way: the store has older states of them."""
        self._heap: list[tuple[int, str]] = []
        self._queued: dict[str, int] = {}
        self._met_up_to: int = 0
        self._unsaved: list[str] | None = None
        self._weight = 0
        self._full = 2 * working_set
        """The weight beyond which decoded states are let go: so far above what cannot be that looking for the others is worth it."""
        self._old: list[tuple[int, str]] = []
        """The heap before, while its entries that still count move to the new one."""
        self.moved = 0
        """How many entries of the due index were put back or thrown away."""
        self.size = 0
        """Rough bytes of the changed users' states."""
        if indexed:
            for _ in self.index():
                pass

    def index(self) -> Iterator[int]:
        """Builds the due index from the store. Whoever goes through it from a thread gives others their turn between any two steps."""
        queued, heap = self._queued, self._heap
        for number, (user_id, data) in enumerate(self.store.items(), 1):
            due = due_of(data)
            if due != NEVER:
                queued[user_id] = due
                heap.append((due, user_id))
            if number % LOOKS == 0:
                yield number
        heapify(heap)

    def get(self, user_id: str) -> User | None:
        user = self._users.get(user_id)
        if user is None:
            data = self.store.get(user_id)
            if data is not None:
                user = decode(data)
                if self._weight > self._full:  # of those that were only looked at since the last checkpoint
                    self._let_go()
                self._users[user_id] = user
                self._weight += user.weight
        return user

    def peek(self, user_id: str) -> User | None:
        """Like `get`, for a look in passing: a state that is not at hand is decoded and not kept, unless it is touched."""
        user = self._users.get(user_id)
        if user is None:
            data = self.store.get(user_id)
            return None if data is None else decode(data)
        return user

    def add(self, user_id: str, met: int) -> User:
        """A user of whom nothing is known yet."""
        user = self._users[user_id] = User(met=met)
        self._weight += user.weight
        return user

    def note(self, user_id: str, user: User) -> None:
        """The user has changed, but not when they are due: the next checkpoint saves it."""
        if user_id not in self._changed:
            if user_id not in self._users:
                self._users[user_id] = user
                self._weight += user.weight
            self._changed[user_id] = user
            self.size += len(self.store.get(user_id) or b"") + 256

    def touch(self, user_id: str, user: User) -> None:
        """The user has changed: the next checkpoint saves it, and its due moment is indexed."""
        self.note(user_id, user)
        due = user.due
        if due != NEVER and due < self._queued.get(user_id, NEVER):
            self._queued[user_id] = due
            heappush(self._heap, (due, user_id))
            if self._old:
                self._clean(4)
            elif len(self._heap) > 2 * len(self._queued) + 1_000:
                self._old, self._heap = self._heap, []

    def _clean(self, number: int) -> None:
        """Moves some of the old heap's entries that still count to the new one: from its end, so that it stays a heap."""
        old, queued = self._old, self._queued
        for _ in range(min(number, len(old))):
            entry = old.pop()
            if queued.get(entry[1]) == entry[0]:
                heappush(self._heap, entry)

    # ---- who is due --------------------------------------------------------------------------------------------------

    def next_due(self) -> int:
        """The earliest moment that anybody is due at; too early, never too late, where more than `STALE` entries no longer count."""
        queued = self._queued
        for _ in range(STALE):
            heap = self._earliest()
            if not heap:
                return NEVER
            due, user_id = heap[0]
            live = queued.get(user_id) == due
            actual = self._due_of(user_id) if live else NEVER
            if live and actual == due:
                return due
            heappop(heap)
            self.moved += 1
            if live:
                if actual == NEVER:
                    del queued[user_id]
                else:
                    queued[user_id] = actual
                    heappush(self._heap, (actual, user_id))
        heap = self._earliest()
        return heap[0][0] if heap else NEVER

    def _earliest(self) -> list[tuple[int, str]]:
        """The heap that the earliest entry is in."""
        heap, old = self._heap, self._old
        return old if old and (not heap or old[0] < heap[0]) else heap

    def pop_due(self, clock: int) -> str | None:
        """Someone who is due by the clock; the caller fires the timers and touches the user. None also where `next_due` is too early."""
        if self.next_due() > clock:
            return None
        heap = self._earliest()
        due, user_id = heap[0]
        if self._queued.get(user_id) != due or self._due_of(user_id) != due:
            return None  # more entries have to be put back first
        heappop(heap)
        del self._queued[user_id]
        return user_id

    def _due_of(self, user_id: str) -> int:
        user = self._users.get(user_id)
        if user is not None:
            return user.due
        data = self.store.get(user_id)
        return NEVER if data is None else due_of(data)

    # ---- everybody ---------------------------------------------------------------------------------------------------

    def unmet(self, limit: int, met: int | None) -> tuple[list[str], bool]:
        """The next users, at most `limit`, who may have to be brought to a command, and whether there may be more.

        `met` leaves out those who have met that rule set already, without decoding them. The store is gone through in the order in which
        users came to it, then those whom it does not hold yet; `end_meeting` forgets how far.
        """
        looks = LOOKS if met is not None else limit
        ids = self.store.some(self._met_up_to, looks)
        stored = bool(ids)
        if not stored:
            ids = self._not_stored()[-looks:]
        found: list[str] = []
        looked = 0
        for user_id in ids if stored else reversed(ids):
            looked += 1
            if met is None or self._met_of(user_id) != met:
                found.append(user_id)
                if len(found) >= limit:
                    break
        if stored:
            self._met_up_to += looked
            return found, bool(self.store.some(self._met_up_to, 1)) or bool(self._not_stored())
        unsaved = self._not_stored()
        if looked:
            del unsaved[-looked:]
        return found, bool(unsaved)

    def _not_stored(self) -> list[str]:
        """Users whom the store did not hold when all others had been looked at: those of one checkpoint."""
        if self._unsaved is None:
            self._unsaved = [user_id for user_id in self._users if self.store.get(user_id) is None]
        return self._unsaved

    def _met_of(self, user_id: str) -> int:
        user = self._users.get(user_id)
        if user is not None:
            return user.met
        data = self.store.get(user_id)
        return -1 if data is None else met_of(data)

    def end_meeting(self) -> None:
        self._met_up_to, self._unsaved = 0, None

    # ---- rule sets ---------------------------------------------------------------------------------------------------

    def pinned(self, start: int, number: int) -> tuple[set[str], bool]:
        """The rule sets that runs of so many users are pinned to, by the users' place in the store; and whether there are more users.

        The first call looks also at the users that are not saved yet.
        """
        some = self.store.some(start, number)
        found: set[str] = set()
        for user in [*self._taken.values(), *self._changed.values()] if start == 0 else ():
            found.update(run.rule_set for run in user.runs)
        for user_id in some:
            data = self.store.get(user_id)
            if data is not None:
                found.update(rule_sets_of(data))
        return found, len(some) == number

    # ---- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def changes(self) -> int:
        """How many users the next checkpoint saves."""
        return len(self._changed)

    def take(self) -> list[tuple[str, bytes]]:
        """The changed users' bytes; the next checkpoint begins."""
        changed = []
        for user_id, user in self._changed.items():
            data = encode(user)
            changed.append((user_id, data))
            weight = decoded_bytes(len(data))
            if weight > user.weight:
                self._weight += weight - user.weight
                user.weight = weight
        self._taken, self._changed = self._changed, {}
        self.size = 0
        return changed

    def saved(self, changed: list[tuple[str, bytes]]) -> None:
        """The states are committed: they may be stored, and decoded ones let go."""
        self.store.put(changed)
        self._taken = {}
        if self._weight > self._working_set:
            self._let_go()

    def _let_go(self) -> None:
        """Forgets the decoded states that the store has: neither changed ones, nor those of a checkpoint that is not committed yet."""
        self._users = {**self._taken, **self._changed}
        self._weight = sum(user.weight for user in self._users.values())
        self._full = self._weight + 2 * self._working_set

    def states(self) -> dict[str, bytes]:
        """Everybody's bytes as they stand now, saved or not."""
        return {**dict(self.store.items()), **{user_id: encode(user) for user_id, user in self._users.items()}}
