"""The expression language: what it says, what it refuses, and where it says that the mistake is."""

import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
from triggers.language.schema import Declared, Schema

COUNT = Measure("count", "A")
SCHEMA = Schema(
    events={
        "Order Completed": {"total": Declared("number", non_negative=True), "coupon": Declared("text"), "paid_at": Declared("moment")},
        "app.used": {"minutes": Declared("number"), "first": Declared("flag")},
        "app": {"used.minutes": Declared("number")},
        "Signed Up": {},
    },
    traits={
        "country": Declared("text"),
        "age": Declared("number"),
        "vip": Declared("flag"),
        "born": Declared("moment"),
        "more": Declared("any"),
    },
)


def compiled(text: str, schema: Schema | None = None, event: str | None = None) -> Condition:
    problems: list[tuple[int, str, str]] = []
    condition = compile_expression(text, lambda *problem: problems.append(problem), schema, event=event)
    assert not problems, problems
    assert condition is not None
    return condition


def refused(text: str, schema: Schema | None = None, event: str | None = None) -> list[str]:
    """The problems, each as `offset: message; hint`."""
    problems: list[str] = []

    def report(offset: int, message: str, hint: str) -> None:
        assert 0 <= offset <= len(text)
        problems.append(f"{offset}: {message}" + (f"; {hint}" if hint else ""))

    condition = compile_expression(text, report, schema, event=event)
    assert (condition is None) == bool(problems)
    return problems


def number(value: int) -> Number:
    return Number(value * 10**6)


# ---- what is in the language ----------------------------------------------------------------------------------------


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


