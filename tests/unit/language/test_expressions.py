"""The expression language: what it means, without a schema and with one."""

import pytest

from tests.unit.language.compiling import COUNT, SCHEMA, compiled, number, refused
from triggers.conditions.compiler import compile_condition, compile_where
from triggers.definitions.model import (
    And,
    Arithmetic,
    Compare,
    Condition,
    Did,
    EveryDay,
    Flag,
    In,
    Measure,
    Moment,
    Not,
    Number,
    Or,
    Property,
    Text,
    Trait,
)
from triggers.language.expressions import compile_expression
from triggers.language.schema import Schema


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ('count("A") >= 2', Compare(">=", COUNT, number(2))),
        ('count("A", minutes=5) != 2', Compare("!=", Measure("count", "A", (), "minute", 5), number(2))),
        ('sum("A.b", hours=5) == -2', Compare("==", Measure("sum", "A", ("b",), "hour", 5), number(-2))),
        ('sum("A.b.c") < +2.5', Compare("<", Measure("sum", "A", ("b", "c")), Number(2_500_000))),
        ('distinct("A.b", days=5) <= 2', Compare("<=", Measure("distinct", "A", ("b",), "day", 5), number(2))),
        ('max("A.b", days=5) > 2', Compare(">", Measure("max", "A", ("b",), "day", 5), number(2))),
        ('min("A.b") > 2', Compare(">", Measure("min", "A", ("b",)), number(2))),
        ('did("A")', Did(Measure("did", "A"))),
        ('did("A", days=3)', Did(Measure("did", "A", (), "day", 3))),
        ('silent("A", days=60)', Not(Did(Measure("did", "A", (), "day", 60)))),
        ('silent("A")', Not(Did(Measure("did", "A")))),
        ('first("A") > "2026-01-31"', Compare(">", Measure("first", "A"), Moment(1_769_817_600_000))),
        ('first("A", days=7) < "2026-01-31T10:00:00+02:00"', Compare("<", Measure("first", "A", (), "day", 7), Moment(1_769_846_400_000))),
        ('"2026-01-31" <= last("A", hours=1)', Compare("<=", Moment(1_769_817_600_000), Measure("last", "A", (), "hour", 1))),
        ('first("A") < last("B")', Compare("<", Measure("first", "A"), Measure("last", "B"))),
        ('1 < count("A") <= 5', And((Compare("<", number(1), COUNT), Compare("<=", COUNT, number(5))))),
        ('traits.country == "CN"', Compare("==", Trait(("country",)), Text("CN"))),
        ('traits["first name"].x != "CN"', Compare("!=", Trait(("first name", "x")), Text("CN"))),
        ("traits.vip", Compare("==", Trait(("vip",)), Flag(True))),
        ("not traits.vip", Not(Compare("==", Trait(("vip",)), Flag(True)))),
        ("traits.vip == False", Compare("==", Trait(("vip",)), Flag(False))),
        ("traits.a >= traits.b", Compare(">=", Trait(("a",)), Trait(("b",)))),
        ('traits.country in ["CN", "TW"]', In(Trait(("country",)), (Text("CN"), Text("TW")))),
        ("traits.age not in (1, -2.5)", Not(In(Trait(("age",)), (number(1), Number(-2_500_000))))),
        ('did("A") and did("B") and did("C")', And(tuple(Did(Measure("did", event)) for event in "ABC"))),
        (
            'did("A") or did("B") and not did("C")',
            Or((Did(Measure("did", "A")), And((Did(Measure("did", "B")), Not(Did(Measure("did", "C"))))))),
        ),
        ("True", Flag(True)),
        ("count('A') > 2 * 3 + 0.5 - 1", Compare(">", COUNT, Number(5_500_000))),
        ('count("A") - 1 > 2', Compare(">", Arithmetic("-", COUNT, number(1)), number(2))),
        ('-count("A") < -(2)', Compare("<", Arithmetic("-", Number(0), COUNT), number(-2))),
        ('sum("A.b") / count("A") > 40', Compare(">", Arithmetic("/", Measure("sum", "A", ("b",)), COUNT), number(40))),
        (
            '40 < sum("A.b") / (count("A") + 1)',
            Compare("<", number(40), Arithmetic("/", Measure("sum", "A", ("b",)), Arithmetic("+", COUNT, number(1)))),
        ),
        ("count('A') > 1_000", Compare(">", COUNT, number(1000))),
        ("count('A') > 1e3", Compare(">", COUNT, number(1000))),
        ("count('A') > .5", Compare(">", COUNT, Number(500_000))),
        ("count('A') > 0.000001", Compare(">", COUNT, Number(1))),
        ("count('A') > 9007199254", Compare(">", COUNT, number(9_007_199_254))),
    ],
)
def test_each_part_of_the_language_means_what_it_says(text: str, meaning: Condition) -> None:
    condition = compiled(text)
    assert condition == meaning
    compile_condition(condition)


