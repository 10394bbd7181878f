"""Read the bytes of one record: an event, a control record, or a dead letter with its reason.

Events follow the Segment spec (`track`, `identify`, `page`, `screen`, `group`). Of duplicate JSON keys, the last one counts. Fields
that are not used are skipped. Reading uses no state: the fold decides whether a user is new, or a message a duplicate.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import new as hmac_new
from itertools import accumulate
from typing import Any, Final

import msgspec
import orjson
from msgspec.structs import astuple

from triggers.base.model import CONTROL_HEADER, ENGINE, MAX_COMMAND, MAX_DEPTH, MAX_USER_ID, MAX_VALUE, Headers, Record
from triggers.base.moments import LAST, find_zone, parse_moment
from triggers.base.numbers import from_json
from triggers.records.messages import Command, Context, Event, LooseCommand, LooseEvent, LooseUpgrade, OfContext

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
TYPES: Final = frozenset(("track", "identify", "page", "screen", "group"))


class Unreadable(Exception):  # noqa: N818 -- an outcome, not an error
    """The reason why a record is a dead letter: one line, the same in each replay."""


class NeedsNewer(Exception):  # noqa: N818 -- an outcome, not an error
    """A newer release wrote this control record. To skip it would give other decisions than that release."""


_decode_event = msgspec.json.Decoder(Event).decode
_decode_context = msgspec.json.Decoder(OfContext).decode
_decode_loose = msgspec.json.Decoder(LooseEvent, float_hook=from_json).decode
_decode_command = msgspec.json.Decoder(Command).decode
_decode_loose_command = msgspec.json.Decoder(LooseCommand).decode
_decode_upgrade = msgspec.json.Decoder(LooseUpgrade).decode

COMMANDS: Final = frozenset(("apply", "pause", "resume", "go-live", "upgrade"))
MAX_SHOWN: Final = 100
"""Maximum characters of an unknown name in a reason."""
UNREADABLE: Final = False
"""Replaces an unreadable timestamp of a call: the event then happened when it was received."""

Fields = tuple[str, str, str | None, str | None, Any, dict[str, Any] | None, dict[str, Any] | None]
"""The fields of a call: type, user id, event (None: not an event), message id, `Times`, properties, traits; see `Event`."""

Times = tuple[Any, Any, Any, Any]
"""`timestamp`, `sentAt`, `receivedAt`, `originalTimestamp` of a call; see `event_time`."""


def read_event(record: Record) -> Fields:
    """Decode an event, and compare its key with its user id. A page or screen call becomes an event. Raises `Unreadable`."""
    value = record.value
    if not value:
        raise Unreadable("empty")
    if len(value) > MAX_VALUE:
        raise Unreadable(f"too big: more than {MAX_VALUE} bytes")
    # Most events contain no array, and to find that out costs a tenth of counting. (Bytes `in` bytes costs an exception inside.)
    if value.count(b"{") + (value.count(b"[") if value.find(b"[") >= 0 else 0) > MAX_DEPTH and _is_too_deep(value):
        raise Unreadable(f"nested too deeply: more than {MAX_DEPTH} levels")
    try:
        event = _decode_event(value)
    except (msgspec.DecodeError, UnicodeDecodeError):  # a wrong type is the former too
        event = _read_loose(value)
    kind, user_id, name, message_id, stamp, sent, properties, traits, got, original, title, context = astuple(event)
    if record.key != user_id.encode():
        raise Unreadable("no key" if record.key is None else "key and user id differ")
    if kind == "track":
        if not name:
            raise Unreadable("a track call without an event name")
    elif kind in ("page", "screen"):
        name = kind
        if title is not None and (properties is None or properties.get("name") is None):
            properties = {"name": title} if properties is None else {**properties, "name": title}
    elif kind in ("identify", "group"):
        name = None
    elif kind == "alias":
        raise Unreadable("alias is not supported: two users cannot be merged yet")
    else:
        raise Unreadable("unknown type of call")
    if kind != "identify":
        traits = None  # those of a group call are the group's
    if context is not None and (context.traits is not None or context.timezone is not None):
        traits = _with_context(traits, context)
    return kind, user_id, name, message_id, (stamp, sent, got, original), properties, traits


def read_context(value: bytes) -> Mapping[str, Any]:
    """Decode the context of a call that `read_event` has read. What is no object is as good as none."""
    try:
        context = _decode_context(value).context
    except (msgspec.DecodeError, UnicodeDecodeError):
        context = _decode_any(value).context
    return context if isinstance(context, dict) else NOTHING


def _with_context(traits: dict[str, Any] | None, context: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """Merge the traits of a call with those of its context. The call's own traits win."""
    place = context.timezone
    if place is not None and find_zone(place) is not None:
        traits = {"timezone": place, **(context.traits or NOTHING), **(traits or NOTHING)}
    elif context.traits:
        traits = {**context.traits, **(traits or NOTHING)}
    return traits


