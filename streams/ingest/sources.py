"""Read files of events into Segment calls: JSONL from an SDK or an export, tables from analysts, CDNOW's orders.

A call that the engine would make a dead letter is found here already, where file and line are known. `BadLine` names the problem and the
remedy. The values of JSONL pass unchanged, byte for byte.

If the log has historic time, the moment of a call is when it was logged: its `receivedAt`, if it has one. Otherwise, with
`originalTimestamp`, its `timestamp`, which the forwarder has corrected. Otherwise its `sentAt`, so that the engine's correction of a
phone's clock by `sentAt` has no effect. Otherwise its `timestamp`.
"""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from hashlib import file_digest, sha256
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from streams.ingest import tables
from streams.ingest.calls import LONGEST, TOO_LONG, BadLine, Call, Wrong, stop_at, user_key
from streams.ingest.tables import Columns
from triggers.base.model import MAX_VALUE
from triggers.base.moments import parse_moment
from triggers.records.events import TYPES, Unreadable, read_moment

if TYPE_CHECKING:
    from typing_extensions import Buffer

FORMATS: Final = ("jsonl", "csv", "cdnow")
STDIN: Final = "-"

_REMEMBERED: Final = 1_000_000
"""Number of user ids remembered as checked. Their bytes are created once."""
_AT_ONCE: Final = 1 << 17
"""Bytes read from a file at a time."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_SPOILT: Final = (gzip.BadGzipFile, EOFError, zlib.error)
"""Errors for damaged compressed data."""


# ---- files ----------------------------------------------------------------------------------------------------------


class _Counted(FileIO):
    """A file that counts the bytes read from it.

    Another thread shows the progress. Asking the file for its position from there would race with closing it; reading a number does not.
    """

    done = 0

    def readinto(self, buffer: Buffer, /) -> int:
        count = super().readinto(buffer) or 0
        self.done += count
        return count


class Source:
    """A file, or standard input (`-`). `.gz` is unpacked."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.name = "<stdin>" if path == STDIN else Path(path).name.encode("utf-8", "backslashreplace").decode()
        self.size = 0 if path == STDIN else Path(path).stat().st_size
        """Bytes on disk; 0 if unknown."""
        self._raw: _Counted | None = None

    @property
    def done(self) -> int:
        """Bytes read so far, of `size`."""
        return 0 if self._raw is None else self._raw.done

    def lines(self) -> Iterator[bytes | None]:
        """Yield the lines unchanged. None means that standard input has no more at the moment, so the caller may process what it has.

        Of a line longer than `LONGEST` only the beginning comes, which is longer than that.
        """
        if self.path == STDIN:
            yield from _stdin_lines()
            return
        self._raw = _Counted(self.path)
        with BufferedReader(self._raw, _AT_ONCE) as raw:
            if self.path.endswith(".gz"):
                yield from self._unpacked(raw)
            else:
                yield from _bounded_lines(raw)

    def content(self) -> str | None:
        """Return the SHA-256 of the unpacked content; None for input that can be read only once. Raises `BadLine` for a damaged file."""
        if self.path == STDIN or not Path(self.path).is_file():
            return None
        digest = sha256()
        with Path(self.path).open("rb") as raw:
            if not self.path.endswith(".gz"):
                return file_digest(raw, "sha256").hexdigest()
            try:
                with gzip.open(raw) as unpacked:
                    while piece := unpacked.read(_AT_ONCE):
                        digest.update(piece)
            except _SPOILT as error:
                raise self._spoilt(error) from None
        return digest.hexdigest()

    def _unpacked(self, raw: BufferedReader[_Counted]) -> Iterator[bytes]:
        try:
            with gzip.open(raw) as unpacked:
                yield from _bounded_lines(unpacked)
        except _SPOILT as error:
            raise self._spoilt(error) from None

    def _spoilt(self, error: Exception) -> BadLine:
        what = "the file ends before its packed data does" if isinstance(error, EOFError) else f"not gzip, or damaged: {error}"
        return BadLine(self.name, None, what, "download it again; if it is not packed, remove .gz from its name")

    def format(self) -> str:
        """Return the format that the name indicates; JSONL by default."""
        name = self.name.removesuffix(".gz").lower()
        if name.startswith("cdnow_") and name.endswith(".txt"):
            return "cdnow"
        return "csv" if name.endswith(".csv") else "jsonl"


def _bounded_lines(file: BufferedReader[_Counted] | gzip.GzipFile) -> Iterator[bytes]:
    """Yield the lines of a file. A line without an end must not fill the memory."""
    read_line = file.readline
    while line := read_line(LONGEST + 1):
        if len(line) > LONGEST:
            rest = line
            while rest and rest[-1:] != b"\n":
                rest = read_line(_AT_ONCE)
        yield line


def _stdin_lines() -> Iterator[bytes | None]:
    """Read by the file descriptor: a thread that waits inside sys.stdin's own lock would keep the process alive."""
    descriptor = sys.stdin.fileno()
    begun: list[bytes] = []
    size = 0
    while data := os.read(descriptor, 1 << 16):
        *ends, rest = data.split(b"\n")
        for end in ends:
            yield b"".join((*begun, end))[: LONGEST + 1]
            begun, size = [], 0
        if rest and size <= LONGEST:
            begun.append(rest)
            size += len(rest)
        yield None
    if begun:
        yield b"".join(begun)[: LONGEST + 1]


