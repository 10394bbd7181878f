"""`python -m bench`: measure what an event costs, in CPU, on real Apache Kafka; one run measures everything.

    bare     aiokafka's getmany and orjson.loads over the topic: the minimum cost of reading it
    worker   `cueline worker` over the same topic, a backlog: one process, all partitions, with checkpoints
    topic    `cueline replay --topic --summary` over it
    file     `cueline replay FILE --summary` over the same events as JSON lines
    engine   the fold alone, in memory, stage by stage
    cold     the same among a million users in random order, and their memory

If there is a C compiler, the parts that decide are also measured with the compiled engine (docs/design.md); `--pure` omits that. All parts
run in turn, several times. The output and docs/reliability.md show medians; bench/results/latest.json keeps all figures. CPU is user and
system time of the measured process alone, without its start: bare and worker are measured after a warm-up, and from a replay the cost of a
short one is subtracted. The broker runs on the same machine, so wall times are those of a shared machine.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import median
from typing import Any, Final

import orjson

from bench.load import fill, write_file
from bench.processes import CUELINE, ROOT, Cost, Failed, reported, whole, worker
from bench.stream import EVENTS
from streams.broker.kafka import VERSION, KafkaBroker, jars
from streams.settings import load
from tools.compiled import CannotCompile, compiled

RESULTS: Final = ROOT / "bench" / "results" / "latest.json"
PAGE: Final = ROOT / "docs" / "reliability.md"
BEGIN: Final = "<!-- bench table: written by `make bench`, do not edit -->"
END: Final = "<!-- end of the bench table -->"
WARM_UP: Final = 50_000
"""Events before the measurement begins: afterwards everything is compiled and most users are known."""
SHORT: Final = 10_000
"""The number of events of the short replay, whose cost is subtracted."""
PARTS: Final = ["bare", "worker", "topic", "file", "engine", "cold"]
MOST_WORKER: Final = 4.0
"""Target: the worker costs at most this many times the bare loop."""
LEAST_REPLAY: Final = 100_000
"""Target: a replay folds this many events in a second of CPU."""


def main(words: list[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pure", action="store_true", help="leave the compiled engine out")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure only this")
    options = parser.parse_args(words)
    begun, neighbours = time.perf_counter(), os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="cueline-bench-") as name, _broker(Path(name)) as bootstrap:
        bench = Bench(Path(name), bootstrap, options.events, options.seed, [None] if options.pure else _engines())
        bench.prepare()
        print(f"prepared in {time.perf_counter() - begun:.0f} s", flush=True)
        for number in range(options.repeat):
            bench.round(number, options.only or PARTS)
    results = bench.results()
    results["seconds"] = round(time.perf_counter() - begun)
    results["load_average"] = {"before": neighbours[0], "after": os.getloadavg()[0]}
    if not options.only:
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2) + b"\n")
        write_table(table(results))
    print(table(results))
    return 0


def _engines() -> list[Path | None]:
    """Return the plain engine, and the folder of the compiled one if it can be built."""
    try:
        return [None, compiled()]
    except CannotCompile as problem:
        print(f"only the plain engine is measured: {problem}")
        return [None]


def _broker(folder: Path) -> AbstractContextManager[str]:
    running = os.environ.get("CUELINE_BROKER")
    return nullcontext(running) if running else _Started(folder)


class _Started(AbstractContextManager[str]):
    def __init__(self, folder: Path) -> None:
        self._broker = KafkaBroker(folder / "kafka", jars(ROOT / ".cueline"), heap="1g")

    def __enter__(self) -> str:
        self._broker.start()
        return self._broker.bootstrap

    def __exit__(self, *_: object) -> None:
        self._broker.stop()


class Bench:
    """The stream in topics and files, and the results so far."""

    def __init__(self, folder: Path, bootstrap: str, events: int, seed: int, engines: Sequence[Path | None]) -> None:
        self.events = events
        self._engines = engines
        self._folder = folder
        self._bootstrap = bootstrap
        self._seed = seed
        self._prefix = f"bench-{os.getpid()}-{seed}."
        self._file = folder / "stream.jsonl"
        self._short = folder / "short.jsonl"
        self._costs: dict[str, list[Cost]] = {}
        self._alone: dict[str, list[dict[str, float]]] = {}
        """The results of the engine alone, without Kafka."""

    def prepare(self) -> None:
        """Write the stream: whole and short, into topics and files."""
        for prefix, first, path in (("", None, self._file), ("short-", SHORT, self._short)):
            asyncio.run(fill(load(**self._settings("bench", prefix)), self.events, self._seed, first))
            write_file(path, self.events, self._seed, first)

    def _settings(self, app: str, prefix: str = "") -> dict[str, Any]:
        return {"bootstrap": self._bootstrap, "app": app, "prefix": prefix + self._prefix, "clock": "log", "partitions": 8, "http_port": -1}

    def round(self, number: int, parts: list[str]) -> None:
        """Measure each part once."""
        for part, engine in [(name, engine) for name in parts for engine in (self._engines if name != "bare" else [None])]:
            label = part if engine is None else f"{part}, compiled"
            if part in ("engine", "cold"):
                found = reported([sys.executable, "-m", f"bench.{part}", str(self._file)], self._folder, engine)
                if bool(found["compiled"]) != (engine is not None):
                    raise Failed(f"{label}: another engine ran")
                self._alone.setdefault(label, []).append(found)
                continue
            cost = self._measure(part, f"{number}{'' if engine is None else 'c'}", engine)
            self._costs.setdefault(label, []).append(cost)
            print(f"{label} {cost.cpu / cost.events * 1e6:.2f} us of CPU per event, {cost.events / cost.wall:,.0f} events/s", flush=True)

    def _measure(self, part: str, number: str, engine: Path | None) -> Cost:
        if part == "bare":
            words = [sys.executable, "-m", "bench.bare", self._bootstrap, f"{self._prefix}events", str(self._warm_up)]
            found = reported(words, self._folder)
            return Cost(int(found["events"]), found["cpu"], found["wall"])
        if part == "worker":
            settings = self._settings(f"run-{number}")  # a new group, which begins at the beginning
            asyncio.run(_create(settings))
            return worker(settings, self._folder, engine, warm_up=self._warm_up, records=self.events)
        if part == "topic":
            return self._replay(engine, ["--topic"], self._settings("bench"), ["--topic"], self._settings("bench", "short-"))
        rules = str(Path(__file__).with_name("rules"))
        return self._replay(engine, [str(self._file), "--rules", rules], {}, [str(self._short), "--rules", rules], {})

    @property
    def _warm_up(self) -> int:
        return min(WARM_UP, self.events // 5)

    def _replay(
        self, engine: Path | None, words: list[str], settings: Mapping[str, object], short: list[str], of_short: Mapping[str, object]
    ) -> Cost:
        cpu, wall = whole([*CUELINE, "replay", *words, "--summary"], settings, self._folder, engine)
        less_cpu, less_wall = whole([*CUELINE, "replay", *short, "--summary"], of_short, self._folder, engine)
        return Cost(self.events - SHORT, cpu - less_cpu, wall - less_wall)

    def results(self) -> dict[str, Any]:
        """Return medians, ratios and every single figure."""
        found: dict[str, Any] = {
            "machine": {"cpu": _cpu_name(), "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
            "kafka": VERSION if not os.environ.get("CUELINE_BROKER") else "CUELINE_BROKER",
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "stream": {"events": self.events, "seed": self._seed},
            "parts": {},
        }
        for part, costs in self._costs.items():
            per_event = [cost.cpu / cost.events * 1e6 for cost in costs]
            rates = [cost.events / cost.wall for cost in costs]
            found["parts"][part] = {
                "cpu_us_per_event": round(median(per_event), 2),
                "events_per_cpu_second": round(1e6 / median(per_event)),
                "events_per_wall_second": round(median(rates)),
                "runs": [{"events": c.events, "cpu_s": round(c.cpu, 3), "wall_s": round(c.wall, 3)} for c in costs],
            }
        for name, kind, fields in (
            ("engine_ns_per_event", "engine", ("decode", "bare", "rules", "saved")),
            ("cold", "cold", ("users", "ns", "warm", "bytes", "resident")),
        ):
            runs_of = {label: runs for label, runs in self._alone.items() if label.startswith(kind)}
            if runs_of:
                found[name] = {
                    label: {field: round(median(run[field] for run in runs)) for field in fields} for label, runs in runs_of.items()
                }
        parts = found["parts"]
        for label in [label for label in parts if label.startswith("worker") and "bare" in parts]:
            # Each round's worker is compared with the same round's bare loop: both had the same load on the machine.
            ratios = [w.cpu / w.events / (b.cpu / b.events) for w, b in zip(self._costs[label], self._costs["bare"], strict=True)]
            found.setdefault("worker_to_bare", {})[label] = {
                "ratio": round(median(ratios), 2),
                "runs": [round(r, 2) for r in ratios],
                "target_at_most": MOST_WORKER,
            }
        if "topic" in parts:
            found["replay_target_events_per_cpu_second"] = LEAST_REPLAY
        return found


async def _create(settings: dict[str, Any]) -> None:
    from streams.commands import topics

    await topics.create(load(**settings))


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def table(results: Mapping[str, Any]) -> str:
    """Format the results for people, in Markdown."""
    machine = results["machine"]
    where = (
        f"{results['stream']['events']:,} events; Kafka {results['kafka']}, Python {machine['python']}, {machine['cores']} cores of "
        f"{machine['cpu']}; {results['when']}"
    )
    lines = [
        where,
        "",
        "| what | us of CPU per event | events per second of CPU | events per second (wall time) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for part, found in results["parts"].items():
        figures = found["cpu_us_per_event"], found["events_per_cpu_second"], found["events_per_wall_second"]
        lines.append("| {} | {:.2f} | {:,} | {:,} |".format(part, *figures))
    for label, ratio in results.get("worker_to_bare", {}).items():
        lines += ["", f"{label} / bare: {ratio['ratio']} (target: at most {ratio['target_at_most']}; runs: {ratio['runs']})"]
    for label, found in results.get("engine_ns_per_event", {}).items():
        stages = ", ".join(f"{stage} {ns:,} ns" for stage, ns in found.items())
        lines += ["", f"{label}, alone, per event: {stages}"]
    for label, found in results.get("cold", {}).items():
        summary = f"{found['users']:,} users met at random: {found['ns']:,} ns per event (of users at hand: {found['warm']:,} ns)"
        lines += ["", f"{label}, {summary}; each takes {found['bytes']:,} bytes as encoded state, {found['resident']:,} of memory"]
    return "\n".join(lines)


def write_table(text: str) -> None:
    """Write it between the markers of the page."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
