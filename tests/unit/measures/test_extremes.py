"""`max` and `min`: what they say, what their windows keep, and what they never say."""

from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.base.intervals import UNKNOWN
from triggers.base.model import DAY, HOUR
from triggers.base.moments import zone
from triggers.definitions.model import Measure, Unit
from triggers.measures.reading import day_reading, reading
from triggers.measures.shapes import Extremes, Window
from triggers.measures.view import View
from triggers.measures.windows import new_window, updater
from triggers.rules.bounds import window_bytes
from triggers.rules.checks import load
from triggers.testing import Story

TODAY = 20_000
NOON = TODAY * DAY + 12 * HOUR
RULES = """version: 1
segments:
  {condition}
journeys:
  found: {{entry: {{enters: s}}, re_entry: always, steps: [{{send: {{channel: push, text: hello}}}}]}}
"""


def extreme(kind: str, unit: Unit | None = None, length: int | None = None, **more: Any) -> Measure:
    return Measure(kind, "E", ("x",), unit, length, **more)


def in_days(length: int | None) -> Unit | None:
    return None if length is None else "day"


def filled(of: Measure, *added: tuple[int, int | None], since: int = 0, now: int = NOON) -> Window:
    """A window with these numbers, each so many ms ago, of a user in UTC."""
    window, update = new_window(of, since), updater(of)
    for ago, value in added:
        at = now - ago
        update(window, at, at // DAY, value, now, now // DAY)
    return window


def says(of: Measure, window: Window, now: int = NOON) -> Any:
    return reading(of).read(View({of.key: window}, {}, now, zone("UTC")))


@pytest.mark.parametrize(("kind", "expected"), [("max", 7), ("min", -2)])
@pytest.mark.parametrize(("unit", "length"), [(None, None), ("day", 3), ("hour", 40), ("minute", 2_000)])
def test_it_is_the_largest_or_smallest_number_in_the_window(kind: str, expected: int, unit: Unit | None, length: int | None) -> None:
    of = extreme(kind, unit, length)
    assert says(of, filled(of, (DAY, 5), (0, -2), (HOUR, 7), (0, 3), (0, None))) == expected


@pytest.mark.parametrize("kind", ["max", "min"])
@pytest.mark.parametrize("length", [None, 3])
def test_it_is_null_before_the_first_number_and_unknown_where_the_window_did_not_see_everything(kind: str, length: int | None) -> None:
    of = extreme(kind, in_days(length), length)
    assert says(of, filled(of)) is None
    assert says(of, filled(of, (0, None))) is None
    assert says(of, filled(of, since=NOON - HOUR)) is UNKNOWN
    assert reading(of).read(View({}, {}, NOON, zone("UTC"))) is None


@pytest.mark.parametrize(("kind", "bound"), [("max", (5, inf)), ("min", (-inf, 5))])
@pytest.mark.parametrize("length", [None, 3])
def test_over_an_incomplete_window_it_is_a_bound(kind: str, bound: tuple[float, float], length: int | None) -> None:
    of = extreme(kind, in_days(length), length)
    assert says(of, filled(of, (0, 5), since=NOON - HOUR)) == bound
    day = extreme(kind, "day", 3, daily=True)
    window = filled(day, (0, 5), (DAY, 4), since=NOON - HOUR)
    view = View({day.key: window}, {}, NOON, zone("UTC"))
    found = []
    for view.day in (TODAY, TODAY + 1):
        found.append(day_reading(day).read(view))
    assert found == [bound, None]


def test_the_number_before_it_counts_once_the_largest_has_left() -> None:
    of = extreme("max", "day", 3)
    window = filled(of, (2 * DAY, 9), (DAY, 5), (0, 3))
    assert [says(of, window, NOON + days * DAY) for days in range(4)] == [9, 5, 3, None]
    nexts = reading(of).next(View({of.key: window}, {}, NOON, zone("UTC")))
    assert nexts == (TODAY + 1) * DAY


def test_a_window_keeps_only_the_panes_that_can_still_matter() -> None:
    of = extreme("max", "day", 30)
    window = filled(of, (9 * DAY, 4), (8 * DAY, 8), (7 * DAY, 8), (3 * DAY, 2), (2 * DAY, 5), (4 * DAY, 3), (6 * DAY, 6))
    assert isinstance(window, Extremes)
    assert (window.panes, window.values) == ([TODAY - 7, TODAY - 6, TODAY - 2], [8, 6, 5])


NUMBERS = st.lists(st.tuples(st.integers(0, 5).map(lambda days: days * DAY), st.integers(-3, 3)), max_size=12)


@given(st.sampled_from(["max", "min"]), st.sampled_from([None, 4]), NUMBERS, st.randoms(use_true_random=False))
def test_what_a_window_holds_does_not_depend_on_the_order_of_the_events(kind: str, length: int | None, added: Any, chance: Any) -> None:
    of = extreme(kind, in_days(length), length)
    assert filled(of, *added) == filled(of, *chance.sample(added, len(added)))


@pytest.mark.parametrize("kind", ["max", "min"])
def test_a_full_window_is_no_bigger_than_it_was_weighed(kind: str) -> None:
    for unit, size, length in (("day", DAY, 400), ("hour", HOUR, 2_000)):
        of = extreme(kind, unit, length)  # type: ignore[arg-type]
        window, update = new_window(of, 0), updater(of)
        start = TODAY * DAY
        for step in range(length + 10):
            at = start + step * size
            update(window, at, at // DAY, (10**15 + step) * (-1 if kind == "max" else 1), at, at // DAY)
        held: Any = window
        assert len(held.panes) >= length
        assert len(msgspec.msgpack.encode(window)) + 14 <= window_bytes(of)


# ---- in rules -----------------------------------------------------------------------------------------------------------


def entries(condition: str, *events: Any) -> int:
    """How often a user enters a segment, after one `E` each day with these properties."""
    story = Story({"r.yaml": RULES.format(condition=f"s: '{condition}'")}, start=TODAY * DAY)
    for day, properties in enumerate(events):
        story.track("ann", "E", properties, at=NOON + day * DAY)
    story.until(NOON + len(events) * DAY)
    return len(story.sent())


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('max("E.x") > 5', 1),
        ('max("E.x") > 9', 0),
        ('min("E.x") <= 2 and max("E.x") - min("E.x") >= 5', 1),
        ('max("E.x", days=2) >= 3', 2),
        ('min("E.x", hours=24, where=k == "a") == 7', 1),
        ('every_day(2, max("E.x") >= 2)', 2),
        ('every_day(2, min("E.x") < 0)', 0),
        ('max("E.y") == max("E.y")', 0),
        ('not max("E.y") < 5', 1),
    ],
)
def test_rules_compare_it_as_a_number(condition: str, expected: int) -> None:
    assert entries(condition, {"x": 3}, {"x": "2"}, {"x": 1}, {"x": 7.5, "k": "b"}, {"x": 7, "k": "a"}) == expected