def test_the_measures_of_an_expression_are_told_with_their_places() -> None:
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


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # names
        ('cuont("A") > 1', '0: unknown function "cuont"; did you mean "count"?'),
        ('traits.x == 1 and silnt("A")', '18: unknown function "silnt"; did you mean "silent"?'),
        ('country == "CN"', '0: unknown name "country"; a trait is written traits.country, a text in quotes: "country"'),
        ("true", '0: unknown name "true"; True is meant'),
        ("traits.vip == false", '14: unknown name "false"; False is meant'),
        ("traits.vip == null", "14: null is no value here; to ask whether it is missing, write not (traits.vip == traits.vip)"),
        ('did("A", where=gift == true)', '23: unknown name "true"; True is meant'),
        ('trait.country == "CN"', '0: unknown name "trait"; did you mean "traits"?'),
        ("count > 3", '0: count is a function; as in count("Order Completed")'),
        ("traits", "0: traits needs a name; as in traits.country"),
        ("traits[0] == 1", '0: only a name in quotes belongs in [...]; as in traits["first name"]'),
        ("traits[:] == 1", '0: only a name in quotes belongs in [...]; as in traits["first name"]'),
        ("traits.x.__class__ == 1", "0: a name that begins with two underscores; there is nothing behind it"),
        ("traits.a.b.c.d.e.f.g.h.i == 1", "0: a path that cannot be; at most 8 parts of 1 to 200 characters"),
        ('count("A").real == 1', "0: a value has no attributes; names are traits.x, and inside where= the event's properties"),
        # lengths
        ('distinct("A.b") > 1', "0: distinct over all time would keep every value; give it a length, as in days=90"),
        ('count("A", days=0) > 1', "16: days is 0; a whole number from 1 to 3,650 belongs here"),
        ('count("A", days=-1) > 1', "16: days is -1; a whole number from 1 to 3,650 belongs here"),
        ('count("A", days=3651) > 1', "16: days is 3651; a whole number from 1 to 3,650 belongs here"),
        ('count("A", hours=8785) > 1', "17: hours is 8785; a whole number from 1 to 8,784 belongs here"),
        ('count("A", minutes=10081) > 1', "19: minutes is 10081; a whole number from 1 to 10,080 belongs here"),
        ('count("A", days=1.5) > 1', "16: days is 1.5; a whole number from 1 to 3,650 belongs here"),
        ('count("A", days=True) > 1', "16: days is True; a whole number from 1 to 3,650 belongs here"),
        ('count("A", days="3") > 1', '16: days is "3"; a whole number from 1 to 3,650 belongs here'),
        ('count("A", days=3, hours=1) > 1', "19: count has two lengths; give one of minutes=, hours= and days="),
        ('count("A", day=3) > 1', '11: unknown argument "day"; did you mean "days"?'),
        ('did("A", where=x == 1, where=y == 2)', "23: where= is given twice; join the conditions with and, as in where=a == 1 and b == 2"),
        ('count("A", days=3, days=4) > 1', "19: count has two lengths; give one of minutes=, hours= and days="),
        ('count("A", wher=x > 3) > 1', '11: unknown argument "wher"; did you mean "where"?'),
        ('count("A", **traits) > 1', "11: ** is not known here; known: days, hours, minutes, where"),
        # arguments
        ("count() > 1", '0: count takes one event, not 0; as in count("Order Completed")'),
        ('count("A", "B") > 1', '0: count takes one event, not 2; as in count("Order Completed")'),
        ('count("A", 7) > 1', "11: a length without a unit; name it, as in days=7"),
        ("count(A) > 1", '6: count takes an event\'s name in quotes; as in count("Order Completed")'),
        ("count(*traits) > 1", '6: count takes an event\'s name in quotes; as in count("Order Completed")'),
        ('max("A") > 1', '4: max needs an event and a property; as in max("Order Completed.total")'),
        ('min("A.b")', "0: min(...) is a number, not a condition; compare it, as in min(...) > 0"),
        ("max > 3", '0: max is a function; as in max("Order Completed.total")'),
        ('sum("A") > 1', '4: sum needs an event and a property; as in sum("Order Completed.total")'),
        ('sum("A.") > 1', '4: sum needs an event and a property; as in sum("Order Completed.total")'),
        ('sum("A..b") > 1', '4: sum needs an event and a property; as in sum("Order Completed.total")'),
        ('did("")', "4: an event's name is empty or has control characters"),
        ('did("a\\nb")', "4: an event's name is empty or has control characters"),
        ('did("%s")' % ("a" * 201), "4: an event's name of 201 characters; at most 200"),
        # every_day
        ("every_day(3)", '0: every_day takes a number of days and a condition; as in every_day(30, count("chapter_read") >= 1)'),
        ('every_day(0, did("A"))', "10: the number of days is 0; a whole number from 1 to 3,650 belongs here"),
        ('every_day(traits.n, did("A"))', "10: the number of days is traits.n; a whole number from 1 to 3,650 belongs here"),
        ('every_day(3, did("A", days=2))', "22: days= inside every_day; each day is measured by itself"),
        ('every_day(3, silent("A"))', "13: silent(...) inside every_day; write not did(...)"),
        ('every_day(3, first("A") > "2026-01-01")', "13: first(...) inside every_day; a day has count, sum, distinct, did, max and min"),
        ('every_day(3, every_day(3, did("A")))', "13: every_day inside every_day"),
        (
            "every_day(3, traits.vip)",
            "13: the condition of every_day measures nothing; it needs a count, sum, distinct, did, max or min of the day",
        ),
        (
            'every_day(3, did("A")) == True',
            "0: every_day(...) is true or false and is not compared; write every_day(...) or not every_day(...)",
        ),
        # types
        ('count("A") > "x"', "13: compares a number with a text"),
        ('count("A") == True', "14: compares a number with a flag"),
        ('"x" == True', "7: compares a text with a flag"),
        ('traits.a < "x"', "11: < does not compare texts; use == or !=, or in with a list"),
        ("traits.a < True", "11: < does not compare flags; use == or !=, or in with a list"),
        ('first("A") > 3', "13: compares a moment with a number"),
        ('first("A") > "last week"', '13: not an ISO 8601 date or date-time: \'last week\'; as in first("Signed Up") >= "2026-01-31"'),
        (
            'first("A") > traits.since',
            "13: a moment is compared with a trait or property; compare it with a date in quotes, or with first(...) or last(...)",
        ),
        ('"a" + "b" == "c"', "0: a text in a calculation; calculate with numbers"),
        ('count("A") + True > 1', "13: a flag in a calculation; calculate with numbers"),
        ('first("A") + 1 > 1', "0: a moment in a calculation; calculate with numbers"),
        ("traits.a == None", "12: None is no value here; to ask whether it is missing, write not (traits.a == traits.a)"),
        ("traits.a is None", "12: None is no value here; to ask whether it is missing, write not (traits.a == traits.a)"),
        ("traits.a is 3", "0: is and is not do not compare values; write == or !="),
        ("count('A') > b'x'", "13: b'x' is no value here; there are numbers, texts in quotes, True and False"),
        ("count('A') > 1j", "13: 1j is no value here; there are numbers, texts in quotes, True and False"),
        ("count('A') > ...", "13: ... is no value here; there are numbers, texts in quotes, True and False"),
        ("-'x' == 1", "0: -'x' is no value here; there are numbers, texts in quotes, True and False"),
        # conditions and values
        ('count("A")', "0: count(...) is a number, not a condition; compare it, as in count(...) > 0"),
        ('first("A")', '0: first(...) is a moment, not a condition; compare it, as in first(...) >= "2026-01-31"'),
        ('1 + count("A")', '0: 1 + count("A") is no condition; compare it with something'),
        ("7", "0: 7 is no condition; compare it with something"),
        ('"x"', '0: "x" is no condition; compare it with something'),
        ("-traits.x", "0: -traits.x is no condition; compare it with something"),
        ('did("A") > 0', "0: did(...) is true or false and is not compared; write did(...) or not did(...)"),
        ('(did("A") and did("B")) == True', "1: a condition is compared with something; join conditions with and, or and not"),
        # division and numbers
        ('sum("A.b") / 2 + 1 > 1', "0: / is inside a calculation; divide last, at the top of a side: multiply the rest out"),
        ('count("A") / 0 > 1', "13: division by zero"),
        ('count("A") // 2 > 1', "0: this operator is not known here; there are + - * and /"),
        ('count("A") ** 2 > 1', "0: this operator is not known here; there are + - * and /"),
        ('count("A") % 2 == 1', "0: this operator is not known here; there are + - * and /"),
        ('~count("A") > 1', "0: this operator is not part of conditions; there are comparisons, and, or, not and the functions"),
        ("count('A') > 0.1234567", "13: 0.1234567 does not fit: number of more than 6 decimals; at most 6 decimals and 9,007,199,254"),
        (
            "count('A') > 90071992550000000000",
            "13: 90071992550000000000 does not fit: number beyond 9007199254; at most 6 decimals and 9,007,199,254",
        ),
        ("count('A') > 1e999", "13: 1e999 does not fit: number beyond 9007199254; at most 6 decimals and 9,007,199,254"),
        (
            "count('A') > 0.001 * 0.0001",
            "13: 0.001 * 0.0001 does not fit: number of more than 6 decimals; at most 6 decimals and 9,007,199,254",
        ),
        ("count('A') > 9e9 * 9e9", "13: 9e9 * 9e9 does not fit: number beyond 9007199254; at most 6 decimals and 9,007,199,254"),
        # what never changes
        (
            "1 == 1",
            "5: compares plain values alone, which never changes; compare a trait, a property or a function, or write True or False",
        ),
        (
            'did("A") and "x" != "y"',
            "20: compares plain values alone, which never changes; compare a trait, a property or a function, or write True or False",
        ),
        (
            "1 < 2 < traits.a",
            "4: compares plain values alone, which never changes; compare a trait, a property or a function, or write True or False",
        ),
        (
            'did("A", where=2 / 3 < 1)',
            "23: compares plain values alone, which never changes; compare a trait, a property or a function, or write True or False",
        ),
        # in
        ("traits.a in []", "12: a list of 0 values after in; 1 to 500 values belong there"),
        ('traits.a in "CN"', '12: a list of values belongs after in; as in traits.country in ["CN", "TW"]'),
        ("traits.a in traits.b", '0: a plain value belongs before in and the name of a list; as in "vip" in traits.tags'),
        ("traits.a in [traits.b]", "13: a plain value is expected; a number, a text in quotes, True or False"),
        ("traits.a in [1, 'x']", "16: a text where a number is expected"),
        ("traits.a in [*traits.b]", "13: a plain value is expected; a number, a text in quotes, True or False"),
        ('count("A") in [1, 2]', "0: a trait or a property belongs before in"),
        ("'a' in ['a']", "0: a trait or a property belongs before in"),
        ("1 < traits.a in [1]", "0: in within a chain of comparisons; join the comparisons with and"),
        # where
        ('did("A", where=traits.x == 1)', "15: traits inside where=; where= sees the event's properties alone; compare traits outside"),
        ('did("A", where=count("B") > 1)', "15: count(...) inside where=; where= compares properties of the one event"),
        ('did("A", where="x")', '15: "x" is no condition; compare it with something'),
    ],
)
def test_what_is_wrong_is_named_at_its_place_with_what_would_be_right(text: str, problem: str) -> None:
    problems = refused(text)
    assert problems[0] == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("(x := 1)", "1: an assignment (:=) is not part of conditions"),
        ("lambda: 1", "0: a lambda is not part of conditions"),
        ("(lambda: did('A'))()", "0: only functions are called, by their name"),
        ("1 if did('A') else 2", "0: an if ... else is not part of conditions"),
        ("[x for x in traits.a]", "0: a comprehension is not part of conditions"),
        ("{x for x in traits.a}", "0: a comprehension is not part of conditions"),
        ("{1: 2}", "0: a mapping is not part of conditions"),
        ("{1}", "0: a set is not part of conditions"),
        ("(x for x in traits.a)", "0: a comprehension is not part of conditions"),
        ('f"{traits.x}" == 1', "0: a formatted string is not part of conditions"),
        ("traits.x.upper() == 'A'", "0: only functions are called, by their name"),
        ("__import__('os').system('ls')", "0: only functions are called, by their name"),
        ("__import__('os')", '0: unknown function "__import__"'),
        ("eval('1')", '0: unknown function "eval"'),
        ("().__class__.__bases__[0].__subclasses__()", "0: only functions are called, by their name"),
        ("[1, 2]", "0: a list is not part of conditions"),
        ("did('A'), did('B')", "0: a tuple is not part of conditions"),
        ("(await x)", "1: await is not part of conditions"),
        ("(yield)", "1: yield is not part of conditions"),
        ("did(f'A')", "4: did takes an event's name in quotes"),
        ("did('A')(1)", "0: only functions are called, by their name"),
        ("traits['x'][did('A')] == 1", "0: only a name in quotes belongs in [...]"),
    ],
)
def test_the_rest_of_python_is_not_part_of_conditions(text: str, problem: str) -> None:
    assert refused(text)[0].partition(";")[0] == problem


