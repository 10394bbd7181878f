"""The users table as the fold sees it: decoded states over a store of bytes, and what has changed since the last commit."""

from typing import Final

from triggers.base.model import NEVER
from triggers.state.due import DueIndex
from triggers.state.sizes import decoded_bytes
from triggers.state.store import MemoryStore, Store
from triggers.state.user import User, decode, due_of, encode, met_of

WORKING_SET: Final = 64 << 20
"""Bytes of memory that decoded states may take between checkpoints, by the estimate of `triggers.state.sizes`."""
PULL: Final = 256
"""How many due users are fetched from the store at one go."""
PULLS: Final = 4
"""How often one call fetches."""


class _Going:
    """Users are being gone through in the order of their ids."""

    def __init__(self, after: str, unsaved: list[str]) -> None:
        self.after = after
        """The last one whom the store has given."""
        self.more = True
        """The store may have more."""
        self.unsaved = unsaved
        """Those whom the store did not hold at the beginning, the last one first."""
        self.found: list[str] = []
        """The next ones, the last one first."""


class Table:
    """Users by id. Whoever changes a user calls `touch` afterwards, or `note`."""

    def __init__(self, store: Store | None = None, *, working_set: int = WORKING_SET) -> None:
        """`working_set`: bytes that decoded states may take."""
        self._working_set = working_set
        self.store: Store = MemoryStore() if store is None else store
        self._users: dict[str, User] = {}
        self._changed: dict[str, User] = {}
        self._taken: dict[str, User] = {}
        """Changed users of the checkpoint under way: the store has older states of them."""
        self._index = DueIndex(self._look)
        """Users who are due sooner than the store knows, and those whom it has given already.

        A user whose timer has moved to a later moment needs no entry: the store brings them up at the old one, and `User.due` is looked at.
        """
        self._pulled = 0
        self._stored = self.store.next_due()
        self._going: _Going | None = None
        """How far users have been gone through by `unmet`."""
        self._weight = 0
        self._full = 2 * working_set
        """The weight beyond which decoded states are let go: so far above what cannot be that looking for the others is worth it."""
        self.size = 0
        """Rough bytes of the changed users' states."""

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

    def encoded(self, user_id: str, user: User) -> bytes:
        """The bytes of a user as they would be saved now."""
        if user_id not in self._changed and user_id not in self._taken:
            data = self.store.get(user_id)
            if data is not None:
                return data
        return encode(user)

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
        if user.due < user.indexed:
            user.indexed = user.due
            self._index.add(user_id, user.due)

    # ---- who is due --------------------------------------------------------------------------------------------------

    def next_due(self) -> int:
        """The earliest moment that anybody is due at; too early, never too late, where more than `STALE` entries no longer count."""
        for _ in range(PULLS):
            own = self._index.next()
            if self._stored >= own:
                return own
            self._pull(own)
        return min(self._index.next(), self._stored)

    def pop_due(self, clock: int) -> tuple[str, User] | None:
        """Someone who is due by the clock; the caller fires the timers and touches the user. None also where `next_due` is too early."""
        for _ in range(PULLS):  # those of the store who are due first, or at the same moment, go in by moment and id
            own = min(self._index.next(), clock)
            if self._stored > own:
                break
            self._pull(own)
        else:
            return None
        entry = self._index.pop(clock)
        user = None if entry is None else self.get(entry[1])
        if entry is None or user is None:
            return None
        user.indexed = NEVER  # it was the only entry
        return entry[1], user

    def _pull(self, until: int) -> None:
        """Fetches the next due users from the store, who are due no later than that."""
        given = self.store.due(until, PULL)
        self._stored = self.store.next_due()
        if len(given) < PULL:
            self._pulled += PULL
        for _, user_id in given:
            due = self._look(user_id)
            if due != NEVER:
                self._index.add(user_id, due)

    @property
    def moved(self) -> int:
        """Roughly how many entries of the due index were put back or thrown away."""
        return self._index.moved + self._pulled

    def _look(self, user_id: str) -> int:
        """When a user is due whose entry has come up: it is put back at that moment."""
        user = self._users.get(user_id)
        if user is not None:
            user.indexed = user.due
            return user.due
        data = self.store.get(user_id)
        return NEVER if data is None else due_of(data)

    # ---- everybody ---------------------------------------------------------------------------------------------------

    def unmet(self, after: str, limit: int, met: int | None) -> tuple[list[str], bool]:
        """The next users after this id, at most `limit`, who may have to be brought to a command, and whether there may be more.

        `met` leaves out those who have met that rule set already, without decoding them. Whoever asks goes through all, and then calls
        `end_meeting`.
        """
        going = self._going
        if going is None:  # the store learns of the unsaved ones while it is gone through
            unsaved = {**self._taken, **self._changed}
            going = self._going = _Going(
                after, sorted((user_id for user_id in unsaved if user_id > after and self.store.get(user_id) is None), reverse=True)
            )
        if not going.found and going.more:
            found, going.more = self.store.unmet(going.after, limit, met)
            if found:
                going.after = found[-1]
            while going.unsaved and (not going.more or (found and going.unsaved[-1] < found[-1])):
                found.append(going.unsaved.pop())
            going.found = sorted(found, reverse=True)
        asked: list[str] = []
        while going.found and len(asked) < limit:
            user_id = going.found.pop()
            if met is None or self._met_of(user_id) != met:
                asked.append(user_id)
        return asked, going.more or bool(going.found)

    def _met_of(self, user_id: str) -> int:
        user = self._users.get(user_id)
        if user is not None:
            return user.met
        data = self.store.get(user_id)
        return -1 if data is None else met_of(data)

    def end_meeting(self) -> None:
        self._going = None

    # ---- rule sets ---------------------------------------------------------------------------------------------------

    def needs(self) -> set[str]:
        """The rule sets that runs are pinned to, and perhaps some that were so at the last commit."""
        found = set(self.store.needs())
        for user in [*self._taken.values(), *self._changed.values()]:
            found.update(user.new_rule_sets())
        return found

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

    def saved(self, changed: list[tuple[str, bytes]], stamp: bytes | None = None) -> None:
        """The states are committed: they may be stored, and decoded ones let go."""
        self.store.apply(changed, stamp)
        self._stored = self.store.next_due()
        queued, again = self._index.queued, self._changed
        for user_id, user in self._taken.items():
            user.indexed = user.due
            if user_id in again:  # the store knows of an older moment
                self._index.add(user_id, user.due)
            elif user_id in queued:
                del queued[user_id]
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
