"""Files of events, read into Segment calls: JSONL as an app's SDK or an export writes it, CSV as an analyst has it, and the CDNOW orders.

What the engine would put aside as a dead letter is found here already, where file and line can still be named: `BadLine` says what is
wrong and what would be right. The values of JSONL pass through byte for byte.

The moment of a call, where the log is to carry historic time, is its `sentAt` if it has one, else its `timestamp`: a call that says when it
was sent was logged then, and the engine's correction of a phone's clock by `sentAt` comes out as nothing (RULES.md, events).
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from io import BufferedReader, FileIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from streams.calls import BadLine, Call
from triggers.events import TYPES, Unreadable, check_user_id
from triggers.model import MAX_VALUE
from triggers.moments import iso, parse_moment

if TYPE_CHECKING:
    from typing_extensions import Buffer

FORMATS: Final = ("jsonl", "csv", "cdnow")
STDIN: Final = "-"

_REMEMBERED: Final = 1_000_000
"""How many user ids are remembered as checked; their bytes are made once."""
_AT_ONCE: Final = 1 << 17
"""Bytes that are read from a file at a time."""
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,6})?")


def stop_at(bad: BadLine) -> None:
    """What to do with a bad line unless told otherwise: raise it."""
    raise bad


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of a CSV file are. Columns that nobody names become properties under their own names."""

    user: str = "userId"
    event: str = "event"
    """Holds the event's name."""
    timestamp: str = "timestamp"
    """Holds an ISO 8601 date or date-time, UTC where it names no zone."""
    message_id: str = "messageId"
    """Holds the idempotency key; without the column it is file and line."""
    name: str | None = None
    """The event's name where all lines are of one event and no column holds it."""
    text: frozenset[str] = frozenset()
    """Columns whose values stay text also where they look like numbers."""
    identify: bool = False
    """The lines are users and their columns traits: `identify` calls, no events."""


# ---- files ----------------------------------------------------------------------------------------------------------


class _Counted(FileIO):
    """A file that counts what is read from it.

    Another thread shows the progress. To ask a file for its place from there is a race with its being closed; a number can be looked at.
    """

    done = 0

    def readinto(self, buffer: Buffer, /) -> int:
        count = super().readinto(buffer) or 0
        self.done += count
        return count


class Source:
    """A file being read, or standard input (`-`); `.gz` is unpacked."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = "<stdin>" if path == STDIN else Path(path).name
        self.size = 0 if path == STDIN else Path(path).stat().st_size
        """Bytes on disk; 0 where nobody knows."""
        self._raw: _Counted | None = None

    @property
    def done(self) -> int:
        """Bytes read so far, of `size`."""
        return 0 if self._raw is None else self._raw.done

    def lines(self) -> Iterator[bytes | None]:
        """The lines as they are. None: standard input has no more at the moment, so what was read may be acted upon."""
        if self.path == STDIN:
            yield from _stdin_lines()
            return
        self._raw = _Counted(self.path)
        with BufferedReader(self._raw, _AT_ONCE) as raw:
            if self.path.endswith(".gz"):
                yield from self._unpacked(raw)
            else:
                yield from raw

    def _unpacked(self, raw: BufferedReader[_Counted]) -> Iterator[bytes]:
        try:
            with gzip.open(raw) as unpacked:
                yield from unpacked
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            what = "the file ends before its packed data does" if isinstance(error, EOFError) else f"not gzip, or spoilt: {error}"
            raise BadLine(self.name, None, what, "fetch it again; if it is not packed, take .gz from its name") from None

    def format(self) -> str:
        """What the name says the file holds; JSONL where it says nothing."""
        name = self.name.removesuffix(".gz").lower()
        if name.startswith("cdnow_") and name.endswith(".txt"):
            return "cdnow"
        return "csv" if name.endswith(".csv") else "jsonl"


def _stdin_lines() -> Iterator[bytes | None]:
    """Read by the file descriptor: a thread that waits inside sys.stdin's own lock would keep the process from ending."""
    descriptor, rest = sys.stdin.fileno(), b""
    while data := os.read(descriptor, 1 << 16):
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        yield from lines
        yield None
    if rest:
        yield rest