NOTHING: Final[dict[str, Any]] = {}


_NO_BRACKETS: Final = bytes(char for char in range(256) if char not in b"[]{}")
_STEPS: Final = bytes(1 if char in b"[{" else 255 for char in range(256))
"""The amount that a bracket adds to the depth, as a signed byte."""


def _is_too_deep(value: bytes) -> bool:
    """Return whether JSON is nested more than `MAX_DEPTH` levels deep.

    Not by recursion: the limit of a decoder depends on its caller's stack. Each operation runs once over the bytes, so this takes linear
    time for any bytes, also if they are not JSON.
    """
    # A backslash is only in strings, so escapes can be removed first. Then each second part between quotes is outside of strings.
    parts = value.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
    brackets = b"".join(parts[::2]).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > MAX_DEPTH


def _read_loose(value: bytes) -> Event:
    """Decode again what the strict decoder refused.

    Ids may be numbers, empty objects may be lists, times may be any ISO 8601 or numbers. A text may end in the middle of a character.
    """
    event = _decode_any(value)
    for field, name in (("user_id", "userId"), ("message_id", "messageId")):
        given: Any = getattr(event, field)
        if type(given) is int:
            setattr(event, field, str(given))
        elif given is not None and not isinstance(given, str):
            raise Unreadable(f"not an event: {name} is neither a text nor a whole number")
    if event.user_id is None:
        raise Unreadable("no user id")
    if not isinstance(event.type, str) or (event.type not in TYPES and event.type != "alias"):
        raise Unreadable("unknown type of call")
    if event.event is not None and not isinstance(event.event, str):
        raise Unreadable("not an event: event is no text")
    event.properties = _object(event.properties, "properties")
    event.traits = _object(event.traits, "traits")
    stamp = event.timestamp
    event.timestamp = None if stamp is None else read_moment(stamp) or UNREADABLE
    event.sent_at = read_moment(event.sent_at)
    event.received_at = read_moment(event.received_at)
    event.name = event.name if isinstance(event.name, str) else None
    context: Any = event.context
    event.context = None
    if isinstance(context, dict):
        within, place = context.get("traits"), context.get("timezone")
        event.context = Context(within if isinstance(within, dict) else None, place if isinstance(place, str) else None)
    return event  # type: ignore[no-any-return]


def _decode_any(value: bytes) -> Any:  # noqa: ANN401 -- a `LooseEvent`, whose fields are of any type
    try:
        return _decode_loose(value)
    except msgspec.ValidationError as error:
        short = _shortened(value) if "out of range" in str(error) else value
        if short == value:
            raise Unreadable("not an event: no JSON object") from None
        return _decode_any(short)
    except (msgspec.DecodeError, UnicodeDecodeError):
        whole = _whole(value)
        if whole == value:
            raise Unreadable("not JSON") from None
        return _decode_any(whole)


_DIGITS: Final = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))
_LONG: Final = b"0" * 4_301
"""More digits than the decoder accepts in a whole number."""


def _shortened(value: bytes) -> bytes:
    """Replace each whole number that is too long for the decoder by `1e400`, which no field accepts either.

    Each byte is read a fixed number of times, whatever the text contains.
    """
    digits = value.translate(_DIGITS)
    parts: list[bytes] = []
    done, inside, at = 0, False, digits.find(_LONG)
    while at >= 0:
        before, end = value[done:at], digits.find(b" ", at)
        end = len(value) if end < 0 else end
        inside ^= bool(before.replace(b"\\\\", b"").replace(b'\\"', b"").count(b'"') & 1)
        parts += before, value[at:end] if inside or value[end : end + 1] in b".eE" else b"1e400"
        done, at = end, digits.find(_LONG, end)
    parts.append(value[done:])
    return b"".join(parts)


_HALF: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F][0-9a-fA-F]{2}", re.DOTALL
)
"""Half of a surrogate pair, alone, as JSON escapes it."""


