"""Conditions: three values, exact numbers, when time could change them, and what is said about them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from triggers.base.model import DAY, HOUR, NEVER
from triggers.base.moments import zone
from triggers.conditions.compiler import Compiled, View, compile_condition, compile_where
from triggers.definitions.model import (
    And,
    Arithmetic,
    Compare,
    Comparison,
    Condition,
    Did,
    EveryDay,
    Flag,
    In,
    Measure,
    Moment,
    Not,
    Number,
    Operand,
    Or,
    Property,
    Text,
    Trait,
    Unit,
)
from triggers.measures.kinds import distinct
from triggers.measures.shapes import Window
from triggers.measures.windows import new_window, updater

TODAY = 20_000
MIDNIGHT = TODAY * DAY
NOON = MIDNIGHT + 12 * HOUR
YES, NO = Flag(True), Flag(False)


def number(value: float) -> Number:
    return Number(round(value * 10**6))


def measure(kind: str, event: str = "E", unit: Unit | None = None, length: int | None = None, **more: Any) -> Measure:
    return Measure(kind, event, ("x",) if kind in ("sum", "distinct") else (), unit, length, **more)


class User:
    """One user in UTC, with the windows that their events have filled."""

    def __init__(self, **traits: Any) -> None:
        self.traits = traits
        self.windows: dict[str, Window] = {}

    def add(self, of: Measure, *times: int, value: Any = None, since: int = 0) -> "User":
        window = self.windows.setdefault(of.key, new_window(of, since))
        for at in times:
            updater(of)(window, at, at // DAY, value, at, at // DAY)
        return self

    def at(self, now: int) -> View:
        return View(self.windows, self.traits, now, zone("UTC"))


def holds(condition: Condition, user: User, now: int = NOON) -> bool | None:
    return compile_condition(condition).value(user.at(now))


def changes(condition: Condition, user: User, now: int = NOON) -> int:
    return compile_condition(condition).change(user.at(now))


# ---- traits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trait", "op", "other", "expected"),
    [
        ("CN", "==", Text("CN"), True),
        ("CN", "!=", Text("CN"), False),
        ("a", "<", Text("b"), False),
        (5, "==", number(5), True),
        ("5.0", "==", number(5), True),
        (5, "==", Text("5"), True),
        ("10", ">", number(9), True),
        ("10", ">", Text("9"), True),
        ("12.50", "==", Text("12.5"), False),
        (True, "==", Flag(True), True),
        (True, "!=", Flag(False), True),
        # Null: false, whatever is asked.
        (None, "==", Text(""), False),
        (None, "!=", Text("CN"), False),
        (None, "<", number(5), False),
        ([], "!=", Text("CN"), False),
        ({}, "!=", number(1), False),
        # Of different kinds: different, and in no order.
        (5, "!=", Text("CN"), True),
        ("CN", "==", number(5), False),
        ("CN", "!=", number(5), True),
        ("CN", "<", number(5), False),
        (True, "==", number(1), False),
        (True, "!=", number(1), True),
        (1, "==", Flag(True), False),
        (True, ">=", Text("True"), False),
        # Numbers that do not fit are null.
        (1e300, ">", number(5), False),
        (1e300, "!=", number(5), False),
        (0.1234567, "!=", number(5), False),
    ],
)
def test_a_trait_is_compared_as_what_it_is(trait: object, op: Comparison, other: Operand, expected: bool) -> None:
    """Texts as texts, and in order as numbers alone; numbers as numbers; and the same with the sides exchanged."""
    mirrored: dict[Comparison, Comparison] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    user = User(t=trait, other=getattr(other, "value", None))
    assert holds(Compare(op, Trait(("t",)), other), user) is expected
    assert holds(Compare(mirrored.get(op, op), other, Trait(("t",))), user) is expected
    if not isinstance(other, Number):
        assert holds(Compare(op, Trait(("t",)), Trait(("other",))), user) is expected


def test_a_trait_inside_a_trait_is_reached_by_its_path() -> None:
    """And is null where the way there ends early."""
    city = Compare("==", Trait(("address", "city")), Text("Berlin"))
    assert holds(city, User(address={"city": "Berlin"})) is True
    others: list[Any] = [None, "Berlin", [], {}]
    assert [holds(city, User(address=value)) for value in others] == [False] * 4
    assert compile_condition(city).traits == {"address"}


def test_in_is_equality_with_one_of_the_options() -> None:
    """By the same comparisons."""
    options = In(Trait(("t",)), (Text("CN"), Text("7"), number(5), Flag(True)))
    assert [holds(options, User(t=value)) for value in ("CN", 7, "7", 5, "5.0", True)] == [True] * 6
    others: list[Any] = [None, "DE", 6, False, [], 1e300]
    assert [holds(options, User(t=value)) for value in others] == [False] * 6
    assert holds(Not(options), User()) is True
    assert holds(In(measure("count"), (number(0), number(2))), User().add(measure("count"), NOON, NOON)) is True


# ---- three values -------------------------------------------------------------------------------------------------------


def test_and_or_and_not_are_kleenes() -> None:
    """Unknown is neither true nor false, but may not matter."""
    of = measure("sum")
    unknown = Compare(">", of, number(5))
    user = User().add(of, NOON, value=1, since=1)
    assert holds(unknown, user) is None
    assert [holds(And((unknown, other)), user) for other in (YES, NO, unknown)] == [None, False, None]
    assert [holds(Or((unknown, other)), user) for other in (YES, NO, unknown)] == [True, None, None]
    assert holds(Not(unknown), user) is None


def test_what_the_log_never_held_did_not_happen() -> None:
    """A user without any window: nothing is unknown."""
    user = User()
    assert holds(Compare("==", measure("count"), number(0)), user) is True
    assert holds(Compare("==", measure("sum", "E", "day", 7), number(0)), user) is True
    assert holds(Did(measure("did", "E", "day", 7)), user) is False
    assert holds(Compare("<", measure("first"), Moment(NEVER)), user) is False
    assert holds(EveryDay(3, Compare(">", measure("count", "E", "day", 3, daily=True), number(0))), user) is False


def test_an_incomplete_window_gives_a_lower_bound_for_count_distinct_did_and_sums_that_are_never_negative() -> None:
    """Everything else is unknown."""
    since = NOON - DAY
    for kind in ("count", "distinct", "sum"):
        of = measure(kind, "E", "day", 7, non_negative=True)
        user = User().add(of, NOON, value=2_000_000 if kind == "sum" else "a", since=since)
        assert [holds(Compare(">=", of, number(least)), user) for least in (1, 3)] == [True, None]
        assert [holds(Compare("<", of, number(least)), user) for least in (1, 3)] == [False, None]
        assert [holds(Compare("==", of, number(least)), user) for least in (0, 3)] == [False, None]
    signed = measure("sum", "E", "day", 7)
    assert holds(Compare(">=", signed, number(1)), User().add(signed, NOON, value=2_000_000, since=since)) is None
    did = measure("did", "E", "day", 7)
    assert holds(Did(did), User().add(did, since=since)) is None
    assert holds(Did(did), User().add(did, NOON, since=since)) is True
    last = measure("last", "E", "day", 7)
    assert holds(Compare(">", last, Moment(0)), User().add(last, NOON, since=since)) is None


def test_an_incomplete_window_becomes_complete_when_its_length_has_passed_and_one_over_all_time_never() -> None:
    """Days from the first whole one, exact lengths to the millisecond."""
    since = NOON
    days, exact, always = measure("count", "E", "day", 7), measure("did", "E", "day", 7), measure("count")
    user = User().add(days, since=since).add(exact, since=since).add(always, since=since)
    none_in_days, never_did, none_ever = Compare("==", days, number(0)), Not(Did(exact)), Compare("==", always, number(0))
    assert changes(none_in_days, user) == MIDNIGHT + 7 * DAY
    assert changes(never_did, user) == NOON + 7 * DAY
    assert changes(none_ever, user) == NEVER
    for condition, moment in ((none_in_days, MIDNIGHT + 7 * DAY), (never_did, NOON + 7 * DAY)):
        assert [holds(condition, user, now) for now in (moment - 1, moment)] == [None, True]


def test_a_full_window_of_values_is_exact_again_when_the_last_refusal_has_left_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for two, and the third came a day later."""
    monkeypatch.setattr(distinct, "MOST", 2)
    of = measure("distinct", "E", "day", 3)
    user = User().add(of, NOON - DAY, value="a").add(of, NOON - DAY, value="b").add(of, NOON, value="c")
    few = Compare("<=", of, number(2))
    assert changes(few, user) == MIDNIGHT + 3 * DAY
    assert [holds(few, user, MIDNIGHT + 3 * DAY + more) for more in (-1, 0)] == [None, True]


