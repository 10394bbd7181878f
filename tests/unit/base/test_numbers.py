"""Numbers from outside become scaled integers, exactly or not at all."""

from decimal import Decimal
from fractions import Fraction
from math import ulp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.base.numbers import LIMIT, SCALE, Unfit, plain, scaled


@pytest.mark.parametrize(
    ("value", "units"),
    [
        (0, 0),
        (7, 7 * SCALE),
        (-7, -7 * SCALE),
        (2.5, 2_500_000),
        (-0.0, 0),
        (0.1, 100_000),
        (0.000001, 1),
        (12.34, 12_340_000),
        (LIMIT, LIMIT * SCALE),
        (float(LIMIT), LIMIT * SCALE),
        ("12.50", 12_500_000),
        ("-3", -3 * SCALE),
        ("007", 7 * SCALE),
        ("1e3", 1000 * SCALE),
        ("0.0000010", 1),
        ("0e999999999", 0),
    ],
)
def test_a_json_number_or_a_text_written_like_one_becomes_a_scaled_integer(value: object, units: int) -> None:
    """Both spellings of a number give the same integer."""
    assert scaled(value) == units


@pytest.mark.parametrize(
    "value", [None, True, False, "", " 1", "1 ", "+1", "1_000", "1,5", "0x10", "NaN", "inf", "١", "1.", ".5", [], {}, b"1"]
)
def test_what_is_not_a_number_is_none(value: object) -> None:
    """A flag is not a number, and neither is a text with anything else in it."""
    assert scaled(value) is None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0.0000001, "more than 6 decimals"),
        (1e-300, "more than 6 decimals"),
        ("0.0000001", "more than 6 decimals"),
        ("2.5E-6", "more than 6 decimals"),
        ("1e-999999999", "more than 6 decimals"),
        (LIMIT + 1, "beyond"),
        (-LIMIT - 1, "beyond"),
        (LIMIT + 0.5, "beyond"),
        (1e300, "beyond"),
        (2**70, "beyond"),
        ("9007199254.000001", "beyond"),
        ("1e999999999", "beyond"),
        (float("nan"), "not a finite"),
        (float("inf"), "not a finite"),
        (float("-inf"), "not a finite"),
        ("1" * 41, "more than 40 characters"),
    ],
)
def test_a_number_that_cannot_be_kept_exactly_is_refused_with_the_reason(value: object, reason: str) -> None:
    """The reason is what a dead letter carries."""
    with pytest.raises(Unfit, match=reason):
        scaled(value)


@given(st.integers(-(10**15) + 1, 10**15 - 1))
def test_every_decimal_of_15_digits_survives_being_a_json_number(units: int) -> None:
    """JSON numbers arrive as doubles; up to 15 digits those name each decimal number exactly."""
    assert scaled(units / SCALE) == units
    assert scaled(format(Decimal(units).scaleb(-6), "f")) == units


@given(st.integers(-LIMIT * SCALE, LIMIT * SCALE))
def test_a_numeric_text_is_exact_up_to_the_limit(units: int) -> None:
    """Texts lose nothing on their way."""
    assert scaled(format(Decimal(units).scaleb(-6), "f")) == units


@given(st.floats())
def test_a_double_gives_the_decimal_that_it_is_written_as_or_nothing(value: float) -> None:
    """What fits is what `repr` shows, read as a decimal."""
    try:
        units = scaled(value)
    except Unfit:
        return
    assert units is not None
    assert Decimal(units).scaleb(-6) == Decimal(repr(value)) or abs(Fraction(units, SCALE) - Fraction(value)) <= 16 * Fraction(ulp(value))


@given(st.lists(st.integers(1, 10**5), min_size=1, max_size=8), st.integers(1, 20))
def test_a_cart_summed_in_doubles_is_the_sum_that_was_meant(cents: list[int], many: int) -> None:
    """Each step rounds by half a unit of the last place."""
    assert scaled(19.99 + 5.01 * 3) == 35_020_000
    total = 0.0
    for price in cents:
        total += price / 100
    assert scaled(total) == sum(cents) * 10_000
    assert scaled(cents[0] / 100 * many) == cents[0] * many * 10_000


def test_a_scaled_integer_is_shown_as_a_person_writes_it() -> None:
    """Whole numbers have no decimal point."""
    assert [repr(plain(units)) for units in (2_500_000, 3_000_000, -1, 0)] == ["2.5", "3", "-1e-06", "0"]


@given(st.integers(-(2**62), 2**62))
def test_a_sum_is_shown_as_the_double_nearest_to_it(units: int) -> None:
    """Also beyond 2**53, where dividing two doubles would miss it: both kinds of engine must show the same digits."""
    shown = plain(units)
    assert shown == (units // SCALE if units % SCALE == 0 else float(Decimal(units) / SCALE))


def test_sums_at_the_limit_are_shown_alike_by_both_kinds_of_engine() -> None:
    assert plain(9_114_980_680_515_463) == 9114980680.515463
