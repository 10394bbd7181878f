"""Measure the engine with a million users in random order: each event finds its user's state outside of the working set.

`python -m bench.cold FILE [USERS]` folds the stream in FILE once and gives the resulting states to USERS users (by default a million). Then
it folds events of random users, with checkpoints, so that nearly every event decodes a state, changes it and encodes it again. It prints as
JSON:

    ns             of CPU per event
    warm           the same events of users who stay in the working set, ns
    bytes          of an encoded state, on the average
    resident       bytes of memory that the process has for each of these users: state, id, due index
    filled         s of CPU to fill the store with them, as a restore does: states, due index, rule sets that are needed
"""

import gc
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import orjson

from bench.engine import CHECKPOINT, FETCH, read_file
from bench.load import RULES
from triggers.base.model import LogRecord, Place
from triggers.engine.driver import Engine
from triggers.engine.partition import KIND, Partition
from triggers.journeys.library import Library
from triggers.records.control import opening
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table

USERS: Final = 1_000_000
EVENTS: Final = 100_000
WORKING_SET: Final = 4 << 20
"""Bytes for decoded states: what one of eight partitions has of the default `memory`, and far too few for these users."""


def measure(path: Path, users: int) -> dict[str, float]:
    """Measure what an event costs among so many users."""
    calls = read_file(path)
    rules = load(RULES)
    library = Library([rules])
    log = [*opening(rules.hash, calls[0].at or 0), *(LogRecord(n, c.at or 0, c.key, c.value) for n, c in enumerate(calls, 2))]
    partition = Partition(Place("events", 0), Table(), library)
    _fold(partition, log)
    position, states = partition.position.encode(), [state for _, state in partition.table.store.items()]
    values = [(call.key or b"", call.value) for call in calls[-EVENTS:]]
    clock, begin = partition.position.clock, partition.position.offset + 1
    del partition, log, calls
    gc.collect()
    before = _resident()
    store = MemoryStore()
    begun = time.process_time()
    store.apply((f"reader-{number:09d}", bytes(bytearray(states[number % len(states)]))) for number in range(users))
    filled = time.process_time() - begun
    table = Table(store, working_set=WORKING_SET)
    found = {
        "users": float(users),
        "bytes": sum(len(state) for _, state in store.items()) / users,
        "resident": (_resident() - before) / users,
        "filled": filled,
        "compiled": float(KIND == "compiled"),
    }
    gc.freeze()
    for name, among in ("ns", users), ("warm", 1_000):
        records = _drawn(values, among, clock, begin)
        cold = Partition(Place("events", 0), table, library, Position.decode(position))
        begun = time.process_time()
        _fold(cold, records)
        found[name] = (time.process_time() - begun) * 1e9 / len(records)
        begin += len(records)
        position = cold.position.encode()
    return found


def _drawn(values: Sequence[tuple[bytes, bytes | None]], among: int, clock: int, begin: int) -> list[LogRecord]:
    """Return the events, each of a user drawn from the first `among`; a millisecond apart."""
    random = Random(1)
    records = []
    for number, (key, value) in enumerate(values):
        user = b"reader-%09d" % random.randrange(among)
        own = (value or b"").replace(b'"userId":"%s"' % key, b'"userId":"%s"' % user, 1)
        own = own.replace(b'"messageId":"', b'"messageId":"%d-' % begin, 1)
        records.append(LogRecord(begin + number, clock + number, user, own))
    return records


def _fold(partition: Partition, records: list[LogRecord]) -> None:
    engine = Engine(partition)
    for at in range(0, len(records), FETCH):
        engine.fold(records[at : at + FETCH])
        engine.settle()
        if (at + FETCH) % CHECKPOINT == 0:
            engine.take()
    engine.take()


def _resident() -> int:
    """Return the bytes of memory that this process holds; 0 if the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096
    except OSError:
        return 0


if __name__ == "__main__":
    print(orjson.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else USERS)).decode())
