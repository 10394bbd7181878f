"""The gauges of a worker's partitions, read at the moment when Prometheus asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from triggers.records.decisions import KINDS

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from streams.worker.ownership import Ownership
    from streams.worker.ticks import Ticker


class Gauges(Collector):
    """Reads the partitions when Prometheus asks."""

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
        now, system_clock = time.monotonic(), time.time()
        gauges = {
            name: GaugeMetricFamily(f"cueline_partition_{name}", meaning, labels=("partition",))
            for name, meaning in (
                ("open", "1: open, 0: restoring"),
                ("restored", "Part of the changelog that has been read, 0 to 1"),
                ("position", "Offset of the last record folded"),
                ("saved", "Offset in the last checkpoint"),
                ("checkpoint_age_seconds", "Time since the last checkpoint"),
                ("clock_lag_seconds", "How far the partition's clock is behind the system clock"),
                ("lag", "Committed records in the log that are not folded"),
                ("unstable", "Records behind the last stable offset: an open transaction stops the clock"),
                ("pending_bytes", "Approximate size of what waits for the next checkpoint"),
                ("users", "Users in the table"),
            )
        }
        blocked = GaugeMetricFamily("cueline_partition_blocked", "1: blocked, for this reason", labels=("partition", "reason"))
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
                say("clock_lag_seconds", max(0.0, system_clock - owned.clock / 1000))
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
        zones = CounterMetricFamily("cueline_unknown_zones", "Users whose trait timezone names no known time zone, each name once")
        left_out = CounterMetricFamily("cueline_traits_left_out", "Events whose context was ignored because the traits would be too big")
        for (kind, name), count in sorted(self._ownership.counts.items()):
            if kind in KINDS:
                decided.add_metric((kind, name), count)
            elif kind == "dead letter":
                dead.add_metric((name,), count)
            elif kind == "unknown zone":
                zones.add_metric((), count)
            elif kind == "traits left out":
                left_out.add_metric((), count)
        yield decided
        yield dead
        yield zones
        yield left_out
