"""Merging as a law: two windows over two parts of a log make the window that one fold over all of it makes, byte for byte.

The law holds for all kinds of measures, over late events and changes of zone, as long as no bound is reached. Where one is, what the merged
window says is true of the log: an interval contains the true value, and an exact value is the true one.
"""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_windows import (
    ACTS,
    DAY_MEASURES,
    MEASURES,
    OF_NUMBERS,
    SINCE,
    STARTS,
    ZONES,
    Life,
    hold_at_most,
    live,
    measure,
    naive,
)
from triggers.base.intervals import UNKNOWN
from triggers.base.model import DAY, HOUR
from triggers.base.moments import zone
from triggers.definitions.model import Measure
from triggers.measures.kind import KINDS, kind_of
from triggers.measures.limits import SUM_LIMIT
from triggers.measures.reading import complete_at, day_reading, reading, since_of
from triggers.measures.shapes import Window
from triggers.measures.view import View
from triggers.measures.windows import merge, new_window, updater

ALL = [*MEASURES, *DAY_MEASURES]
encode = msgspec.msgpack.Encoder().encode
Acts = list[tuple[Any, ...]]


def act_on(life: Life, act: tuple[Any, ...]) -> None:
    """Let a user live; `unfit` is a number that does not fit, as the fold takes it in."""
    if act[0] != "unfit":
        return live(life, act)
    for each in life.measures:
        if each.kind in OF_NUMBERS:
            window: Any = life.windows[each.key]
            window.unfit = max(window.unfit, life.now + 1)
    return None


def parted(of: list[Measure], start: int, name: str, since: int, acts: Acts, cut: int) -> tuple[Life, Life, Life, int]:
    """The whole life, and the windows of its two parts; and the moment of the last event."""
    whole = Life(of, start, name, since)
    before, after = Life(of, start, name, since), Life(of, start, name)
    last = start
    for number, act in enumerate(acts):
        for life in (whole, before, after):
            # Time and place change for all; each part takes its own events.
            if act[0] not in ("event", "unfit") or life is whole or (life is before) == (number < cut):
                act_on(life, act)
        if act[0] == "event":
            last = whole.now
    return whole, before, after, last


def merged(of: list[Measure], before: Life, after: Life, now: int) -> dict[str, Window]:
    return {each.key: merge(each, before.windows[each.key], after.windows[each.key], now) for each in of}


PARTED = {
    "start": st.sampled_from(STARTS),
    "name": st.sampled_from(ZONES),
    "since": SINCE,
    "acts": st.lists(st.one_of(ACTS, ACTS, ACTS, ACTS, st.just(("unfit",))), max_size=40),
    "cut": st.integers(0, 40),
}


@settings(deadline=None, max_examples=200)
@given(**PARTED)
def test_merging_the_windows_of_two_parts_equals_folding_the_whole(start: int, name: str, since: int, acts: Acts, cut: int) -> None:
    whole, before, after, now = parted(ALL, start, name, since and start + since - 1, acts, cut)
    kept = encode(before.windows), encode(after.windows)
    found = merged(ALL, before, after, now)
    for each in ALL:
        assert encode(found[each.key]) == encode(whole.windows[each.key]), each
    assert (encode(before.windows), encode(after.windows)) == kept, "the parts stay as they are"


@settings(deadline=None, max_examples=100)
@given(cuts=st.lists(st.integers(0, 40), max_size=4).map(sorted), **{key: value for key, value in PARTED.items() if key != "cut"})
def test_a_log_may_be_cut_anywhere_and_often(start: int, name: str, since: int, acts: Acts, cuts: list[int]) -> None:
    """From the left, one part after the other."""
    since = since and start + since - 1
    whole = Life(ALL, start, name, since)
    lives = [Life(ALL, start, name, since), *(Life(ALL, start, name) for _ in cuts)]
    lasts = [start] * len(lives)
    for number, act in enumerate(acts):
        part = sum(number >= cut for cut in cuts)
        for index, life in enumerate([*lives, whole]):
            if act[0] not in ("event", "unfit") or index in (part, len(lives)):
                act_on(life, act)
        if act[0] == "event":
            lasts[part] = whole.now
    for each in ALL:
        window, now = lives[0].windows[each.key], lasts[0]
        for life, last in zip(lives[1:], lasts[1:], strict=True):
            now = max(now, last)
            window = merge(each, window, life.windows[each.key], now)
        assert encode(window) == encode(whole.windows[each.key]), each


def says(of: Measure, view: View) -> Any:
    return (day_reading if of.daily else reading)(of).read(view)


