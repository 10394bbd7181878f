"""The contract of every store of states. Add a new store to `STORES`."""

from collections.abc import Callable
from random import Random

import pytest

from triggers.base.model import NEVER
from triggers.state.due import STALE
from triggers.state.encoding import encode
from triggers.state.runs import Run
from triggers.state.store import LOOKS, MemoryStore, Store
from triggers.state.user import User

STORES: list[Callable[[], Store]] = [MemoryStore]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.param()
    return made


def state(due: int = NEVER, met: int = 0, rule_sets: tuple[str, ...] = ()) -> bytes:
    user = User(met=met)
    user.due = due
    for rule_set in rule_sets:
        user.runs.append(Run("j", "v", rule_set, "0-o1", 1, 1, "1", 1))
    return encode(user)


def test_it_gives_back_what_was_applied_last_and_nothing_of_the_erased(store: Store) -> None:
    store.apply([("ann", state(1)), ("bob", state(2)), ("ann", state(3))], b"seven")
    store.apply([("bob", None), ("nobody", None)], b"eight")
    assert (store.get("ann"), store.get("bob"), len(store)) == (state(3), None, 1)
    assert dict(store.items()) == {"ann": state(3)}
    assert store.due(10, 10) == [(3, "ann")]


def test_its_stamp_is_that_of_the_last_batch_that_had_one(store: Store) -> None:
    assert store.stamp() is None
    store.apply([], b"seven")
    store.apply([("ann", state())])
    assert store.stamp() == b"seven"


def test_users_are_due_by_moment_and_then_by_the_bytes_of_their_ids(store: Store) -> None:
    ids = ["\U00010000", "\uffff", "é", "z", "a", "B"]
    store.apply([(user_id, state(5)) for user_id in ids])
    store.apply([("late", state(6)), ("later", state(9)), ("never", state())])
    assert store.next_due() == 5
    by_bytes = sorted(ids, key=str.encode)
    assert store.due(8, 4) == [(5, user_id) for user_id in by_bytes[:4]]
    assert store.due(8, 10) == [*((5, user_id) for user_id in by_bytes[4:]), (6, "late")]
    assert store.due(8, 10) == []
    assert store.next_due() == 9


def test_who_was_given_as_due_is_given_again_only_after_a_new_state(store: Store) -> None:
    store.apply([("ann", state(5)), ("bob", state(6))])
    assert store.due(5, 10) == [(5, "ann")]
    store.apply([("bob", state(7))])
    assert store.due(9, 10) == [(7, "bob")]
    store.apply([("ann", state(3))])
    assert store.due(9, 10) == [(3, "ann")]
    assert store.next_due() == NEVER


def test_postponed_timers_are_put_back_a_bounded_number_at_a_time(store: Store) -> None:
    """Each call ends soon, and says a moment that is too early rather than one that is too late."""
    many = [f"user-{number:05}" for number in range(6 * STALE)]
    store.apply([(user_id, state(10)) for user_id in many])
    store.apply([(user_id, state(1_000)) for user_id in many])
    store.apply([("first", state(500))])
    calls, found = 0, list[tuple[int, str]]()
    while not found:
        calls += 1
        assert store.next_due() <= 500
        found = store.due(600, 1)
    assert found == [(500, "first")]
    assert calls < 20


def test_everybody_is_gone_through_once_in_the_order_of_ids(store: Store) -> None:
    random = Random(1)
    ids = [f"{random.randrange(10**9)}-é"[random.randrange(4) :] for _ in range(2 * LOOKS + 7)]
    store.apply([(user_id, state(met=1)) for user_id in ids])
    store.apply([(user_id, None) for user_id in ids[:100]])
    here = sorted(set(ids) - set(ids[:100]), key=str.encode)
    after, more, found = "", True, list[str]()
    while more:
        some, more = store.unmet(after, 97)
        assert len(some) <= 97
        found += some
        after = found[-1] if found else ""
    assert found == here
    some, _ = at_last(store, found[500], 10)
    assert some == here[501:511], "from any id on, as after a restart"


def at_last(store: Store, after: str, limit: int, met: int | None = None) -> tuple[list[str], bool]:
    """The first answer that is no "not yet"."""
    some, more = store.unmet(after, limit, met)
    while more and not some:
        some, more = store.unmet(after, limit, met)
    return some, more


def test_those_who_have_met_the_rules_are_left_out(store: Store) -> None:
    store.apply([(f"user-{number:06}", state(met=number % 1_000)) for number in range(2 * LOOKS)])
    some, _ = at_last(store, "user-000998", 3, met=999)
    assert some == ["user-001000", "user-001001", "user-001002"]
    store.apply([(f"user-{number:06}", state(met=7)) for number in range(2 * LOOKS)])
    assert at_last(store, "", 3, met=7) == ([], False)


def test_a_list_of_users_ends_although_new_ones_come_in(store: Store) -> None:
    store.apply([(f"user-{number:06}", state()) for number in range(100)])
    after, more, found = "", True, list[str]()
    while more:
        some, more = store.unmet(after, 10)
        found += some
        after = found[-1] if found else ""
        store.apply([(f"{after}-new", state())])
    assert [user_id for user_id in found if "new" not in user_id] == [f"user-{number:06}" for number in range(100)]


def test_it_counts_the_rule_sets_that_runs_are_pinned_to(store: Store) -> None:
    store.apply([("ann", state(rule_sets=("a", "b", "b"))), ("bob", state(rule_sets=("a",))), ("cem", state())])
    assert dict(store.needs()) == {"a": 2, "b": 2}
    store.apply([("ann", state(rule_sets=("c",))), ("bob", None)])
    assert dict(store.needs()) == {"c": 1}
    store.apply([("ann", state())])
    assert dict(store.needs()) == {}
