"""`cueline worker` processes that can be killed, stopped and continued, and that are ended whatever happens.

Each is a child of this process, not of a guard: signals must reach the worker itself. On Linux the kernel kills it when this process dies.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streams.broker import free_port
from streams.settings import Settings

ROOT: Final = Path(__file__).parents[2]
CUELINE: Final = [sys.executable, "-m", "streams.cli.main"]
"""The command line, run by this interpreter, wherever scripts are installed."""
_PR_SET_PDEATHSIG: Final = 1


def environment(settings: Settings, **more: object) -> dict[str, str]:
    """The environment of a process that is to have these settings, and nothing of ours that could change them."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith("CUELINE_")}
    values = {**settings.model_dump(exclude_unset=True), **more}
    given = {f"CUELINE_{name.upper()}": str(value) for name, value in values.items() if value is not None}
    return {**inherited, **given, "PYTHONPATH": str(ROOT)}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


_FIRST_IN_CHILD: Final[Callable[[], None] | None] = _die_with_parent if sys.platform == "linux" else None


class Worker:
    """One worker process. Its output is in `log`."""

    def __init__(self, name: str, settings: Settings, folder: Path, image: Sequence[str] = CUELINE) -> None:
        self.name = name
        self.log = folder / f"{name}.txt"
        self.port = free_port()
        self.is_stopped = False
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [*image, "worker"],
                env=environment(settings, http_port=self.port),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_FIRST_IN_CHILD,  # noqa: PLW1509 - this program starts no threads before
            )

    @property
    def code(self) -> int | None:
        """Its exit code; None while it lives."""
        return self.process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still lives."""
        if self.code is None:
            self.process.send_signal(number)
            if number is signal.SIGSTOP:
                self.is_stopped = True
            elif number is signal.SIGCONT:
                self.is_stopped = False

    @property
    def left_unborn(self) -> bool:
        """It was asked to leave while Python was still loading it, as on a busy machine: it has done nothing, and said nothing."""
        return self.code == -signal.SIGTERM and self.log.stat().st_size == 0

    def last_words(self, lines: int = 12) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])

    def metrics(self) -> str:
        """Return its metrics page, or why there is none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as page:
                return str(page.read().decode())
        except OSError as error:
            return f"{error!r}\n"

    def __str__(self) -> str:
        return f"{self.name} ({self.process.pid})"


class Workers:
    """All workers of a run; a context manager that leaves none behind."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.all: list[Worker] = []
        self.image: Sequence[str] = CUELINE
        """What is started if nothing else is said."""

    def start(self, image: Sequence[str] | None = None) -> Worker:
        """Start one more."""
        worker = Worker(f"worker-{len(self.all)}", self.settings, self.folder, image or self.image)
        self.all.append(worker)
        return worker

    def __iter__(self) -> Iterator[Worker]:
        """Those that live."""
        return iter([worker for worker in self.all if worker.code is None])

    def leave(self, seconds: float = 20) -> list[Worker]:
        """Ask all to leave (SIGTERM) and wait; those that did not in time are returned, and killed."""
        asked = list(self)
        for worker in asked:
            worker.send(signal.SIGCONT)
            worker.send(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(worker.code is None for worker in asked):
            time.sleep(0.05)
        late = [worker for worker in asked if worker.code is None]
        self.kill()
        return late

    def keep_metrics(self) -> None:
        """Save the health pages of the running workers next to their logs."""
        for worker in self:
            (self.folder / f"{worker.name}.metrics.txt").write_text(worker.metrics())

    def kill(self) -> None:
        """End all of them at once; SIGKILL reaches stopped ones too."""
        for worker in self:
            worker.process.kill()
            worker.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
