"""Read tables of events or users into Segment calls: CSV, with commas, semicolons or tabs.

A column becomes a property, or a trait, under its own name. An ambiguous table is refused, not guessed: at the header line if it concerns
every row, otherwise at the row. A quote that is never closed makes only its own row bad: the lines after it are read again.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, Self

import orjson

from streams.ingest.calls import LONGEST, TOO_LONG, BadLine, Call, Wrong, user_key
from streams.ingest.row_names import RowNames
from triggers.base.model import MAX_VALUE
from triggers.base.moments import iso, parse_moment
from triggers.records.events import Unreadable

USER: Final = "userId"
EVENT: Final = "event"
TIMESTAMP: Final = "timestamp"
MESSAGE_ID: Final = "messageId"
RECEIVED: Final = "receivedAt"

SEPARATORS: Final = ",;\t"
"""Usual separators, searched in the header line."""
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?")
_ENDLESS: Final = "a row without an end"
_FLAGS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The meaning of a table's columns. Columns that are not named become properties under their own names.

    A column named here must exist. For None, the usual column is read if it exists.
    """

    user: str | None = None
    """The column of the user id; usually `userId`."""
    event: str | None = None
    """The column of the event's name; usually `event`."""
    timestamp: str | None = None
    """The column of an ISO 8601 date or date-time, UTC without a zone; usually `timestamp`."""
    received: str | None = None
    """The column of the moment at which the call was received, in the same form; usually `receivedAt`."""
    message_id: str | None = None
    """The column of the idempotency key; usually `messageId`. A row without one gets an id from its content."""
    name: str | None = None
    """The event's name if all lines are of one event and no column holds it."""
    text: frozenset[str] = frozenset()
    """Columns whose values remain text even if they look like numbers or flags."""
    identify: bool = False
    """The lines are users and their columns traits: `identify` calls, no events."""
    clear: bool = False
    """An empty cell deletes the user's trait, instead of having no effect. Only with `identify`."""
    separator: str | None = None
    """The separator between cells; None: detect it from the header line."""
    batch: str | None = None
    """Distinguishes rows without a moment from the same rows of another file; None: use the content of the file."""


def calls(
    name: str,
    lines: Iterable[bytes],
    columns: Columns,
    content: Callable[[], str | None],
    bad: Callable[[BadLine], None],
    *,
    timed: bool,
    placeholders: bool = False,
) -> Iterator[Call]:
    """Yield the calls of a table. `content` returns the digest of its content; `timed`: a row without a moment is bad.

    `placeholders`: see `user_key`.

    `bad` gets each bad row. A bad header is raised as `BadLine`, because it makes all rows bad.
    """
    pump = _Lines(lines)
    separator = columns.separator or _separator(pump.peek(), columns)
    rows = csv.reader(pump, delimiter=separator, strict=True)
    try:
        header = next((row for row in rows if row), [])
    except csv.Error as error:
        raise BadLine(name, 1, *_not_csv(error)) from None
    if pump.wrong is not None:
        raise BadLine(name, 1, *pump.wrong)
    table = _Table(
        name, header, columns, RowNames(content if columns.batch is None else lambda: columns.batch), timed=timed, placeholders=placeholders
    )
    while True:
        pump.begin_row()
        try:
            row = next(rows, None)
        except csv.Error as error:
            what, remedy = _not_csv(error)
            first = pump.first
            lost = pump.go_back()
            bad(BadLine(name, first, what + (f", and {lost:,} lines after it are lost" if lost else ""), remedy))
            continue
        if pump.wrong is not None:
            bad(BadLine(name, pump.first, *pump.wrong))
        elif row is None:
            return
        elif row:
            try:
                call = table.call(row, pump.first)
            except (Wrong, Unreadable, ValueError) as error:
                bad(BadLine(name, pump.first, *_explain(error)))
                continue
            yield call


