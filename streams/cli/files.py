"""What `cueline feed` and `cueline replay` share: the options that describe files, and the reading."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from streams.cli.words import count_of, lasting, printable
from streams.ingest.calls import BadLine, Call
from streams.ingest.ordering import Order, Present
from streams.ingest.sources import FORMATS, STDIN, Source, batches, read
from streams.ingest.tables import EVENT, MESSAGE_ID, RECEIVED, TIMESTAMP, USER, Columns
from triggers.base.moments import iso, parse_moment

MOST_SHOWN: Final = 20
"""How many bad lines are shown individually."""

Files = Annotated[
    list[str], typer.Argument(metavar="FILE...", help="JSONL, CSV or CDNOW files, also .gz; - is standard input.", show_default=False)
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="FORMAT", help=f"The format of the files: {', '.join(FORMATS)}. By default their names indicate it."),
]
User = Annotated[str | None, typer.Option(metavar="COLUMN", help=f"CSV: the column of the user id; usually {USER}.", show_default=False)]
Event = Annotated[
    str | None, typer.Option(metavar="COLUMN", help=f"CSV: the column of the event's name; usually {EVENT}.", show_default=False)
]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="CSV: the event of all lines, if no column names it.")]
Timestamp = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help=f"CSV: the column of the moment, ISO 8601, UTC without a zone; usually {TIMESTAMP}.",
        show_default=False,
    ),
]
Received = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help=f"CSV: the column of the moment at which the call was received, ISO 8601; usually {RECEIVED}.",
        show_default=False,
    ),
]
MessageId = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help=f"CSV: the column of the idempotency key; usually {MESSAGE_ID}. A row without one gets an id from its content.",
        show_default=False,
    ),
]
Text = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="CSV: a column whose values remain text even if they look like numbers, true or false; repeatable."
    ),
]
Identify = Annotated[bool, typer.Option("--identify", help="CSV: the lines are users and the columns their traits.")]
Empty = Annotated[
    Literal["keep", "clear"] | None,
    typer.Option(
        metavar="keep|clear",
        help="CSV, with --identify: what an empty cell does to the user's trait; keep is the default.",
        show_default=False,
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER", help="CSV: the separator between cells, or tab; by default detected from the header.", show_default=False
    ),
]
Batch = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="CSV: distinguishes rows without a moment from the same rows of other files; by default the file's content does.",
        show_default=False,
    ),
]
Now = Annotated[
    str | None,
    typer.Option(
        metavar="ISO", help="A call later than this moment is a bad line; the default is the machine's clock.", show_default=False
    ),
]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Skip bad lines and report them, instead of stopping at the first.")]
Until = Annotated[str | None, typer.Option(metavar="ISO", help="Let time continue to this moment (ISO 8601).", show_default=False)]


class Bad:
    """Reports the bad lines that are skipped."""

    def __init__(self, *, skip: bool) -> None:
        self._skip = skip
        self.count = 0

    def __call__(self, bad: BadLine) -> None:
        if not self._skip:
            raise bad
        self.count += 1
        if self.count <= MOST_SHOWN:
            print(f"left out: {printable(str(bad))}", file=sys.stderr)
        elif self.count == MOST_SHOWN + 1:
            print("left out: more lines, which are only counted", file=sys.stderr)


class Reading:
    """The files one after the other, and the progress of reading."""

    def __init__(
        self,
        files: list[str],
        format: str | None,  # noqa: A002
        columns: Columns,
        bad: Callable[[BadLine], None],
        *,
        present: Present | None = None,
        order: Order | None = None,
        placeholders: bool = False,
    ) -> None:
        """`present`: each call must have a moment, and none in the future; `order`: sorts them, so that all are read first."""
        if format not in (None, *FORMATS):
            raise typer.BadParameter(f"there is no format {format!r}; there are {', '.join(FORMATS)}", param_hint="--format")
        for file in files:
            _check(file)
        self._sources = [Source(file) for file in files]
        if columns != Columns() and not any((format or source.format()) == "csv" for source in self._sources):
            raise typer.BadParameter("options that describe columns need a CSV file; is it one (--format csv)?", param_hint="FILE")
        self._format, self._columns, self._bad = format, columns, bad
        self._present, self._order = present, order
        self._placeholders = placeholders
        self._read = 0
        self._ended = False
        self.size = sum(source.size for source in self._sources)
        self.is_repeatable = STDIN not in files
        """Whether the same files can be read again; standard input cannot."""

    def estimate(self, records: int) -> int:
        """Estimate the number of records from the part of the files that is read; 0 if unknown."""
        if self._ended:
            return self._read
        if self._order is not None and self._order.is_whole:
            return self._order.calls
        done = sum(source.done for source in self._sources)
        return max(records, self._read) * self.size // done if 0 < done < self.size else 0

    def calls(self) -> Iterator[Call | None]:
        found = self._in_files()
        if self._present is not None:
            found = self._present.until_now(found, self._bad)
        return found if self._order is None else self._order.sort(found)

    def _in_files(self) -> Iterator[Call | None]:
        timed = self._present is not None
        for source in self._sources:
            yield from read(source, format=self._format, columns=self._columns, timed=timed, placeholders=self._placeholders, bad=self._bad)

    def batches(self, after: int = 0) -> Iterator[list[Call]]:
        """Yield the calls in lists, without the first ones."""
        for batch in batches(self.calls()):
            rest = batch[max(0, after - self._read) :]
            self._read += len(batch)
            if rest:
                yield rest
        self._ended = True


def _check(file: str) -> None:
    """Raise `BadParameter` if nothing can be read. A file that is not regular (a pipe, as of `<(...)`) can be read."""
    if file == STDIN:
        return
    if not Path(file).exists():
        raise typer.BadParameter(f"there is no file {file}", param_hint="FILE")
    if Path(file).is_dir():
        raise typer.BadParameter(f"{file!r} is a folder; name the files in it", param_hint="FILE")


def out_of_order(order: Order) -> str:
    """Describe how far the files were from the order of time."""
    behind = f"{order.backward:,} of {count_of(order.calls, 'call')} came after a later one"
    return f"{behind}, by up to {lasting(order.furthest)}; sorted by time"


def bad_lines(count: int, present: Present | None) -> str:
    """Describe how many bad lines were left out."""
    beyond = f", {present.beyond:,} of them later than {iso(present.at)} (see --now)" if present is not None and present.beyond else ""
    return f"{count_of(count, 'bad line')} left out{beyond}"


def columns_of(
    *,
    user: str | None = None,
    event: str | None = None,
    name: str | None = None,
    timestamp: str | None = None,
    received: str | None = None,
    message_id: str | None = None,
    text: list[str] | None = None,
    identify: bool = False,
    empty: str | None = None,
    separator: str | None = None,
    batch: str | None = None,
) -> Columns:
    """Return what the options say about a CSV file. Raises `BadParameter` if one of them could have no effect."""
    _check_together(identify=identify, **{"--event": event, "--name": name, "--empty": empty})
    taken: dict[str, str] = {}
    named = {"--user": user, "--event": event, "--timestamp": timestamp, "--received": received, "--message-id": message_id}
    for option, column in named.items():
        if column is not None and taken.setdefault(column, option) != option:
            raise typer.BadParameter(f"{taken[column]} names the column {column!r} already", param_hint=option)
    if separator is not None:
        separator = "\t" if separator in ("tab", r"\t") else separator
        if len(separator) != 1 or separator in '"\r\n':
            raise typer.BadParameter(f"{separator!r} is not one character such as ; or the word tab", param_hint="--separator")
    if batch == "":
        raise typer.BadParameter("a batch needs a name", param_hint="--batch")
    return Columns(
        user=user,
        event=event,
        timestamp=timestamp,
        received=received,
        message_id=message_id,
        name=name,
        text=frozenset(text or ()),
        identify=identify,
        clear=empty == "clear",
        separator=separator,
        batch=batch,
    )


def _check_together(*, identify: bool, **given: str | None) -> None:
    if identify:
        for option in ("--event", "--name"):
            if given[option] is not None:
                raise typer.BadParameter("with --identify the lines are users, not events", param_hint=option)
    elif given["--empty"] is not None:
        raise typer.BadParameter("an empty cell affects only a trait: it needs --identify", param_hint="--empty")
    if given["--event"] is not None and given["--name"] is not None:
        raise typer.BadParameter("--event already names a column for it", param_hint="--name")


def moment(text: str | None, option: str) -> int | None:
    """Return the moment that an option names."""
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write it as 2026-01-31T18:00:00Z", param_hint=option) from None