@pytest.mark.parametrize(
    ("where", "meaning"),
    [
        ('category == "fiction"', Compare("==", Property(("category",)), Text("fiction"))),
        ("item.price > 2", Compare(">", Property(("item", "price")), number(2))),
        ('properties["book id"] in ["a"]', In(Property(("book id",)), (Text("a"),))),
        ("properties.total / quantity < 3", Compare("<", Arithmetic("/", Property(("total",)), Property(("quantity",))), number(3))),
        ("gift and not paid", And((Compare("==", Property(("gift",)), Flag(True)), Not(Compare("==", Property(("paid",)), Flag(True)))))),
        ("properties", Compare("==", Property(("properties",)), Flag(True))),
        ("count > 3", Compare(">", Property(("count",)), number(3))),
    ],
)
def test_where_filters_events_by_their_properties(where: str, meaning: Condition) -> None:
    """Bare names are properties there; `properties.x` is the same and can quote what is no identifier."""
    assert compiled(f'did("A", where={where}, days=3)') == Did(Measure("did", "A", (), "day", 3, meaning))
    assert compiled(where, event="A") == meaning
    compile_where(meaning)


def test_every_day_holds_for_one_day_at_a_time() -> None:
    """Its measures are daily, of as many days as it looks back; `did` is one of them."""
    day = Measure("sum", "app_used", ("minutes",), "day", 30, daily=True)
    assert compiled('every_day(30, sum("app_used.minutes") > 30)') == EveryDay(30, Compare(">", day, number(30)))
    seen = compiled('every_day(2, did("A", where=x > 1) or distinct("A.b") > 1 and traits.vip)')
    where = Compare(">", Property(("x",)), number(1))
    assert seen == EveryDay(
        2,
        Or(
            (
                Did(Measure("did", "A", (), "day", 2, where, daily=True)),
                And(
                    (
                        Compare(">", Measure("distinct", "A", ("b",), "day", 2, daily=True), number(1)),
                        Compare("==", Trait(("vip",)), Flag(True)),
                    )
                ),
            )
        ),
    )
    compile_condition(seen)


def test_an_expression_may_go_over_several_lines_and_have_comments() -> None:
    text = '\n  did("A")  # bought\n  and\n\n  did("B")\n'
    assert compiled(text) == And((Did(Measure("did", "A")), Did(Measure("did", "B"))))
    assert refused('did("A")\n  and\n  dit("B")') == [f'{17}: unknown function "dit"; did you mean "did"?']


def test_the_measures_of_an_expression_are_listed_with_their_places() -> None:
    measures: dict[Measure, int] = {}
    compile_expression('did("A") and (count("B") > 1 or did("A"))', lambda *_: None, measures=measures)
    assert measures == {Measure("did", "A"): 0, Measure("count", "B"): 14}


def test_without_a_schema_the_first_dot_ends_the_events_name() -> None:
    assert compiled('sum("app.used.minutes") > 1') == Compare(">", Measure("sum", "app", ("used", "minutes")), number(1))


def test_with_a_schema_the_longest_declared_event_is_meant() -> None:
    assert compiled('sum("app.used.minutes") > 1', SCHEMA) == Compare(">", Measure("sum", "app.used", ("minutes",)), number(1))
    assert compiled('count("app.used") > 1', SCHEMA) == Compare(">", Measure("count", "app.used"), number(1))