def read(
    source: Source,
    *,
    format: str | None = None,  # noqa: A002 - the option's name
    columns: Columns | None = None,
    timed: bool = False,
    bad: Callable[[BadLine], None] = stop_at,
) -> Iterator[Call | None]:
    """The calls of a file, in its order (CDNOW's: in the order of time). `timed`: a call without a moment is bad.

    None: no more at the moment (standard input). `bad` is given each bad line, which is then left out; by default it is raised.
    """
    kind = format or source.format()
    if kind == "cdnow":
        from streams.cdnow import calls

        return iter(calls(source.name, [line.decode("ascii", "replace") for line in source.lines() if line is not None]))
    if kind == "csv":
        return _csv(source, columns or Columns(), bad, timed=timed)
    return _jsonl(source, bad, timed=timed)


# ---- JSONL ----------------------------------------------------------------------------------------------------------


class _Outline(msgspec.Struct, gc=False, rename="camel"):
    """The part of a call that its record depends on; the rest is skipped unread."""

    type: str
    user_id: str
    event: str | None = None
    timestamp: str | None = None
    sent_at: str | None = None


_decode = msgspec.json.Decoder(_Outline).decode


def _jsonl(source: Source, bad: Callable[[BadLine], None], *, timed: bool) -> Iterator[Call | None]:
    keys: dict[str, bytes] = {}
    number = 0
    for line in source.lines():
        if line is None:
            yield None
            continue
        number += 1
        value = line.strip()
        if number == 1:
            value = value.removeprefix(b"\xef\xbb\xbf")
        if not value:
            continue
        try:
            outline = _decode(value)
            moment = outline.timestamp if outline.sent_at is None else outline.sent_at
            at = None if moment is None else parse_moment(moment)
            key = keys.get(outline.user_id)
            if key is None:
                if len(keys) >= _REMEMBERED:
                    keys.clear()
                key = keys[outline.user_id] = _key(outline.user_id)
            if outline.type != "track" or not outline.event or len(value) > MAX_VALUE or (at is None and timed):
                _look_closer(outline, value, timed=timed)
        except (msgspec.MsgspecError, ValueError, Unreadable, RecursionError, UnicodeDecodeError) as error:
            bad(BadLine(source.name, number, *_explain(error, value)))
            continue
        yield Call(at, key, value)


