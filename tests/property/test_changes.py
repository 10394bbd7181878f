"""Conditions as laws: nothing changes before the moment that a condition names."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property.test_windows import (
    ACTS,
    AGO,
    AMOUNT,
    DAY_MEASURES,
    KINDS_OF_PANES,
    MEASURES,
    SINCE,
    STARTS,
    UNIT_MS,
    VALUES,
    ZONES,
    Life,
    hold_at_most,
    live,
)
from triggers.base.model import DAY
from triggers.base.moments import zone
from triggers.conditions.compiler import Compiled, View, compile_condition
from triggers.definitions.model import (
    And,
    Arithmetic,
    Compare,
    Comparison,
    Condition,
    Did,
    EveryDay,
    In,
    Measure,
    Moment,
    Not,
    Number,
    Operand,
    Or,
    Trait,
)
from triggers.measures.limits import length_ms

OPS: list[Comparison] = ["==", "!=", "<", "<=", ">", ">="]
NUMBERS = st.sampled_from([0, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000]).map(Number)


def compares(pool: Sequence[Measure]) -> st.SearchStrategy[Condition]:
    numeric: st.SearchStrategy[Operand] = st.sampled_from([each for each in pool if each.kind in KINDS_OF_PANES])
    moments: st.SearchStrategy[Operand] = st.sampled_from([each for each in pool if each.kind in ("first", "last")])
    others = st.one_of(NUMBERS, NUMBERS, numeric, st.sampled_from([Trait(("limit",)), Trait(("word",)), Trait(("none",))]))
    sums: st.SearchStrategy[Operand] = st.builds(Arithmetic, st.sampled_from(["+", "-", "*"]), numeric, others)
    ratios: st.SearchStrategy[Operand] = st.builds(Arithmetic, st.just("/"), st.one_of(numeric, sums), numeric)
    moment: st.SearchStrategy[Operand] = st.sampled_from(STARTS).map(Moment)
    return st.one_of(
        st.builds(Compare, st.sampled_from(OPS), numeric, NUMBERS),
        st.builds(Compare, st.sampled_from(OPS), NUMBERS, numeric),
        st.builds(Compare, st.sampled_from(OPS), st.one_of(numeric, sums, ratios), others),
        st.builds(Compare, st.sampled_from(OPS), moments, st.one_of(moment, moments)),
        st.builds(In, numeric, st.lists(NUMBERS, min_size=1, max_size=3).map(tuple)),
    )


def joined(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.recursive(
        leaves,
        lambda items: st.one_of(
            st.lists(items, min_size=2, max_size=3).map(lambda parts: And(tuple(parts))),
            st.lists(items, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts))),
            items.map(Not),
        ),
        max_leaves=4,
    )


DIDS = st.sampled_from([each for each in MEASURES if each.kind == "did"]).map(Did)
DAY_DIDS = st.sampled_from([each for each in DAY_MEASURES if each.kind == "did"]).map(Did)
EVERY_DAYS = st.builds(EveryDay, st.integers(1, 4), joined(st.one_of(compares(DAY_MEASURES), DAY_DIDS)))
CONDITIONS = joined(st.one_of(compares(MEASURES), DIDS, EVERY_DAYS))


def edges(life: Life, until: int) -> list[int]:
    """Every moment up to `until` at which time could do anything, with the milliseconds around it."""
    here = zone(life.zone_name)
    found, midnight = set(), life.now
    while (midnight := here.next_midnight(midnight)) <= until:
        found.add(midnight)
    marks = {life.since} | {event.at for events in life.seen.values() for event in events}
    for each in life.measures:
        length = length_ms(each)
        if length is None or each.unit is None:
            continue
        found |= {mark + length for mark in marks}
        if each.unit != "day":
            unit = UNIT_MS[each.unit]
            found |= {(mark // unit + step) * unit + length for mark in marks for step in (-1, 0, 1)}
    return sorted({moment for edge in found for moment in (edge - 1, edge, edge + 1) if life.now < moment <= until})


def changes_are_never_late(compiled: Compiled, life: Life) -> None:
    """Follows the promised moments as the engine does, for 12 days."""
    until = life.now + 12 * DAY
    view = life.view()
    for _ in range(60):
        value, change = compiled.value(view), compiled.change(view)
        assert change > view.now
        then = View(view.windows, view.traits, view.now, view.zone)
        for moment in edges(life, min(until, change - 1)):
            if moment <= view.now:
                continue
            then.now, then.today = moment, view.zone.day(moment)
            assert compiled.value(then) is value, (moment, change)
        if change > until:
            return
        view.now, view.today = change, view.zone.day(change)


@settings(deadline=None, max_examples=300)
@given(CONDITIONS, st.sampled_from(STARTS), st.sampled_from(ZONES), SINCE, st.lists(ACTS, max_size=15))
def test_a_value_stays_what_it_is_until_the_moment_named(
    condition: Condition, start: int, name: str, since: int, acts: list[tuple[Any, ...]]
) -> None:
    """At every midnight, edge of a pane and end of a length, and a millisecond to both sides of each."""
    life = Life([*MEASURES, *DAY_MEASURES], start, name, since and start + since - 1)
    for act in acts:
        live(life, act)
    changes_are_never_late(compile_condition(condition), life)


@settings(deadline=None, max_examples=300)
@given(
    condition=joined(EVERY_DAYS),
    start=st.sampled_from(STARTS),
    names=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    days=st.lists(st.lists(st.tuples(st.sampled_from(VALUES), AMOUNT), max_size=4), max_size=7),
    known_for=st.one_of(st.none(), st.integers(0, 6 * DAY)),
)
def test_streaks_of_days_last_until_the_moment_named(
    condition: Condition, start: int, names: tuple[str, str], days: list[list[tuple[Any, Any]]], known_for: int | None
) -> None:
    """With events on most of the last days and today, before or after a flight, and windows that began in between or never."""
    life = Life([*MEASURES, *DAY_MEASURES], start, names[0], 0 if known_for is None else start + 6 * DAY - known_for)
    for day, events in enumerate(days):
        life.now = start + day * DAY
        for value, amount in events:
            life.event(0, value, amount)
    life.zone_name = names[1]
    life.now = max(life.now, life.since)
    changes_are_never_late(compile_condition(condition), life)


@settings(deadline=None, max_examples=300)
@given(
    op=st.sampled_from(OPS),
    of=st.sampled_from([each for each in DAY_MEASURES if each.kind in ("count", "sum")]),
    threshold=st.sampled_from([500_000, 1_000_000, 2_000_000]).map(Number),
    length=st.integers(1, 4),
    start=st.sampled_from(STARTS),
    names=st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)),
    days=st.lists(st.sampled_from([0, 1, 1, 1, 2, 2, 3]), max_size=7),
    known_for=st.one_of(st.none(), st.integers(0, 6 * DAY)),
)
@example(">=", DAY_MEASURES[0], Number(1_000_000), 2, STARTS[0], ("Pacific/Kiritimati", "Etc/GMT+12"), [1] * 7, None)
def test_the_short_way_with_streaks_says_what_the_long_way_says(
    op: Comparison,
    of: Measure,
    threshold: Number,
    length: int,
    start: int,
    names: tuple[str, str],
    days: list[int],
    known_for: int | None,
) -> None:
    """Value and moment to the millisecond, for one comparison of a count or sum; inside an `and` of one part it goes the long way."""
    life = Life([of], start, names[0], 0 if known_for is None else start + 6 * DAY - known_for)
    for day, events in enumerate(days):
        life.now = start + day * DAY
        for _ in range(events):
            life.event(0, None, 1_000_000)
    life.zone_name = names[1]
    life.now = max(life.now, life.since)
    compared = Compare(op, of, threshold)
    short, long = compile_condition(EveryDay(length, compared)), compile_condition(EveryDay(length, And((compared,))))
    view = life.view()
    for _ in range(6):
        assert short.value(view) is long.value(view)
        assert short.change(view) == long.change(view)
        view.now += DAY
        view.today = view.zone.day(view.now)


@settings(deadline=None, max_examples=300)
@given(
    op=st.sampled_from(OPS),
    of=st.sampled_from([each for each in DAY_MEASURES if each.kind in ("count", "sum")]),
    threshold=st.sampled_from([500_000, 1_000_000, 2_000_000]).map(Number),
    length=st.integers(1, 4),
    start=st.sampled_from(STARTS),
    name=st.sampled_from(ZONES),
    events=st.lists(st.tuples(st.integers(0, 6 * DAY), st.integers(-1_000_000, 2_000_000)), max_size=12),
    known_for=st.one_of(st.none(), st.integers(0, 6 * DAY)),
)
def test_an_event_that_changes_no_tests_outcome_changes_nothing(
    op: Comparison,
    of: Measure,
    threshold: Number,
    length: int,
    start: int,
    name: str,
    events: list[tuple[int, int]],
    known_for: int | None,
) -> None:
    """What `Compiled.tests` promises, so that segments need not be looked at after each of a user's events."""
    compiled = compile_condition(EveryDay(length, Compare(op, of, threshold)))
    life = Life([of], start, name, 0 if known_for is None else start - known_for)
    window: Any = life.windows[of.key]
    for ago, amount in events:
        day = zone(name).day(max(0, life.now - ago))
        view = life.view()
        before = window.panes.get(day, 0), compiled.value(view), compiled.change(view)
        life.event(ago, None, amount)
        if of.key in compiled.tests and all(test(before[0]) is test(window.panes.get(day, 0)) for test in compiled.tests[of.key]):
            assert (compiled.value(view), compiled.change(view)) == before[1:]


