"""The benchmarks' stream is the same on every machine."""

from collections import Counter
from hashlib import sha256

import orjson

from bench.stream import DAY, DAYS, SIZE, START, stream

EVENTS = 70_000


def test_the_stream_is_the_same_for_the_same_seed() -> None:
    """A change of this hash makes figures incomparable with those published before."""
    digest = sha256(b"".join(event.value for event in stream(EVENTS))).hexdigest()
    assert digest == "dced1f8a603a3f2fe76bf30610cfc83a44b27accf292df97932a49442080bd67"
    assert next(stream(EVENTS, seed=2)).value != next(stream(EVENTS)).value


def test_the_stream_is_what_it_says() -> None:
    events = list(stream(EVENTS))
    assert len(events) == EVENTS
    assert {len(event.value) for event in events} == {SIZE}
    documents = [orjson.loads(event.value) for event in events]
    assert all(document["userId"].encode() == event.key for document, event in zip(documents, events, strict=True))
    assert [d["timestamp"] for d in documents] == sorted(d["timestamp"] for d in documents)
    assert all(START <= event.at < START + (DAYS + 1) * DAY for event in events)
    names = Counter(document["event"] for document in documents)
    assert set(names) == {"app_used", "chapter_read", "book_opened", "search", "Order Completed", "Signed Up", "order_paid"}
    assert names["Signed Up"] == 4_000
