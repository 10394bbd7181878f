"""Read rule files from a folder: the only place in `triggers` that reads a disk, and not on the path of any decision."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from triggers.language.documents import MAX_FILE, Problem, RuleErrors

SUFFIXES: Final = (".scenarios.yaml", ".scenarios.yml")
"""Suffixes of scenario files."""


def read_folder(path: str | Path) -> dict[str, str]:
    """Return the texts of all `*.yaml` and `*.yml` below `path` by relative name with `/`, without scenarios and hidden files.

    Raises `RuleErrors` for a file that is not UTF-8 or too big, `OSError` if it cannot read.
    """
    root = Path(path)
    if not root.is_dir():
        raise NotADirectoryError(f"no such folder: {root}")
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if hidden or file.suffix not in (".yaml", ".yml") or name.endswith(SUFFIXES) or not file.is_file():
            continue
        if file.stat().st_size > 4 * MAX_FILE:
            problems.append(Problem(name, 1, 1, f"the file has {file.stat().st_size:,} bytes", f"at most {MAX_FILE:,}: split it"))
            continue
        data = file.read_bytes()
        try:
            texts[name] = data.decode()
        except UnicodeDecodeError as error:
            before = data[: error.start].decode()
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
            problems.append(Problem(name, line, column, f"not UTF-8: byte 0x{data[error.start]:02X}", "save the file as UTF-8"))
    if problems:
        raise RuleErrors(problems)
    return texts
