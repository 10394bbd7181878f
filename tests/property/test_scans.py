"""A record of any bytes costs what its size says: no scan of foreign bytes takes more than linear time.

The bounds are relative to what the JSON decoder takes for as many bytes on the same machine, so that a slow machine fails no test.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import process_time

import msgspec
import pytest

from triggers.base.model import MAX_DEPTH, MAX_VALUE, LogRecord, Place
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.events import _is_too_deep
from triggers.state.table import Table

SIGNS = [b'"', b"\\", b"{", b"[", b",", b":", b"0", b" ", b"\x80"]
MOST, DOUBLING = 20, 2.5
CALL = b'{"userId":"a","type":"track","event":"E","properties":{"x":['
LONG = b'{"userId":"a","type":"track","event":"E","properties":{"x":' + b"9" * 5_000 + b',"y":"'
"""A number of more digits than the decoder takes: it is looked for among texts."""
DEEP = CALL + b"{}," * 40
PLAIN = b"[" + b",".join([b'{"id":"x1","qty":2,"price":3.5}'] * 8_000) + b"]"
decode = msgspec.json.Decoder().decode


def mixes(one: bytes, other: bytes, size: int) -> Iterator[bytes]:
    """Two signs, in turn and one half after the other: bare, in a property, and inside a text."""
    for mix in ((one + other) * (size // 2), one * (size // 2) + other * (size // 2)):
        for before in (b"", CALL, DEEP, DEEP + b'"', LONG):
            yield (before + mix)[:size]


def seconds(work: Callable[[], object], times: int = 3) -> float:
    """CPU time, the best of some. A collection of garbage costs what the process holds, which says nothing of the value: none runs."""
    spent = []
    gc.disable()
    try:
        for _ in range(times):
            begun = process_time()
            with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                work()
            spent.append(process_time() - begun)
    finally:
        gc.enable()
    return min(spent)


def fold(value: bytes) -> None:
    """Folds the value as one record of a partition."""
    partition = Partition(Place("events", 0), Table(), Library())
    partition.advance([LogRecord(0, 1, b"a", value)])
    assert partition.position.offset == 0


@pytest.mark.parametrize("one", SIGNS)
def test_the_largest_record_of_two_signs_costs_little_more_than_a_decode(one: bytes) -> None:
    plain = seconds(lambda: decode(PLAIN[:MAX_VALUE]))
    for other in SIGNS:
        for value, eighth in zip(mixes(one, other, MAX_VALUE), mixes(one, other, MAX_VALUE // 8), strict=True):
            assert any(is_cheap(value, eighth, plain, times) for times in (3, 10, 30)), (one, other, value[:120])


def is_cheap(value: bytes, eighth: bytes, plain: float, times: int) -> bool:
    """Whether a fold costs little more than a decode, and grows as the size does. A busy machine may need more `times`.

    The size is doubled three times, and the bound is that of three doublings: where blocks of memory begin to come from the system, one
    doubling alone costs more than the others. A scan that takes quadratic time costs 64 times as much.
    """
    same, cost = seconds(lambda: decode(value), times), seconds(lambda: fold(value), times)
    return cost <= MOST * max(same, plain) and cost <= DOUBLING**3 * max(seconds(lambda: fold(eighth), times), plain / 4)


@pytest.mark.parametrize("inside", [b"", b'"[{"', b'"\\"[{"', b'"\\\\",[]', b'"\\\\\\"[[[["', b'"]}"'])
def test_only_brackets_outside_of_texts_count_as_depth(inside: bytes) -> None:
    for levels in (MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1):
        value = b"[" * levels + inside + b"]" * levels
        assert _is_too_deep(value) == (levels + (inside == b'"\\\\",[]') > MAX_DEPTH)