def _whole(value: bytes) -> bytes:
    """Replace each lone half of a surrogate pair by U+FFFD. JavaScript writes one where it cuts a text in the middle of an emoji.

    Each operation runs once over the bytes, in linear time.
    """
    if (value.find(b"\\ud") < 0 and value.find(b"\\uD") < 0) or value.find(b"\0") >= 0:
        return value
    # An escaped backslash escapes nothing. A zero byte, which JSON never contains, replaces it for the moment.
    return _HALF.sub(rb"\\ufffd", value.replace(b"\\\\", b"\0")).replace(b"\0", b"\\\\")


def _object(value: Any, name: str) -> dict[str, Any] | None:  # noqa: ANN401
    """Return an object. An empty list is one, too: PHP writes it so."""
    if value == [] and isinstance(value, list):
        return {}
    if value is not None and not isinstance(value, dict):
        raise Unreadable(f"not an event: {name} is no object")
    return value


_SECONDS_BELOW: Final = 100_000_000_000
"""A time below this number is in seconds, another one in milliseconds."""


def read_moment(given: Any) -> datetime | None:  # noqa: ANN401
    """Read a time as plain JSON producers write it. Return None if it is not a time of the years 1970 to 9999."""
    try:
        if isinstance(given, str):
            leap = given[16:19] == ":60"  # a leap second is the last millisecond before it
            ms = parse_moment(
                f"{given[:16]}:59.999{given[20:].lstrip('0123456789') if given[19:20] in ('.', ',') else given[19:]}" if leap else given
            )
        elif type(given) is int or type(given) is float:
            number: Any = given
            if not 0 <= number <= LAST:
                return None
            ms = int(number * 1_000) if number < _SECONDS_BELOW else int(number)
        else:
            return None
        return _EPOCH + timedelta(milliseconds=ms)
    except ValueError:
        return None


def event_time(times: Times, arrived: int) -> int:
    """Return when a call happened, ms; never later than `arrived`, the time of its record. -1: its timestamp is not a time since 1970.

    A time without a zone is UTC. Digits beyond the millisecond are cut off; the decoder has rounded to the microsecond before. If there is
    an `originalTimestamp`, the program that forwarded the call has corrected `timestamp`, and it is final. If there is no `timestamp`,
    `originalTimestamp` replaces it. Otherwise `receivedAt` and `sentAt` show the error of the device's clock (Segment spec). With `sentAt`
    alone, only an impossible delay is corrected: a call that was sent later than it arrived.
    """
    stamp, sent, got, original = times
    if stamp is None:
        stamp = read_moment(original)  # a call straight from a library, without a forwarder: not corrected yet
        if stamp is None:
            return when_received(times, arrived)
        original = None
    if stamp is UNREADABLE:
        return -1
    # A short cut for what nearly all clients write: UTC, and only these two times.
    if stamp.tzinfo is UTC:
        length = stamp - _EPOCH
        given: int = (length.days * 86_400 + length.seconds) * 1_000 + length.microseconds // 1_000
    else:
        given = _ms(stamp)
    if given < 0:
        return -1
    not_later = given if given < arrived else arrived  # noqa: FURB136 -- this runs for each event, and a call costs more
    if sent is None or original is not None:
        return not_later
    # Most calls were sent before they arrived. A double shows that at a third of the cost; up to the year 9999 it is exact to 0.1 ms.
    if got is None and sent.tzinfo is UTC and sent.timestamp() * 1_000.0 < arrived + 0.5:
        return not_later
    left = _ms(sent)
    if left < 0:  # a time that was never set, such as Go's year 1, says nothing about a clock
        return not_later
    return _corrected(given, left, -1 if got is None else _ms(got), arrived)


def when_received(times: Times, arrived: int) -> int:
    """Return when a call was received, ms: its `receivedAt`; but `arrived` if `receivedAt` is later than that or before 1970."""
    got = times[2]
    received = arrived if got is None else _ms(got)
    return received if 0 <= received <= arrived else arrived


def _corrected(given: int, left: int, received: int, arrived: int) -> int:
    """Correct the moment of a call by the error of its device's clock. `received` below 0: unknown."""
    at = given
    if 0 <= received <= arrived:
        at = received - (left - given)
    elif left > arrived:
        at = given - (left - arrived)
    return min(given if at < 0 else at, arrived)


