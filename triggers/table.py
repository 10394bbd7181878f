"""The users table as the fold sees it: a working set of decoded states over a store of bytes, and who is due next.

The due index is derived: a heap with one entry per user that counts, and some that do not. A timer that moves later leaves its entry where
it is; when the entry comes up, the user's own `due` is looked at and the entry put back. So a condition such as `silent(...)`, which every
event postpones, costs nothing per event. When entries that no longer count are in the majority, the heap is built anew.
"""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Final, Protocol

from triggers.model import NEVER
from triggers.user import User, decode, due_of, encode, met_of

WORKING_SET: Final = 50_000
"""How many decoded states are kept between checkpoints."""


LOOKS: Final = 20_000
"""How many states one call of `unmet` looks at: some milliseconds."""


class Store(Protocol):
    """Where encoded states lie. It is a cache of the changelog: written after the commit, never before."""

    def get(self, user_id: str) -> bytes | None: ...
    def put(self, items: Iterable[tuple[str, bytes]]) -> None: ...
    def delete(self, user_id: str) -> None: ...
    def ids(self) -> Iterable[str]: ...
    def items(self) -> Iterable[tuple[str, bytes]]: ...
    def __len__(self) -> int: ...


class MemoryStore:
    """Encoded states in a dict."""

    def __init__(self) -> None:
        self._states: dict[str, bytes] = {}
        self.get = self._states.get

    def put(self, items: Iterable[tuple[str, bytes]]) -> None:
        self._states.update(items)

    def delete(self, user_id: str) -> None:
        self._states.pop(user_id, None)

    def ids(self) -> Iterable[str]:
        return self._states.keys()

    def items(self) -> Iterable[tuple[str, bytes]]:
        return self._states.items()

    def __len__(self) -> int:
        return len(self._states)


class Table:
    """Users by id. Whoever changes a user calls `touch` afterwards, or `note`."""

    def __init__(self, store: Store | None = None, *, indexed: bool = True) -> None:
        """`indexed=False`: the caller goes through `index` before anything else."""
        self.store: Store = MemoryStore() if store is None else store
        self._users: dict[str, User] = {}
        self._changed: dict[str, User] = {}
        self._heap: list[tuple[int, str]] = []
        self._queued: dict[str, int] = {}
        self._everybody: list[str] | None = None
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
                user = self._users[user_id] = decode(data)
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
        return user

    def note(self, user_id: str, user: User) -> None:
        """The user has changed, but not when they are due: the next checkpoint saves it."""
        if user_id not in self._changed:
            self._changed[user_id] = self._users[user_id] = user
            self.size += len(self.store.get(user_id) or b"") + 256

    def touch(self, user_id: str, user: User) -> None:
        """The user has changed: the next checkpoint saves it, and its due moment is indexed."""
        self.note(user_id, user)
        due = user.due
        if due != NEVER and due < self._queued.get(user_id, NEVER):
            self._queued[user_id] = due
            heappush(self._heap, (due, user_id))
            if len(self._heap) > 2 * len(self._queued) + 1_000:
                self._heap = [(due, user_id) for user_id, due in self._queued.items()]
                heapify(self._heap)

    # ---- who is due --------------------------------------------------------------------------------------------------

    def next_due(self) -> int:
        """The earliest moment that anybody is due at."""
        heap, queued = self._heap, self._queued
        while heap:
            due, user_id = heap[0]
            if queued.get(user_id) != due:
                heappop(heap)
                continue
            actual = self._due_of(user_id)
            if actual == due:
                return due
            heappop(heap)
            if actual == NEVER:
                del queued[user_id]
            else:
                queued[user_id] = actual
                heappush(heap, (actual, user_id))
        return NEVER

    def pop_due(self, clock: int) -> str | None:
        """Someone who is due by the clock; the caller fires the timers and touches the user."""
        if self.next_due() > clock:
            return None
        _, user_id = heappop(self._heap)
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

        `met` leaves out those who have met that rule set already, without decoding them. Who came after the command needs nothing, so a
        snapshot made at the first call is enough; `end_meeting` forgets it.
        """
        if self._everybody is None:
            self._everybody = list(dict.fromkeys(chain(self._users, self.store.ids())))
        everybody = self._everybody
        found: list[str] = []
        for _ in range(min(len(everybody), LOOKS if met is not None else limit)):
            user_id = everybody.pop()
            if met is None or self._met_of(user_id) != met:
                found.append(user_id)
                if len(found) >= limit:
                    break
        return found, bool(everybody)

    def _met_of(self, user_id: str) -> int:
        user = self._users.get(user_id)
        if user is not None:
            return user.met
        data = self.store.get(user_id)
        return -1 if data is None else met_of(data)

    def end_meeting(self) -> None:
        self._everybody = None

    # ---- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def changes(self) -> int:
        """How many users the next checkpoint saves."""
        return len(self._changed)

    def take(self) -> list[tuple[str, bytes]]:
        """The changed users' bytes; the next checkpoint begins."""
        changed = [(user_id, encode(user)) for user_id, user in self._changed.items()]
        self._changed = {}
        self.size = 0
        return changed

    def saved(self, changed: list[tuple[str, bytes]]) -> None:
        """The states are committed: they may be stored, and decoded ones let go."""
        self.store.put(changed)
        if len(self._users) > WORKING_SET:
            self._users = dict(self._changed)

    def states(self) -> dict[str, bytes]:
        """Everybody's bytes as they stand now, saved or not."""
        return {**dict(self.store.items()), **{user_id: encode(user) for user_id, user in self._users.items()}}
