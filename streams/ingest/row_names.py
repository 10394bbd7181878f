"""Derive message ids for the rows of a table that have none, from their content.

A row's id is the digest of its call (type, user, event, moment, cells with their types), and, from the second equal row of the same file
on, its number among them. So a copy of the file under another name, or one with its columns in another order, gives the same ids, and rows
that were fed before are duplicates. A row without a moment means something else each time it is fed: Tuesday's `users.csv` may revert what
Wednesday's had changed. So its id also contains the digest of the whole file, or the name that the user gave to this batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import orjson

AT_HAND: Final = 1_000_000
"""Rows whose counters memory holds; the others are in a temporary file."""
_SIZE: Final = 16
"""Bytes of a digest. Two of ten billion rows collide with a probability of one to 10**18."""


class Counters:
    """Count how often each digest came before. Memory holds a limited number of counters, a temporary database the others."""

    def __init__(self, at_hand: int = AT_HAND) -> None:
        self._at_hand = at_hand
        self._counts: dict[bytes, int] = {}
        self._spilled: sqlite3.Connection | None = None

    def count(self, digest: bytes) -> int:
        """Return how often this digest has come, including now."""
        before = self._counts.get(digest)
        if before is None:
            before = 0 if self._spilled is None else self._look_up(self._spilled, digest)
            if len(self._counts) >= self._at_hand:
                self._spill()
        self._counts[digest] = before + 1
        return before + 1

    @staticmethod
    def _look_up(spilled: sqlite3.Connection, digest: bytes) -> int:
        found = spilled.execute("SELECT count FROM counters WHERE digest = ?", (digest,)).fetchone()
        return 0 if found is None else int(found[0])

    def _spill(self) -> None:
        if self._spilled is None:
            # A database without a name is a temporary file that SQLite deletes with its connection. Only one thread at a time reads a file.
            self._spilled = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._spilled.execute("PRAGMA journal_mode = OFF")
            self._spilled.execute("PRAGMA synchronous = OFF")
            self._spilled.execute("PRAGMA cache_size = -65536")  # KiB
            self._spilled.execute("CREATE TABLE counters (digest BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID")
        self._spilled.execute("BEGIN")
        self._spilled.executemany("INSERT OR REPLACE INTO counters VALUES (?, ?)", sorted(self._counts.items()))
        self._spilled.execute("COMMIT")
        self._counts.clear()


class RowNames:
    """Derive ids for the rows of one file."""

    def __init__(self, batch: Callable[[], str | None], counters: Counters | None = None) -> None:
        self._read_batch = batch
        """Return what distinguishes this file from another one with the same rows. Called once, and only for a row without a moment."""
        self._batch: str | None = None
        self._batch_is_read = False
        self._counters = counters or Counters()

    def name(self, kind: str, user: str, event: str, at: int | None, values: dict[str, Any]) -> str | None:
        """Return the id of a row, or None if nothing distinguishes it from the same row of another day."""
        content: list[object] = [kind, user, event, at, values]
        if at is None:
            if not self._batch_is_read:
                self._batch, self._batch_is_read = self._read_batch(), True
            if self._batch is None:
                return None
            content.append(self._batch)
        digest = blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=_SIZE).digest()
        count = self._counters.count(digest)
        return f"row-{digest.hex()}" if count == 1 else f"row-{digest.hex()}-{count}"