class _Lines:
    """The lines of a table as text. It knows which of them belong to the current row, and what is wrong with them."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._again: deque[bytes] = deque()
        self._row: list[bytes] = []
        self._read = 0
        self._size = 0
        """Bytes of this row."""
        self._fresh = self._stale = 0
        """Bytes that were read, and that were returned to be read again."""
        self.wrong: tuple[str, str] | None = None
        """The problem with a line of this row, and the remedy."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next_line()
        self._row.append(line)
        self._size += len(line)
        self._read += 1
        if self._size > LONGEST and len(self._row) > 1:
            raise csv.Error(_ENDLESS)
        if len(line) > LONGEST:
            self.wrong = TOO_LONG
            return "\n"
        try:
            text = line.decode()
        except UnicodeDecodeError:
            self.wrong = ("not UTF-8", "save the file as CSV in UTF-8")
            text = line.decode("utf-8", "replace")
        return text if text.endswith("\n") else text + "\n"

    def _next_line(self) -> bytes:
        line = next(self._lines)
        self._fresh += len(line)
        return line

    @property
    def first(self) -> int:
        """Return the number of the first line of this row, as an editor counts."""
        return self._read - len(self._row) + 1

    def peek(self) -> str:
        """Return the first line of the file, without its byte order mark; it will be read again."""
        line = next(self._lines, None)
        if line is None:
            return ""
        self._again.append(line.removeprefix(b"\xef\xbb\xbf"))
        return self._again[0][:LONGEST].decode("utf-8", "replace")

    def begin_row(self) -> None:
        self._row.clear()
        self._size = 0
        self.wrong = None

    def go_back(self) -> int:
        """Return all lines of this row but the first to the input: they are separate rows. Return how many lines are lost instead.

        Lines are lost if a file has so many open quotes that it would be read again and again: no input may take more than linear time.
        """
        again = self._row[1:]
        self._stale += self._size
        if self._stale > 4 * (self._fresh + LONGEST):
            return len(again)
        self._again.extendleft(reversed(again))
        self._read -= len(again)
        return 0


def _separator(line: str, columns: Columns) -> str:
    """Return the usual separator that splits this line into a header with the user's column and the most columns."""

    def fits(separator: str) -> tuple[bool, int]:
        try:
            names = next(csv.reader([line], delimiter=separator), [])
        except csv.Error:
            return False, 0
        return (columns.user or USER) in names, len(names)

    return max(SEPARATORS, key=fits)


