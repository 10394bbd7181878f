"""The table over a store: what users are gone through while some are not saved yet."""

import pytest

from triggers.state.encoding import encode
from triggers.state.store import MemoryStore
from triggers.state.table import Table
from triggers.state.user import User


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_users_who_are_not_saved_yet_take_their_place_in_the_order_of_ids(limit: int) -> None:
    store = MemoryStore()
    store.apply((user_id, encode(User())) for user_id in ("m", "z"))
    table = Table(store)
    for user_id in ("d", "a", "c", "b", "n", "o"):
        table.note(user_id, table.add(user_id, 0))
    given: list[str] = []
    more = True
    while more:
        some, more = table.unmet(given[-1] if given else "", limit, met=1)
        given += some
    assert given == ["a", "b", "c", "d", "m", "n", "o", "z"]
