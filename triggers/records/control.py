"""The control records of a log, as they are written: ticks and commands, with their headers and signatures.

Everything that writes one uses this module: `cueline` and the worker into Kafka, replays, stories and tests into a log in memory.
`triggers.records.events` reads them.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from triggers.base.model import CONTROL_HEADER, ENGINE, SIGNATURE_HEADER, LogRecord
from triggers.records.events import signature
from triggers.records.messages import Command, Terms

Header = tuple[str, bytes]
Kind = Literal["apply", "pause", "resume", "go-live", "upgrade"]

TICK: Final[Sequence[Header]] = ((CONTROL_HEADER, b"tick"),)
"""The headers of a tick. It has neither key nor value."""
COMMAND: Final[Sequence[Header]] = ((CONTROL_HEADER, b"command"),)
"""The headers of a command without a signature."""


def tick(offset: int, at: int) -> LogRecord:
    """Make a record that only says what time it is."""
    return LogRecord(offset, at, None, b"", TICK)


def command_after(
    last: int, kind: Kind, *, rule_set: str | None = None, journey: str | None = None, app: str = "", terms: Terms | None = None
) -> Command:
    """Make the command that follows the one with the number `last`, as this engine writes it."""
    return Command(kind=kind, seq=last + 1, previous=last, rule_set=rule_set, journey=journey, engine=ENGINE, app=app, terms=terms)


def command_value(command: Command) -> bytes:
    return msgspec.json.encode(command)


def command_headers(value: bytes, topic: str, key: bytes | None) -> list[Header]:
    """Return the headers of a command; with a `command_key`, also its signature."""
    return [*COMMAND] if key is None else [*COMMAND, (SIGNATURE_HEADER, signature(key, topic, value))]


def command_record(offset: int, at: int, command: Command, *, topic: str = "", key: bytes | None = None) -> LogRecord:
    value = command_value(command)
    return LogRecord(offset, at, None, value, command_headers(value, topic, key))


def opening(rule_set: str, at: int, first: int = 0) -> list[LogRecord]:
    """Make the two commands before all events: apply a rule set, and go live."""
    commands = command_after(0, "apply", rule_set=rule_set), command_after(1, "go-live")
    return [command_record(offset, at, command) for offset, command in enumerate(commands, first)]
