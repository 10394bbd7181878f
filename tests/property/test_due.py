"""The table finds exactly the users who are due, by moment and id, whatever has moved, been committed or released meanwhile."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triggers.base.model import NEVER
from triggers.state.store import MemoryStore
from triggers.state.table import Table

USERS = [f"user-{number}" for number in range(3)]


class Life:
    """A table, and the due moment of each user as a plain dict."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.table = Table(working_set=1)
        self.due: dict[str, int] = {}
        self.taken: list[tuple[str, bytes | None]] | None = None

    def move(self) -> None:
        """An event of a user moves their timer, or leaves it."""
        user_id = self.chance.choice(USERS)
        user = self.table.get(user_id) or self.table.add(user_id, 0)
        user.due = self.chance.choice([NEVER, self.chance.randrange(12), self.chance.randrange(12)])
        self.due[user_id] = user.due
        self.table.touch(user_id, user)

    def take(self) -> None:
        if self.taken is None:
            self.taken = self.table.take()

    def saved(self) -> None:
        if self.taken is not None:
            self.table.saved(self.taken)
            self.taken = None

    def restart(self) -> None:
        self.take()
        self.saved()
        self.take()
        self.saved()
        store = MemoryStore()
        store.apply(self.table.store.items())
        self.table = Table(store, working_set=1)

    def look(self) -> None:
        assert self.table.next_due() == min(self.due.values(), default=NEVER)

    def drain(self) -> None:
        """Fires what is due; sets each timer again, which may be due at once."""
        clock = self.chance.randrange(12)
        for _ in range(self.chance.choice([1, 3, 100])):
            found = self.table.pop_due(clock)
            if found is None:
                assert min(self.due.values(), default=NEVER) > clock
                return
            user_id, user = found
            assert user.due == self.due[user_id] <= clock
            assert (user.due, user_id) == min((due, one) for one, due in self.due.items())
            user.due = self.chance.choice([NEVER, user.due, user.due + self.chance.randrange(6)])
            self.due[user_id] = user.due
            self.table.touch(user_id, user)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_the_table_finds_exactly_the_users_who_are_due(chance: Random) -> None:
    life = Life(chance)
    ways = [life.move, life.move, life.move, life.look, life.take, life.saved, life.look, life.drain, life.restart]
    for _ in range(chance.choice([10, 200])):
        chance.choice(ways)()
