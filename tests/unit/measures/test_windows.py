"""What a user's state keeps of past events: late ones, full windows, sums without end, and the bytes."""

import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from triggers.base.intervals import UNKNOWN
from triggers.base.model import DAY, HOUR
from triggers.base.moments import zone
from triggers.definitions.model import Measure, Unit
from triggers.measures.kinds.distinct import value_key
from triggers.measures.limits import SUM_LIMIT
from triggers.measures.reading import View, day_reading, reading
from triggers.measures.shapes import Panes, Window
from triggers.measures.windows import new_window, updater

TODAY = 20_000
NOON = TODAY * DAY + 12 * HOUR


def measure(kind: str, unit: Unit | None = None, length: int | None = None, *, daily: bool = False) -> Measure:
    return Measure(kind, "E", ("x",) if kind in ("sum", "distinct") else (), unit, length, None, daily)


def add(of: Measure, window: Window, at: int, value: Any = None, now: int | None = None) -> None:
    """Adds an event of a user in UTC; `now` is its own time unless it comes late."""
    now = at if now is None else now
    updater(of)(window, at, at // DAY, value, now, now // DAY)


def read(of: Measure, window: Window, now: int) -> Any:
    return reading(of).read(View({of.key: window}, {}, now, zone("UTC")))


# ---- panes --------------------------------------------------------------------------------------------------------------


def test_a_window_of_days_is_today_and_the_days_before_it() -> None:
    """`days=3` at noon: from the midnight before the day before yesterday."""
    of = measure("count", "day", 3)
    window = new_window(of, 0)
    for at in ((TODAY - 2) * DAY - 1, (TODAY - 2) * DAY, TODAY * DAY):
        add(of, window, at)
    assert read(of, window, NOON) == 2
    assert read(of, window, (TODAY + 1) * DAY) == 1


def test_a_window_of_hours_is_made_of_utc_hours() -> None:
    """`hours=2` at half past: this hour and the one before it."""
    of = measure("count", "hour", 2)
    window = new_window(of, 0)
    for at in (NOON - HOUR - 1, NOON - HOUR, NOON):
        add(of, window, at)
    assert read(of, window, NOON + HOUR // 2) == 2


def test_a_late_event_goes_where_it_belongs_while_that_pane_is_kept() -> None:
    """And nowhere when it is too late."""
    of = measure("sum", "day", 3)
    window = new_window(of, 0)
    add(of, window, NOON, 5)
    add(of, window, NOON - 2 * DAY, 7, now=NOON)
    add(of, window, NOON - 30 * DAY, 11, now=NOON)
    assert read(of, window, NOON) == 12
    assert read(of, window, NOON + DAY) == 5


def test_a_pane_of_tomorrow_counts_as_todays() -> None:
    """A user who flew west has done it already."""
    of = measure("count", "day", 1)
    window = new_window(of, 0)
    updater(of)(window, NOON, TODAY + 1, None, NOON, TODAY + 1)
    assert read(of, window, NOON) == 1


def test_reading_at_a_later_day_changes_nothing_and_an_event_forgets() -> None:
    """The next event removes what no reading can see any more."""
    of = measure("count", "day", 3)
    window = new_window(of, 0)
    add(of, window, NOON)
    before = msgspec.msgpack.encode(window)
    assert read(of, window, NOON + 100 * DAY) == 0
    assert msgspec.msgpack.encode(window) == before
    add(of, window, NOON + 100 * DAY)
    assert isinstance(window, Panes)
    assert (window.panes, window.total) == ({TODAY + 100: 1}, 1)


def test_a_sum_ignores_an_event_without_the_number() -> None:
    """Null is no zero, but adds as little."""
    for of in (measure("sum"), measure("sum", "day", 3)):
        window = new_window(of, 0)
        add(of, window, NOON, None)
        assert read(of, window, NOON) == 0


@pytest.mark.parametrize("of", [measure("sum"), measure("sum", "day", 3), measure("sum", "day", 3, daily=True)])
def test_a_sum_stops_at_its_limit_and_still_fits_into_the_state(of: Measure) -> None:
    """No sequence of events may make a state that cannot be written."""
    window = new_window(of, 0)
    for amount in (SUM_LIMIT - 1, SUM_LIMIT - 1, SUM_LIMIT - 1, -SUM_LIMIT, -SUM_LIMIT, -SUM_LIMIT, -SUM_LIMIT):
        for day in range(3):
            add(of, window, NOON - day * DAY, amount, now=NOON)
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(window), type=Window) == window
    add(of, window, NOON + 10 * DAY, 5)
    if of.length and not of.daily:
        assert read(of, window, NOON + 10 * DAY) == 5


# ---- first and last -----------------------------------------------------------------------------------------------------


def test_first_and_last_are_the_earliest_and_latest_event_time_in_whatever_order_they_come() -> None:
    """Late events count at their own time."""
    for of, expected in ((measure("first"), NOON - DAY), (measure("last"), NOON)):
        window = new_window(of, 0)
        for at in (NOON - HOUR, NOON, NOON - DAY):
            add(of, window, at, now=NOON)
        assert read(of, window, NOON) == expected


def test_the_first_event_within_a_length_is_exact_to_the_millisecond() -> None:
    """An event leaves when it is as old as the length."""
    of = measure("first", "hour", 2)
    window = new_window(of, 0)
    for at in (NOON, NOON + 1, NOON + 5):
        add(of, window, at)
    assert [read(of, window, NOON + 2 * HOUR + more) for more in (-1, 0, 1, 5)] == [NOON, NOON + 1, NOON + 5, None]


def test_beyond_a_thousand_times_the_first_is_unknown_until_the_lost_ones_have_passed() -> None:
    """It is exact up to the first one that found no room."""
    of = measure("first", "hour", 2)
    window = new_window(of, 0)
    for more in range(1_010):
        add(of, window, NOON + more)
    assert read(of, window, NOON + 2 * HOUR + 998) == NOON + 999
    assert read(of, window, NOON + 2 * HOUR + 999) == UNKNOWN
    assert read(of, window, NOON + 2 * HOUR + 1_009) is None


# ---- distinct -----------------------------------------------------------------------------------------------------------


def test_distinct_values_are_told_apart_by_json_type_and_value() -> None:
    """1 and 1.0 are one number, "1" is a text, and null, lists and objects are no values."""
    values: list[Any] = [1, 1.0, "1", True, False, 2.5, "", -0.0, 0, 10**19, 1e19, "x" * 16, "x" * 17, "x" * 18]
    keys = [value_key(value) for value in values]
    assert keys[0] == keys[1]
    assert keys[7] == keys[8]
    assert keys[9] == keys[10]
    assert len(set(keys)) == len(values) - 3
    nothing: list[Any] = [None, [], {}]
    assert [value_key(value) for value in nothing] == [None, None, None]
    assert max(len(key or "") for key in keys) <= 21


def test_a_value_seen_again_stays_for_the_whole_length() -> None:
    """What counts is the latest pane in which it was seen."""
    of = measure("distinct", "day", 2)
    window = new_window(of, 0)
    add(of, window, NOON, "a")
    add(of, window, NOON, "b")
    add(of, window, NOON + DAY, "a")
    add(of, window, NOON, "a", now=NOON + DAY)
    assert [read(of, window, NOON + day * DAY) for day in (1, 2, 3)] == [2, 1, 0]


def test_beyond_a_thousand_values_the_count_is_a_lower_bound_while_the_last_refusal_is_in_the_window() -> None:
    """A value that is held already is never refused."""
    of = measure("distinct", "day", 2)
    window = new_window(of, 0)
    for number in range(1_001):
        add(of, window, NOON, number)
    assert read(of, window, NOON)[0] == 1_000
    add(of, window, NOON + DAY, 5)
    assert read(of, window, NOON + DAY)[0] == 1_000
    assert read(of, window, NOON + 2 * DAY) == 1


# ---- one day at a time --------------------------------------------------------------------------------------------------


def test_inside_every_day_each_day_stands_for_itself() -> None:
    """Counts, sums, values."""
    cases: list[tuple[str, list[int]]] = [("count", [1, 2]), ("sum", [3, 8]), ("distinct", [1, 2])]
    for kind, expected in cases:
        of = measure(kind, "day", 2, daily=True)
        window = new_window(of, 0)
        for at, value in ((NOON, 3), (NOON + DAY, 3), (NOON + DAY, 5)):
            add(of, window, at, value)
        view = View({of.key: window}, {}, NOON + 2 * DAY, zone("UTC"))
        found = []
        for view.day in (TODAY, TODAY + 1):
            found.append(day_reading(of).read(view))
        assert found == expected


# ---- bytes --------------------------------------------------------------------------------------------------------------

SCRIPT = """
import hashlib, msgspec
from triggers.definitions.model import Compare, Measure, Property, Text
from triggers.measures.windows import new_window, updater
where = Compare("==", Property(("c",)), Text("x"))
measures = [Measure("distinct", "E", ("x",), "day", 9, where), Measure("distinct", "E", ("x",), "day", 9, None, True)]
measures.append(Measure("sum", "E", ("x",)))
kept = {}
for each in measures:
    kept[each.key] = new_window(each, 0)
    for n in range(500):
        day, value = 20_000 + n // 20, n * 7 % 50
        at = day * 86_400_000
        updater(each)(kept[each.key], at, day, value if each.kind == "sum" else f"value {value}", at, day)
print(hashlib.sha256(msgspec.msgpack.encode(kept)).hexdigest())
"""


def test_windows_and_their_keys_are_the_same_under_every_hash_seed() -> None:
    """Law 23: no order of a set, no seed of a hash gets into a state."""
    found = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(found) == 1


def test_did_and_last_of_one_event_share_a_window_whatever_their_length() -> None:
    """But not inside `every_day`, where the day counts."""
    keys = {Measure("did", "E").key, Measure("did", "E", (), "day", 7).key, Measure("last", "E").key}
    assert len(keys) == 1
    assert Measure("did", "E", (), "day", 7, None, True).key not in keys
