"""Records as people read them, a line each: what `inspect`, `replay` and `test` show is put into words here.

The JSON in a topic may be anything, so each field is looked at with care. Nothing is escaped: what prints to a terminal does that.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from triggers.base.moments import LAST, iso

WIDE: Final = 120
"""Characters of a value that a line shows."""

FILE_HEADER: Final = "source-file"
LINE_HEADER: Final = "source-line"
"""Headers that the dead letter of a line in a file has in addition to the usual ones."""

Document = Mapping[str, Any]


def text_of(data: bytes | None) -> str | None:
    """Decode bytes to a text that JSON can contain."""
    return None if data is None else data.decode("utf-8", "backslashreplace")


def value_of(data: bytes | None) -> Any:  # noqa: ANN401 - a record's JSON
    """Read the JSON of a record; return its text if it is not JSON (a dead letter, a tick)."""
    try:
        return orjson.loads(data or b"null")
    except orjson.JSONDecodeError:
        return text_of(data)


def as_json(document: object) -> str:
    """Encode a document as JSON. Half of a surrogate pair, which orjson refuses, becomes an escape."""
    try:
        return orjson.dumps(document).decode()
    except TypeError:
        return json.dumps(document)


def call_words(value: object, at: str | None = None) -> str:
    """Show a Segment call: `Order Completed {"total":25}`. `at`: the record's own moment, which is not repeated."""
    if not isinstance(value, dict):
        return brief(value, quoted=False)
    kind, name = value.get("type"), value.get("event") or value.get("name")
    words = [name if kind == "track" and name else kind, name if kind != "track" else None]
    words += [brief(value[part]) for part in ("properties", "traits") if value.get(part)]
    if value.get("timestamp") not in (None, at):
        words.append(f"happened {value['timestamp']}")
    return _joined(*words)


def command_words(value: object) -> str:
    """Show a command: `command 4: pause welcome`."""
    if not isinstance(value, dict):
        return f"command {brief(value, quoted=False)}"
    return _joined(f"command {value.get('seq')}:", value.get("kind"), value.get("journey") or str(value.get("rule_set") or "")[:12])


def user_command_words(value: object) -> str:
    """Show a command about one user: `suppress sms "asked by phone"`."""
    if not isinstance(value, dict):
        return f"command {brief(value, quoted=False)}"
    reason = value.get("reason")
    return _joined(value.get("kind"), value.get("journey"), value.get("channel"), brief(reason) if reason else None)


def decision_words(value: object, action: Document | None = None) -> str:
    """Show a decision in columns: `sent     welcome step 2`. `action`: the action that belongs to it."""
    if not isinstance(value, dict):
        return brief(value, quoted=False)
    words = [value.get("journey"), f"step {value['step']}" if value.get("step") else None, value.get("reason")]
    if value.get("key"):
        words.insert(1, f"key {value['key']}")
    if value.get("kind") in ("entered", "converted") and value.get("arm"):
        words.append(f"arm {value['arm']}")
    if value.get("kind") == "waiting":
        words.append(f"until {moment(value.get('due'))}")
    if value.get("path"):
        words.append(branch_words(value["path"]))
    if value.get("values"):
        words.append(_listed(value["values"], " = "))
    if action is not None:
        words.append(f"by {action['channel']}: {content_words(action)}")
    return f"{value.get('kind')!s:<8} {_joined(*words)}".rstrip()


def branch_words(path: Iterable[Document]) -> str:
    """Show the branches that a run has taken: `branch 2 then, branch 5 else (unknown)`."""
    taken = [f"branch {one.get('step')} {one.get('branch') or 'none'}{' (unknown)' if one.get('unknown') else ''}" for one in path]
    return ", ".join(taken)


def action_words(value: object) -> str:
    """Show an action: `push by welcome step 2: text "Hi"`."""
    if not isinstance(value, dict):
        return brief(value, quoted=False)
    words = [value.get("channel"), *(f"{name} {value[key]}" for name, key in (("by", "journey"), ("step", "step")) if value.get(key))]
    if value.get("not_after"):
        words.append(f"not after {moment(value['not_after'])}")
    content = content_words(value)
    return f"{_joined(*words)}: {content}" if content else _joined(*words)


def content_words(action: Document) -> str:
    """Show what an action sends or grants: `subject "Hello", text "Welcome"`."""
    content = action.get("message")
    if not content:
        content = {"grant": action["grant"]} if action.get("grant") else {}
    return _listed(content, " ")


def dead_letter_words(headers: Mapping[str, Any]) -> str:
    """Say why a record could not be read, and where it is."""
    if FILE_HEADER in headers:
        place = f"{headers[FILE_HEADER]}:{headers.get(LINE_HEADER)}"
    else:
        place = f"{headers.get('source-topic')}[{headers.get('source-partition')}] offset {headers.get('source-offset')}"
    return f"{headers.get('reason')} ({place}, {headers.get('size')} bytes)"


def moment(at: object) -> str:
    """Show the moment that a record names; show anything else unchanged."""
    try:
        return iso(at) if isinstance(at, int) and at <= LAST else str(at)
    except OverflowError:
        return str(at)


def _joined(*words: object) -> str:
    return " ".join(str(word) for word in words if word)


def _listed(values: object, between: str) -> str:
    """Show names with their values; long values are shortened one by one."""
    if not isinstance(values, Mapping):
        return brief(values)
    return ", ".join(f"{name}{between}{brief(value)}" for name, value in values.items())


def brief(value: object, start: int = 0, *, quoted: bool = True) -> str:
    """Show a value as JSON on one line. Long ones are shortened, a text from `start` on. `quoted=False`: do not quote a text."""
    if isinstance(value, str) and quoted:
        before, after = "…" if start else "", "…" if len(value) > start + WIDE else ""
        return as_json(f"{before}{value[start : start + WIDE]}{after}")
    return shortened(value if isinstance(value, str) else as_json(value))


def shortened(text: str) -> str:
    """Show a text on one line."""
    text = " ".join(text.split())
    return text if len(text) <= WIDE else f"{text[:WIDE]}…"
