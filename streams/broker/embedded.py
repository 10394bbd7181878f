"""The embedded broker: a Kafka-compatible server in a wheel, for a first look on a machine without Java and Docker.

It provides what one worker needs: offsets, timestamps, transactions, fencing; a transaction takes 1 to 5 ms. Its limits: one worker
(several never finish joining the group); a killed group member is never evicted; nothing is compacted; an open transaction never times out;
kill -9 loses acknowledged records; it becomes slow beyond about 100,000 records; topics and clusters have no id. So all tests of failures
run on real Kafka.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

from streams.broker import BrokerFailed, free_port, wait_until_it_answers
from streams.broker.guard import Guarded

REQUIREMENT: Final = "noida-db==0.2.3"
"""The same version as in the extra `demo` (pyproject.toml)."""


class EmbeddedBroker:
    """The server of the package `noida-db` with its data in `folder`; also a context manager.

    It uses the installed package, or the one in the folder `package`, where `fetch` has put it.
    """

    def __init__(self, folder: Path, port: int | None = None, package: Path | None = None) -> None:
        self.folder = folder
        self._package = package
        self.port = port or free_port()
        self._process: Guarded | None = None

    @property
    def bootstrap(self) -> str:
        """Return its address, host:port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises `BrokerFailed`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "broker.log"
        words = ["start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", str(self.port), "--data-dir", str(self.folder / "data")]
        self._process = Guarded([str(_binary(self._package)), *words], log, self.folder)
        try:
            wait_until_it_answers(self.port, self._process.ended, log, 30)
        except BrokerFailed:
            self.kill()
            raise

    def stop(self) -> None:
        """Let it save its data and exit."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Kill it at once. It loses what it has not yet written, including acknowledged records."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def is_installed() -> bool:
    """Return whether the package is installed in this environment. The extra `demo` installs it."""
    return find_spec("noida_db") is not None


def fetch(cache: Path) -> Path:
    """Return the folder of the package below `cache`; pip downloads it the first time. Raises `BrokerFailed`."""
    home = cache / REQUIREMENT.replace("==", "-")
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        # Fill a temporary folder and rename it. So an interrupted download, or a second process, never leaves half a package.
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as fetched:
            words = ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-compile"]
            command = [sys.executable, "-m", "pip", *words, "--target", f"{fetched}/it", REQUIREMENT]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode:
                reason = (run.stderr or run.stdout).strip().splitlines()[-1:] or ["pip said nothing"]
                raise BrokerFailed(
                    f"the embedded broker cannot be fetched into {cache}: {reason[0]}; install it together with cueline "
                    f"(pip install {REQUIREMENT}), or name a Kafka of yours: cueline demo --broker HOST:PORT"
                )
            with suppress(OSError):  # another process was faster
                Path(fetched, "it").rename(home)
    return home / "noida_db"


def _binary(package: Path | None) -> Path:
    """Find the program itself. The package's own command would start it as a child that outlives its parent."""
    if package is None:
        spec = find_spec("noida_db")
        if spec is None or spec.origin is None:
            raise BrokerFailed(f"the embedded broker is not installed: pip install {REQUIREMENT}")
        package = Path(spec.origin).parent
    path = package / ("noida-db.exe" if os.name == "nt" else "noida-db")
    if not path.is_file():
        raise BrokerFailed(f"there is no {path}: noida-db has no program for this system; use a real Kafka (CUELINE_BOOTSTRAP)")
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return path