def test_a_number_that_does_not_fit_makes_it_a_bound_from_there_on() -> None:
    assert entries('max("E.x") < 5', {"x": 3}, {"x": 1e300}, {"x": 2}) == 1
    assert entries('max("E.x") < 5', {"x": 1e300}, {"x": 2}) == 0
    assert entries('max("E.x") > 5', {"x": 1e300}, {"x": 6}) == 1
    assert entries('min("E.x") > 5', {"x": 1e300}, {"x": 6}) == 0
    assert entries('min("E.x", days=1) > 5', {"x": 1e300}, {"x": 6}) == 1, "the day on which it came has left"


def test_a_decision_shows_a_bound_as_one() -> None:
    before = {"r.yaml": RULES.format(condition="s: traits.x")}
    after = {"r.yaml": RULES.format(condition='s: \'max("E.x") < 5 and min("E.x") > 1\'')}
    story = Story(before, start=TODAY * DAY)
    story.track("ann", "F", at=NOON)
    story.apply(after, NOON + 1)
    story.track("ann", "E", {"x": 3}, at=NOON + 2)
    (values,) = [decision["values"] for decision in story.decisions() if decision["reason"] == "unknown"]
    assert {name: value for name, value in values.items() if name != "incomplete"} == {
        'max("E.x")': {"at_least": 3},
        'min("E.x")': {"at_most": 3},
    }
    assert set(values["incomplete"].values()) == {"for ever"}


def test_its_window_has_a_key_of_its_own() -> None:
    keys = {extreme(kind, in_days(length), length).key for kind in ("max", "min", "sum") for length in (None, 3)}
    assert len(keys) == 6
    rules = load({"r.yaml": RULES.format(condition="s: 'max(\"E.x\", days=3) > 5'")})
    assert rules.segments["s"].key