@settings(deadline=None, max_examples=300)
@given(
    condition=joined(st.one_of(compares(MEASURES), DIDS)),
    start=st.sampled_from(STARTS),
    name=st.sampled_from(ZONES),
    events=st.lists(st.tuples(AGO, st.sampled_from(VALUES), AMOUNT), max_size=8),
    known_for=st.integers(0, 3 * DAY),
    most=st.sampled_from([2, 1000]),
)
def test_what_is_unknown_stays_so_until_the_moment_named(
    condition: Condition, start: int, name: str, events: list[tuple[int, Any, Any]], known_for: int, most: int
) -> None:
    """With windows that began a while ago, or that are full: both become complete as time passes."""
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, most)
        life = Life(MEASURES, start, name, start - known_for)
        for event in events:
            life.event(*event)
        changes_are_never_late(compile_condition(condition), life)


@settings(deadline=None, max_examples=300)
@given(
    op=st.sampled_from(OPS),
    of=st.sampled_from([each for each in MEASURES if each.length and each.kind in KINDS_OF_PANES]),
    threshold=NUMBERS,
    start=st.sampled_from(STARTS),
    name=st.sampled_from(ZONES),
    events=st.lists(st.tuples(AGO, st.sampled_from(["a", "b", "c", "d"]), st.sampled_from([1_000_000, 2_000_000, -1_000_000])), max_size=6),
    known_for=st.one_of(st.none(), st.integers(0, 3 * DAY)),
    most=st.sampled_from([2, 1000]),
)
def test_a_threshold_is_passed_at_the_moment_named(
    op: Comparison,
    of: Measure,
    threshold: Number,
    start: int,
    name: str,
    events: list[tuple[int, Any, Any]],
    known_for: int | None,
    most: int,
) -> None:
    """The commonest condition by itself: one measure in panes against one number."""
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, most)
        life = Life([of], start, name, 0 if known_for is None else start - known_for)
        for event in events:
            life.event(*event)
        changes_are_never_late(compile_condition(Compare(op, of, threshold)), life)
