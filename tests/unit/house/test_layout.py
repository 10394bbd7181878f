"""The packages have an order: imports go down, never up, and no two packages import each other."""

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
        "causes",
        "steps",
        "gates",
        "rules",
        "journeys",
        "engine",
        "testing",
        "scenarios",
    ],
    "streams": ["settings", "kafka", "commands", "ingest", "worker", "browse", "client", "broker", "demo", "cli"],
}
"""The packages of each room, the lowest first. A package imports only packages before it here."""
ROOTS = {"triggers": Path(triggers.__file__).parent, "streams": Path(streams.__file__).parent}


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


def test_no_module_stands_loose_in_a_room() -> None:
    """Except settings, stories and the client, which are public modules."""
    loose = {f"{room}/{path.name}" for room, root in ROOTS.items() for path in root.glob("*.py")}
    assert loose == {"triggers/__init__.py", "triggers/testing.py", "streams/__init__.py", "streams/client.py", "streams/settings.py"}
