"""What is looked at before a partition's fold begins, without Kafka."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from streams.worker.opening import rule_sets
from streams.worker.restore import _take_in
from triggers.state.encoding import encode
from triggers.state.store import MemoryStore
from triggers.state.user import User
from triggers.testing import Story

RULES = """version: 1
journeys:
  slow:
    entry: {event: Signed Up}
    steps: [{wait: 30d}, {send: {channel: push, text: Hello}}]
"""


def test_the_rule_sets_that_runs_are_pinned_to_are_found_in_the_states_that_the_engine_writes() -> None:
    """States are read only as far as the runs: this holds that reading against the whole layout."""
    story = Story({"rules.yaml": RULES}, start="2026-01-01T00:00Z")
    story.track("ann", "Signed Up")
    story.track("bob", "Paid", properties={"total": 55.5})
    partition, output = story.fold()
    (run,) = partition.table.get("ann").runs  # type: ignore[union-attr]
    states = {user_id: data or b"" for user_id, data in output.users}
    assert sorted(states) == ["ann", "bob"]
    assert rule_sets(states.items()) == {run.rule_set: "ann"}
    assert rule_sets([("cem", encode(User()))]) == {}


@pytest.mark.parametrize("state", [b"", b"x", b"x" * 40, encode(User())[:-1]])
def test_a_state_that_is_none_is_found(state: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        rule_sets([("ann", state)])


def test_keys_that_are_no_text_are_remembered_until_a_tombstone() -> None:
    """`cueline rebase --state drop` writes the tombstones."""
    store, foreign = MemoryStore(), {}  # type: ignore[var-annotated]

    def record(offset: int, key: bytes | None, value: bytes | None = b"x") -> Any:
        return SimpleNamespace(offset=offset, key=key, value=value)

    assert (
        _take_in(store, [record(0, b"ann"), record(1, b"\xff"), record(2, None), record(3, b"\0position", b"{}")], None, foreign) == b"{}"
    )
    assert foreign == {b"\xff": 1, None: 2}
    assert [user_id for user_id, _ in store.items()] == ["ann"]
    _take_in(store, [record(4, b"\xff", None), record(5, None, None), record(6, b"\xfe", None)], None, foreign)
    assert foreign == {}
