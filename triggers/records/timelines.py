"""What happened to one user, a line each: records, decisions with what was sent, dead letters. For people whose test has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from triggers.base.model import CONTROL_HEADER, LogRecord, Out
from triggers.base.moments import iso

WIDE: Final = 120
"""Characters of a value that a line shows."""

Document = Mapping[str, Any]
Line = tuple[int, int, str]
"""Moment in ms; 0 for what came, 1 for what was decided; the words."""


def timeline(
    user: str, log: Iterable[LogRecord], actions: Iterable[Document], decisions: Iterable[Document], dead_letters: Iterable[Out] = ()
) -> str:
    """One user's records, the commands among them, and what came of it, in the order of time."""
    unread = {source_offset(out): reason(out) for out in dead_letters}
    asked = {action["id"]: action for action in actions if action["user"] == user}
    lines: list[Line] = [*_came(user, log, unread)]
    lines += [(one["at"], 1, _line(one["at"], f"{one['kind']:<8} {_decision(one, asked)}")) for one in decisions if one["user"] == user]
    return "\n".join([f"timeline of {user}:", *(line for _, _, line in sorted(lines, key=lambda entry: entry[:2]))])


def source_offset(dead_letter: Out) -> int:
    """The offset of the record that it was."""
    return int(dict(dead_letter.headers)["source-offset"])


def reason(dead_letter: Out) -> str:
    return dict(dead_letter.headers)["reason"].decode()


def record_words(value: bytes | None) -> str:
    """What a record says: `Order Completed {"total":25}`."""
    try:
        call = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        call = None
    if not isinstance(call, dict):
        return brief((value or b"").decode(errors="replace"))
    happened = f"happened {call['timestamp']}" if "timestamp" in call else ""
    told = [brief(call[name]) for name in ("properties", "traits") if call.get(name)]
    return " ".join(str(part) for part in (call.get("event") or call.get("type") or "", *told, happened) if part)


def _came(user: str, log: Iterable[LogRecord], unread: Mapping[int, str]) -> Iterator[Line]:
    begun = False
    for record in log:
        what = ""
        if record.key == user.encode():
            what = f"record   {record_words(record.value)}"
        elif (CONTROL_HEADER, b"command") in record.headers:
            kind, journey = _command(record.value)
            if begun or journey or record.offset in unread:  # not how every story begins: rules are applied, and live
                what = f"command  {kind} {journey}"
        begun = begun or record.key is not None
        if what:
            yield record.timestamp, 0, _line(record.timestamp, what)
            if record.offset in unread:
                yield record.timestamp, 0, _line(record.timestamp, f"dead letter: {unread[record.offset]}")


def _command(value: bytes | None) -> tuple[str, str]:
    try:
        command = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        command = None
    return (str(command.get("kind")), command.get("journey") or "") if isinstance(command, dict) else ("", "")


def _line(at: int, words: str) -> str:
    return f"  {iso(at)}  {' '.join(words.splitlines())}".rstrip()


def _decision(decision: Document, actions: Mapping[str, Document]) -> str:
    """Which journey and step, why; and what was asked for with `sent`, which is what a scenario is mostly about."""
    words = [decision["journey"], decision["step"], decision["reason"]]
    if decision["kind"] == "waiting":
        words.append(f"until {iso(decision['due'])}")
    if decision["values"]:
        words.append(shortened(", ".join(f"{what} = {brief(value)}" for what, value in decision["values"].items())))
    action = actions.get(decision["id"]) if decision["kind"] == "sent" else None
    if action is not None:
        content = action["message"] or {"grant": action["grant"]}
        words.append(f"by {action['channel']}: " + ", ".join(f"{name} {brief(value)}" for name, value in content.items()))
    return " ".join(str(word) for word in words if word)


# ---- words -------------------------------------------------------------------------------------------------------------


def brief(value: object, start: int = 0) -> str:
    """A value as JSON on one line; long ones are shortened, a text from `start` on."""
    if isinstance(value, str):
        before, after = "…" if start else "", "…" if len(value) > start + WIDE else ""
        return orjson.dumps(f"{before}{value[start : start + WIDE]}{after}").decode()
    return shortened(orjson.dumps(value).decode())


def shortened(text: str) -> str:
    """A text on one line."""
    text = " ".join(text.split())
    return text if len(text) <= WIDE else f"{text[:WIDE]}…"