# ---- numbers ------------------------------------------------------------------------------------------------------------


def test_arithmetic_is_exact_over_counts_sums_and_decimals() -> None:
    """0.1 + 0.2 is 0.3, and a count times a price is what a person gets by hand."""
    count, total = measure("count"), measure("sum")
    user = User(price="0.1").add(count, NOON, NOON, NOON).add(total, NOON, value=300_000)
    assert holds(Compare("==", Arithmetic("*", count, Trait(("price",))), total), user) is True
    assert holds(Compare("==", Arithmetic("+", number(0.1), number(0.2)), total), user) is True
    assert holds(Compare("==", Arithmetic("-", count, number(2.7)), total), user) is True
    assert holds(Compare("<", Arithmetic("*", Arithmetic("*", total, total), total), number(0.027001)), user) is True
    assert holds(Compare("!=", Arithmetic("+", count, Trait(("name",))), number(0)), user) is False


def test_an_average_is_compared_without_dividing() -> None:
    """A third is a third; the sign of what is below the line counts; nothing below it is null."""
    count, total = measure("count"), measure("sum")
    user = User(minus=-3).add(count, NOON, NOON, NOON).add(total, NOON, value=1_000_000)
    average = Arithmetic("/", total, count)
    third = Arithmetic("/", number(1), number(3))
    assert holds(Compare("==", average, third), user) is True
    assert [holds(Compare(">", average, number(limit)), user) for limit in (0.333333, 0.333334)] == [True, False]
    assert holds(Compare("<", Arithmetic("/", total, Trait(("minus",))), number(-0.333333)), user) is True
    assert holds(Compare(">", number(-0.333333), Arithmetic("/", total, Trait(("minus",)))), user) is True
    for op in ("==", "!=", "<", ">="):
        assert holds(Compare(op, average, number(0)), User()) is False


