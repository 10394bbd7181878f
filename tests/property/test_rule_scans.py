"""Whatever a rule file contains, reading it takes time in proportion to its size: files, expressions, templates, and warnings.

The test compares the largest accepted input with an eighth of it, and with ordinary input of its size. So a slow machine fails no test: to
double an input three times may cost 2.5 times as much each time; what takes quadratic time costs 64 times as much.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import pytest

from tests.property.test_scans import DOUBLING, seconds
from triggers.language.documents import MAX_FILE, Problems, RuleErrors, TooMany, parse
from triggers.language.syntax import MAX_TEXT
from triggers.language.templates import MAX_TEMPLATE, TemplateError, compile_template
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings

PARTS = ["{{ ", "}}", '"', '\\"', "'", "x|default(", "x|join((", ")", "[", "a.", "{# ", "{% for a in traits.b %}", "{% endfor %}", "é"]
SIGNS = ["(", ")", '"', '\\"', "'", "not ", "-", "a.", "[", "traits.a ", "in ", "1 ", "and ", "# ", "\n", "é", 'did("A") ', "< "]
BLOCKS = ["a: ", "a: b\n", "- ", "- a\n", "? ", "# ", "\n", " ", "\n  ", "|\n", ">\n a\n", ": ", "---\n", "\t"]
FLOWS = ["[", "{a: ", "{", "a, ", ", b: (x", "'", "''", '"', '\\"', "\\\n ", "&a ", "*a ", "!a ", "%", "é", "a b "]
BEFORE = ["", "a: ", 'a: "', "a: '", "a: [", "a: |\n ", "a: {b: "]

Text = Callable[[int], str]
"""Makes a text of a size."""


def is_linear(work: Callable[[str], object], text: Text, size: int, plain: float = 0) -> bool:
    """Whether a text of this size costs what its size says. A busy machine needs more tries.

    Where a text ends in the middle of something that makes all of it wrong, it costs next to nothing: so several eighths are tried.
    """
    for times in (1, 3, 10):
        whole = seconds(lambda: work(text(size)), times)
        for longer in (0, 1, 2, 3, 5, 11):
            if whole <= DOUBLING**3 * max(seconds(lambda: work(text(size // 8 + longer)), times), plain / 8):  # noqa: B023
                return True
    return False


def in_turn(one: str, other: str, before: str, after: str, size: int) -> str:
    return (before + (one + other) * size)[: size - len(after)] + after


def half_and_half(one: str, other: str, before: str, after: str, size: int) -> str:
    return (before + one * (size // 2 // len(one)) + other * size)[: size - len(after)] + after


def mixes(one: str, other: str, before: str = "", after: str = "") -> Iterator[Text]:
    return (partial(mix, one, other, before, after) for mix in (in_turn, half_and_half))


def read_template(text: str) -> None:
    with suppress(TemplateError):
        compile_template.__wrapped__(text)


def read_expression(text: str) -> None:
    with suppress(RuleErrors):
        load({"a.yaml": "version: 1\nsegments:\n  s: |\n    " + text.replace("\n", "\n    ") + "\n"})


def read_file(text: str) -> None:
    with suppress(TooMany):
        parse("a.yaml", text, Problems())


def warn(text: str) -> None:
    warnings(read({"a.yaml": text}))


@pytest.mark.parametrize("one", PARTS)
def test_a_template_is_read_in_linear_time(one: str) -> None:
    plain = seconds(lambda: read_template("Hello {{ traits.name or 'you' }}! " * (MAX_TEMPLATE // 34)))
    for other in PARTS:
        for before, after in (("{{ ", " }}"), ("", "")):
            for text in mixes(one, other, before, after):
                assert is_linear(read_template, text, MAX_TEMPLATE, plain), text(80)


@pytest.mark.parametrize("one", SIGNS)
def test_an_expression_is_read_in_linear_time(one: str) -> None:
    plain = seconds(lambda: read_expression("did('A') and " * 290 + "True"))
    for other in SIGNS:
        for text in mixes(one, other):
            assert is_linear(read_expression, text, MAX_TEXT, plain), text(80)


@pytest.mark.parametrize("part", [*BLOCKS, *FLOWS])
def test_a_file_is_read_in_linear_time(part: str) -> None:
    size = MAX_FILE // 8
    plain = seconds(lambda: read_file("a:\n- b: c d\n  e: 'f'\n" + "- {b: c, e: f}\n" * (size // 4 // 15)), 1) * 4
    for before in BEFORE:
        assert is_linear(read_file, lambda length: (before + part * length)[:length], size, plain), (before, part)  # noqa: B023


def test_the_largest_file_costs_what_its_size_says() -> None:
    assert is_linear(read_file, lambda size: "- {a: 'b'}\n" * (size // 11), MAX_FILE)


def test_the_places_of_many_problems_in_a_long_text_are_found_in_linear_time() -> None:
    """A text of few characters may be written over much of the file, and have as many problems as are reported."""

    def text(size: int) -> str:
        written = ("\\\n" + " " * 200) * (size // 250) + " or ".join(["a"] * (size // 400))
        return f'version: 1\nsegments:\n  s: "{written}"\n'

    def work(text: str) -> None:
        with pytest.raises(RuleErrors) as caught:
            load({"a.yaml": text})
        assert len(caught.value.problems) == text.count("a or") + 1

    assert is_linear(work, text, MAX_FILE * 3 // 4)


@pytest.mark.parametrize(
    "condition",
    [
        lambda n: f'did("Event number {n:06} of the shop")',
        lambda n: f'did("{"ab" * 30}{n % 7}{"c" * (n % 30)}")',
        lambda n: " and ".join(f"traits.a{n} != {number}" for number in range(150)),
        lambda n: " and ".join(f"traits.a{number} <= traits.b" for number in range(80)) + f" and traits.c == {n}",
    ],
)
def test_warnings_are_found_in_linear_time(condition: Text) -> None:
    def text(count: int) -> str:
        return "version: 1\nsegments:\n" + "".join(f"  s{n}: '{condition(n)}'\n" for n in range(count))

    assert is_linear(warn, text, 80 if len(condition(0)) > 200 else 1_600)


@pytest.mark.parametrize("part", ["traits.a != {n}", "traits.a > {n}", "traits.a <= traits.b{n}", "not traits.a == {n}"])
def test_the_claims_of_one_condition_are_held_against_each_other_in_linear_time(part: str) -> None:
    def text(size: int) -> str:
        return "version: 1\nsegments:\n  s: '" + " and ".join(part.replace("{n}", str(n)) for n in range(size // 32)) + "'\n"

    assert is_linear(warn, text, MAX_TEXT)


@pytest.mark.parametrize(
    "step",
    [
        "- if: 'count(\"A\") >= {n} or local.hour > 23'\n        then: [{{send: {{channel: push, text: '{{{{ event.x }}}}'}}}}]\n",
        "- wait: {{event: B{n}, timeout: 3d}}\n        timed_out: [{{wait: {{date: run.entered, offset: 2d}}}}]\n",
        "- choose: [{{if: traits.a{n}, steps: [{{wait: 1d}}]}}, {{if: traits.a, steps: [{{wait: 1d}}]}}]\n",
    ],
)
def test_warnings_of_steps_are_found_in_linear_time(step: str) -> None:
    def text(count: int) -> str:
        before = "version: 2\nsegments: {s: traits.a}\njourneys:\n"
        journey = "  j%d:\n    entry: {event: A}\n    exit: {event: C}\n    steps:\n      - wait: {event: B, timeout: 1d}\n"
        steps = "".join(f"      {step.format(n=n)}" for n in range(20))
        return before + "".join(journey % number + steps for number in range(count))

    assert is_linear(warn, text, 80)
