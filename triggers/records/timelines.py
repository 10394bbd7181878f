"""What happened to one user, a line each: records, decisions with what was sent, dead letters. For people whose test has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from triggers.base.model import CONTROL_HEADER, LogRecord, Out
from triggers.base.moments import iso
from triggers.records.lines import call_words, command_words, decision_words, user_command_words, value_of
from triggers.records.user_commands import USER_COMMAND

Document = Mapping[str, Any]
Line = tuple[int, int, str]
"""Moment in ms; 0 for what came, 1 for what was decided; the words."""


def timeline(
    user: str, log: Iterable[LogRecord], actions: Iterable[Document], decisions: Iterable[Document], dead_letters: Iterable[Out] = ()
) -> str:
    """Show one user's records, the commands among them, and the results, in the order of time."""
    unread = {source_offset(out): reason(out) for out in dead_letters}
    asked = {("sent", action["id"]): action for action in actions if action["user"] == user}
    lines: list[Line] = [*_came(user, log, unread)]
    own = [one for one in decisions if one["user"] == user]
    lines += [(one["at"], 1, _line(one["at"], decision_words(one, asked.get((one["kind"], one["id"]))))) for one in own]
    return "\n".join([f"timeline of {user}:", *(line for _, _, line in sorted(lines, key=lambda entry: entry[:2]))])


def source_offset(dead_letter: Out) -> int:
    """Return the offset of the record that became this dead letter."""
    return int(dict(dead_letter.headers)["source-offset"])


def reason(dead_letter: Out) -> str:
    return dict(dead_letter.headers)["reason"].decode()


def _came(user: str, log: Iterable[LogRecord], unread: Mapping[int, str]) -> Iterator[Line]:
    begun = False
    for record in log:
        what = ""
        if record.key == user.encode():
            if (CONTROL_HEADER, USER_COMMAND) in record.headers:
                what = f"command  {user_command_words(value_of(record.value))}"
            else:
                what = f"record   {call_words(value_of(record.value))}"
        elif (CONTROL_HEADER, b"command") in record.headers:
            value = value_of(record.value)
            is_about_a_journey = isinstance(value, dict) and value.get("journey")
            if begun or is_about_a_journey or record.offset in unread:  # every story begins with rules that are applied, and live
                what = command_words(value)
        begun = begun or record.key is not None
        if what:
            yield record.timestamp, 0, _line(record.timestamp, what)
            if record.offset in unread:
                yield record.timestamp, 0, _line(record.timestamp, f"dead letter: {unread[record.offset]}")


def _line(at: int, words: str) -> str:
    return f"  {iso(at)}  {' '.join(words.splitlines())}".rstrip()