def test_an_average_over_incomplete_windows_is_unknown() -> None:
    """Both sides of the line could be anything."""
    count, total = measure("count"), measure("sum", non_negative=True)
    user = User().add(count, NOON, since=1).add(total, NOON, value=1_000_000, since=1)
    assert holds(Compare(">", Arithmetic("/", total, count), number(0.5)), user) is None


def test_moments_are_compared_with_each_other_and_with_dates() -> None:
    """What never happened is neither before nor after."""
    first, last, other = measure("first"), measure("last"), measure("last", "F")
    user = User().add(first, NOON - DAY, NOON).add(last, NOON - DAY, NOON)
    assert holds(Compare("<", first, last), user) is True
    assert holds(Compare(">=", last, Moment(NOON)), user) is True
    assert [holds(Compare(op, other, last), user) for op in ("<", ">=", "==", "!=")] == [False] * 4


# ---- change -------------------------------------------------------------------------------------------------------------


def test_silence_begins_exactly_at_the_length() -> None:
    """RULES.md: `silent(E, days=60)` becomes true 60 x 24 h after the last E."""
    did = measure("did", "E", "day", 60)
    user = User().add(did, NOON)
    silent = Not(Did(did))
    assert changes(silent, user) == NOON + 60 * DAY
    assert [holds(silent, user, NOON + 60 * DAY + more) for more in (-1, 0)] == [False, True]
    assert changes(silent, user, NOON + 60 * DAY) == NEVER


