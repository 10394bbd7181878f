"""The users of a partition: decoded states over a store of bytes, and the changes since the last commit."""

from typing import Final

from triggers.base.model import NEVER
from triggers.state.due import DueIndex
from triggers.state.encoding import decode, due_of, encode, met_of
from triggers.state.sizes import decoded_bytes
from triggers.state.store import MemoryStore, Store
from triggers.state.user import User, new_user

ERASED: Final = -2
"""The offset of the last record of a user who is erased: a placeholder until the store has removed the state."""
WORKING_SET: Final = 64 << 20
"""Bytes of memory that decoded states may take between checkpoints, by the estimate of `triggers.state.sizes`."""
PULL: Final = 256
"""How many due users are fetched from the store at once."""
PULLS: Final = 4
"""How often one call fetches."""


class _Pass:
    """A pass over all users in the order of their ids."""

    def __init__(self, after: str, unsaved: list[str]) -> None:
        self.after = after
        """The last user from the store."""
        self.more = True
        """The store may have more."""
        self.unsaved = unsaved
        """The users that were not in the store at the beginning, the last one first."""
        self.found: list[str] = []
        """The next users, the last one first."""


class Table:
    """Users by id. Code that changes a user must call `touch` afterwards, or `note`."""

    def __init__(self, store: Store | None = None, *, working_set: int = WORKING_SET) -> None:
        """`working_set`: bytes that decoded states may take."""
        self._working_set = working_set
        self.store: Store = MemoryStore() if store is None else store
        self._users: dict[str, User] = {}
        self._changed: dict[str, User] = {}
        self._taken: dict[str, User] = {}
        """Changed users of the current checkpoint: the store has older states of them."""
        self._index = DueIndex(self._look)
        """Users who are due sooner than the store knows, and users that the store has listed already.

        A user whose timer has moved to a later moment needs no entry: the store lists the user at the old one, and then `User.due` counts.
        """
        self._pulled = 0
        self._stored = self.store.next_due()
        self._pass: _Pass | None = None
        """How far `unmet` has gone through the users."""
        self._weight = 0
        self._full = 2 * working_set
        """The weight beyond which decoded states are released. Well above the weight that must stay, so that a search is worth it."""
        self.size = 0
        """Rough bytes of the changed users' states."""

    def get(self, user_id: str) -> User | None:
        user = self._users.get(user_id)
        if user is None:
            data = self.store.get(user_id)
            if data is not None:
                user = decode(data)
                if self._weight > self._full:  # of users that were only read since the last checkpoint
                    self._release()
                self._users[user_id] = user
                self._weight += user.weight
        elif user.offset == ERASED:
            return None
        return user

    def peek(self, user_id: str) -> User | None:
        """Return a user as `get` does, but keep a newly decoded state only if it is touched."""
        user = self._users.get(user_id)
        if user is None:
            data = self.store.get(user_id)
            return None if data is None else decode(data)
        return None if user.offset == ERASED else user

    def add(self, user_id: str, met: int) -> User:
        """Add a user without a state."""
        user = self._users[user_id] = new_user(met)
        self._weight += user.weight
        if user_id in self._changed:  # erased since the last checkpoint
            self._changed[user_id] = user
        return user

    def erase(self, user_id: str) -> None:
        """Remove a user with all that is known. The next checkpoint removes the state."""
        gone = new_user(0)
        gone.offset = ERASED
        self._users[user_id] = self._changed[user_id] = gone
        self._weight += gone.weight
        self.size += 256

    def encoded(self, user_id: str, user: User) -> bytes:
        """Return the bytes of a user as they would be saved now."""
        if user_id not in self._changed and user_id not in self._taken:
            data = self.store.get(user_id)
            if data is not None:
                return data
        return encode(user)

    def note(self, user_id: str, user: User) -> None:
        """Note that a user has changed, but not the due moment: the next checkpoint saves the user."""
        if user_id not in self._changed:
            if user_id not in self._users:
                self._users[user_id] = user
                self._weight += user.weight
            self._changed[user_id] = user
            self.size += len(self.store.get(user_id) or b"") + 256

    def touch(self, user_id: str, user: User) -> None:
        """Note that a user has changed: the next checkpoint saves the user, and the due moment is indexed."""
        self.note(user_id, user)
        if user.due < user.indexed:
            user.indexed = user.due
            self._index.add(user_id, user.due)

    # ---- due users ---------------------------------------------------------------------------------------------------

    def next_due(self) -> int:
        """Return the earliest moment at which a user is due. It may be too early, if more than `STALE` entries no longer count."""
        for _ in range(PULLS):
            own = self._index.next()
            if self._stored >= own:
                return own
            self._pull(own)
        return min(self._index.next(), self._stored)

    def pop_due(self, clock: int) -> tuple[str, User] | None:
        """Return a user who is due; the caller fires the timers and touches the user. None also if `next_due` is too early."""
        for _ in range(PULLS):  # the store's users who are due first, or at the same moment, are added in order
            entry = self._index.pop(min(clock, self._stored - 1))
            if entry is not None:
                user = self.get(entry[1])
                if user is None:
                    return None
                user.indexed = NEVER  # it was the only entry
                return entry[1], user
            if self._stored > clock:
                return None
            self._pull(min(self._index.next(), clock))
        return None

    def _pull(self, until: int) -> None:
        """Fetch the next users from the store who are due no later than `until`."""
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
        """About how many entries of the due index were put back or dropped."""
        return self._index.moved + self._pulled

    def _look(self, user_id: str) -> int:
        """Return when a user is due whose entry has come up: the entry is put back at that moment."""
        user = self._users.get(user_id)
        if user is not None:
            user.indexed = user.due
            return user.due
        data = self.store.get(user_id)
        return NEVER if data is None else due_of(data)

    # ---- all users ---------------------------------------------------------------------------------------------------

    def unmet(self, after: str, limit: int, met: int | None) -> tuple[list[str], bool]:
        """List the next users after this id, at most `limit`, that may need migration; also return whether there may be more.

        `met` leaves out the users who have met that rule set already, without decoding them. The caller goes through all users, and then
        calls `end_meeting`.
        """
        progress = self._pass
        if progress is None:  # the unsaved users are added to the store during the pass
            unsaved = {**self._taken, **self._changed}
            progress = self._pass = _Pass(
                after, sorted((user_id for user_id in unsaved if user_id > after and self.store.get(user_id) is None), reverse=True)
            )
        if not progress.found and progress.more:
            found, progress.more = self.store.unmet(progress.after, limit, met)
            if found:
                progress.after = found[-1]
            while progress.unsaved and (not progress.more or (found and progress.unsaved[-1] < progress.after)):
                found.append(progress.unsaved.pop())
            progress.found = sorted(found, reverse=True)
        asked: list[str] = []
        while progress.found and len(asked) < limit:
            user_id = progress.found.pop()
            if met is None or self._met_of(user_id) != met:
                asked.append(user_id)
        return asked, progress.more or bool(progress.found)

    def _met_of(self, user_id: str) -> int:
        user = self._users.get(user_id)
        if user is not None:
            return user.met
        data = self.store.get(user_id)
        return -1 if data is None else met_of(data)

    def end_meeting(self) -> None:
        self._pass = None

    # ---- rule sets ---------------------------------------------------------------------------------------------------

    def needs(self) -> set[str]:
        """Return the rule sets that runs are pinned to, and perhaps some that they were pinned to at the last commit."""
        found = set(self.store.needs())
        for user in [*self._taken.values(), *self._changed.values()]:
            found.update(user.new_rule_sets())
        return found

    # ---- checkpoints -------------------------------------------------------------------------------------------------

    @property
    def changes(self) -> int:
        """How many users the next checkpoint saves."""
        return len(self._changed)

    def take(self) -> list[tuple[str, bytes | None]]:
        """Return the changed users' bytes, None for an erased one, and begin the next checkpoint."""
        changed: list[tuple[str, bytes | None]] = []
        for user_id, user in self._changed.items():
            if user.offset == ERASED:
                changed.append((user_id, None))
                continue
            data = encode(user)
            changed.append((user_id, data))
            weight = decoded_bytes(len(data))
            if weight > user.weight:
                self._weight += weight - user.weight
                user.weight = weight
        self._taken, self._changed = self._changed, {}
        self.size = 0
        return changed

    def saved(self, changed: list[tuple[str, bytes | None]], stamp: bytes | None = None) -> None:
        """Store the committed states, and release decoded ones if they take too much memory."""
        self.store.apply(changed, stamp)
        self._stored = self.store.next_due()
        queued, again = self._index.queued, self._changed
        for user_id, user in self._taken.items():
            user.indexed = user.due
            if user_id in again:  # the store knows an older moment
                self._index.add(user_id, user.due)
            elif user_id in queued:
                del queued[user_id]
        for user_id, data in changed:
            if data is None:
                gone = self._users.get(user_id)
                if gone is not None and gone.offset == ERASED and user_id not in again:
                    del self._users[user_id]
        self._taken = {}
        if self._weight > self._working_set:
            self._release()

    def _release(self) -> None:
        """Release the decoded states that are in the store, but not changed ones or those of a checkpoint that is not committed."""
        self._users = {**self._taken, **self._changed}
        self._weight = sum(user.weight for user in self._users.values())
        self._full = self._weight + 2 * self._working_set

    def states(self) -> dict[str, bytes]:
        """Return the current bytes of all users, saved or not."""
        states = {**dict(self.store.items()), **{user_id: encode(user) for user_id, user in self._users.items()}}
        for user_id, user in self._users.items():
            if user.offset == ERASED:
                del states[user_id]
        return states
