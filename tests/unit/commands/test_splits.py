"""`apply` says which part of all users a changed split moves to another arm."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.commands.changes import changes
from streams.commands.splits import _share, moved
from triggers.base.draws import draw, pick
from triggers.definitions.model import RuleSet
from triggers.rules.checks import load
from triggers.steps.split import Split


def rules(arms: str, name: str = "s", salt: str = "") -> RuleSet:
    split = f"{{split: {name}, arms: {arms}{f', salt: {salt}' if salt else ''}}}"
    steps = f"[{{if: traits.a, then: [{split}]}}, {{send: {{channel: push, text: x}}}}]"
    return load({"r.yaml": f"version: 2\njourneys: {{j: {{entry: {{event: A}}, steps: {steps}}}}}\n"})


HALF = "{a: {weight: 1}, b: {weight: 1}}"


@pytest.mark.parametrize(
    ("arms", "share"),
    [
        ("{a: {weight: 50}, b: {weight: 50}}", None),
        ("{a: {weight: 3}, b: {weight: 1}}", "25.0%"),
        ("{b: {weight: 1}, a: {weight: 1}}", "100.0%"),
        ("{a: {weight: 1}, c: {weight: 1}}", "50.0%"),
        ("{a: {weight: 2}, b: {weight: 1}, c: {weight: 1}}", "25.0%"),
        ("{a: {weight: 500001}, b: {weight: 499999}}", "fewer than 0.1%"),
    ],
)
def test_weights_order_and_names_of_arms_move_users(arms: str, share: str | None) -> None:
    expected = [] if share is None else [f"~ split s of journey j: {share} of all users get another arm in new runs"]
    assert list(changes(rules(HALF), rules(arms), 0, 0).lines)[1:] == expected


def test_another_salt_draws_anew_and_a_split_of_another_name_is_a_new_one() -> None:
    assert moved(rules(HALF).journeys["j"], rules(HALF, salt="x").journeys["j"])[0].startswith("~ split s of journey j: 50.0% ")
    assert moved(rules(HALF).journeys["j"], rules(HALF, name="t").journeys["j"]) == []
    assert moved(None, rules(HALF).journeys["j"]) == moved(rules(HALF).journeys["j"], None) == []


@given(st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any), st.lists(st.integers(0, 5), min_size=2, max_size=4).filter(any))
def test_the_part_agrees_with_the_arms_of_real_users(before: list[int], after: list[int]) -> None:
    """Counted over 500 users, within 5 sigma."""
    old, new = (Split("1", "s", tuple("abcd"[: len(w)]), tuple(w), ((),) * len(w)) for w in (before, after))
    users = [draw("split", "j/s", f"u{number}") for number in range(500)]
    other = sum(old.arms[pick(drawn, old.weights)] != new.arms[pick(drawn, new.weights)] for drawn in users)
    share = _share(old, new)
    assert abs(other - share * 500) <= 5 * float(500 * share * (1 - share)) ** 0.5
    assert isinstance(share, Fraction)
