"""Sort calls by time, however many there are, and reject those of the future.

A log's clock never goes back. In file order, one line of a phone that believes it is 2099 would end every wait and every window of all
users in later lines, and a file in reverse order would make almost all of its calls late. So files are sorted by the moments at which their
calls were logged. Calls of one moment stay in the order of the files. A call later than the present is a bad line.

Memory holds one run of `RUN` bytes. More runs are sorted into a temporary file, and merged while they are read.
"""

from __future__ import annotations

import heapq
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from operator import attrgetter
from typing import IO, Final

import msgspec

from streams.ingest.calls import BadLine, Call
from triggers.base.moments import iso

RUN: Final = 64 << 20
"""Approximate bytes of calls that are sorted in memory."""
BLOCK: Final = 1 << 16
"""Approximate bytes of a sorted run that are read back at a time. During the merge, memory holds one block of each run."""
EACH: Final = 300
"""Approximate bytes that a call uses in memory in addition to its key and its value."""
REPORT_EVERY: Final = 10_000
"""Calls between two reports of progress."""

_moment = attrgetter("at")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Call]).decode


class NoRoom(Exception):  # noqa: N818 - its name says what is wrong
    """The calls to sort do not fit into the folder of temporary files."""


# ---- the present -----------------------------------------------------------------------------------------------------


class Present:
    """The latest possible moment of an event: the given one, or the machine's clock."""

    def __init__(self, named: int | None = None) -> None:
        self.at = _now() if named is None else named
        self.beyond = 0
        """How many calls were later."""
        self._is_named = named is not None

    def is_before(self, at: int) -> bool:
        """Return whether `at` is in the future. The machine's clock moves while a file is read, so read it again."""
        if at <= self.at:
            return False
        if not self._is_named:
            self.at = _now()
        return at > self.at

    def until_now(self, calls: Iterable[Call | None], bad: Callable[[BadLine], None]) -> Iterator[Call | None]:
        """Yield the calls without those of the future; `bad` gets these."""
        for call in calls:
            if call is None or call.at is None or not self.is_before(call.at):
                yield call
            else:
                self.beyond += 1
                what = f"{iso(call.at)} is later than now, which is {iso(self.at)}"
                bad(BadLine(call.file, call.line, what, "correct it, leave it out with --skip-bad, or say with --now what time it is"))


def _now() -> int:
    return int(time.time() * 1000)


# ---- the order -------------------------------------------------------------------------------------------------------


class Order:
    """Sort calls by their moments, and count those that were out of order."""

    def __init__(self, run: int = RUN, on_progress: Callable[[int], None] | None = None) -> None:
        self.calls = 0
        """Calls read so far."""
        self.backward = 0
        """Calls that came after a later one."""
        self.furthest = 0
        """The largest distance of such a call from a later one before it, ms."""
        self.is_whole = False
        """Whether all calls have been read."""
        self._run = run
        self._on_progress = on_progress
        """Called from time to time with the number of calls read, and with 0 when they are sorted."""

    def sort(self, calls: Iterable[Call | None]) -> Iterator[Call]:
        """Yield the calls in order; each must have its moment. The first one comes when all have been read. Raises `NoRoom`."""
        with closing(_Runs()) as runs:
            at_hand = self._take(calls, runs)
            self.is_whole = True
            if self._on_progress is not None:
                self._on_progress(0)
            if not runs:
                yield from at_hand
                return
            runs.add(at_hand)
            del at_hand
            yield from runs.merged()

    def _take(self, calls: Iterable[Call | None], runs: _Runs) -> list[Call]:
        """Read all calls; return the last run, sorted."""
        at_hand: list[Call] = []
        size, latest, most = 0, -1, self._run
        for call in calls:
            if call is None:
                continue
            at = call.at
            assert at is not None
            self.calls += 1
            if at < latest:
                self.backward += 1
                self.furthest = max(self.furthest, latest - at)
            else:
                latest = at
            at_hand.append(call)
            size += len(call.value) + len(call.key) + EACH
            if size >= most:
                at_hand.sort(key=_moment)
                runs.add(at_hand)
                at_hand, size = [], 0
            if self._on_progress is not None and self.calls % REPORT_EVERY == 0:
                self._on_progress(self.calls)
        at_hand.sort(key=_moment)
        return at_hand


class _Runs:
    """Sorted runs in a temporary file."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._runs: list[list[tuple[int, int]]] = []
        """For each run its blocks: where they begin, and their bytes."""
        self._edges: list[tuple[int, int]] = []
        """For each run the first and the last moment."""
        self._end = 0

    def __bool__(self) -> bool:
        return bool(self._runs)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, run: list[Call]) -> None:
        """Write one run. Raises `NoRoom`."""
        if not run:
            return
        blocks: list[tuple[int, int]] = []
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            self._file.seek(self._end)
            for block in _blocks(run):
                data = _encode(block)
                self._file.write(data)
                blocks.append((self._end, len(data)))
                self._end += len(data)
            self._file.flush()
        except OSError as error:
            raise NoRoom(
                f"the calls cannot be sorted in {tempfile.gettempdir()}: {error.strerror or error}; "
                "name a folder that has room for the whole unpacked input with the environment variable TMPDIR"
            ) from None
        self._runs.append(blocks)
        self._edges.append((run[0].at or 0, run[-1].at or 0))

    def merged(self) -> Iterator[Call]:
        """Yield all calls of all runs, in order. Of one moment, those of earlier runs come first."""
        readers = [self._read(blocks) for blocks in self._runs]
        if all(before[1] <= after[0] for before, after in zip(self._edges, self._edges[1:], strict=False)):
            return chain.from_iterable(readers)
        return heapq.merge(*readers, key=_moment)

    def _read(self, blocks: list[tuple[int, int]]) -> Iterator[Call]:
        file = self._file
        assert file is not None
        for begin, length in blocks:
            file.seek(begin)
            yield from _decode(file.read(length))


def _blocks(run: list[Call]) -> Iterator[list[Call]]:
    block: list[Call] = []
    size = 0
    for call in run:
        block.append(call)
        size += len(call.value) + len(call.key)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block