@pytest.mark.parametrize(
    ("text", "offset", "hint"),
    [
        ('count("A" > 1', 5, ""),
        ('count("A") = 1', 11, "compare with =="),
        ('did("A") && did("B")', 10, "write and"),
        ('did("A") || did("B")', 10, "write or"),
        ('!did("A")', 0, "write not"),
        ('did("A") AND did("B")', 9, "and, or and not are written small"),
        ('count("A") <> 1', 11, "write !="),
        ('count("A") => 1', 11, "write >= or <="),
        ("did(\u201cA\u201d)", 4, "quotes are straight: \" or '"),
        ("a) or (b", 1, ""),
        ("did('A')) or (did('B')", 8, ""),
        ("did('A') did('B')", 0, ""),
        ("did('A' and\n", 3, ""),
        ("from == 1", 0, ""),
    ],
)
def test_what_is_no_python_says_where_and_guesses_what_was_meant(text: str, offset: int, hint: str) -> None:
    (problem,) = refused(text)
    place, _, message = problem.partition(": ")
    assert message.startswith("not an expression: ")
    assert message.partition("; ")[2] == hint
    # Which of two neighbours Python points at differs between its versions.
    assert abs(int(place) - offset) <= 9 if "did('A')" in text or "&&" in text or "||" in text else int(place) == offset


