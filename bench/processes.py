"""Child processes and their cost: CPU seconds, user and system, of the process itself and nothing else."""

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from streams.broker import free_port

ROOT: Final = Path(__file__).parents[1]
CUELINE: Final = [sys.executable, "-m", "streams.cli.main"]


class Cost(NamedTuple):
    """The cost of a number of events."""

    events: int
    cpu: float
    """s"""
    wall: float
    """s"""


class Failed(Exception):  # noqa: N818 - it says what happened
    """A measured process has failed. The message is the end of its output."""


def environment(settings: Mapping[str, object], engine: Path | None = None) -> dict[str, str]:
    """Return our environment with these settings and no others. `engine` is the folder of the compiled one; None means the one in the
    checkout.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("CUELINE_")}
    return {
        **inherited,
        **{f"CUELINE_{name.upper()}": str(value) for name, value in settings.items()},
        "PYTHONPATH": os.pathsep.join(str(path) for path in (engine, ROOT) if path),
    }


def whole(words: list[str], settings: Mapping[str, object], folder: Path, engine: Path | None) -> tuple[float, float]:
    """Run a process to its end; return its CPU seconds, startup included, and its duration. Raises `Failed`."""
    begun = time.perf_counter()
    with (folder / "said.txt").open("w+b") as said:
        process = subprocess.Popen(words, env=environment(settings, engine), cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Failed(f"{' '.join(words)}: {(folder / 'said.txt').read_text()[-2_000:]}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - begun


def reported(words: list[str], folder: Path, engine: Path | None = None) -> dict[str, Any]:
    """Run a process that measures itself and prints JSON. Raises `Failed`."""
    run = subprocess.run(words, env=environment({}, engine), cwd=folder, capture_output=True, check=False)
    if run.returncode:
        raise Failed(f"{' '.join(words)}: {run.stderr.decode()[-2_000:]}")
    found: dict[str, Any] = orjson.loads(run.stdout)
    return found


def worker(settings: Mapping[str, object], folder: Path, engine: Path | None, *, warm_up: int, records: int, patience: float = 300) -> Cost:
    """Run one worker over the whole log; return its cost from the first reading after the warm-up to the last checkpoint.

    `records` is the number of events in the log. The measurement reads the worker's page twice a second, which costs it about 1 %.
    """
    port = free_port()
    with (folder / "worker.txt").open("w+b") as said:
        process = subprocess.Popen(
            [*CUELINE, "worker"],
            env=environment({**settings, "http_port": port}, engine),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            cost = _watch(process, port, warm_up, records, patience)
        except Failed as error:
            raise Failed(f"{error}\n{(folder / 'worker.txt').read_text()[-2_000:]}") from None
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    kind = "compiled" if engine else "plain"
    if f", {kind}\n" not in (folder / "worker.txt").read_text():
        raise Failed(f"this should have been a worker with the engine {kind}")
    return cost


def _watch(process: "subprocess.Popen[bytes]", port: int, warm_up: int, records: int, patience: float) -> Cost:
    deadline = time.monotonic() + patience
    first: tuple[int, float, float] | None = None
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failed(f"the worker ended with code {process.returncode}")
        page = _page(port)
        events, now = int(_value(page, "cueline_events_total")), time.perf_counter()
        look = events, _value(page, "process_cpu_seconds_total"), now
        if first is None and events >= warm_up:
            first = look
        if first is not None and events >= records and _is_saved(page):
            return Cost(events - first[0], look[1] - first[1], now - first[2])
        time.sleep(0.5)
    raise Failed(f"the worker has not reached the end of the log in {patience:.0f} s")


def _is_saved(page: str) -> bool:
    return _values(page, "cueline_partition_saved") == _values(page, "cueline_partition_position")


def _page(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            return str(page.read().decode())
    except (urllib.error.URLError, OSError):  # it is still starting
        return ""


def _value(page: str, name: str) -> float:
    return sum(_values(page, name))


def _values(page: str, name: str) -> list[float]:
    return [float(value) for value in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", page, re.MULTILINE)]
