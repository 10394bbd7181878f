"""The topic `rules` as workers read it: what stands there is not theirs to trust (PROTOCOL laws 17 and 21)."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.library import Shelf
from streams.settings import Settings


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(Settings())


def _put(shelf: Shelf, key: str, value: object) -> None:
    """A record of the topic arrives."""
    record: Any = SimpleNamespace(key=key.encode(), value=value if value is None or isinstance(value, bytes) else orjson.dumps(value))
    shelf._take_in(record)


def test_an_override_counts_for_the_topic_that_it_was_written_for_alone(shelf: Shelf) -> None:
    """A topic made anew under the same name has other records at these offsets."""
    _put(shelf, "override:events:3:10", {"schema": 1, "reason": "a test", "topic_id": "old"})
    _put(shelf, "override:events:3:11", {"schema": 1, "reason": "a test", "topic_id": "new"})
    _put(shelf, "override:events:3:12", {"schema": 1, "reason": "a test"})
    assert shelf.overrides("events", 3, "old") == {10, 12}
    assert shelf.overrides("events", 3, "new") == {11, 12}
    assert shelf.overrides("events", 4, "new") == frozenset()
    _put(shelf, "override:events:3:11", None)
    assert shelf.overrides("events", 3, "new") == {12}
