"""The metrics of a worker for Prometheus. Counters move once per batch or checkpoint; `gauges` are read when Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from triggers.base.numbers import TALLY
from triggers.engine.partition import NAMES, OTHER

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from streams.worker.checkpoint import Written
    from triggers.engine.interface import Output

SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


LONGEST: Final = 100
"""Maximum characters of an event's name in a label."""


class _Names(Collector):
    """Count events by name. Producers choose the names, and each name is a Prometheus series, so the number of names is limited."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._strangers = 0

    def add(self, names: Mapping[str, int], knows: Callable[[str], bool]) -> None:
        counts = self._counts
        for name, count in names.items():
            label = name if len(name) <= LONGEST else name[:LONGEST]
            if label not in counts and not knows(name):
                if self._strangers >= NAMES:
                    label = OTHER
                else:
                    self._strangers += 1
            counts[label] = counts.get(label, 0) + count

    def describe(self) -> Iterator[Metric]:
        return iter(())  # so that registering does not collect

    def collect(self) -> Iterator[Metric]:
        named = CounterMetricFamily("cueline_events_by_name", "Events by name, without duplicates and dead letters", labels=("event",))
        for name, count in self._counts.items():
            named.add_metric((name.encode("utf-8", "backslashreplace").decode(),), count)
        yield named


class Metrics:
    """The counters of one process, and its page."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._events = self._counter("events", "Events folded, without repetitions")
        self._batches = self._counter("batches", "Batches folded")
        self._duplicates = self._counter("duplicates", "Events whose message id was already known")
        self._foreign = self._counter("foreign_keys", "Users accepted although their key belongs to another partition")
        self._times = self._counter("unreadable_times", "Events whose timestamp is not a time since 1970: they count as received")
        self._unfit = self._counter("unfit", "Values that a rule needs as a number or as one value, and that are not or do not fit")
        self._actions = self._counter("actions", "Actions committed")
        self._written = self._counter("decisions", "Decisions committed")
        self._dead = self._counter("dead_letters", "Dead letters committed")
        self._states = self._counter("states", "Users' states committed")
        self._bytes = self._counter("checkpoint_bytes", "Bytes committed, record batch overhead included")
        self._records = self._counter("restored_records", "Changelog records restored")
        self._names = _Names()
        self.registry.register(self._names)
        self._checkpoints = self._histogram("checkpoint_seconds", "Duration of a checkpoint's transaction")
        self._restores = self._histogram("restore_seconds", "Time from assignment to open")

    def _counter(self, name: str, meaning: str) -> Counter:
        return Counter(f"cueline_{name}", meaning, registry=self.registry)

    def _histogram(self, name: str, meaning: str) -> Histogram:
        return Histogram(f"cueline_{name}", meaning, buckets=SECONDS, registry=self.registry)

    def folded(self, events: int, duplicates: int, foreign_keys: int, unreadable_times: int) -> None:
        """Count a folded batch."""
        self._events.inc(events)
        self._batches.inc()
        self._duplicates.inc(duplicates)
        self._foreign.inc(foreign_keys)
        self._times.inc(unreadable_times)
        self._unfit.inc(TALLY.taken())

    def named(self, names: Mapping[str, int], knows: Callable[[str], bool]) -> None:
        """Count folded events of these names. `knows` says whether the rules have a name; the number of other names is limited."""
        self._names.add(names, knows)

    def checkpointed(self, output: Output, written: Written) -> None:
        """Count a committed checkpoint."""
        self._actions.inc(len(output.actions))
        self._written.inc(len(output.decisions))
        self._dead.inc(len(output.dead_letters))
        self._states.inc(len(output.users))
        self._bytes.inc(written.bytes)
        self._checkpoints.observe(written.seconds)

    def restored(self, records: int, seconds: float) -> None:
        """Count an opened partition."""
        self._records.inc(records)
        self._restores.observe(seconds)

    def watch(self, gauges: Collector) -> None:
        """Add a collector that is read whenever Prometheus asks."""
        self.registry.register(gauges)

    def page(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