def test_a_sum_over_days_names_the_midnight_at_which_it_falls_below_its_threshold() -> None:
    """Not the first midnight at which it falls."""
    total = measure("sum", "E", "day", 90)
    gold = Compare(">=", total, number(100))
    user = User().add(total, NOON - 20 * DAY, NOON - 10 * DAY, NOON, value=60_000_000)
    assert changes(gold, user) == MIDNIGHT + 80 * DAY
    assert changes(Compare(">=", total, number(200)), user) == NEVER
    assert changes(Compare(">", total, number(0)), user) == MIDNIGHT + 90 * DAY
    assert changes(Compare("==", total, number(60)), user) == MIDNIGHT + 80 * DAY


def test_a_false_and_waits_for_the_last_of_its_false_parts() -> None:
    """CDNOW's lapsed: who has bought once is not looked at again."""
    did, count = measure("did", "E", "day", 60), measure("count")
    lapsed = And((Compare(">=", count, number(2)), Not(Did(did))))
    once, twice = User().add(did, NOON).add(count, NOON), User().add(did, NOON).add(count, NOON, NOON)
    assert changes(lapsed, once) == NEVER
    assert changes(lapsed, twice) == NOON + 60 * DAY
    assert changes(Or((NO, lapsed)), twice) == NOON + 60 * DAY


def test_every_day_is_the_complete_days_before_today_and_changes_at_midnight() -> None:
    """RULES.md: thirty good days make a likely payer on the midnight after the thirtieth."""
    total = measure("sum", "E", "day", 30, daily=True)
    payer = EveryDay(30, Compare(">", total, number(30)))
    user = User()
    for day in range(30):
        user.add(total, NOON - (29 - day) * DAY, value=31_000_000)
    assert holds(payer, user) is False
    assert changes(payer, user) == MIDNIGHT + DAY
    assert holds(payer, user, MIDNIGHT + DAY) is True
    assert changes(payer, user, MIDNIGHT + DAY) == MIDNIGHT + 2 * DAY
    assert holds(payer, user, MIDNIGHT + 2 * DAY) is False
    assert changes(payer, user, MIDNIGHT + 2 * DAY) == NEVER


def test_every_day_of_a_condition_that_empty_days_satisfy_becomes_true_by_time_alone() -> None:
    """Three days without an event."""
    count = measure("count", "E", "day", 3, daily=True)
    quiet = EveryDay(3, Compare("==", count, number(0)))
    user = User().add(count, NOON)
    assert changes(quiet, user) == MIDNIGHT + DAY
    assert changes(quiet, user, MIDNIGHT + DAY) == MIDNIGHT + 4 * DAY
    assert holds(quiet, user, MIDNIGHT + 4 * DAY) is True


def test_time_alone_never_changes_what_is_about_all_time_or_traits() -> None:
    """No timer for those."""
    count, total = measure("count"), measure("sum")
    user = User(plan="free").add(count, NOON).add(total, NOON, value=1)
    for condition in (
        Compare(">", count, number(0)),
        Compare(">", Arithmetic("/", total, count), number(0)),
        Compare("==", Trait(("plan",)), Text("free")),
        In(Trait(("plan",)), (Text("free"),)),
        YES,
        Did(measure("did")),
    ):
        assert changes(condition, user) == NEVER


# ---- what is asked and said ---------------------------------------------------------------------------------------------


def test_a_condition_names_its_measures_once_for_each_window_and_its_traits() -> None:
    """`did` and `last` of one event share one."""
    condition = And(
        (
            Did(measure("did", "E", "day", 7)),
            Not(Did(measure("did", "E", "day", 14))),
            Compare(">", measure("last"), Moment(0)),
            Compare(">", measure("count"), Trait(("limits", "low"))),
            In(Trait(("plan",)), (Text("free"),)),
        )
    )
    compiled = compile_condition(condition)
    assert [each.kind for each in compiled.measures] == ["did", "count"]
    assert compiled.traits == {"limits", "plan"}


def explained(condition: Condition, user: User) -> dict[str, Any]:
    compiled: Compiled = compile_condition(condition)
    found: dict[str, Any] = orjson.loads(orjson.dumps(compiled.explain(user.at(NOON))))
    return found