def test_a_sum_knows_that_its_property_is_declared_non_negative() -> None:
    assert compiled('sum("Order Completed.total") > 1', SCHEMA) == Compare(
        ">", Measure("sum", "Order Completed", ("total",), non_negative=True), number(1)
    )
    condition = compiled('sum("app.used.minutes") > 1', SCHEMA)
    assert isinstance(condition, Compare)
    assert isinstance(condition.left, Measure)
    assert not condition.left.non_negative


def test_a_measures_key_does_not_depend_on_the_schema() -> None:
    """So that declaring a property costs no history."""
    text = 'sum("Order Completed.total", days=9) > 1'
    with_schema, without = compiled(text, SCHEMA), compiled(text)
    assert isinstance(with_schema, Compare)
    assert isinstance(without, Compare)
    assert isinstance(with_schema.left, Measure)
    assert isinstance(without.left, Measure)
    assert with_schema.left.key == without.left.key


# ---- with a schema --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('did("Order Complete")', '5: unknown event "Order Complete"; did you mean "Order Completed"?'),
        ('sum("Order Completed.totl") > 1', '21: "Order Completed" has no property "totl"; did you mean "total"?'),
        ('sum("Oder Completed.total") > 1', '5: unknown event "Oder Completed"; did you mean "Order Completed"?'),
        ('sum("Order Completed.coupon") > 1', '21: "coupon" is declared as a text; sum adds numbers'),
        ('max("Order Completed.coupon") > 1', '21: "coupon" is declared as a text; max compares numbers'),
        (
            'count("Order Completed.total") > 1',
            '7: unknown event "Order Completed.total"; the event is "Order Completed"; its properties are compared in where=',
        ),
        ('did("Order Completed", where=cupon == "x")', '29: "Order Completed" has no property "cupon"; did you mean "coupon"?'),
        ('did("Order Completed", where=coupon == 7)', "39: compares a text with a number"),
        ('did("Order Completed", where=total == "7")', "38: compares a number with a text"),
        ('did("Order Completed", where=coupon)', "29: a text alone is no condition; compare it with something"),
        ('did("Order Completed", where=total in ["7"])', "39: a text where a number is expected"),
        (
            'did("Order Completed", where=paid_at == "2026-01-01")',
            "40: a trait or property that is a moment cannot be compared yet; first(...) and last(...) can",
        ),
        ('did("Signed Up", where=source == "x")', '23: "Signed Up" has no property "source"'),
        ("traits.contry == 1", '0: unknown trait "contry"; did you mean "country"?'),
        ("traits.country == 1", "18: compares a text with a number"),
        ("traits.country > traits.age", "17: compares a text with a number"),
        ("traits.country > traits.country", "17: > does not compare texts; use == or !=, or in with a list"),
        ("traits.age", "0: a number alone is no condition; compare it with something"),
        ("traits.age + traits.country > 1", "13: a text in a calculation; calculate with numbers"),
        ("traits.vip in [True, 1]", "21: a number where a flag is expected"),
        ('traits.born > "2000-01-01"', "14: a trait or property that is a moment cannot be compared yet; first(...) and last(...) can"),
    ],
)
def test_names_and_types_are_checked_against_the_schema(text: str, problem: str) -> None:
    assert refused(text, SCHEMA)[0] == problem


@pytest.mark.parametrize(
    "text",
    [
        *[
            'did("Order Completed", where=total > 3 and coupon == "x")',
            "traits.vip and traits.age > 3",
            'traits.more.of.it == "x"',
            "traits.age in [1, 2]",
        ],
        *['did("app.used", where=first)', 'sum("app.used.minutes") > 2'],
    ],
)
def test_what_the_schema_declares_is_right(text: str) -> None:
    compile_condition(compiled(text, SCHEMA))


def test_a_schema_of_events_alone_leaves_traits_free_and_the_other_way_round() -> None:
    compiled("traits.anything == 1", Schema(events={}))
    compiled('did("anything", where=x == 1)', Schema(traits={}))
