"""Draws are fair, independent of each other, and never change."""

from itertools import combinations, pairwise
from math import sqrt

import pytest

from triggers.base.draws import ALL, Kind, draw, is_among, pick, spread

USERS = [f"user-{number}" for number in range(100_000)]
DRAWS: list[tuple[Kind, str]] = [("split", "cart/offer"), ("split", "cart/tone"), ("split", "s"), ("holdout", "cart"), ("control", "")]


def test_a_draw_is_the_beginning_of_a_hash() -> None:
    """Calculated by another tool."""
    assert draw("split", "cart/offer", "ann") == 0x13E8CF10EC6BA7C7
    assert draw("holdout", "cart", "安") == 0xC13354D54315272F


def sigma(share: float) -> float:
    return sqrt(len(USERS) * share * (1 - share))


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[Kind, str], list[int]]:
    return {one: [draw(*one, user) for user in USERS] for one in DRAWS}


@pytest.mark.parametrize("weights", [(50, 50), (1, 2, 7), (0, 3, 0, 97), (5, 95)])
def test_arms_get_users_by_their_weights(drawn: dict[tuple[Kind, str], list[int]], weights: tuple[int, ...]) -> None:
    for numbers in drawn.values():
        picked = [pick(number, weights) for number in numbers]
        for arm, weight in enumerate(weights):
            share = weight / sum(weights)
            assert abs(picked.count(arm) - share * len(USERS)) <= 4 * sigma(share)


def test_two_draws_are_independent(drawn: dict[tuple[Kind, str], list[int]]) -> None:
    for one, other in combinations(drawn, 2):
        for first, second in ((50, 50), (5, 50), (10, 10)):
            both = sum(is_among(a, first, 100) and is_among(b, second, 100) for a, b in zip(drawn[one], drawn[other], strict=True))
            share = first * second / 10_000
            assert abs(both - share * len(USERS)) <= 4 * sigma(share)


def test_a_larger_part_only_adds_users(drawn: dict[tuple[Kind, str], list[int]]) -> None:
    numbers = drawn["holdout", "cart"]
    parts = [{index for index, number in enumerate(numbers) if is_among(number, percent, 100)} for percent in (0, 1, 5, 50, 100)]
    assert all(smaller <= larger for smaller, larger in pairwise(parts))
    assert (len(parts[0]), len(parts[-1])) == (0, len(USERS))


def test_the_bounds_of_arms_are_exact() -> None:
    """Half is half, to the last number."""
    assert [pick(number, (1, 1)) for number in (0, ALL // 2 - 1, ALL // 2, ALL - 1)] == [0, 0, 1, 1]
    assert [pick(number, (0, 1, 0)) for number in (0, ALL - 1)] == [1, 1]
    with pytest.raises(ValueError, match="no weight"):
        pick(5, (0, 0))


def test_a_spread_is_even_and_shorter_than_its_length(drawn: dict[tuple[Kind, str], list[int]]) -> None:
    delays = [spread(number, 7_200_000) for number in drawn["control", ""]]
    assert 0 <= min(delays) <= max(delays) < 7_200_000
    for tenth in range(10):
        count = sum(tenth * 720_000 <= delay < (tenth + 1) * 720_000 for delay in delays)
        assert abs(count - len(USERS) / 10) <= 4 * sigma(0.1)
    assert [spread(number, 10) for number in (0, ALL - 1)] == [0, 9]
