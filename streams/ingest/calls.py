"""A Segment call on its way into the log; a bad line, and what is wrong with it."""

from __future__ import annotations

from typing import Final, NamedTuple

from triggers.records.events import PLACEHOLDERS, check_user_id

LONGEST: Final = 1 << 20
"""Bytes of a line that are read. An event has far fewer."""


class Call(NamedTuple):
    """A Segment call, ready to become a record."""

    at: int | None
    """Its moment in ms; None if it names none."""
    key: bytes
    """The user id."""
    value: bytes
    file: str = ""
    line: int = 0
    """Its line number; 0 if it does not come from a file."""


class BadLine(Exception):  # noqa: N818 - its name says what is wrong
    """A line that is no valid call. The message names the place, the problem and the remedy. With line None, the whole file is wrong."""

    def __init__(self, file: str, line: int | None, what: str, remedy: str = "") -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {what}" + (f"; {remedy}" if remedy else ""))
        self.line = line


def stop_at(bad: BadLine) -> None:
    """Raise the bad line: the default for the parameter `bad`."""
    raise bad


class Wrong(ValueError):  # noqa: N818 - its name says what is wrong
    """The problem with a line, and the remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


TOO_LONG: Final = (f"more than {LONGEST:,} bytes in one line", "an event has at most 262,144; is a line break missing?")
"""Return the problem of a line that was read only in part, and the remedy."""


def user_key(user_id: str, *, placeholders: bool = False) -> bytes:
    """Return the key of a user's records. Raises `Unreadable` or `Wrong` for an id that the engine would refuse.

    `placeholders`: the rules accept ids such as `undefined`.
    """
    if user_id in PLACEHOLDERS and not placeholders:
        raise Wrong(
            f"bad user id: {user_id} stands for an id that is missing",
            "send the id; rules take it with placeholder_ids: accept, and feed with --placeholder-ids",
        )
    check_user_id(user_id, placeholders=True)
    try:
        return user_id.encode()
    except UnicodeEncodeError:
        raise Wrong("the userId holds half of a surrogate pair", "send it as whole characters") from None
