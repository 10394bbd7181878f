"""A Segment call on its way into the log, and a line that is none."""

from __future__ import annotations

from typing import NamedTuple


class Call(NamedTuple):
    """One Segment call, ready to be a record."""

    at: int | None
    """Its moment in ms; None where it names none."""
    key: bytes
    """The user id."""
    value: bytes


class BadLine(Exception):  # noqa: N818 - it says what is the matter
    """A line that is no call; the message names the place, what is wrong, and the remedy. Line None: it is the file as a whole."""

    def __init__(self, file: str, line: int | None, what: str, remedy: str = "") -> None:
        place = file if line is None else f"{file}:{line}"
        super().__init__(f"{place}: {what}" + (f"; {remedy}" if remedy else ""))
        self.line = line
