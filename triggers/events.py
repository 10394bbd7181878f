"""What the bytes of one record mean: an event, a control record, or a dead letter with its reason.

Events follow the Segment spec (`track`, `identify`, `page`, `screen`, `group`). Of duplicate JSON keys the last one counts; fields that
nobody reads are skipped unseen. Reading touches no state: whether a user is new, or a message a duplicate, is decided by the fold.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import new as hmac_new
from itertools import accumulate
from typing import Any, Final

import msgspec
import orjson
from msgspec.structs import astuple

from triggers.messages import Command, Event, LooseEvent
from triggers.model import CONTROL_HEADER, MAX_COMMAND, MAX_DEPTH, MAX_USER_ID, MAX_VALUE, Headers, Record
from triggers.moments import parse_moment

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TYPES: Final = frozenset(("track", "identify", "page", "screen", "group"))


class Unreadable(Exception):  # noqa: N818 -- it is an outcome, not an error of ours
    """Why a record is a dead letter. The message is the reason: one line, the same in every replay."""


_decode_event = msgspec.json.Decoder(Event).decode
_decode_loose = msgspec.json.Decoder(LooseEvent).decode
_decode_command = msgspec.json.Decoder(Command).decode


Fields = tuple[str, str, str | None, str | None, Any, Any, dict[str, Any] | None, dict[str, Any] | None]
"""What is read of a call: type, user id, event (None: it is no event), message id, timestamp, sentAt, properties, traits; see `Event`."""


def read_event(record: Record) -> Fields:
    """Decodes an event and holds its key against its user id; the name of a page or screen call becomes its event. Raises `Unreadable`."""
    value = record.value
    if not value:
        raise Unreadable("empty")
    if len(value) > MAX_VALUE:
        raise Unreadable(f"too big: more than {MAX_VALUE} bytes")
    # Most events hold no array, and to find that out costs a tenth of counting. (Bytes `in` bytes costs an exception inside.)
    if value.count(b"{") + (value.count(b"[") if value.find(b"[") >= 0 else 0) > MAX_DEPTH and _is_too_deep(value):
        raise Unreadable(f"nested too deeply: more than {MAX_DEPTH} levels")
    try:
        event = _decode_event(value)
    except msgspec.ValidationError as error:
        event = _read_loose(value, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unreadable("not JSON") from None
    kind, user_id, name, message_id, stamp, sent, properties, traits = astuple(event)
    if record.key != user_id.encode():
        raise Unreadable("no key" if record.key is None else "key and user id differ")
    if kind == "track":
        if not name:
            raise Unreadable("a track call without an event name")
    elif kind in ("page", "screen"):
        name = kind
    elif kind in ("identify", "group"):
        name = None
    elif kind == "alias":
        raise Unreadable("alias is not supported: two users cannot be merged yet")
    elif not isinstance(kind, str) or kind not in TYPES:
        raise Unreadable("unknown type of call")
    return kind, user_id, name, message_id, stamp, sent, properties, traits


_NO_BRACKETS: Final = bytes(char for char in range(256) if char not in b"[]{}")
_STEPS: Final = bytes(1 if char in b"[{" else 255 for char in range(256))
"""What a bracket adds to the depth, as a signed byte."""


def _is_too_deep(value: bytes) -> bool:
    """Whether JSON is nested more than `MAX_DEPTH` levels deep, without recursion: a decoder's own limit depends on who calls it.

    Each operation runs once over the bytes, whatever they hold: this scan takes linear time also for what is no JSON at all.
    """
    # A backslash stands only inside a string, so escapes can go first; then every second part between quotes lies outside of strings.
    parts = value.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
    brackets = b"".join(parts[::2]).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > MAX_DEPTH


def _read_loose(value: bytes, reason: str) -> Event:
    """A second look at what the decoder refused: its times may be ISO 8601 without being RFC 3339 (`2026-01-01`, `2026-01-01T09:00Z`)."""
    if "`userId`" in reason and "missing" in reason:
        raise Unreadable("no user id")
    try:
        event = _decode_loose(value)
    except msgspec.ValidationError:
        raise Unreadable(f"not an event: {reason}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):  # the first look ended at a wrong type, before it came to this
        raise Unreadable("not JSON") from None
    for name in ("timestamp", "sent_at"):
        text = getattr(event, name)
        if text is not None:
            if not isinstance(text, str):
                raise Unreadable("bad timestamp: not a text")
            try:
                setattr(event, name, _EPOCH + timedelta(milliseconds=parse_moment(text)))
            except ValueError as error:
                raise Unreadable(f"bad timestamp: {error}") from None
    return event


def event_time(stamp: Any, sent: Any, received: int) -> int:  # noqa: ANN401 -- datetimes or None; to look costs as much as to reckon
    """When it happened, ms: the payload's timestamp, corrected for the client's skew by `sentAt` (Segment spec).

    It is never later than `received`.

    A time without a zone is UTC; what is finer than a millisecond is cut off (and what is finer than a microsecond
    has been rounded to one by the decoder). Raises `Unreadable` for a moment before 1970.
    """
    if stamp is None:
        return received
    if sent is not None and sent.tzinfo is UTC and stamp.tzinfo is UTC:  # as nearly every client writes them
        offline = sent - stamp
        if not offline.days:
            at: int = received - offline.seconds * 1_000 - offline.microseconds // 1_000
            if at >= 0:
                return at
    if stamp.tzinfo is None:
        stamp = stamp.replace(tzinfo=UTC)
    if sent is not None and sent.tzinfo is None:
        sent = sent.replace(tzinfo=UTC)
    at = _ms(stamp - _EPOCH) if sent is None else received - _ms(sent - stamp)
    if at < 0:
        raise Unreadable("bad timestamp: before 1970")
    return min(at, received)


def _ms(length: timedelta) -> int:
    return (length.days * 86_400 + length.seconds) * 1_000 + length.microseconds // 1_000


def check_user_id(user_id: str) -> None:
    """Raises `Unreadable` unless the id is text of 1 to 256 bytes without control characters (PROTOCOL law 13)."""
    if not user_id:
        raise Unreadable("no user id")
    if len(user_id.encode()) > MAX_USER_ID:
        raise Unreadable(f"bad user id: longer than {MAX_USER_ID} bytes")
    if any(c < " " or "\x7f" <= c <= "\x9f" for c in user_id):
        raise Unreadable("bad user id: control characters")


def control_kind(headers: Headers) -> bytes | None:
    """The value of the header that marks a control record, None for events."""
    for name, value in headers:
        if name == CONTROL_HEADER:
            return value
    return None


def read_command(record: Record) -> Command:
    """Decodes a command. Raises `Unreadable`."""
    value = record.value or b""
    if len(value) > MAX_COMMAND:
        raise Unreadable(f"not a command: more than {MAX_COMMAND} bytes")
    try:
        return _decode_command(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a command: {error}") from None


def signature(key: bytes, topic: str, value: bytes) -> bytes:
    """What the header of a signed command holds: hex HMAC-SHA256 over topic and value, so that one topic's commands are none in another."""
    return hmac_new(key, topic.encode() + b"\0" + value, sha256).hexdigest().encode()


def dumps(document: object) -> bytes:
    """JSON as all our topics carry it."""
    return orjson.dumps(document)
