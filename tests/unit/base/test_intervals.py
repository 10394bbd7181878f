"""Numbers with known bounds only: identities must stay identities, and integers integers, also in the compiled engine."""

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from triggers.base.intervals import OTHER, UNKNOWN, bounds, judge, minus, plus, times

BIG = 2**70


@pytest.mark.parametrize("combine", [plus, minus, times])
def test_what_is_calculated_with_something_unknown_is_unknown(combine: Callable[[Any, Any], Any]) -> None:
    for other in (0, 1, BIG, (0, inf), (1, 2), UNKNOWN):
        assert combine(UNKNOWN, other) is UNKNOWN
        assert combine(other, UNKNOWN) is UNKNOWN
    assert combine(UNKNOWN, None) is None


def test_an_unknown_number_compares_as_unknown_also_times_nothing() -> None:
    assert judge("<", times(UNKNOWN, 0), 5) is None
    assert judge("!=", OTHER, UNKNOWN) is None


def test_bounds_are_exact_integers() -> None:
    assert plus((BIG, inf), 1) == (BIG + 1, inf)
    assert [type(bound) for bound in bounds(plus((BIG, inf), 1) or 0)] == [int, float]
    assert times((BIG, BIG + 1), 3) == (3 * BIG, 3 * BIG + 3)
    assert minus((0, inf), (0, inf)) == (-inf, inf)
    assert judge("<", times((-inf, BIG), -1), -BIG) is False
