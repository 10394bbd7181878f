"""A condition that is reported as never true is true for no user, whatever they did: random conditions over random users and events."""

import json
from collections.abc import Iterable
from operator import itemgetter
from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from triggers.base.model import DAY
from triggers.base.moments import zone
from triggers.conditions.compiler import View, compile_condition, compile_where
from triggers.definitions.model import And, Condition, Measure
from triggers.measures.windows import new_window, updater
from triggers.rules.checks import read
from triggers.rules.warnings.conditions import never_true

SEND = "[{send: {channel: sms, text: Hi}}]"
NOW = 20_000 * DAY + DAY // 2
CONSTANTS = ["0", "1", "2", "2.5", "3", "-1", '"2"', '"2.0"', '"x"', '"y"', "True", "False", "10000000000000"]
PLAIN: list[Any] = [0, 1, 2, 2.5, 3, -1, "2", "2.0", "2.5", "x", "y", True, False, None]
VALUES: list[Any] = [*PLAIN, [], 1.5, 10**13, str(10**13), 1e300, 0.1234567, "1.2345678"]
SUMMED = [None, 0, 1_000_000, 2_000_000, 2_500_000, -1_000_000]
NUMBERS = [
    'count("A")',
    'count("A", days=2)',
    'sum("A.x")',
    'sum("A.x") / count("A")',
    'sum("A.x") - 1',
    'max("A.x")',
    'min("A.x", days=2)',
    'distinct("A.x", days=9)',
]
MOMENTS = ['first("A")', 'last("A")', 'last("B")']
ops = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])


@st.composite
def of_names(draw: st.DrawFn, names: tuple[str, ...]) -> str:
    """A comparison of traits or properties, of those that `check` takes."""
    name, op = draw(st.sampled_from(names)), draw(ops)
    match draw(st.integers(0, 5)):
        case 0:
            options = draw(st.lists(st.sampled_from(["1", "2", "3"]), min_size=1, max_size=2))
            return f"{name} {draw(st.sampled_from(['in', 'not in']))} [{', '.join(options)}]"
        case 1:
            options = draw(st.lists(st.sampled_from(['"2"', '"2.0"', '"x"']), min_size=1, max_size=2))
            return f"{name} {draw(st.sampled_from(['in', 'not in']))} [{', '.join(options)}]"
        case 2:
            other = draw(st.sampled_from([each for each in names if each != name]))
            return f"{name} {op} {other}"
        case _:
            constant = draw(st.sampled_from(CONSTANTS))
            op = op if constant[0].isdigit() or constant[0] == "-" else draw(st.sampled_from(["==", "!="]))
            return draw(st.sampled_from([f"{name} {op} {constant}", f"{constant} {op} {name}"]))


@st.composite
def of_measures(draw: st.DrawFn) -> str:
    one, op = draw(st.sampled_from(NUMBERS)), draw(ops)
    match draw(st.integers(0, 6)):
        case 0:
            return f"{one} {op} {draw(st.sampled_from([each for each in NUMBERS if each != one]))}"
        case 1:
            one = draw(st.sampled_from(MOMENTS))
            return f"{one} {op} {draw(st.sampled_from([each for each in MOMENTS if each != one]))}"
        case 2:
            day = draw(st.sampled_from(["2024-10-03", "2024-10-04", "2024-10-05"]))
            return f'{draw(st.sampled_from(MOMENTS))} {op} "{day}"'
        case 3:
            return draw(st.sampled_from(['did("A")', 'silent("A")', 'did("A", days=2)', "traits.a >= 2", "traits.a == 2"]))
        case _:
            return f"{one} {op} {draw(st.sampled_from(['0', '1', '2', '2.5', '3']))}"


def joined(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.lists(inner, min_size=2, max_size=4).map(lambda items: "(" + " and ".join(items) + ")"),
            st.lists(inner, min_size=2, max_size=2).map(lambda items: "(" + " or ".join(items) + ")"),
            inner.map(lambda item: f"not ({item})"),
        ),
        max_leaves=6,
    )


def excluded(text: str) -> list[Condition]:
    """What is said to be never true: conditions of these rules, and the claims that are said to exclude each other."""
    found = [one for expression in read({"r.yaml": text}).expressions for one in never_true(expression)]
    return [condition for _, condition, _ in found] + [And(claims) for _, _, claims in found if len(claims) > 1]


def some(chance: Random) -> dict[str, Any]:
    """Traits of a user, or properties of an event."""
    return {name: chance.choice(VALUES) for name in "ab" if chance.random() < 0.9}


@given(joined(of_names(("a", "b"))), st.randoms(use_true_random=True))
@example("(a == '2' and a == '2.0')", Random(1))
@example("(a != b and a <= b and a >= b)", Random(1))
def test_a_condition_over_an_event_that_is_warned_of_is_true_of_no_event(condition: str, chance: Random) -> None:
    rules = f"version: 1\njourneys:\n  j:\n    entry:\n      event: E\n      where: {json.dumps(condition)}\n    steps: {SEND}\n"
    for never in excluded(rules):
        holds = compile_where(never)
        assert [event for event in (some(chance) for _ in range(200)) if holds(event)] == []


def user(measures: Iterable[Measure], chance: Random) -> View:
    """Some windows are incomplete, some events are odd."""
    windows: dict[str, Any] = {}
    since = chance.choice([0, 0, NOW - 1])
    happened = [(chance.choice("AAB"), chance.randrange(3 * DAY), chance.choice(SUMMED)) for _ in range(chance.randrange(5))]
    for measure in measures:
        window = windows.setdefault(measure.key, new_window(measure, since))
        for event, ago, value in sorted(happened, key=itemgetter(1), reverse=True):
            if event == measure.event:
                what = value if measure.kind in ("sum", "max", "min") else str(value)
                updater(measure)(window, NOW - ago, (NOW - ago) // DAY, what, NOW, NOW // DAY)
    return View(windows, some(chance), NOW, zone("UTC"))


@given(joined(of_measures()), st.randoms(use_true_random=True))
def test_a_condition_about_a_user_that_is_warned_of_is_true_of_nobody(condition: str, chance: Random) -> None:
    for never in excluded(f"version: 1\nsegments:\n  s: {json.dumps(condition)}\n"):
        compiled = compile_condition(never)
        for view in (user(compiled.measures, chance) for _ in range(50)):
            assert compiled.value(view) is not True
