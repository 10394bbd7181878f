"""The one shape that `--json` has in every command, which docs/operating.md describes.

Each line is one object, and `type` says of what: a record (as `decision`), a row (as `user`), the result of a check, or a summary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from triggers.records.lines import text_of

if TYPE_CHECKING:
    from pathlib import Path

    from triggers.base.model import Headers
    from triggers.language.documents import Problem

TYPES: Final[Mapping[str, str]] = {
    "events": "event",
    "actions": "action",
    "decisions": "decision",
    "receipts": "receipt",
    "dead-letters": "dead-letter",
    "rules": "rule",
    "users": "user",
    "positions": "position",
}
"""What a line of a topic is called."""


def typed(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a list: its own fields, and what it is."""
    return {"type": kind, **document}


def unwritten(kind: str, partition: int, key: bytes | None, headers: Headers, value: object) -> dict[str, Any]:
    """A record that a trial has put out and that is in no topic: so it has neither topic nor offset nor timestamp."""
    return {
        "type": kind,
        "topic": None,
        "partition": partition,
        "offset": None,
        "timestamp": None,
        "key": text_of(key),
        "headers": {name: text_of(said) for name, said in headers},
        "value": value,
    }


def problem(found: Problem, folder: Path | None = None) -> dict[str, Any]:
    """Something wrong, or warned of, in a file; of one within `folder` with the whole path."""
    file = found.file if folder is None else str(folder / found.file)
    return {"file": file, "line": found.line, "column": found.column, "message": found.message, "hint": found.hint or None}


def misfit(file: object, message: str) -> dict[str, Any]:
    """A file or folder that cannot be used as a whole."""
    return {"file": str(file), "line": None, "column": None, "message": message, "hint": None}


def result(
    kind: str,
    *,
    ok: bool,
    problems: Iterable[Mapping[str, Any]] = (),
    warnings: Iterable[Mapping[str, Any]] = (),
    **more: object,
) -> dict[str, Any]:
    """The result of a check. `ok`: the exit code is 0."""
    return {"type": kind, "ok": ok, "problems": list(problems), "warnings": list(warnings), **more}
