"""What a worker tells Prometheus. Counters move once per batch or checkpoint; for what is looked up when somebody asks see `gauges`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from triggers.numbers import TALLY

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from streams.checkpoint import Written
    from triggers.partition import Output

SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The counters of one process, and its page."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._events = self._counter("events", "Events folded, repetitions not counted")
        self._batches = self._counter("batches", "Batches folded")
        self._duplicates = self._counter("duplicates", "Events whose message id was known already")
        self._foreign = self._counter("foreign_keys", "Users accepted although their key belongs to another partition")
        self._times = self._counter("unreadable_times", "Events whose timestamp is no time from 1970 on: they count as received")
        self._unfit = self._counter("unfit", "Values that a rule read as a number, or as one value, and that are none or do not fit")
        self._actions = self._counter("actions", "Actions committed")
        self._written = self._counter("decisions", "Decisions committed")
        self._dead = self._counter("dead_letters", "Dead letters committed")
        self._states = self._counter("states", "Users' states committed")
        self._bytes = self._counter("checkpoint_bytes", "Bytes committed, record batch overhead included")
        self._records = self._counter("restored_records", "Changelog records restored")
        self._checkpoints = self._histogram("checkpoint_seconds", "Duration of a checkpoint's transaction")
        self._restores = self._histogram("restore_seconds", "Time from assignment to open")

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"cueline_{name}", meaning, registry=self.registry)

    def _histogram(self, name: str, meaning: str) -> Histogram:
        return Histogram(f"cueline_{name}", meaning, buckets=SECONDS, registry=self.registry)

    def folded(self, events: int, duplicates: int, foreign_keys: int, unreadable_times: int) -> None:
        """A batch has been folded."""
        self._events.inc(events)
        self._batches.inc()
        self._duplicates.inc(duplicates)
        self._foreign.inc(foreign_keys)
        self._times.inc(unreadable_times)
        self._unfit.inc(TALLY.taken())

    def checkpointed(self, output: Output, written: Written) -> None:
        """A checkpoint has been committed."""
        self._actions.inc(len(output.actions))
        self._written.inc(len(output.decisions))
        self._dead.inc(len(output.dead_letters))
        self._states.inc(len(output.users))
        self._bytes.inc(written.bytes)
        self._checkpoints.observe(written.seconds)

    def restored(self, records: int, seconds: float) -> None:
        """A partition has been opened."""
        self._records.inc(records)
        self._restores.observe(seconds)

    def watch(self, gauges: Collector) -> None:
        """Add what is to be looked up whenever somebody asks."""
        self.registry.register(gauges)

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
