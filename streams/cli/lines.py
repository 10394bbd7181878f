"""Records, positions and users in words: a line for each record, a page for one user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson

from triggers.moments import iso

WIDE: Final = 160
"""Characters of a value that a line shows."""

Document = Mapping[str, Any]


def of_record(word: str, document: Document) -> str:
    """One line: when, where, whose, what. Of actions and decisions the moment is the one that they are for, not that of writing."""
    place = f"{document['partition']}@{document['offset']}"
    value, at = document["value"], document["timestamp"]
    if word in {"actions", "decisions"} and isinstance(value, dict):
        at = _moment(value.get("at"))
    return f"{at}  {place:<9} {_WORDS[word](document)}"


def _event(document: Document) -> str:
    headers, value = document["headers"], document["value"]
    if "cueline-control" in headers:
        kind = headers["cueline-control"]
        return kind if kind != "command" or not isinstance(value, dict) else _command(value)
    if not isinstance(value, dict):
        return f"{_key(document)} {_short(value)}"
    rest = {name: value[name] for name in ("properties", "traits") if value.get(name)}
    name = value.get("event")
    happened = value.get("timestamp")
    late = "" if happened in (None, document["timestamp"]) else f" happened {happened}"
    return f"{_key(document)} {value.get('type')}{f' {name}' if name else ''}{late} {_short(rest) if rest else ''}".rstrip()


def _command(value: Document) -> str:
    what = value.get("journey") or (value.get("rule_set") or "")[:12]
    return f"command {value.get('seq')}: {value.get('kind')} {what}".rstrip()


def _action(document: Document) -> str:
    value = document["value"]
    if not isinstance(value, dict):
        return f"{_key(document)} {_short(value)}"
    content = value.get("message") or value.get("grant") or {}
    until = f" not after {_moment(value['not_after'])}" if value.get("not_after") else ""
    return f"{value.get('user', ''):<16} {value.get('channel')} by {value.get('journey')} step {value.get('step')}{until} {_short(content)}"


def _decision(document: Document) -> str:
    value = document["value"]
    if not isinstance(value, dict):
        return f"{_key(document)} {_short(value)}"
    step = f"step {value['step']}" if value.get("step") else ""
    values = _short(value["values"]) if value.get("values") else ""
    words = (value.get("kind"), value.get("journey"), step, value.get("reason"), values)
    return f"{value.get('user') or '-':<16} {' '.join(str(word) for word in words if word)}"


def _receipt(document: Document) -> str:
    return f"{_key(document)} {_short(document['value'])}"


def _dead_letter(document: Document) -> str:
    headers = document["headers"]
    place = f"{headers.get('source-topic')}[{headers.get('source-partition')}] offset {headers.get('source-offset')}"
    return f"{_key(document)} {headers.get('reason')} ({place}, {headers.get('size')} bytes) {_short(document['value'])}"


def _rule(document: Document) -> str:
    key, value = document["key"] or "", document["value"]
    if key.startswith("rule-set:") and isinstance(value, dict):
        return f"rule set {key.removeprefix('rule-set:')[:12]}: {', '.join(value.get('files', ()))}"
    if key == "command:head" and isinstance(value, dict):
        return f"last {_command(value)}"
    return f"{key} {_short(value)}"


_WORDS: Final[Mapping[str, Callable[[Document], str]]] = {
    "events": _event,
    "actions": _action,
    "decisions": _decision,
    "receipts": _receipt,
    "dead-letters": _dead_letter,
    "rules": _rule,
}


def _key(document: Document) -> str:
    return f"{document['key'] if document['key'] is not None else '-':<16}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    text = text.replace("\n", " ").replace("\r", " ")
    return text if len(text) <= WIDE else f"{text[:WIDE]}..."


def _moment(at: object) -> str:
    return iso(at) if isinstance(at, int) else str(at)


# ---- positions and users ---------------------------------------------------------------------------------------------


def of_position(document: Document) -> str:
    """One line for a partition."""
    if document["offset"] is None:
        return f"partition {document['partition']:<4} nothing folded yet, {document['behind']:,} behind"
    words = [
        f"offset {document['offset']:,}",
        f"{document['behind']:,} behind",
        f"clock {document['clock'] or '-'}",
        f"rule set {(document['rule_set'] or 'none')[:12]}",
        "live" if document["live"] else "dry",
        f"command {document['last_command']}",
        f"epoch {document['epoch']}",
    ]
    if document["paused"]:
        words.append(f"paused: {' '.join(document['paused'])}")
    if document["meeting"]:
        words.append(f"users are meeting {document['meeting']}")
    return f"partition {document['partition']:<4} {', '.join(words)}"


def of_user_line(document: Document) -> str:
    """One line of the list of users."""
    due = document["due"] or "nothing"
    return f"{document['user']:<24} partition {document['partition']:<4} waits for {due:<24} {document['bytes']:,} bytes"


def of_user(document: Document) -> str:
    """The page about one user."""
    return "\n".join(_page(document))


def _page(document: Document) -> Iterator[str]:
    yield f"user {document['user']}"
    yield f"  partition {document['partition']}, last record at offset {document['last_record']}, {document['bytes']:,} bytes of state"
    yield f"  the partition's clock stands at {document['clock'] or 'nothing yet'}"
    yield from _section("traits", (f"{name}: {_short(value)}" for name, value in document["traits"].items()))
    yield from _section("windows", (line for window in document["windows"] for line in _window(window)))
    yield from _section("segments", (line for standing in document["segments"] for line in _standing(standing)))
    yield from _section("runs", (line for run in document["runs"] for line in _run(run)))
    yield from _section("last entries", (f"{at}  {journey}" for journey, at in document["entered"].items()))
    yield from _section("timers", (f"{timer['at']}  {timer['what']}" for timer in document["timers"]))
    yield f"  {document['message_ids']} message ids are remembered against duplicates"
    if document.get("unknown_rule_sets"):
        yield f"  rule sets that could not be read: {', '.join(document['unknown_rule_sets'])}"


def _section(name: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield f"  {name}{'' if found else ': none'}"
    for line in found:
        yield f"    {line}"


def _window(window: Document) -> Iterator[str]:
    since = f"  (complete since {window['complete_since']})" if window["complete_since"] else ""
    now = window.get("value", window.get("at"))
    yield window["measure"] + (f": {_short(now)}" if now is not None else "") + since
    for name in ("panes", "values"):
        if window.get(name):
            yield "  " + "  ".join(f"{pane}: {_plain(value)}" for pane, value in window[name].items())
    if window.get("times"):
        yield "  " + "  ".join(window["times"])


def _standing(standing: Document) -> Iterator[str]:
    where = {True: "inside", False: "outside", None: "unknown"}[standing["inside"]]
    look = f", looked at again {standing['next_look']}" if standing["next_look"] else ""
    yield f"{standing['segment']}: {where}{look}"
    for what, value in standing["values"].items():
        yield f"  {what} = {_plain(value)}"


def _run(run: Document) -> Iterator[str]:
    yield run["run"]
    state = "held: the journey is paused" if run["held"] else f"due {run['due'] or 'now'}{', late' if run['late'] else ''}"
    yield f"  entered {run['entered']}, next step {run['next_step']} of {run['steps'] or '?'}, {state}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else _short(value)
