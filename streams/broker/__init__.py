"""Brokers that Cueline can start: an embedded one for a first look, real Apache Kafka for tests and for `BROKER=kafka`.

The rest of the code does not know which one it uses. Both end with the process that started them, however that process ends.
"""

import random
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol


class Broker(Protocol):
    """A broker that tests and demos can start and stop."""

    @property
    def bootstrap(self) -> str:
        """Return its address, host:port."""

    def start(self) -> None:
        """Start it (again), on the same folder and port, and wait until it answers. Raises `BrokerFailed`."""

    def stop(self) -> None:
        """Shut it down cleanly."""

    def kill(self) -> None:
        """Kill it at once, like a power cut."""


class BrokerFailed(Exception):  # noqa: N818 - it says what happened
    """A broker cannot be started. The message says why and what to do."""


def free_port() -> int:
    """Find a free port on the loopback interface.

    The port is outside the ranges that systems use for outgoing connections. Otherwise a client that retries the port of a killed broker
    could get that very port, connect to itself, and keep the broker from starting again.
    """
    for _ in range(200):
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise BrokerFailed("no free port between 15000 and 32000 on 127.0.0.1")


def wait_until_it_answers(port: int, ended: Callable[[], int | None], log: Path, seconds: float) -> None:
    """Return when the broker on this port answers. Raises `BrokerFailed`, with the end of its log, if it ends or does not answer."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        code = ended()
        if code is not None:
            raise BrokerFailed(f"the broker ended with code {code}; the end of {log}:\n{_tail(log)}")
        if _answers(port):
            return
        time.sleep(0.05)
    raise BrokerFailed(f"the broker does not answer on 127.0.0.1:{port} after {seconds:.0f} s; the end of {log}:\n{_tail(log)}")


def _answers(port: int) -> bool:
    """Send ApiVersions, version 0. An open port alone does not mean that the broker serves requests."""
    request = struct.pack(">hhih", 18, 0, 1, -1)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            return len(connection.recv(16)) > 8  # more than size and correlation id is an answer
    except OSError:
        return False


def _tail(log: Path) -> str:
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
    except OSError:
        return "(there is none)"