class _Wrong(ValueError):  # noqa: N818 - it says what is the matter
    """What is wrong, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def _key(user_id: str) -> bytes:
    check_user_id(user_id)
    try:
        return user_id.encode()
    except UnicodeEncodeError:
        raise _Wrong("the userId holds half of a surrogate pair", "send it as whole characters") from None


def _look_closer(outline: _Outline, value: bytes, *, timed: bool) -> None:
    """Raises `_Wrong` for a call that the engine would put aside, and for one without a moment where it needs one."""
    if outline.type == "alias":
        raise _Wrong("alias is not supported: two users cannot be merged yet", "leave it out with --skip-bad")
    if outline.type not in TYPES:
        near = get_close_matches(outline.type, sorted(TYPES), n=1)
        raise _Wrong(
            f"there is no type of call {outline.type!r}", f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(TYPES))}"
        )
    if outline.type == "track" and not outline.event:
        raise _Wrong("a track call without a name", 'say which event it is: "event": "Order Completed"')
    if len(value) > MAX_VALUE:
        raise _Wrong(f"{len(value):,} bytes", f"an event has at most {MAX_VALUE:,}")
    if timed and outline.timestamp is None and outline.sent_at is None:
        raise _Wrong("no timestamp", 'historic time comes from the calls themselves: give each a "timestamp" (ISO 8601)')


def _explain(error: Exception, value: bytes) -> tuple[str, str]:
    """What is wrong with a line, and what would be right."""
    if isinstance(error, _Wrong):
        return str(error), error.remedy
    if isinstance(error, msgspec.ValidationError):
        reason = str(error)
        if "`userId`" in reason and "missing" in reason:
            return "no userId", "every call needs one, text of 1 to 256 bytes; anonymous calls are not supported"
        if "`type`" in reason and "missing" in reason:
            return "no type", 'say which call it is: "type": "track"'
        return reason[0].lower() + reason[1:], "fields are as the Segment spec has them"
    if isinstance(error, Unreadable):
        return str(error), "a userId is text of 1 to 256 bytes without control characters"
    if isinstance(error, msgspec.DecodeError | RecursionError | UnicodeDecodeError):
        remedy = (
            "in JSONL each line is one whole object"
            if value[:1] in b"[{"
            else "JSONL wants one JSON object a line; for CSV say --format csv"
        )
        return f"not JSON: {str(error) or 'nested too deeply'}", remedy
    return str(error), "write it as 2026-01-31T18:00:00Z"


# ---- CSV ------------------------------------------------------------------------------------------------------------


def _csv(source: Source, columns: Columns, bad: Callable[[BadLine], None], *, timed: bool) -> Iterator[Call]:
    rows = csv.reader(_text(source))
    try:
        header = next(rows, [])
        _check_header(source, header, columns)
        for row in rows:
            if not row:
                continue
            try:
                call = _row(source, columns, header, row, rows.line_num, timed=timed)
            except (_Wrong, Unreadable, ValueError) as error:
                bad(BadLine(source.name, rows.line_num, *_explain(error, b"")))
                continue
            yield call
    except csv.Error as error:
        raise BadLine(source.name, rows.line_num, f"not CSV: {error}") from None
    except UnicodeDecodeError:
        raise BadLine(source.name, rows.line_num + 1, "not UTF-8", "save the file as CSV in UTF-8") from None


def _text(source: Source) -> Iterator[str]:
    lines = (line for line in source.lines() if line is not None)
    first = next(lines, b"").removeprefix(b"\xef\xbb\xbf")
    for line in chain((first,), lines):
        text = line.decode()
        yield text if text.endswith("\n") else text + "\n"


def _check_header(source: Source, header: list[str], columns: Columns) -> None:
    """Raises `BadLine` unless the columns that every line needs are there."""
    needed = [("--user", columns.user)]
    if columns.name is None and not columns.identify:
        needed.append(("--event", columns.event))
    for option, column in needed:
        if column not in header:
            near = get_close_matches(column, header, n=1, cutoff=0.4)
            remedy = f"name it with {option}" + (f" (perhaps {option} {near[0]!r})" if near else "")
            if option == "--event":
                remedy += ", or with --name the one event that all lines are"
            raise BadLine(source.name, 1, f"there is no column {column!r}; there are {', '.join(header) or 'none'}", remedy)
    unknown = sorted(columns.text - set(header))
    if unknown:
        raise BadLine(source.name, 1, f"there is no column {unknown[0]!r} to keep as text; there are {', '.join(header)}")


def _row(source: Source, columns: Columns, header: list[str], row: list[str], line: int, *, timed: bool) -> Call:
    if len(row) != len(header):
        raise _Wrong(f"{len(row)} values for {len(header)} columns", "values that contain a comma go into double quotes")
    cells = dict(zip(header, row, strict=True))
    user_id = cells.pop(columns.user)
    moment = cells.pop(columns.timestamp, "")
    at = parse_moment(moment) if moment else None
    if at is None and timed:
        raise _Wrong(
            "no timestamp", f"historic time comes from the lines themselves: fill {columns.timestamp!r}, or name it with --timestamp"
        )
    key = _key(user_id)
    document: dict[str, Any] = {
        "type": "identify" if columns.identify else "track",
        "messageId": cells.pop(columns.message_id, "") or f"{source.name}:{line}",
        "userId": user_id,
    }
    if at is not None:
        document["timestamp"] = iso(at)
    name = columns.name or cells.pop(columns.event, "")
    if not columns.identify:
        if not name:
            raise _Wrong("no event", f"fill the column {columns.event!r}, or name the event with --name")
        document["event"] = name
    values = {column: cell if column in columns.text else _cell(cell) for column, cell in cells.items() if cell and column}
    document["traits" if columns.identify else "properties"] = values
    value = orjson.dumps(document)
    if len(value) > MAX_VALUE:
        raise _Wrong(f"{len(value):,} bytes", f"an event has at most {MAX_VALUE:,}")
    return Call(at, key, value)


def _cell(text: str) -> str | int | float:
    """A number where it is written as one: `00004`, `1e5` and telephone numbers are not."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    return float(text) if match[2] else int(text)


def batches(calls: Iterable[Call | None], most: int = 2_000) -> Iterator[list[Call]]:
    """The calls in lists of at most `most`; a list ends early where there is no more at the moment, and before a bad line is raised."""
    batch: list[Call] = []
    try:
        for call in calls:
            if call is not None:
                batch.append(call)
                if len(batch) < most:
                    continue
            if batch:
                yield batch
                batch = []
    except BadLine:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
