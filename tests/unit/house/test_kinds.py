"""One file says all of one kind of measure: no other module distinguishes kinds by their names."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import streams
import triggers
from triggers.measures.kind import KINDS, functions

ROOTS = [Path(room.__file__ or "").parent for room in (triggers, streams)]
KIND_FILES = Path(triggers.__file__ or "").parent / "measures" / "kinds"
NAMES = {name for name, _ in functions()}


def sources() -> list[Path]:
    return [path for root in ROOTS for path in sorted(root.rglob("*.py")) if path.parent != KIND_FILES]


def texts(node: ast.AST) -> set[str]:
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def asked_by_name(tree: ast.AST) -> Iterator[int]:
    """The lines in which a kind of measure is asked for by name: compared with, matched, or looked up."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                about_kind = any(isinstance(side, ast.Attribute) and side.attr == "kind" for side in (node.left, *node.comparators))
                if about_kind and texts(node) & NAMES:
                    yield node.lineno
            case ast.MatchClass(kwd_attrs=attrs) if "kind" in attrs and texts(node) & NAMES:
                yield node.lineno
            case ast.Subscript(value=ast.Name(id="KINDS" | "MEASURES"), slice=ast.Constant(value=str())):
                yield node.lineno


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.name)
def test_no_module_asks_for_a_kind_of_measure_by_name(path: Path) -> None:
    assert list(asked_by_name(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "code",
    [
        'if measure.kind == "sum": pass',
        'x = measure.kind in ("first", "last")',
        'match node:\n    case Measure(kind="count"): pass',
        'KINDS["sum"].power',
    ],
)
def test_what_asks_for_a_kind_by_name_is_found(code: str) -> None:
    assert list(asked_by_name(ast.parse(code)))


def test_a_kind_has_a_file_of_its_name() -> None:
    files = {path.stem for path in KIND_FILES.glob("*.py")} - {"__init__"}
    assert files == set(KINDS)
