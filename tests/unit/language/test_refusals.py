"""An expression that is refused is named at its place, with what would be right."""

import warnings

import pytest

from tests.unit.language.compiling import compiled, number, refused
from triggers.conditions.compiler import compile_condition
from triggers.definitions.model import Compare, Did, Flag, Measure, Number, Property, Trait
from triggers.language.expressions import compile_expression

LISTED = "top(...) is a list of texts, which no condition compares; name it in the section values and show it, as in {{ values.x[0] }}"


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
        ('last_value("A") == 1', '11: last_value needs an event and a property; as in last_value("Order Completed.currency")'),
        ('last_value("A.b", days=3) == 1', "18: last_value takes no length; it is over all time"),
        ('last_value("A.b")', '0: last_value(...) is a value, not a condition; compare it, as in last_value(...) == "x"'),
        ('last_value("A.b") < "x"', "20: < does not compare texts; use == or !=, or in with a list"),
        ('count("A", n=3) > 1', '11: unknown argument "n"; known: days, hours, minutes, where'),
        ('top("A.b", days=3)', f"0: {LISTED}"),
        ('top("A.b", days=3) == "x"', f"22: {LISTED}"),
        ('top("A.b") == 1', "0: top over all time would never forget a text; give it a length, as in days=90"),
        ('top("A.b", hours=3) == 1', '11: top in hours; its length is in days, as in top("chapter_read.category", days=90)'),
        ('top("A.b", days=1001) == 1', "16: days is 1001; a whole number from 1 to 1,000 belongs here"),
        ('top("A.b", n=21, days=3) == 1', "13: n is 21; a whole number from 1 to 20 belongs here"),
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
        ("did('A'), did('B')", "0: a comma outside brackets, also in a number such as 1,000, is not part of conditions"),
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


def test_a_condition_cannot_name_a_segment() -> None:
    problems: list[str] = []
    compile_expression("gold and did('A')", lambda at, message, hint: problems.append(f"{at}: {message}; {hint}"), segments=["gold"])
    assert problems == ['0: gold is a segment; write segment("gold")']
    assert compiled('did("A", where=gold)') == Did(Measure("did", "A", where=Compare("==", Property(("gold",)), Flag(True))))
    assert compiled('did("A", where=properties.true)') == Did(Measure("did", "A", where=Compare("==", Property(("true",)), Flag(True))))


@pytest.mark.parametrize("name", ["run", "user"])
def test_a_run_and_a_user_have_no_place_in_where_and_a_property_of_that_name_is_quoted(name: str) -> None:
    hint = f'where= sees the event\'s properties alone; a property of that name is properties["{name}"]'
    assert refused(f"cart_id == {name}.cart_id", event="A") == [f"11: {name} inside where=; {hint}"]
    assert compiled(f'properties["{name}"].cart_id == 1', event="A") == Compare("==", Property((name, "cart_id")), Number(1_000_000))
