"""Commands about one user, as records of the log: to suppress, to erase, to enter a journey.

Such a record has the user's key, so it is folded in the user's own order, by each replay. It has neither number nor barrier. Its value
names the user, because a signature covers only the value; its moment and its id make a copied record worthless.
"""

from typing import Final

import msgspec
import orjson

from triggers.base.model import CONTROL_HEADER, DAY, ENGINE, MAX_COMMAND, SIGNATURE_HEADER, LogRecord, Record
from triggers.base.moments import iso
from triggers.records.events import MAX_SHOWN, NeedsNewer, Unreadable, signature
from triggers.records.messages import LooseUserCommand, UserCommand

USER_COMMAND: Final = b"user-command"
"""The value of the control header."""
NOT_BEFORE: Final = 3
"""The first engine that knows such records."""

_decode = msgspec.json.Decoder(UserCommand).decode
_decode_loose = msgspec.json.Decoder(LooseUserCommand).decode
_encode: Final = msgspec.json.Encoder().encode


def read_user_command(record: Record) -> UserCommand:
    """Decode a command about a user. Raises `NeedsNewer` for one of a newer release, otherwise `Unreadable`."""
    value = record.value or b""
    if len(value) > MAX_COMMAND:
        raise Unreadable(f"not a user command: more than {MAX_COMMAND} bytes")
    try:
        command = _decode(value)
    except msgspec.ValidationError as error:
        newer = _newer(value)
        if newer is not None:
            raise NeedsNewer(newer) from None
        raise Unreadable(f"not a user command: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("not a user command: not JSON") from None
    if command.engine > ENGINE:
        raise NeedsNewer(f"a user command of engine {command.engine}")
    if record.key != command.user.encode():
        raise Unreadable("not a user command: key and user differ")
    if abs(record.timestamp - command.at) > DAY:
        raise Unreadable(f"not a user command: its moment, {iso(command.at)}, is more than a day from the time of its record")
    return command


def _newer(value: bytes) -> str | None:
    """Say what makes this a command of a newer release; None if it is not a command."""
    try:
        command = _decode_loose(value)
        unknown = sorted(orjson.loads(value).keys() - set(UserCommand.__struct_fields__))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if command.engine > ENGINE:
        return f"a user command of engine {command.engine}"
    if command.schema > 1:
        return f"a user command of schema {command.schema}"
    return f'a user command with the unknown field "{unknown[0][:MAX_SHOWN]}"' if unknown else None


# ---- writing ------------------------------------------------------------------------------------------------------------


def user_command(
    kind: str, user: str, id_: str, at: int, *, channel: str | None = None, journey: str | None = None, reason: str | None = None
) -> UserCommand:
    """Make a command as this engine writes it."""
    return UserCommand(kind, user, id_, at, channel, journey, reason, ENGINE)


def user_command_value(command: UserCommand) -> bytes:
    """Encode a command, without the fields that say nothing."""
    named = {name: getattr(command, name) for name in UserCommand.__struct_fields__}
    return _encode({name: value for name, value in named.items() if value is not None})


def user_command_headers(value: bytes, topic: str, key: bytes | None) -> list[tuple[str, bytes]]:
    """Return the headers of a command; with a `command_key`, also its signature."""
    headers = [(CONTROL_HEADER, USER_COMMAND)]
    return headers if key is None else [*headers, (SIGNATURE_HEADER, signature(key, topic, value))]


def user_command_record(offset: int, at: int, command: UserCommand, *, topic: str = "", key: bytes | None = None) -> LogRecord:
    value = user_command_value(command)
    return LogRecord(offset, at, command.user.encode(), value, user_command_headers(value, topic, key))
