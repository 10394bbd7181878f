"""Calls in the order of time, however many there are, and none of tomorrow.

A log's clock never goes back. In the order of a file, one line of a phone that believes it is 2099 would end every wait and every window of
everybody whose lines come after it, and a file in reverse order would make nearly all of its calls late ones. So files are sorted by the
moments at which their calls were logged; calls of one moment stay in the order of the files. A call from beyond the present is a bad line.

Memory holds one run of `RUN` bytes; what is more lies sorted in a temporary file, and is merged while it is read.
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
"""Rough bytes of calls that are sorted in memory."""
BLOCK: Final = 1 << 16
"""Rough bytes of a sorted run that are read back at a time: one block of each run is held while they are merged."""
EACH: Final = 300
"""Rough bytes that a call takes in memory besides its key and its value."""
TOLD: Final = 10_000
"""Calls between two looks of whoever shows the progress."""

_moment = attrgetter("at")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Call]).decode


class NoRoom(Exception):  # noqa: N818 - it says what is the matter
    """What is to be sorted does not fit into the folder of temporary files."""


# ---- the present -----------------------------------------------------------------------------------------------------


class Present:
    """The moment beyond which nothing can have happened: one that was named, else the machine's clock."""

    def __init__(self, named: int | None = None) -> None:
        self.at = _now() if named is None else named
        self.beyond = 0
        """How many calls were later."""
        self._is_named = named is not None

    def is_before(self, at: int) -> bool:
        """Whether `at` is still to come. The machine's clock goes on while a file is read, so it is asked again."""
        if at <= self.at:
            return False
        if not self._is_named:
            self.at = _now()
        return at > self.at

    def until_now(self, calls: Iterable[Call | None], bad: Callable[[BadLine], None]) -> Iterator[Call | None]:
        """The calls without those of the future; `bad` is given these."""
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
    """Sorts calls by their moments, and knows how far from sorted they were."""

    def __init__(self, run: int = RUN, told: Callable[[int], None] | None = None) -> None:
        self.calls = 0
        """Calls taken so far."""
        self.backward = 0
        """Those that stood behind a later one."""
        self.furthest = 0
        """By how much the furthest of them was earlier than one before it, ms."""
        self.is_whole = False
        """Whether all calls have been taken."""
        self._run = run
        self._told = told
        """Told now and then how many calls were taken, and 0 when they are sorted."""

    def sort(self, calls: Iterable[Call | None]) -> Iterator[Call]:
        """The calls, each of which must have its moment. The first one comes when all have been read. Raises `NoRoom`."""
        with closing(_Runs()) as runs:
            at_hand = self._take(calls, runs)
            self.is_whole = True
            if self._told is not None:
                self._told(0)
            if not runs:
                yield from at_hand
                return
            runs.add(at_hand)
            del at_hand
            yield from runs.merged()

    def _take(self, calls: Iterable[Call | None], runs: _Runs) -> list[Call]:
        """Reads all; returns the last run, sorted."""
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
            if self._told is not None and self.calls % TOLD == 0:
                self._told(self.calls)
        at_hand.sort(key=_moment)
        return at_hand


class _Runs:
    """Sorted runs in a temporary file."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._runs: list[list[tuple[int, int]]] = []
        """Of each run the blocks: where they begin, and their bytes."""
        self._edges: list[tuple[int, int]] = []
        """Of each run the first and the last moment."""
        self._end = 0

    def __bool__(self) -> bool:
        return bool(self._runs)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, run: list[Call]) -> None:
        """Writes one run. Raises `NoRoom`."""
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
        """All calls of all runs, in order; of one moment those of earlier runs first."""
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
