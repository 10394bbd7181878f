"""The engine alone, in memory: no Kafka, nothing written; what it costs, and where.

`python -m bench.engine FILE` folds the stream in FILE (JSON lines, as `bench` writes them) several times, each time with more of the
work, and prints ns of CPU per event as JSON:

    decode   an event's bytes are read, its time calculated, and both discarded
    bare     the fold without a rule set: users, duplicates, traits
    rules    the fold with the five rules
    saved    the same with checkpoints, 4,000 events apart: states encoded, output handed over
"""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from bench.load import RULES
from streams.ingest.calls import Call
from triggers.base.model import LogRecord, Place
from triggers.base.moments import parse_moment
from triggers.engine.driver import Engine
from triggers.engine.partition import KIND, Partition
from triggers.journeys.library import Library
from triggers.records.control import opening
from triggers.records.events import event_time, read_event
from triggers.rules.checks import load
from triggers.state.table import Table

CHECKPOINT: Final = 4_000
"""Records between two checkpoints."""
FETCH: Final = 2_000
PARTITIONS: Final = 8


def read_file(path: Path) -> list[Call]:
    """Read the stream that `bench.load.write_file` has written; a record's moment is when the app sent it."""
    calls = []
    with path.open("rb") as lines:
        for line in lines:
            value = line.rstrip(b"\n")
            document = orjson.loads(value)
            calls.append(Call(parse_moment(document["sentAt"]), document["userId"].encode(), value))
    return calls


def measure(path: Path) -> dict[str, float]:
    """Return the ns per event of each stage, and how many events one core folds in a second."""
    events = read_file(path)
    rules = load(RULES)
    records = [
        *opening(rules.hash, events[0].at or 0),
        *(LogRecord(n, call.at or 0, call.key, call.value) for n, call in enumerate(events, 2)),
    ]
    library = Library([rules])
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)  # as the worker does
    figures = {
        "events": float(len(events)),
        "decode": _timed(lambda: _decode(records[2:])),
        "bare": _timed(lambda: _fold(records[2:], library, checkpoints=False)),
        "rules": _timed(lambda: _fold(records, library, checkpoints=False)),
        "saved": _timed(lambda: _fold(records, library, checkpoints=True)),
    }
    figures["compiled"] = float(KIND == "compiled")
    for stage in ("decode", "bare", "rules", "saved"):
        figures[stage] = figures[stage] * 1e9 / len(events)
    return figures


def _timed(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _decode(records: list[LogRecord]) -> None:
    for record in records:
        event_time(read_event(record)[4], record.timestamp)


def _fold(records: list[LogRecord], library: Library, *, checkpoints: bool) -> None:
    engine = Engine(Partition(Place("events", 0), Table(), library))
    for at in range(0, len(records), FETCH):
        engine.fold(records[at : at + FETCH])
        engine.settle()
        if checkpoints and (at + FETCH) % CHECKPOINT == 0:
            engine.take()


if __name__ == "__main__":
    print(orjson.dumps(measure(Path(sys.argv[1]))).decode())