def test_all_mistakes_of_an_expression_are_found_at_once() -> None:
    text = 'cuont("A") > 1 and traits.a < "x" and did("B", day=3) or every_day(0, did("C"))'
    assert [problem.partition(":")[0] for problem in refused(text)] == ["0", "30", "47", "67"]


def test_columns_count_characters_not_bytes() -> None:
    assert refused('traits.größe == "中文" and cuont("x") > 1') == ['25: unknown function "cuont"; did you mean "count"?']


def test_a_name_in_a_compatibility_form_is_refused() -> None:
    """Python would read `ﬁle` (with a ligature) as `file`, and the reason why it never matches would be invisible."""
    assert refused("traits.\ufb01le == 1") == ['0: a name with letters in a compatibility form; put it in quotes, as in traits["..."]']
    assert compiled('traits["\ufb01le"] == 1') == Compare("==", Trait(("\ufb01le",)), number(1))


@pytest.mark.parametrize(
    "text",
    [
        *[
            "(" * 3_000,
            "-" * 3_900 + "1 > 1",
            "not " * 900 + "did('A')",
            "[" * 3_900,
            "traits" + ".a" * 1_900 + " == 1",
            "1 + " * 900 + "1 > 1",
        ],
        *[
            "traits.a in [" + "1, " * 1_300 + "1]",
            "a" * 4_001,
            "1" * 3_990 + " > 1",
            "9" * 3_000 + ".5 > 1",
        ],
        *[
            "lambda " * 500 + ": 1",
            "f'{" * 60,
            "x[" * 1_500,
            "{" * 3_000,
            "'" * 3_999,
            "\\" * 4_000,
            "if " * 1_000,
            "a\x00b",
            "\x0c",
            "#",
            "# only a comment",
        ],
        *[
            "did('A')\x00",
            "'\\N{DIGIT ONE}' == 1",
            "\ufeffdid('A')",
            "\u202edid('A')",
            "\ud800",
            "'\ud800' == traits.x",
        ],
        *[
            "traits['\\ud800'] == 1",
            "'\\ud800' == traits.x",
            "0777 > 1",
            "1__0 > 1",
            "1if 2else 3",
            "'\\d' == 1",
            "traits.x == '" + "\\x00" * 10,
        ],
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_hostile_expression_is_a_problem_and_costs_little(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(text)


@pytest.mark.parametrize(
    "text", ["did('A') or " * 300 + "did('A')", "traits.a < traits.b < " * 150 + "2", "traits.a in [" + "1, " * 499 + "1]"]
)
def test_what_is_long_but_within_the_bounds_is_compiled(text: str) -> None:
    compile_condition(compiled(text))


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_an_empty_expression_is_refused(text: str) -> None:
    assert refused(text) == ['0: an empty expression; a condition belongs here, such as count("Order Completed") >= 2']


def test_a_condition_that_names_a_segment_is_told_that_it_cannot() -> None:
    problems: list[str] = []
    compile_expression("gold and did('A')", lambda at, message, hint: problems.append(f"{at}: {message}; {hint}"), segments=["gold"])
    assert problems == ["0: gold is a segment; conditions do not refer to segments: write its condition here"]
    assert compiled('did("A", where=gold)') == Did(Measure("did", "A", where=Compare("==", Property(("gold",)), Flag(True))))
    assert compiled('did("A", where=properties.true)') == Did(Measure("did", "A", where=Compare("==", Property(("true",)), Flag(True))))


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
def test_names_and_types_are_held_against_the_schema(text: str, problem: str) -> None:
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


# ---- any text -------------------------------------------------------------------------------------------------------

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
def test_whatever_the_checks_let_through_the_engine_can_compile(text: str, schema: Schema | None) -> None:
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
def test_whatever_where_lets_through_the_engine_can_compile(text: str) -> None:
    condition = compile_expression(text, lambda *_: None, event="A")
    if condition is not None:
        compile_where(condition)


@pytest.mark.parametrize("name", ["run", "user"])
def test_a_run_and_a_user_have_no_place_in_where_and_a_property_of_that_name_is_quoted(name: str) -> None:
    hint = f'where= sees the event\'s properties alone; a property of that name is properties["{name}"]'
    assert refused(f"cart_id == {name}.cart_id", event="A") == [f"11: {name} inside where=; {hint}"]
    assert compiled(f'properties["{name}"].cart_id == 1', event="A") == Compare("==", Property((name, "cart_id")), Number(1_000_000))
