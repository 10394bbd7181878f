"""The section `values` gives operands names: `values.V` is the operand, put in its place."""

import pytest

from tests.unit.rules.loading import problems
from triggers.definitions.model import RuleSet
from triggers.journeys.plan import compile_plan
from triggers.rules.checks import load

TWO = "version: 2\n"
SEND = "{send: {channel: push, text: hi}}"


def loaded(body: str) -> RuleSet:
    rules = load({"a.yaml": TWO + body})
    compile_plan(rules)
    return rules


def test_it_is_the_operand_in_its_place() -> None:
    """A value can name others, in any order; one with another name than a plain one is in quotes."""
    named = loaded("""
values:
  per-order: values.spent / values.orders
  spent: sum("paid.total", days=90)
  orders: count("paid", days=90)
  since: first("paid")
  limit: "40"
  level: traits.level
  start: '"2026-01-01"'
segments:
  a: values.spent >= 100 and values.spent + 2 * values.orders < 1000
  b: values["per-order"] > values.limit
  c: values.since < values.start and values.level in ["gold"] and "x" in values.level and values.level
journeys:
  j: {entry: {event: e, where: total > 5}, steps: [{when: values.spent > 5}, {send: {channel: push, text: hi}}]}
""")
    spent, orders = 'sum("paid.total", days=90)', 'count("paid", days=90)'
    out = loaded(f"""
segments:
  a: {spent} >= 100 and {spent} + 2 * {orders} < 1000
  b: {spent} / {orders} > 40
  c: first("paid") < "2026-01-01" and traits.level in ["gold"] and "x" in traits.level and traits.level
journeys:
  j: {{entry: {{event: e, where: total > 5}}, steps: [{{when: '{spent} > 5'}}, {SEND}]}}
""")
    assert {name: segment.key for name, segment in named.segments.items()} == {name: one.key for name, one in out.segments.items()}
    assert named.journeys == out.journeys


def version(value: str, text: str = "{{ values.v }}") -> str:
    body = f"values: {{v: '{value}'}}\njourneys: {{j: {{entry: {{event: e}}, steps: [{{send: {{channel: push, text: '{text}'}}}}]}}}}\n"
    return loaded(body).journeys["j"].version


def test_a_journeys_version_covers_the_values_that_its_texts_show_and_no_others() -> None:
    assert version('count("a")') != version('count("b")')
    assert version('count("a")', "hi") == version('count("b")', "hi")
    assert version('count("a")', "hi") == loaded("journeys: {j: {entry: {event: e}, steps: [" + SEND + "]}}").journeys["j"].version


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("values: {v: 'did(\"A\")'}", "2:14: did(...) is true or false and is not compared; write did(...) or not did(...)"),
        (
            "values: {v: traits.a > 3}",
            "2:13: a condition as a value; a value is a number, a text, a trait or a function; a condition is a segment",
        ),
        (
            "values: {v: 'True'}",
            "2:14: True or False as a value; a value is a number, a text, a trait or a function; a condition is a segment",
        ),
        ("values: {v: [1]}", '2:13: the value "v" is a list; a function or a trait belongs here, as in sum("paid.total")'),
        ("values: {v: cuont('A')}", '2:13: unknown function "cuont"; did you mean "count"?'),
        (
            "values: {v: '1 + values.w', w: values.v}",
            "2:32: values refer to each other in a circle: v -> w -> v; write out what one value says",
        ),
        ("segments: {a: values.v > 1}", '2:15: unknown value "v"; values are named in the section values'),
        ("values: {vv: 'count(\"A\")'}\nsegments: {a: values.v > 1}", '3:15: unknown value "v"; did you mean "vv"?'),
        ("values: {v: traits.a}\nsegments: {a: values.v.b > 1}", "3:15: values.v.b; a value has no parts: write values.v"),
        (
            "values: {v: traits.a / 2}\nsegments: {a: values.v + 1 > 1}",
            "3:15: values.v is a quotient, inside a calculation; divide last, at the top of a side",
        ),
        (
            "values: {v: 'count(\"A\")'}\nsegments: {a: 'every_day(3, count(\"A\") > values.v)'}",
            "3:42: values.v inside every_day; each day is measured by itself: write the function out, without a length",
        ),
        (
            "values: {v: 'count(\"A\")'}\nsegments: {a: 'did(\"A\", where=n > values.v)'}",
            '3:35: values inside where=; where= sees the event\'s properties alone; a property of that name is properties["values"]',
        ),
        ("values: {v: 'count(\"A\")'}\nsegments: {a: values.v}", "3:15: a number alone is no condition; compare it with something"),
        ("values: {v: 'count(\"A\")', w: 'count(\"B\")'}\nsegments: {v: values}", "3:15: v"),
    ],
)
def test_what_is_no_value_is_refused(body: str, problem: str) -> None:
    found = [one.removeprefix("a.yaml:") for one in problems(TWO + body + "\n")]
    if problem.endswith("15: v"):
        assert len(found) == 1
    else:
        assert found == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ values.u }}", '4:67: unknown value "u"; known: v'),
        ("{{ values }}", "4:67: values as a whole; name one, as in values.spent"),
    ],
)
def test_texts_show_known_values(text: str, problem: str) -> None:
    rules = TWO + "values: {v: 'count(\"A\")'}\njourneys:\n"
    found = problems(rules + f"  j: {{entry: {{event: e}}, steps: [{{send: {{channel: push, text: '{text}'}}}}]}}\n")
    assert [one.removeprefix("a.yaml:") for one in found] == [problem]


def test_files_of_version_1_do_not_know_values() -> None:
    """In `where=`, a property of this name keeps its meaning there."""
    rules = (
        "version: 1\nvalues: {v: 'count(\"A\")'}\nsegments: {a: values.v > 1, b: 'did(\"A\", where=values.v > 1)'}\n"
        "journeys: {j: {entry: {event: e}, steps: [{send: {channel: push, text: '{{ values.v }}'}}]}}\n"
    )
    needs = 'needs "version: 2" at the top of the file'
    assert [one.removeprefix("a.yaml:") for one in problems(rules)] == [
        f"2:9: the section values in a file of version 1; {needs}",
        f"3:15: values.x is not known in version 1; {needs}",
        f"4:76: values in a text; {needs}",
    ]


def test_parts_and_levels_of_values_count() -> None:
    values = "".join(f"  v{index}: values.v{index + 1} + values.v{index + 1}\n" for index in range(30)) + "  v30: traits.a\n"
    (found,) = problems(TWO + "values:\n" + values)
    assert "the expression is too big" in found
