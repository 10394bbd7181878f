"""Imports between packages go down, never up. Files and functions are short enough to read."""

import ast
from pathlib import Path

import pytest

import streams
import triggers

FLOORS = {
    "triggers": [
        "base",
        "definitions",
        "records",
        "measures",
        "state",
        "conditions",
        "language",
        "policies",
        "causes",
        "steps",
        "gates",
        "rules",
        "journeys",
        "user_commands",
        "engine",
        "testing",
        "scenarios",
    ],
    "streams": ["settings", "kafka", "commands", "ingest", "worker", "browse", "client", "broker", "demo", "cli"],
}
"""The packages of each room, the lowest first. A package imports only packages before it here."""
MOST_LINES_OF_A_TEST_FILE = 500
MOST_LINES_OF_A_MODULE = 450
MOST_LINES_OF_A_FUNCTION = 65
TOO_LONG = {
    "streams/cli/feed.py: feed_files": 101,
    "streams/cli/inspect.py: inspect": 70,
    "streams/cli/replay.py: replay": 129,
    "triggers/engine/partition.py: _event": 70,
    "triggers/measures/panes.py: reading": 85,
}
"""Modules and functions that are longer than that, and the lines that each may have. This list only shrinks."""
CHECKOUT = Path(__file__).parents[3]
ROOTS = {"triggers": Path(triggers.__file__).parent, "streams": Path(streams.__file__).parent}


def too_long(root: Path) -> dict[str, int]:
    """Measure the modules, test files and functions under this checkout; return the lines of each that is over its limit."""
    found: dict[str, int] = {}
    for folder, most in (
        ("triggers", MOST_LINES_OF_A_MODULE),
        ("streams", MOST_LINES_OF_A_MODULE),
        ("tests", MOST_LINES_OF_A_TEST_FILE),
    ):
        for path in sorted((root / folder).rglob("*.py")):
            name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
            lines = len(text.splitlines())
            if lines > most:
                found[name] = lines
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    if lines > MOST_LINES_OF_A_FUNCTION:
                        function = f"{name}: {node.name}"
                        found[function] = max(lines, found.get(function, 0))
    return found


@pytest.fixture(scope="module")
def long_here() -> dict[str, int]:
    return too_long(CHECKOUT)


def imported(path: Path, room: str) -> set[str]:
    """The modules of a room that a file imports, wherever in it, also for annotations alone."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == room:
            found.update(f"{room}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{room}."):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names if alias.name.startswith(f"{room}."))
    return found


def modules() -> list[tuple[str, str, Path]]:
    """Room, package and file of each module."""
    found = []
    for room, root in ROOTS.items():
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root)
            package = inside.parts[0] if len(inside.parts) > 1 else inside.stem
            if inside.name != "__init__.py" or len(inside.parts) > 1:
                found.append((room, package, path))
    return found


@pytest.mark.parametrize(("room", "package", "path"), modules(), ids=lambda value: value.name if isinstance(value, Path) else None)
def test_imports_go_down(room: str, package: str, path: Path) -> None:
    floors = FLOORS[room]
    assert package in floors, f"{path} is in no package of the list"
    above = {name for name in imported(path, room) if floors.index(name.split(".")[1]) > floors.index(package)}
    assert not above, f"{path} imports {', '.join(sorted(above))}, which is above it"


def test_only_public_modules_are_outside_a_package() -> None:
    """They are the settings, stories and the client."""
    loose = {f"{room}/{path.name}" for room, root in ROOTS.items() for path in root.glob("*.py")}
    assert loose == {"triggers/__init__.py", "triggers/testing.py", "streams/__init__.py", "streams/client.py", "streams/settings.py"}


def test_no_file_and_no_function_is_too_long(long_here: dict[str, int]) -> None:
    """Split it by what it does, or by what it tests."""
    assert {name: lines for name, lines in long_here.items() if lines > TOO_LONG.get(name, 0)} == {}


def test_an_exception_that_is_short_enough_leaves_the_list(long_here: dict[str, int]) -> None:
    assert set(TOO_LONG) - set(long_here) == set()


@pytest.mark.parametrize(("folder", "most"), [("triggers", 450), ("streams/a", 450), ("tests/unit", 500)])
def test_a_file_may_have_as_many_lines_as_its_limit_says(tmp_path: Path, folder: str, most: int) -> None:
    path = tmp_path / folder / "a.py"
    path.parent.mkdir(parents=True)
    path.write_text("x = 1\n" * most)
    assert too_long(tmp_path) == {}
    path.write_text("x = 1\n" * (most + 1))
    assert too_long(tmp_path) == {f"{folder}/a.py": most + 1}


@pytest.mark.parametrize("head", ["def f(x: int) -> None:\n", "async def f(x: int) -> None:\n"])
def test_a_function_may_have_as_many_lines_as_the_limit_says(tmp_path: Path, head: str) -> None:
    """Its decorators do not count."""
    path = tmp_path / "tests" / "a.py"
    path.parent.mkdir()
    path.write_text("@once\n" + head + "    x += 1\n" * 64)
    assert too_long(tmp_path) == {}
    path.write_text("@once\n" + head + "    x += 1\n" * 65)
    assert too_long(tmp_path) == {"tests/a.py: f": 66}
