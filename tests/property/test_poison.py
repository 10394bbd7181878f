"""Whatever bytes a record has: they are an event, or a dead letter with a reason. Never an exception."""

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.base.model import LogRecord
from triggers.records.events import Unreadable, event_time, read_event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MOMENTS = st.sampled_from(
    ["2026-01-01T00:00:00.000Z", "2026-01-01", "9999-12-31T23:59:59+14:00", "1969-12-31T00:00:00Z", "2026-01-01T09:00"]
)
CALL = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["track", "identify", "page", "screen", "group", "alias", "x"]) | JSON,
        "userId": st.just("ann") | JSON,
        "event": st.just("Read") | JSON,
        "messageId": st.text(max_size=3) | JSON,
        "timestamp": MOMENTS | JSON,
        "sentAt": MOMENTS | JSON,
        "properties": st.dictionaries(st.text(max_size=3), JSON, max_size=2) | JSON,
        "traits": st.dictionaries(st.text(max_size=3), JSON, max_size=2) | JSON,
        "context": JSON,
    },
)


@st.composite
def values(draw: st.DrawFn) -> bytes:
    """A call of any shape, its bytes perhaps cut off or damaged."""
    value = orjson.dumps(draw(CALL))
    if draw(st.booleans()):
        value = value[: draw(st.integers(0, len(value)))]
    if value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        value = value[:at] + draw(st.binary(max_size=2)) + value[at + 1 :]
    return value


@settings(deadline=None)
@given(values(), st.integers(0, 2**53))
def test_any_bytes_are_an_event_or_unreadable(value: bytes, received: int) -> None:
    try:
        kind, user_id, name, _, times, properties, traits = read_event(LogRecord(0, received, b"ann", value))
        happened = event_time(times, received)
    except Unreadable:
        return
    assert -1 <= happened <= received
    assert (user_id, name is None) == ("ann", kind in ("identify", "group"))
    assert all(part is None or isinstance(part, dict) for part in (properties, traits))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_unreadable(value: bytes) -> None:
    try:
        read_event(LogRecord(0, 0, b"ann", value))
    except Unreadable:
        return
    raise AssertionError("random bytes were an event")
