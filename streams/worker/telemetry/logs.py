"""Configure a worker's log: our messages at INFO on stderr, the libraries' warnings, and no message a hundred times a second."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

SPARING: Final = 10.0
"""Seconds between two messages of one kind from a library."""
KINDS: Final = 1_000


class Sparing(logging.Filter):
    """Holds back repeated messages of a library: while a broker is away, its client logs a message for every request."""

    def __init__(self, every: float = SPARING) -> None:
        super().__init__()
        self._every = every
        self._said: dict[tuple[str, str], tuple[float, int]] = {}
        """By logger and message: when one was passed, and how many were held back since."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("streams"):
            return True
        kind, now = (record.name, str(record.msg)), time.monotonic()
        then, held = self._said.get(kind, (-self._every, 0))
        if now - then < self._every:
            self._said[kind] = then, held + 1
            return False
        if len(self._said) >= KINDS:  # some put the case into the message itself
            self._said.clear()
        self._said[kind] = now, 0
        if held:
            record.msg = f"{record.msg} (and {held} more like it)"
        return True


def to_stderr() -> None:
    """Configure logging; does nothing in a process that has configured logging itself."""
    if logging.root.handlers:
        return
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.root.handlers:
        handler.addFilter(Sparing())
    logging.getLogger("streams").setLevel(logging.INFO)
    for module in ("faust_batches", "faust_thread"):  # Faust's services log under the names of our subclasses
        logging.getLogger(f"streams.worker.{module}").setLevel(logging.WARNING)
    # It warns about every topic of ours that it did not create, and about offsets that it does not understand.
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
