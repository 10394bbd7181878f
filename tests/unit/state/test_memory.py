"""Memory is bounded in bytes, and what is evicted is never lost."""

import tracemalloc
from collections.abc import Callable
from typing import Any

from streams.worker.inbox import Inbox
from triggers.base.model import LogRecord
from triggers.measures.shapes import Panes
from triggers.state.encoding import decode, encode
from triggers.state.table import Table
from triggers.state.user import User

WORKING_SET = 4 << 20


def big(number: int) -> bytes:
    """A state of some 20 KB that takes half a megabyte of memory."""
    user = User()
    user.traits = {"n": number}
    for window in range(10):
        user.windows[f"w{window}"] = Panes(0, panes={pane: 10**9 + pane for pane in range(400)})
    return encode(user)


def test_looking_at_many_big_states_keeps_a_bounded_number_of_them() -> None:
    table = Table(working_set=WORKING_SET)
    table.store.apply((f"u{n}", big(n)) for n in range(500))
    tracemalloc.start()
    try:
        for n in range(500):
            assert table.get(f"u{n}") is not None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * WORKING_SET


def test_a_state_of_a_checkpoint_under_way_is_not_read_from_the_store_again() -> None:
    """The fold continues while a checkpoint is being committed; until then the store has the state before it."""
    table = Table(working_set=WORKING_SET)
    table.store.apply((f"u{n}", big(n)) for n in range(200))
    ann = table.get("u0")
    assert ann is not None
    ann.traits = {"n": "changed"}
    table.note("u0", ann)
    taken = table.take()
    for n in range(1, 200):
        table.get(f"u{n}")
    again = table.get("u0")
    assert again is not None
    assert again.traits == {"n": "changed"}
    table.saved(taken)
    for n in range(1, 200):
        table.get(f"u{n}")
    stored = table.store.get("u0")
    assert stored is not None
    assert decode(stored).traits == {"n": "changed"}


def test_states_that_cannot_be_let_go_are_not_looked_through_at_every_other_one() -> None:
    """A checkpoint's changed users may be more than the working set has room for; each further user would cost as much as all of them."""
    looked = 0

    class Watched(Table):
        def _release(self) -> None:
            nonlocal looked
            looked += len(self._changed)
            super()._release()

    table = Watched(working_set=100_000)
    table.store.apply((f"u{n}", encode(User())) for n in range(4_000))
    for n in range(4_000):
        user = table.get(f"u{n}")
        assert user is not None
        table.note(f"u{n}", user)
    assert looked < 20 * 4_000


class Batch(list[Any]):
    next = end = 0


class Event:
    def __init__(self, records: int, size: int) -> None:
        self.value = Batch(LogRecord(n, 0, b"ann", b"x" * size) for n in range(records))
        self.ack: Callable[[], None] = lambda: None


def test_a_few_big_records_are_withheld_as_many_small_ones_are() -> None:
    asked: list[str] = []
    inbox = Inbox(1_000, 1 << 20, lambda: asked.append("withhold"), lambda: asked.append("release"))
    first, second = Event(2, 200_000), Event(4, 200_000)
    inbox.put(first)  # type: ignore[arg-type]
    assert asked == []
    inbox.put(second)  # type: ignore[arg-type]
    assert asked == ["withhold"]
    for event in (first, second):
        inbox.done(inbox.pop(), folded=True)
        assert event is not None
    assert asked[-1] == "release"
