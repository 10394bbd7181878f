"""The JSON of the records of `events`, as typed structs.

In its own module, because msgspec structs must not be compiled (docs/design.md, the compiled engine).
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec


class Context(msgspec.Struct, gc=False):
    """The fields of a call's context that are read: a user's traits, and the time zone of the device."""

    traits: dict[str, Any] | None = None
    timezone: str | None = None


class Event(msgspec.Struct, gc=False, rename="camel"):
    """The fields of a Segment call that are read."""

    type: Literal["track", "identify", "page", "screen", "group", "alias"]
    user_id: str
    event: str | None = None
    message_id: str | None = None
    timestamp: datetime | None = None
    sent_at: datetime | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    received_at: datetime | None = None
    original_timestamp: Any = None
    name: str | None = None
    context: Context | None = None


class OfContext(msgspec.Struct, gc=False):
    """The context of a call with all its fields, for the few events of which a rule asks it."""

    context: Any = None


class LooseEvent(Event):
    """The same fields, with values of any type."""

    type: Any = None
    user_id: Any = None
    event: Any = None
    message_id: Any = None
    timestamp: Any = None
    sent_at: Any = None
    properties: Any = None
    traits: Any = None
    received_at: Any = None
    name: Any = None
    context: Any = None


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What decides in addition to the log and the rules. Only an `upgrade` changes it, so the log says which terms hold at each place."""

    engine: Annotated[int, msgspec.Meta(ge=1)]
    tzdata: Annotated[str, msgspec.Meta(max_length=64)]
    """The version of the time zone data."""
    foreign_keys: bool
    """Whether keys that belong to another partition are folded: the setting `accept_foreign_keys`."""

    def __str__(self) -> str:
        keys = "accepted" if self.foreign_keys else "refused"
        return f"engine {self.engine}, tzdata {self.tzdata or 'unknown'}, foreign keys {keys}"


class Command(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A control record that changes later decisions, from its place in the log on."""

    kind: Literal["apply", "pause", "resume", "go-live", "upgrade"]
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    previous: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    rule_set: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    journey: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    engine: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Engine of the release that wrote it; 0: not named, as in commands of engine 1."""
    app: Annotated[str, msgspec.Meta(max_length=256)] = ""
    """The app that commands this log: that of its first command. Empty: not named."""
    terms: Terms | None = None
    """upgrade: the terms that hold from here on."""
    schema: Literal[1] = 1


class UserCommand(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A control record about one user. Its key is the user; it changes what is decided about that user, from its place in the log on."""

    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    """A name in `triggers.user_commands.KINDS`."""
    user: str
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    """The same id twice is carried out once."""
    at: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    """When it was written, ms."""
    channel: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    journey: Annotated[str, msgspec.Meta(min_length=1, max_length=256)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    engine: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Engine of the release that wrote it."""
    schema: Literal[1] = 1


class LooseUserCommand(msgspec.Struct, gc=False):
    """The fields that each command about a user has, also one of a newer release."""

    kind: str
    user: str
    id: str
    engine: Annotated[int, msgspec.Meta(ge=0)] = 0
    schema: Annotated[int, msgspec.Meta(ge=1)] = 1


class LooseUpgrade(msgspec.Struct, gc=False):
    """The fields of an upgrade that each release can read, whatever a newer release adds: the terms of the log from there on."""

    kind: Literal["upgrade"]
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    previous: Annotated[int, msgspec.Meta(ge=0, le=2**53)]
    terms: Terms
    engine: Annotated[int, msgspec.Meta(ge=0)] = 0
    app: Annotated[str, msgspec.Meta(max_length=256)] = ""


class LooseCommand(msgspec.Struct, gc=False):
    """The fields that each command has, also one of a newer release."""

    kind: str
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    engine: Annotated[int, msgspec.Meta(ge=0)] = 0
    schema: Annotated[int, msgspec.Meta(ge=1)] = 1
