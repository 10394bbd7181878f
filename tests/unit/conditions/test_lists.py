"""Lists in conditions: what is looked at, what is no list, and what stays unknown."""

from collections.abc import Mapping
from typing import Any

import pytest

from triggers.base.moments import zone
from triggers.conditions.compiler import View, compile_condition, compile_where
from triggers.definitions.words import words_of
from triggers.language.expressions import compile_expression
from triggers.language.schema import Declared, Schema
from triggers.testing import Story

BOOK, PEN = {"category": "book", "price": 12}, {"category": "pen", "price": 2}


def fits(text: str, properties: Mapping[str, Any]) -> bool:
    condition = compile_expression(text, lambda *problem: pytest.fail(str(problem)), event="Order")
    assert condition is not None
    return compile_where(condition)(properties)


def holds(text: str, traits: Mapping[str, Any]) -> bool | None:
    condition = compile_expression(text, lambda *problem: pytest.fail(str(problem)))
    assert condition is not None
    view = View()
    view.traits, view.zone, view.now = dict(traits), zone("UTC"), 0
    return compile_condition(condition).value(view)


def refused(text: str, event: str | None = None, schema: Schema | None = None) -> str:
    problems: list[str] = []
    assert compile_expression(text, lambda _, message, hint: problems.append(f"{message}; {hint}"), schema, event=event) is None
    return problems[0]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [(["new", "vip"], True), (["new"], False), ([], False), ("vip", False), ({"vip": 1}, False), (None, False), ([["vip"]], False)],
)
def test_a_value_is_in_a_list_of_a_user_and_what_is_no_list_holds_nothing(tags: object, expected: bool) -> None:
    assert holds('"vip" in traits.tags', {"tags": tags}) is expected
    assert holds('"vip" not in traits.tags', {"tags": tags}) is not expected
    assert holds('"vip" in traits.about.tags', {"about": {"tags": tags}}) is expected


def test_items_are_equal_as_values_are() -> None:
    assert fits("5 in sizes", {"sizes": ["5.0"]})
    assert fits('"5" in sizes', {"sizes": [5]})
    assert fits("True in properties.flags", {"flags": [1, True]})
    assert not fits("1 in flags", {"flags": [True]})


@pytest.mark.parametrize(
    ("products", "any_", "all_"),
    [
        ([BOOK, PEN], True, False),
        ([BOOK, BOOK], True, True),
        ([PEN], False, False),
        ([], False, False),
        (BOOK, False, False),
        ([BOOK, "book", None], True, False),
        ({"category": ["book"]}, True, True),
        (None, False, False),
    ],
)
def test_any_and_all_ask_the_items_of_the_first_list_on_the_path(products: object, any_: bool, all_: bool) -> None:
    assert fits('any(products.category == "book")', {"products": products}) is any_
    assert fits('all(products.category == "book")', {"products": products}) is all_
    assert fits('not any(products.category == "book")', {"products": products}) is not any_


def test_the_conditions_of_any_are_about_one_and_the_same_item() -> None:
    text = 'any(cart.products.category == "book" and cart.products.price < 5)'
    assert not fits(text, {"cart": {"products": [BOOK, PEN]}})
    assert fits(text, {"cart": {"products": [PEN, {**BOOK, "price": 4.5}]}})
    assert fits('any("red" in products.colours)', {"products": [PEN, {"colours": ["red"]}]})


def test_behind_the_200th_item_all_is_unknown() -> None:
    """Also for `not`: unknown is neither."""
    for tags, expected in ((["x"] * 200, False), (["x"] * 201, None), (["x"] * 199 + ["vip", "x"], True), (["x"] * 200 + ["vip"], None)):
        assert holds('"vip" in traits.tags', {"tags": tags}) is expected
        assert fits('"vip" in tags', {"tags": tags}) is (expected is True)
        assert fits('"vip" not in tags', {"tags": tags}) is (expected is False)
        assert fits('not (any(tags == "vip") and True)', {"tags": tags}) is (expected is False)
    assert fits('all(tags == "x")', {"tags": ["x"] * 200})
    assert not fits('all(tags == "x")', {"tags": ["x"] * 201})
    assert not fits('not all(tags == "x")', {"tags": ["x"] * 201})
    assert fits('not all(tags == "x")', {"tags": ["y"] * 201})


def test_a_condition_on_a_list_is_worded_as_it_is_written() -> None:
    for text in ('any(products.category == "book")', 'not ("a" in tags)', "all(products.n in [1, 2] and products.x == True)"):
        condition = compile_expression(text, lambda *problem: pytest.fail(str(problem)), event="Order")
        assert condition is not None
        assert compile_expression(words_of(condition), lambda *problem: pytest.fail(str(problem)), event="Order") == condition


@pytest.mark.parametrize(
    ("text", "event", "problem"),
    [
        ("any(traits.tags == 1)", None, "any(...) outside where=; as in did("),
        ("any(a.x == 1 and b.y == 2)", "Order", "any(...) looks into several lists; it looks into one"),
        ("all(True)", "Order", "all(...) names no list; it looks into one"),
        ("any(a.x == 1, a.y == 2)", "Order", "any takes one condition; as in any("),
        ("any(a.x == 1 and all(a.y == 2))", "Order", "all(...) inside any or all; one list is looked into at a time"),
        ("any(a.x == 1) == True", "Order", "any(...) is true or false and is not compared; write any(...) or not any(...)"),
        ("traits.a in traits.tags", None, "a plain value belongs before in and the name of a list; as in"),
        ('"a" in count("Order")', None, "a list of values belongs after in; as in"),
    ],
)
def test_what_no_list_can_answer_is_refused_with_the_remedy(text: str, event: str | None, problem: str) -> None:
    assert refused(text, event).startswith(problem)


def test_a_list_is_declared_as_any() -> None:
    schema = Schema(traits={"tags": Declared("text"), "all": Declared()})
    assert refused('"a" in traits.tags', schema=schema) == "a text where a list is expected; the schema declares a list as any"
    assert compile_expression('"a" in traits.all', lambda *problem: pytest.fail(str(problem)), schema) is not None


def test_lists_decide_entries_exits_and_segments_of_a_log() -> None:
    rules = """version: 1
segments: {vip: '"vip" in traits.tags'}
journeys:
  books:
    entry: {event: Order, where: 'any(products.category == "book")'}
    exit: {event: Return, where: 'all(products.category == "book")'}
    steps: [{wait: 1h}, {send: {channel: push, text: "Enjoy"}}]
  vips: {entry: {enters: vip}, steps: [{send: {channel: push, text: "Hello"}}]}
"""
    story = Story({"r.yaml": rules})
    for user, bought, returned in (("ann", [BOOK, PEN], [BOOK, PEN]), ("bob", [BOOK], [BOOK]), ("cem", [PEN], [])):
        story.track(user, "Order", {"products": bought})
        story.track(user, "Return", {"products": returned}, at="+1m")
    story.identify("dan", {"tags": ["new", "vip"]})
    story.identify("eve", {"tags": "vip"})
    story.until("+2h")
    assert [(user, journey) for user, journey, _ in story.sent()] == [("dan", "vips"), ("ann", "books")]
