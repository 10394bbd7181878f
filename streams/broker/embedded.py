"""The embedded broker: a Kafka-compatible server in a wheel, for a first look on a machine with nothing installed.

It keeps the promises that one worker needs (offsets, timestamps, transactions, fencing; a transaction takes 1 to 5 ms), and has limits
that make it no more than that: one worker (several never finish joining the group), a killed group member is never evicted, nothing is
compacted, an open transaction never times out, kill -9 loses acknowledged records, it becomes slow beyond about 100,000 records, and
neither topics nor clusters have an identity. Everything about failures is tested on real Kafka.
"""

import os
from importlib.resources import files
from pathlib import Path
from typing import Self

from streams.broker import BrokerFailed, free_port, wait_until_it_answers
from streams.broker.guard import Guarded


class EmbeddedBroker:
    """The server of the package `noida-db` (extra `demo`) with its data in `folder`; also a context manager."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        self._process: Guarded | None = None

    @property
    def bootstrap(self) -> str:
        """Its address, host:port."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises `BrokerFailed`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "broker.log"
        words = ["start", "--only", "kafka", "--host", "127.0.0.1", "--kafka-port", str(self.port), "--data-dir", str(self.folder / "data")]
        self._process = Guarded([str(_binary()), *words], log, self.folder)
        try:
            wait_until_it_answers(self.port, self._process.ended, log, 30)
        except BrokerFailed:
            self.kill()
            raise

    def stop(self) -> None:
        """Let it save its data and end."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it at once. It loses what it has not yet written, also acknowledged records."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _binary() -> Path:
    """Find the program itself: the package's own command would start it as a child that outlives its parent."""
    try:
        path = Path(str(files("noida_db"))) / ("noida-db.exe" if os.name == "nt" else "noida-db")
    except ModuleNotFoundError:
        raise BrokerFailed("the embedded broker is not installed: pip install 'cueline[demo]'") from None
    if not path.is_file():
        raise BrokerFailed(f"there is no {path}: noida-db has no program for this system; use a real Kafka (CUELINE_BOOTSTRAP)")
    if not os.access(path, os.X_OK):
        path.chmod(0o755)
    return path