def _ms(moment: Any) -> int:  # noqa: ANN401 -- a datetime; to check the type costs as much as to calculate
    length = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - _EPOCH
    return (length.days * 86_400 + length.seconds) * 1_000 + length.microseconds // 1_000  # type: ignore[no-any-return]


PLACEHOLDERS: Final = frozenset(
    (
        *("undefined", "Undefined", "UNDEFINED", "null", "Null", "NULL", "none", "None", "NONE", "nan", "NaN", "NAN", "nil", "Nil"),
        *("(null)", "<null>", "<nil>", "[object Object]"),
    )
)
"""Texts that programs write for a missing id."""


def check_user_id(user_id: str, *, placeholders: bool = False) -> None:
    """Raise `Unreadable` unless the id is text of 1 to 256 bytes without control characters (PROTOCOL law 13).

    `placeholders`: whether ids such as `undefined` are accepted, too.
    """
    if user_id in PLACEHOLDERS and not placeholders:
        raise Unreadable(f"bad user id: {user_id} stands for an id that is missing")
    if not user_id:
        raise Unreadable("no user id")
    if user_id.isspace():
        raise Unreadable("bad user id: nothing but blanks")
    if len(user_id.encode()) > MAX_USER_ID:
        raise Unreadable(f"bad user id: longer than {MAX_USER_ID} bytes")
    if not user_id.isprintable() and any(c < " " or "\x7f" <= c <= "\x9f" for c in user_id):
        raise Unreadable("bad user id: control characters")


def control_kind(headers: Headers) -> bytes | None:
    """Return the value of the header that marks a control record, None for events."""
    for name, value in headers:
        if name == CONTROL_HEADER:
            return value
    return None


def read_command(record: Record) -> Command:
    """Decode a command. Raises `NeedsNewer` for a command of a newer release, `Unreadable` for anything else.

    An upgrade is the exception: each release reads the upgrades of later ones, because it folds the log up to them.
    """
    value = record.value or b""
    if len(value) > MAX_COMMAND:
        raise Unreadable(f"not a command: more than {MAX_COMMAND} bytes")
    try:
        command = _decode_command(value)
    except msgspec.ValidationError as error:
        upgrade = _upgrade(value)
        if upgrade is not None:
            return upgrade
        newer = _newer(value)
        if newer is not None:
            raise NeedsNewer(newer) from None
        raise Unreadable(f"not a command: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not a command: not JSON") from None
    if command.engine > ENGINE and command.kind != "upgrade":
        raise NeedsNewer(f"a command of engine {command.engine}")
    return command


def _upgrade(value: bytes) -> Command | None:
    """Read an upgrade to a newer engine that has unknown fields; None for anything else."""
    try:
        found = _decode_upgrade(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if found.terms.engine <= ENGINE:
        return None
    return Command(kind="upgrade", seq=found.seq, previous=found.previous, engine=found.engine, app=found.app, terms=found.terms)


def _newer(value: bytes) -> str | None:
    """Say what makes this a command of a newer release; None if it is not a command."""
    try:
        command = _decode_loose_command(value)
        unknown = sorted(orjson.loads(value).keys() - set(Command.__struct_fields__))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if command.engine > ENGINE:
        return f"a command of engine {command.engine}"
    if command.schema > 1:
        return f"a command of schema {command.schema}"
    if command.kind not in COMMANDS:
        return f'the unknown command "{command.kind[:MAX_SHOWN]}"'
    return f'a command with the unknown field "{unknown[0][:MAX_SHOWN]}"' if unknown else None


def read_control(record: Record, kind: bytes) -> Command:
    """Decode a control record that is not a tick. Raises `NeedsNewer` for one of a newer release, otherwise `Unreadable`."""
    if record.key:
        raise Unreadable("a control header on a record with a key")
    if kind == b"tick":
        raise Unreadable("not a tick: it has a value")
    if kind != b"command":
        raise NeedsNewer(f'the unknown control record "{kind[:MAX_SHOWN].decode("utf-8", "replace")}"')
    return read_command(record)


def signature(key: bytes, topic: str, value: bytes) -> bytes:
    """Return the header of a signed command: hex HMAC-SHA256 over topic and value, so that it is valid in this topic only."""
    return hmac_new(key, topic.encode() + b"\0" + value, sha256).hexdigest().encode()


def dumps(document: object) -> bytes:
    """Encode a document as JSON, as in all our topics."""
    return orjson.dumps(document)
