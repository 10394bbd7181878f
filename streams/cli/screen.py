"""Tables, and what commands that take long show on stderr: a bar on a terminal, a line every few seconds in a file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, Literal, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

EVERY: Final = 5.0
"""Seconds between two lines where there is no terminal."""
TOO_OFTEN: Final = 0.1
"""Seconds within which a bar is not moved again: a million updates a second would cost more than the work."""

WIDE: Final = 10_000
"""Columns of a table in a file or a pipe: no row is folded there."""


class _Rate(ProgressColumn):
    """How many a second, since the beginning."""

    def render(self, task: Task) -> Text:
        elapsed = task.elapsed or 0.0
        return Text(f"{task.completed / elapsed:,.0f}/s" if elapsed > 0 else "")


class Meter:
    """Shows how far something has come: `with Meter("feeding", 6919) as meter: meter(done)`."""

    def __init__(self, what: str, total: int | None = None, unit: str = "events") -> None:
        self._what = what
        self._total = total or None
        self._unit = unit
        self._begun = self._shown = time.monotonic()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            whole = [Column(no_wrap=True) for _ in range(6)]  # on a narrow terminal the note is what wraps
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}", table_column=whole[0]),
                BarColumn(20, table_column=whole[1]),
                MofNCompleteColumn(table_column=whole[2]),
                TextColumn(self._unit, table_column=whole[3]),
                _Rate(table_column=whole[4]),
                TimeElapsedColumn(table_column=whole[5]),
                TextColumn("{task.fields[note]}"),
            )
            self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
            self._progress.start()
            self._task = self._progress.add_task(self._what, total=self._total, note="")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def sorting(self, calls: int) -> None:
        """So many calls are read that are to be sorted by time; 0: they are sorted, and the work itself begins."""
        if calls:
            self(calls, note="to be sorted by time")
            return
        self._begun = self._shown = time.monotonic()
        if self._progress is not None:
            self._progress.reset(self._task, total=self._total, note="")

    def __call__(self, done: int, total: int = 0, note: str = "") -> None:
        """So much is done (of so much, where that is known by now)."""
        now = time.monotonic()
        if now - self._shown < (TOO_OFTEN if self._progress is not None else EVERY):
            return
        self._shown = now
        self._total = total or self._total
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=self._total, note=note)
            return
        of = f" of {self._total:,}" if self._total else ""
        rate = done / (now - self._begun)
        print(f"{self._what}: {done:,}{of} {self._unit}, {rate:,.0f}/s{', ' + note if note else ''}", file=sys.stderr, flush=True)


def print_table(columns: Mapping[str, Literal["left", "right"]], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout: as wide as it must be in a file or a pipe, within the terminal on one, where the last column folds."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    last = list(columns)[-1]
    for name, justify in columns.items():
        table.add_column(name, justify=justify, no_wrap=name != last, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False).print(table)