def allows(said: Any, value: Any) -> bool:
    """Whether what is said leaves room for the true value, or for all that is possible by what the log holds."""
    if said is UNKNOWN or not isinstance(said, tuple):
        return said is UNKNOWN or bool(said == value)
    low, high = value if isinstance(value, tuple) else (value, value)
    return bool(said[0] <= low and high <= said[1])


@settings(deadline=None, max_examples=200)
@given(most=st.integers(1, 4), later=st.sampled_from([0, HOUR, DAY, 3 * DAY]), **PARTED)
def test_a_merged_window_that_reached_a_bound_says_nothing_that_is_not_so(
    start: int, name: str, since: int, acts: Acts, cut: int, most: int, later: int
) -> None:
    of = [each for each in ALL if each.kind in ("distinct", "first")]
    with pytest.MonkeyPatch.context() as patch:
        hold_at_most(patch, most)
        whole, before, after, now = parted(of, start, name, since and start + since - 1, acts, cut)
        found = merged(of, before, after, now)
        view = View(found, {}, whole.now + later, zone(whole.zone_name))
        for each in of:
            for day in range(view.today - 4, view.today + 2) if each.daily else [view.today]:
                view.day = day
                assert allows(says(each, view), naive(each, view, whole.seen[each.key], whole.since)), each
                for part in (before, after):
                    lone = View(part.windows, {}, view.now, view.zone)
                    lone.day = day
                    if each.kind == "distinct" and isinstance(says(each, lone), tuple):
                        assert isinstance(says(each, view), tuple), "what a part has lost, the whole has lost"
        for window in found.values():
            held: Any = window
            assert len(getattr(held, "times", ())) <= most
            assert len(getattr(held, "values", ())) <= most


SUMS = [each for each in ALL if each.kind == "sum"]
AMOUNTS = st.lists(st.sampled_from([SUM_LIMIT - 1, SUM_LIMIT // 2, -SUM_LIMIT // 2, -SUM_LIMIT + 1, 5, -5]), max_size=6)


@given(st.sampled_from(SUMS), AMOUNTS, AMOUNTS)
def test_a_sum_that_stopped_at_its_limit_reads_as_incomplete_once_it_is_merged(of: Measure, first: list[int], second: list[int]) -> None:
    parts = [Life([of], STARTS[0]) for _ in range(2)]
    for part, amounts in zip(parts, (first, second), strict=True):
        for amount in amounts:
            part.event(0, None, amount)
    windows: list[Any] = [part.windows[of.key] for part in parts]
    window = merge(of, windows[0], windows[1], STARTS[0])
    assert msgspec.msgpack.decode(encode(window), type=Window) == window
    held = [sum(window.panes.values()) if of.daily else window.total for window in windows]
    view = View({of.key: window}, {}, STARTS[0], zone("UTC"))
    view.day = view.today
    if all(abs(total) < SUM_LIMIT for total in (*held, sum(held))):
        assert says(of, view) == sum(held)
    else:
        assert isinstance(says(of, view), tuple)


@settings(deadline=None, max_examples=100)
@given(ours=st.integers(0, 3 * DAY), theirs=st.integers(0, 3 * DAY), **{key: value for key, value in PARTED.items() if key != "since"})
def test_a_merged_window_has_seen_everything_from_when_both_parts_have(
    start: int, name: str, acts: Acts, cut: int, ours: int, theirs: int
) -> None:
    whole, before, after, now = parted(ALL, start, name, start + ours, acts, cut)
    for each in ALL:
        after.windows[each.key].since = start + theirs
        window = merge(each, before.windows[each.key], after.windows[each.key], now)
        assert window.since == max(start + ours, start + theirs)
    assert now <= whole.now


def test_a_number_that_did_not_fit_is_not_forgotten_by_merging() -> None:
    for of in SUMS:
        for first, second in ((7, 0), (0, 7), (5, 7)):
            a, b = new_window(of, 0), new_window(of, 0)
            held_a: Any = a
            held_b: Any = b
            held_a.unfit, held_b.unfit = first, second
            window = merge(of, a, b, STARTS[0])
            assert since_of(of)(window) == 7
            assert complete_at(of, 7, zone("UTC")) is None or of.length


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_merging_with_an_empty_window_changes_nothing(kind: Any) -> None:
    daily = measure(kind.name, "day", 3, daily=True)
    value = "fiction" if kind.gives == "texts" else 5
    for of in [*(each for each in MEASURES if kind_of(each) is kind), daily]:
        window, update = new_window(of, 0), updater(of)
        for ago in (0, DAY, 2 * HOUR):
            at = STARTS[0] - ago
            update(window, at, at // DAY, value, STARTS[0], STARTS[0] // DAY)
        for pair in ((window, new_window(of, 0)), (new_window(of, 0), window)):
            assert encode(merge(of, *pair, STARTS[0])) == encode(window)