def test_an_explanation_holds_the_values_that_decided() -> None:
    """Of a false `and`, what was false; numbers as people write them; moments as ISO texts."""
    count, total, did = measure("count"), measure("sum", "E", "day", 7, non_negative=True), measure("did", "E", "day", 7)
    user = User(plan="free").add(count, NOON, NOON).add(total, NOON, value=2_500_000, since=1).add(did, NOON)
    enough = Compare(">=", count, number(2))
    assert explained(And((enough, Compare("==", Trait(("plan",)), Text("pro")))), user) == {"traits.plan": "free"}
    assert explained(And((enough, Did(did))), user) == {
        'count("E")': 2,
        'did("E", days=7)': True,
        'last("E")': "2024-10-04T12:00:00.000Z",
    }
    late = User().add(total, NOON, value=2_500_000, since=NOON)
    assert explained(Compare("<", total, number(9)), late) == {
        'sum("E.x", days=7)': {"at_least": 2.5},
        "incomplete": {'sum("E.x", days=7)': "2024-10-11T00:00:00.000Z"},
    }
    signed = measure("sum", "E", "day", 7)
    assert explained(Compare("<", signed, number(9)), User().add(signed, since=NOON)) == {
        'sum("E.x", days=7)': "unknown",
        "incomplete": {'sum("E.x", days=7)': "2024-10-11T00:00:00.000Z"},
    }


def test_an_explanation_of_every_day_names_the_day_that_failed() -> None:
    """The latest one."""
    count = measure("count", "E", "day", 3, daily=True)
    user = User().add(count, NOON - DAY)
    condition = EveryDay(3, Compare(">", count, number(0)))
    label = 'every_day(3, count("E") > 0)'
    assert explained(condition, user) == {label: {"holds": False, "day": "2024-10-02", 'count("E")': 0}}


# ---- where --------------------------------------------------------------------------------------------------------------


def fits(condition: Condition, properties: Mapping[str, Any]) -> bool:
    return compile_where(condition)(properties)


def test_where_looks_at_the_events_properties() -> None:
    """Null compares false."""
    fiction = Compare("==", Property(("category",)), Text("fiction"))
    dear = Compare(">", Arithmetic("*", Property(("price",)), Property(("lot", "size"))), number(10))
    assert fits(fiction, {"category": "fiction"}) is True
    assert [fits(fiction, properties) for properties in ({}, {"category": None}, {"category": ["fiction"]})] == [False] * 3
    assert fits(dear, {"price": "2.51", "lot": {"size": 4}}) is True
    assert fits(And((fiction, Not(dear))), {"category": "fiction"}) is True
    assert fits(Or((dear, In(Property(("category",)), (Text("fiction"), number(3))))), {"category": 3}) is True


def test_a_number_that_does_not_fit_is_null_in_where() -> None:
    """And compares false."""
    assert not (fits(Compare(">", Property(("price",)), number(10)), {"price": 1e300}))
    assert not (fits(In(Property(("price",)), (number(1),)), {"price": 0.1234567}))
    assert fits(Compare("==", Property(("price",)), Text("dear")), {"price": 1e300}) is False


def test_what_the_checks_should_have_refused_is_a_type_error() -> None:
    """Nothing is guessed."""
    daily, plain = measure("count", "E", "day", 2, daily=True), measure("count", "E", "day", 2)
    refused: list[Condition] = [
        Compare("==", Property(("x",)), Text("x")),
        Compare("<", measure("first"), Text("2026-01-01")),
        Compare("<", measure("count"), Text("5")),
        Compare(">", daily, number(1)),
        EveryDay(2, Compare(">", plain, number(1))),
        EveryDay(3, Compare(">", daily, number(1))),
        EveryDay(2, EveryDay(2, YES)),
        Compare(">", measure("distinct"), number(1)),
        Compare(">", Arithmetic("+", Arithmetic("/", plain, plain), plain), number(1)),
    ]
    for condition in refused:
        with pytest.raises(TypeError):
            compile_condition(condition)
    refused = [Compare("==", Trait(("x",)), Text("x")), Compare(">", plain, number(1)), Did(measure("did"))]
    for condition in refused:
        with pytest.raises(TypeError):
            compile_where(condition)
