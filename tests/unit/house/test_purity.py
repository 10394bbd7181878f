"""The core knows no clock, no I/O, no Faust; `streams` may know `triggers`, never the other way round."""

import ast
from pathlib import Path

import pytest

import triggers

ROOT = Path(triggers.__file__).parent
FORBIDDEN = {
    *("aiohttp", "aiokafka", "asyncio", "faust", "mode", "random", "secrets", "select", "socket", "streams", "subprocess", "tempfile"),
    *("threading", "time", "urllib", "uuid"),
}
READS_FILES = {"rules/folder.py", "base/moments.py"}
"""The helper that reads rule files, which nothing that decides imports; and the time zones, which are data of the package `tzdata`."""


def imports(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_imports_nothing_that_has_a_clock_or_touches_the_world(path: Path) -> None:
    assert not imports(path) & FORBIDDEN


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_core_opens_no_file_and_asks_no_clock(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            assert called not in {"now", "utcnow", "today", "urandom", "eval", "exec", "__import__"}, f"{name}:{node.lineno}"
            assert name in READS_FILES or called not in {"open", "write_text"}, f"{name}:{node.lineno}"
