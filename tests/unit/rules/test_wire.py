"""The wire form of definitions depends on no name and no order of the Python that holds them."""

import ast
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from tests.unit.rules.test_golden import (
    CAUSES,
    CHOICES,
    GOALS,
    LISTS,
    NAMED,
    PROGRAMS,
    RULES,
    SCHEDULES,
    SCHEMA,
    SENDS,
    SETS,
    TIERS,
    WAITS,
    parts,
)
from triggers import causes, steps
from triggers.base.canonical import canonical, digest
from triggers.definitions import model
from triggers.definitions.model import Compare, Flag, Journey, Late, Measure, Not, Number, RuleSet, Segment
from triggers.rules.checks import load
from triggers.steps import waits

CLASSES: set[type[Any]] = {kind for kind in vars(model).values() if isinstance(kind, type) and is_dataclass(kind)}
CLASSES |= {*causes.KINDS.values(), *steps.KINDS.values(), *waits.FORMS}
"""The classes of which definitions are made."""
CONTAINERS = {RuleSet, Segment}
"""No definition holds them: a rule set is named by the hash of its files, a segment by that of its condition."""
FIELDS = {field.name for kind in CLASSES for field in fields(kind)}


class Renamed(ast.NodeTransformer):
    """Gives each class of a module that makes definitions, and each field, another name, and reverses the order of the fields."""

    def __init__(self, tree: ast.Module) -> None:
        named = {kind.__name__ for kind in CLASSES}
        self.classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)} & named

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        if node.name in self.classes:
            node.name += "2"
            node.decorator_list = [ast.parse("dataclass(frozen=True, kw_only=True)", mode="eval").body]
            node.body = node.body[::-1]
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id in self.classes:
            node.id += "2"
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name) and node.target.id in FIELDS:
            node.target.id += "2"
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.Attribute:
        self.generic_visit(node)
        if node.attr in FIELDS and isinstance(node.value, ast.Name) and node.value.id == "self":
            node.attr += "2"
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """A policy in the model is made by position."""
        if isinstance(node.func, ast.Name) and node.func.id == "Late":
            names = [field.name for field in fields(Late)]
            node.keywords = [ast.keyword(f"{name}2", value) for name, value in zip(names, node.args, strict=True)]
            node.args = []
        self.generic_visit(node)
        return node


Classes = dict[type[Any], type[Any]]


@pytest.fixture(scope="module")
def renamed() -> Classes:
    """The renamed class of each."""
    found: Classes = {}
    for name in sorted({kind.__module__ for kind in CLASSES}):
        tree = ast.parse(Path(sys.modules[name].__file__ or "").read_text("utf-8"))
        made = ModuleType(f"renamed.{name}")
        code = compile(ast.fix_missing_locations(Renamed(tree).visit(tree)), name, "exec")
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, made.__name__, made)  # dataclasses look their module up
            exec(code, vars(made))
        found |= {kind: vars(made)[f"{kind.__name__}2"] for kind in CLASSES if kind.__module__ == name}
    return found


def moved(value: Any, to: Classes) -> Any:
    """The same definition, made of the renamed classes."""
    if type(value) in CLASSES:
        return to[type(value)](**{f"{field.name}2": moved(getattr(value, field.name), to) for field in fields(value)})
    if isinstance(value, tuple):
        return tuple(moved(item, to) for item in value)
    return value


def definitions() -> list[Any]:
    """One value of each class at least, with fields at their default and not."""
    found: list[Any] = []
    texts = (RULES, LISTS, PROGRAMS, CHOICES, WAITS, NAMED, CAUSES, GOALS, SCHEDULES, SENDS, TIERS, SETS)
    for files in ({"r.yaml": RULES, "s.yaml": SCHEMA}, *({"r.yaml": text} for text in texts)):
        rules = load(files)
        found += rules.journeys.values()
        found += [segment.condition for segment in rules.segments.values()]
    return found


def test_no_hash_depends_on_the_names_of_classes_and_fields_or_on_their_order(renamed: Classes) -> None:
    for definition in definitions():
        other = moved(definition, renamed)
        assert type(other).__name__ == f"{type(definition).__name__}2"
        assert digest(other, 64) == digest(definition, 64)


def test_every_class_of_a_definition_has_a_wire_form() -> None:
    assert {kind for kind in CLASSES if not hasattr(kind, "wire")} == CONTAINERS


def test_a_definition_without_a_wire_form_has_no_hash() -> None:
    @dataclass(frozen=True)
    class Newer:
        items: tuple[int, ...] = ()

    with pytest.raises(TypeError, match="Newer has no wire form"):
        digest([Newer()], 12)


def test_the_names_in_wire_forms_are_each_of_one_class() -> None:
    made = {type(part): part.wire() for definition in definitions() for part in parts(definition) if hasattr(part, "wire")}
    names = [name for name, _ in made.values()]
    assert len(names) == len(set(names)) == len(CLASSES) - len(CONTAINERS)


def test_every_field_is_in_the_form_but_for_those_that_decide_nothing() -> None:
    """A field that is forgotten in `wire` would let two definitions share a hash."""
    ignored = {(Journey, name) for name in ("version", "drops_late_entries", "hash")}
    seen: set[tuple[type, str]] = set()
    for definition in definitions():
        for part in parts(definition):
            if not hasattr(part, "wire"):
                continue
            values = {field.name: getattr(part, field.name) for field in fields(cast("Any", part))}
            for name in values:
                other = type(part)(**{**values, name: Late(1, "send")})
                if digest(other, 64) != digest(part, 64):
                    seen.add((type(part), name))
    everything = {(kind, field.name) for kind in CLASSES - CONTAINERS for field in fields(kind)}
    assert everything - seen == ignored


MEASURE = {"kind": "count", "event": "A"}


@pytest.mark.parametrize(
    ("definition", "form"),
    [
        (
            Not(Compare(">", Measure("count", "A"), Number(5))),
            [
                "Not",
                {
                    "item": [
                        "Compare",
                        {"op": ">", "left": ["Measure", {"kind": "count", "event": "A"}], "right": ["Number", {"scaled": 5}]},
                    ]
                },
            ],
        ),
        (
            Measure("sum", "A", ("b",), "day", 7, Flag(True), True, True, True),
            [
                "Measure",
                {
                    "kind": "sum",
                    "event": "A",
                    "path": ["b"],
                    "unit": "day",
                    "length": 7,
                    "where": ["Flag", {"value": True}],
                    "daily": True,
                    "non_negative": True,
                    "whole": True,
                },
            ],
        ),
    ],
)
def test_a_form_is_a_name_and_the_fields_that_are_not_at_their_default(definition: Any, form: Any) -> None:
    assert canonical(definition) == form


def test_whole_numbers_that_the_encoder_does_not_know_and_keys_of_mappings_are_texts() -> None:
    value: Mapping[Any, Any] = {1: 2**64, "a": (2**63 - 1, -(2**63) - 1)}
    assert canonical(value) == {"1": str(2**64), "a": [2**63 - 1, str(-(2**63) - 1)]}