def read(
    source: Source,
    *,
    format: str | None = None,  # noqa: A002 - the option's name
    columns: Columns | None = None,
    timed: bool = False,
    placeholders: bool = False,
    bad: Callable[[BadLine], None] = stop_at,
) -> Iterator[Call | None]:
    """Yield the calls of a file, in its order (CDNOW's: in the order of time). `timed`: a call without a moment is bad. `placeholders`:
    accept ids such as `undefined`.

    None means no more at the moment (standard input). `bad` gets each bad line, which is then skipped; by default it is raised.
    """
    kind = format or source.format()
    if kind == "cdnow":
        from streams.ingest.cdnow import calls

        return iter(calls(source.name, [line.decode("ascii", "replace") for line in source.lines() if line is not None], bad))
    if kind == "csv":
        lines = (line for line in source.lines() if line is not None)
        return tables.calls(source.name, lines, columns or Columns(), source.content, bad, timed=timed, placeholders=placeholders)
    return _jsonl(source, bad, timed=timed, placeholders=placeholders)


# ---- JSONL ----------------------------------------------------------------------------------------------------------


class _Outline(msgspec.Struct, gc=False, rename="camel"):
    """The part of a call that its record depends on. The rest is not parsed."""

    type: str
    user_id: str
    event: str | None = None
    timestamp: str | None = None
    sent_at: str | None = None
    received_at: str | None = None
    original_timestamp: Any = None


class _Loose(_Outline):
    """The same for an id or a time that is written as a number."""

    user_id: str | int  # type: ignore[assignment]
    timestamp: Any = None
    sent_at: Any = None
    received_at: Any = None


_decode = msgspec.json.Decoder(_Outline).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode


def _outline(value: bytes) -> _Outline:
    try:
        return _decode(value)
    except msgspec.ValidationError:
        outline = _decode_loose(value)
        outline.user_id = str(outline.user_id)
        return outline


def _logged(outline: _Outline) -> int | None:
    """Return when a call was logged, ms, or None if it names no moment. Raises ValueError if none of its moments can be read."""
    is_final = outline.original_timestamp is not None and outline.timestamp is not None
    sent = None if is_final else outline.sent_at
    wrong: ValueError | None = None
    for moment in (outline.received_at, sent, outline.timestamp):
        if moment is None:
            continue
        try:
            return parse_moment(moment)
        except ValueError as error:
            wrong = error
        except TypeError:
            wrong = ValueError(f"not an ISO 8601 date or date-time: {str(moment)[:40]}")
        found = read_moment(moment)
        if found is not None:
            return (found - _EPOCH) // _MS
    if wrong is not None:
        raise wrong
    return None


def _jsonl(source: Source, bad: Callable[[BadLine], None], *, timed: bool, placeholders: bool) -> Iterator[Call | None]:
    keys: dict[str, bytes] = {}
    name, number = source.name, 0
    for line in source.lines():
        if line is None:
            yield None
            continue
        number += 1
        if len(line) > LONGEST:
            bad(BadLine(source.name, number, *TOO_LONG))
            continue
        value = line.strip()
        if number == 1:
            value = value.removeprefix(b"\xef\xbb\xbf")
        if not value:
            continue
        try:
            outline = _outline(value)
            at = _logged(outline)
            key = keys.get(outline.user_id)
            if key is None:
                if len(keys) >= _REMEMBERED:
                    keys.clear()
                key = keys[outline.user_id] = user_key(outline.user_id, placeholders=placeholders)
            if outline.type != "track" or not outline.event or len(value) > MAX_VALUE:
                _look_closer(outline, value)
            if at is None and timed:
                raise Wrong("no timestamp", 'historic time comes from the calls themselves: give each a "timestamp" (ISO 8601)')
        except (msgspec.MsgspecError, ValueError, Unreadable, RecursionError, UnicodeDecodeError) as error:
            bad(BadLine(source.name, number, *_explain(error, value)))
            continue
        yield Call(at, key, value, name, number)


def _look_closer(outline: _Outline, value: bytes) -> None:
    """Raise `Wrong` for a call that the engine would refuse."""
    if outline.type == "alias":
        raise Wrong("alias is not supported: two users cannot be merged yet", "skip it with --skip-bad")
    if outline.type not in TYPES:
        near = get_close_matches(outline.type, sorted(TYPES), n=1)
        raise Wrong(
            f"there is no type of call {outline.type!r}", f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(TYPES))}"
        )
    if outline.type == "track" and not outline.event:
        raise Wrong("a track call without a name", 'say which event it is: "event": "Order Completed"')
    if len(value) > MAX_VALUE:
        raise Wrong(f"{len(value):,} bytes", f"an event has at most {MAX_VALUE:,}")


def _explain(error: Exception, value: bytes) -> tuple[str, str]:
    """Return the problem of a line, and the remedy."""
    if isinstance(error, Wrong):
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
            else "JSONL needs one JSON object a line; for CSV use --format csv"
        )
        return f"not JSON: {str(error) or 'nested too deeply'}", remedy
    return str(error), "write it as 2026-01-31T18:00:00Z"


# ---- batches -------------------------------------------------------------------------------------------------------


def batches(calls: Iterable[Call | None], most: int = 2_000) -> Iterator[list[Call]]:
    """Yield the calls in lists of at most `most`. A list ends early if there is no more input at the moment, and before a bad line is
    raised.
    """
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
