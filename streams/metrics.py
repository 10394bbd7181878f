"""What a worker tells Prometheus. Counters move once per batch or checkpoint; gauges are looked up when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from streams.checkpoint import Written
    from streams.ownership import Ownership
    from streams.ticks import Ticker
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

    def folded(self, events: int, duplicates: int, foreign_keys: int) -> None:
        """A batch has been folded."""
        self._events.inc(events)
        self._batches.inc()
        self._duplicates.inc(duplicates)
        self._foreign.inc(foreign_keys)

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

    def watch(self, ownership: Ownership, ticker: Ticker | None) -> None:
        """Add the gauges of what is owned."""
        self.registry.register(_Owned(ownership, ticker))

    def page(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Owned(Collector):
    """Looks at the partitions when it is asked."""

    def __init__(self, ownership: Ownership, ticker: Ticker | None) -> None:
        self._ownership = ownership
        self._ticker = ticker

    def describe(self) -> Iterator[Metric]:
        return iter(())  # so that registering does not collect

    def collect(self) -> Iterator[Metric]:
        yield from self._partitions()
        yield from self._counts()
        ticks = CounterMetricFamily("cueline_ticks", "Ticks written")
        ticks.add_metric((), 0 if self._ticker is None else self._ticker.written)
        yield ticks
        generation = GaugeMetricFamily("cueline_group_generation", "The consumer group's generation; -1 before the first assignment")
        generation.add_metric((), self._ownership.generation)
        yield generation

    def _partitions(self) -> Iterator[Metric]:
        now, wall = time.monotonic(), time.time()
        gauges = {
            name: GaugeMetricFamily(f"cueline_partition_{name}", meaning, labels=("partition",))
            for name, meaning in (
                ("open", "1: open, 0: being restored"),
                ("restored", "How much of the changelog has been read, 0 to 1"),
                ("position", "Offset of the last record folded"),
                ("saved", "Offset that the last checkpoint holds"),
                ("checkpoint_age_seconds", "Time since the last checkpoint"),
                ("clock_lag_seconds", "How far the partition's clock is behind the wall"),
                ("lag", "Committed records in the log that are not folded"),
                ("unstable", "Records behind the last stable offset: somebody's transaction is open and stops the clock"),
                ("pending_bytes", "Rough size of what waits for the next checkpoint"),
                ("users", "Users in the table"),
            )
        }
        blocked = GaugeMetricFamily("cueline_partition_blocked", "1: stopped, for this reason", labels=("partition", "reason"))
        for owned in self._ownership:
            label = (str(owned.partition),)

            def say(name: str, value: float, label: tuple[str] = label) -> None:
                gauges[name].add_metric(label, value)

            say("open", owned.is_open)
            say("restored", 1 if owned.is_open else owned.restored)
            say("checkpoint_age_seconds", now - owned.checkpointed)
            if owned.stopped:
                blocked.add_metric((*label, owned.stopped), 1)
            fold = owned.fold
            if fold is None:
                continue
            say("position", owned.offset)
            say("saved", owned.saved)
            say("pending_bytes", fold.pending)
            say("users", len(fold.table.store))
            if owned.clock >= 0:
                say("clock_lag_seconds", max(0.0, wall - owned.clock / 1000))
            ends = self._ownership.log_ends(owned.partition)
            if ends is not None:
                high, stable = ends
                say("lag", max(0, stable - owned.offset - 1))
                say("unstable", max(0, high - stable))
        yield from gauges.values()
        yield blocked

    def _counts(self) -> Iterator[Metric]:
        decided = CounterMetricFamily("cueline_decided", "Decisions by kind and journey, saved or not", labels=("kind", "journey"))
        dead = CounterMetricFamily("cueline_dead_letters_by_reason", "Dead letters by reason, saved or not", labels=("reason",))
        for (kind, name), count in sorted(self._ownership.counts.items()):
            if kind == "dead letter":
                dead.add_metric((name,), count)
            else:
                decided.add_metric((kind, name), count)
        yield decided
        yield dead
