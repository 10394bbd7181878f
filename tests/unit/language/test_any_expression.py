"""Any text is a condition or a list of problems, and the engine can compile each condition."""

from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.language.compiling import SCHEMA, refused
from triggers.conditions.compiler import compile_condition, compile_where
from triggers.language.expressions import compile_expression
from triggers.language.schema import Schema

WORDS = st.sampled_from(
    [
        *[
            "count",
            "sum",
            "distinct",
            "did",
            "silent",
            "first",
            "last",
            "every_day",
            "traits",
            "traits.x",
            "where",
            "days",
            "properties",
            "x",
        ],
        *[
            '"A"',
            '"A.b"',
            '"2026-01-01"',
            "1",
            "2.5",
            "30",
            "True",
            "None",
            "and",
            "or",
            "not",
            "in",
            "is",
            "if",
            "else",
            "lambda",
            "for",
            "*",
            "**",
        ],
        *[
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ".",
            "=",
            "==",
            "!=",
            "<",
            "<=",
            ":",
            ":=",
            "+",
            "-",
            "/",
            "//",
            "%",
            "@",
            "~",
            " ",
            "\n",
            "#",
            "\\",
            "é",
            "f'",
            "'",
        ],
    ]
)


@given(st.text(max_size=200))
@example("\x00")
def test_any_text_is_a_condition_or_problems(text: str) -> None:
    """Never an exception."""
    refused(text)


@given(st.lists(WORDS, max_size=30).map(" ".join), st.sampled_from([None, SCHEMA]), st.sampled_from([None, "A"]))
def test_any_words_of_the_language_are_a_condition_or_problems(text: str, schema: Schema | None, event: str | None) -> None:
    """Never an exception."""
    refused(text, schema, event)


LITERALS = st.sampled_from(["1", "-2.5", "0", '"x"', '"2026-01-01"', "True", "False"])
TRAITS = st.sampled_from(["traits.a", "traits.country", "traits.age", "traits.vip", 'traits["b c"].d'])
PROPERTIES = st.sampled_from(["total", "coupon", "properties.minutes", "a.b", "first"])
LENGTHS = st.sampled_from(["", ", days=3", ", hours=2", ", minutes=5"])


def operands(leaves: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaves | LITERALS,
        lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner) | st.builds("-{}".format, inner),
        max_leaves=4,
    )


def conditions(leaves: st.SearchStrategy[str], flags: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    sides = operands(leaves)
    simple = st.one_of(
        st.builds("{} {} {}".format, sides, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), sides),
        st.builds("{} in [{}, {}]".format, leaves, LITERALS, LITERALS),
        flags,
    )
    return st.recursive(
        simple,
        lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner) | st.builds("not {}".format, inner),
        max_leaves=4,
    )


WHERES = st.just("") | st.builds(", where={}".format, conditions(PROPERTIES, PROPERTIES))
NUMBERS = st.builds('{}("{}"{}{})'.format, st.just("count"), st.sampled_from(["A", "Order Completed"]), LENGTHS, WHERES) | st.builds(
    '{}("{}"{}{})'.format, st.sampled_from(["sum", "distinct"]), st.sampled_from(["A.b", "Order Completed.total"]), LENGTHS, WHERES
)
MOMENTS = st.builds('{}("A"{}{})'.format, st.sampled_from(["first", "last"]), LENGTHS, WHERES)
EVENTS = st.builds('{}("A"{}{})'.format, st.sampled_from(["did", "silent"]), LENGTHS, WHERES)
DAILY = st.builds(
    "every_day({}, {})".format,
    st.integers(1, 5),
    conditions(st.sampled_from(['count("A")', 'sum("A.b")', 'distinct("A.b")']) | TRAITS, st.just('did("A")')),
)


@given(conditions(NUMBERS | MOMENTS | TRAITS, EVENTS | TRAITS | DAILY), st.sampled_from([None, SCHEMA]))
def test_the_engine_can_compile_each_condition_that_the_checks_accept(text: str, schema: Schema | None) -> None:
    """`compile_condition` raises TypeError for what should have been refused: it never does."""
    problems: list[str] = []
    condition = compile_expression(text, lambda *problem: problems.append(str(problem)), schema)
    assert (condition is None) == bool(problems)
    if condition is not None:
        compile_condition(condition)


OF_LISTS = st.builds(
    "{}({})".format, st.sampled_from(["any", "all"]), conditions(PROPERTIES, PROPERTIES | st.just('"x" in a.l'))
) | st.sampled_from(['"x" in tags', "5 not in a.b", "all(a.b == a.c)"])


@given(conditions(PROPERTIES, PROPERTIES | OF_LISTS))
def test_the_engine_can_compile_each_where_that_the_checks_accept(text: str) -> None:
    condition = compile_expression(text, lambda *_: None, event="A")
    if condition is not None:
        compile_where(condition)