class _Table:
    """A checked header, which converts rows to calls."""

    def __init__(self, name: str, header: list[str], columns: Columns, names: RowNames, *, timed: bool, placeholders: bool) -> None:
        self._file, self._header, self._columns, self._names, self._timed = name, header, columns, names, timed
        self._placeholders = placeholders
        self._check_names()
        taken = set()

        def place(column: str | None, usual: str, option: str, *, needed: bool = False) -> int | None:
            wanted = column or usual
            if wanted not in header:
                if column is not None or needed:
                    raise self._missing(wanted, option, named=column is not None)
                return None
            taken.add(wanted)
            return header.index(wanted)

        user = place(columns.user, USER, "--user", needed=True)
        assert user is not None
        self._user = user
        self._timestamp = place(columns.timestamp, TIMESTAMP, "--timestamp")
        self._received = place(columns.received, RECEIVED, "--received")
        self._message_id = place(columns.message_id, MESSAGE_ID, "--message-id")
        self._event = None
        if columns.name is None and not columns.identify:
            self._event = place(columns.event, EVENT, "--event", needed=True)
        for column in sorted(columns.text):
            if column not in header:
                raise self._missing(column, "--text", named=True)
        self._others = [(at, column, column in columns.text) for at, column in enumerate(header) if column not in taken]
        self._kind = "identify" if columns.identify else "track"

    def _check_names(self) -> None:
        """Raise `BadLine` unless each column has a unique name; otherwise values would be lost."""
        for number, column in enumerate(self._header, 1):
            if not column.strip():
                raise BadLine(self._file, 1, f"column {number} has no name", "name it, or save the file without it")
            if self._header.index(column) < number - 1:
                earlier = self._header.index(column) + 1
                raise BadLine(self._file, 1, f"columns {earlier} and {number} are both named {column!r}", "give each a name of its own")

    def _missing(self, column: str, option: str, *, named: bool) -> BadLine:
        header = self._header
        near = get_close_matches(column, header, n=1, cutoff=0.4)
        remedy = f"{'correct' if named else 'name it with'} {option}" + (f" (perhaps {option} {near[0]!r})" if near else "")
        if option == "--event":
            remedy += ", or use --name for the one event of all lines"
        if len(header) == 1 and (mark := re.search(r"[|:^~]", header[0])):
            remedy += f"; name the separator of the columns with --separator {mark[0]!r}"
        return BadLine(self._file, 1, f"there is no column {column!r}; there are {', '.join(header) or 'none'}", remedy)

    def call(self, row: list[str], line: int) -> Call:
        """Raise `Wrong`, `Unreadable` or ValueError for a row that is no call."""
        columns = self._columns
        if len(row) != len(self._header):
            raise Wrong(f"{len(row)} values for {len(self._header)} columns", "values that contain the separator go into double quotes")
        user_id = row[self._user]
        moment = "" if self._timestamp is None else row[self._timestamp]
        at = parse_moment(moment) if moment else None
        arrived = "" if self._received is None else row[self._received]
        received = parse_moment(arrived) if arrived else None
        if at is None and received is None and self._timed:
            raise Wrong(
                "no timestamp",
                f"historic time comes from the lines themselves: fill {columns.timestamp or TIMESTAMP!r}, or name it with --timestamp",
            )
        key = user_key(user_id, placeholders=self._placeholders)
        event = columns.name or ("" if self._event is None else row[self._event])
        if not event and not columns.identify:
            raise Wrong("no event", f"fill the column {columns.event or EVENT!r}, or name the event with --name")
        values: dict[str, Any] = {}
        for place, column, is_text in self._others:
            cell = row[place]
            if cell:
                values[column] = cell if is_text else _cell(cell)
            elif columns.clear:
                values[column] = None
        name = row[self._message_id] if self._message_id is not None else ""
        value = self._document(user_id, at, received, event, values, name)
        if len(value) > MAX_VALUE:
            raise Wrong(f"{len(value):,} bytes", f"an event has at most {MAX_VALUE:,}")
        return Call(at if received is None else received, key, value, self._file, line)

    def _document(self, user_id: str, at: int | None, received: int | None, event: str, values: dict[str, Any], message_id: str) -> bytes:
        document: dict[str, Any] = {"type": self._kind}
        name = message_id or self._names.name(self._kind, user_id, event, at, values)
        if name is not None:
            document["messageId"] = name
        document["userId"] = user_id
        if at is not None:
            document["timestamp"] = iso(at)
        if received is not None:
            document["receivedAt"] = iso(received)
        if event:
            document["event"] = event
        document["traits" if self._columns.identify else "properties"] = values
        return orjson.dumps(document)


def _cell(text: str) -> str | int | float | bool:
    """Return a number or a flag if it is written as one: `00004`, `1e5` and telephone numbers are not."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return _FLAGS.get(text, text)
    return float(text) if match[2] else int(text)


def _explain(error: Exception) -> tuple[str, str]:
    if isinstance(error, Wrong):
        return str(error), error.remedy
    if isinstance(error, Unreadable):
        return str(error), "a userId is text of 1 to 256 bytes without control characters"
    return str(error), "write it as 2026-01-31T18:00:00Z"


def _not_csv(error: csv.Error) -> tuple[str, str]:
    """Return the problem in words that do not change with the version of Python."""
    said = str(error)
    if "unexpected end" in said:
        return "a quote is opened and never closed", "close it, or write it twice if it belongs to the value"
    if "field larger" in said:
        return f"a value of more than {csv.field_size_limit():,} characters", "is a quote opened and never closed?"
    if said == _ENDLESS:
        return f"more than {LONGEST:,} bytes in one row", "is a quote opened and never closed?"
    if "expected after" in said:
        return "text follows a closing quote", "write a quote twice inside a quoted value"
    if "new-line" in said:
        return "a line break inside a line", "save the file with usual line ends"
    return f"not CSV: {said}", "save the file as CSV in UTF-8"
