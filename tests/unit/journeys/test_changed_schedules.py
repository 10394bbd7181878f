"""Entries by the clock when their definitions, their traits or the user's zone change: what has come does not come again."""

from __future__ import annotations

import pytest

from triggers.state.traits import merge, take_over
from triggers.state.user import User
from triggers.testing import Story

RULES = """version: 2
settings: {time_zone: ZONE}
segments: {vip: traits.vip, other: traits.other}
journeys:
  j:
    entry: ENTRY
    MORE
    re_entry: always
    steps: [{send: {channel: push, text: x}}]
"""
NINE = '{every: day, at: "09:00", inside: vip}'
TRIAL = '{date: traits.ends, at: "09:00"}'
YEARLY = '{date: traits.ends, every: year, at: "09:00"}'


def rules(entry: str, more: str = "priority: 50", zone: str = "UTC") -> dict[str, str]:
    return {"r.yaml": RULES.replace("ENTRY", entry).replace("MORE", more).replace("ZONE", zone)}


def story(entry: str, more: str = "priority: 50", zone: str = "UTC", start: str = "2026-01-01T00:00Z", **traits: object) -> Story:
    told = Story(rules(entry, more, zone), start=start)
    told.identify("ann", {"vip": True, **traits}, at=start)
    return told


def moments(told: Story) -> list[str]:
    return [at[:16] for _, _, at in told.sent()]


# ---- the definition ---------------------------------------------------------------------------------------------------------


def test_another_entry_in_the_list_does_not_let_a_schedule_come_again() -> None:
    told = story(NINE)
    told.until("2026-01-01T10:00Z")
    told.apply(rules(f'[{{every: day, at: "12:00", inside: vip}}, {NINE}]'))
    told.until("2026-01-02T08:00Z")
    told.apply(rules(f"[{{event: E}}, {NINE}]"))
    told.until("2026-01-02T20:00Z")
    assert moments(told) == ["2026-01-01T09:00", "2026-01-01T12:00", "2026-01-02T09:00"]


def test_an_entry_that_replaces_others_does_not_come_on_their_date() -> None:
    told = story('[{every: day, at: "09:00", inside: vip}, {every: day, at: "21:00", inside: vip}]')
    told.until("2026-01-01T10:00Z")
    told.apply(rules('[{every: day, at: "12:00", inside: vip}, {every: day, at: "21:00", inside: vip}]'))
    told.until("2026-01-02T22:00Z")
    assert moments(told) == ["2026-01-01T09:00", "2026-01-01T21:00", "2026-01-02T12:00", "2026-01-02T21:00"]


def test_an_entry_that_was_there_before_does_not_take_over_the_date_of_one_that_is_gone() -> None:
    told = story('[{every: day, at: "09:00", inside: vip}, {every: day, at: "21:00", inside: other}]')
    told.until("2026-01-01T10:00Z")
    told.apply(rules('{every: day, at: "21:00", inside: other}'))
    told.identify("ann", {"other": True}, at="+1h")
    told.until("2026-01-01T22:00Z")
    assert moments(told) == ["2026-01-01T09:00", "2026-01-01T21:00"]


def test_an_entry_that_is_twice_in_a_list_enters_once() -> None:
    told = story(f"[{NINE}, {NINE}]")
    told.until("2026-01-02T10:00Z")
    assert moments(told) == ["2026-01-01T09:00", "2026-01-02T09:00"]
    assert told.decisions("ann", "refused") == []


def test_an_anniversary_that_replaces_a_schedule_comes_this_year() -> None:
    told = story('{every: day, at: "09:00", inside: vip}', ends="1999-03-30")
    told.until("2026-01-02T10:00Z")
    told.apply(rules(YEARLY))
    told.until("2026-12-01")
    assert moments(told) == ["2026-01-01T09:00", "2026-01-02T09:00", "2026-03-30T09:00"]


def test_an_anniversary_by_another_trait_comes_once_a_year_too() -> None:
    told = story(YEARLY, ends="1999-03-30", born="1999-06-01")
    told.until("2026-04-01")
    told.apply(rules('{date: traits.born, every: year, at: "09:00"}'))
    told.until("2027-12-01")
    assert moments(told) == ["2026-03-30T09:00", "2027-06-01T09:00"]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("from: 2026-02-01", "priority: 50", "2026-01-02T09:00"),
        ("from: 2026-02-01", "from: 2026-01-15", "2026-01-15T09:00"),
        ("from: 2026-01-15", "from: 2026-02-01", "2026-02-01T09:00"),
        ("until: 2026-01-31", "from: 2026-01-15", "2026-01-15T09:00"),
        ("spread: 23h", "priority: 50", "2026-01-02T09:00"),
        ("priority: 50", "until: 2026-01-01", None),
    ],
)
def test_timers_follow_changed_bounds(before: str, after: str, expected: str | None) -> None:
    told = story(NINE, before)
    told.until("2026-01-01T09:30Z")
    came = len(moments(told))
    told.apply(rules(NINE, after))
    told.until("2026-03-01")
    assert next(iter(moments(told)[came:]), None) == expected


def test_changed_bounds_do_not_let_a_date_come_again() -> None:
    told = story(NINE)
    told.until("2026-01-01T09:30Z")
    told.apply(rules(NINE, "spread: 23h"))
    told.until("2026-01-02T09:00Z")
    assert moments(told) == ["2026-01-01T09:00"]


# ---- the zone ---------------------------------------------------------------------------------------------------------------


def test_a_moment_in_a_trait_enters_once_when_the_zone_is_learned_later() -> None:
    told = story(TRIAL, ends="2026-04-02T23:30:00Z")  # on the second in UTC, on the third in Berlin
    told.until("2026-04-02T10:00Z")
    told.identify("ann", {"timezone": "Europe/Berlin"})
    told.until("2026-05-01")
    assert moments(told) == ["2026-04-02T09:00"]


def test_a_moment_in_a_trait_enters_once_over_many_zones() -> None:
    told = story(TRIAL, zone="Pacific/Pago_Pago", ends="2026-04-03T10:30:00Z")  # on the second there, on the fourth in Kiritimati
    told.until("2026-04-02T21:00Z")
    for zone in ("UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
        told.identify("ann", {"timezone": zone}, at="+1h")
    told.until("2026-05-01")
    assert moments(told) == ["2026-04-02T20:00"]


def test_the_next_occurrence_of_a_moment_is_on_its_date_in_the_new_zone() -> None:
    told = story(TRIAL, ends="2026-04-02T23:30:00Z")
    told.identify("ann", {"timezone": "Europe/Berlin"}, at="2026-03-01")
    told.until("2026-05-01")
    assert moments(told) == ["2026-04-03T07:00"]


def test_a_moment_that_is_on_an_earlier_date_of_the_new_zone_comes_now() -> None:
    told = story(TRIAL, zone="Europe/Berlin", ends="2026-04-02T23:30:00Z")
    told.identify("ann", {"timezone": "America/New_York"}, at="2026-04-02T20:00Z")
    told.until("2026-05-01")
    assert moments(told) == ["2026-04-02T20:00"]


def test_a_new_default_zone_does_not_let_a_moment_enter_again() -> None:
    told = story(TRIAL, ends="2026-04-02T23:30:00Z")
    told.until("2026-04-02T10:00Z")
    told.apply(rules(TRIAL, zone="Europe/Berlin"))
    told.until("2026-05-01")
    assert moments(told) == ["2026-04-02T09:00"]


def test_an_anniversary_over_the_turn_of_the_year_comes_once_in_both_zones() -> None:
    told = story(YEARLY, ends="1990-12-31T23:30:00Z")  # on the first of January in Berlin
    told.until("2026-12-31T12:00Z")
    told.identify("ann", {"timezone": "Europe/Berlin"})
    told.until("2027-12-31T12:00Z")
    assert moments(told) == ["2026-12-31T09:00"]
    told.identify("ann", {"timezone": "UTC"})
    told.until("2028-01-02T12:00Z")
    assert moments(told) == ["2026-12-31T09:00", "2027-12-31T12:00"]


def test_ids_do_not_repeat_over_an_erase_while_the_clock_is_still() -> None:
    told = story(NINE)
    at = "2026-01-01T05:00Z"
    told.identify("ann", {"timezone": "Asia/Tokyo"}, at=at)
    for _ in range(2):
        told.erase("ann")
        told.identify("ann", {"vip": True}, at=at)
        told.identify("ann", {"timezone": "Asia/Tokyo"}, at=at)
    told.until("2026-01-02T05:00Z")
    assert moments(told) == ["2026-01-01T05:00"] * 3 + ["2026-01-02T00:00"]
    ids = [action["id"] for action in told.actions()]
    assert len(set(ids)) == 4
    entries = [id_.split(":")[2] for id_ in ids]
    assert entries == [f"0-t1767243600000-o{offset}" for offset in (3, 6, 9)] + ["0-t1767312000000"]


# ---- the trait --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1999-03-30", 922_752_000, 922_752_000.5, ["1999-03-30", 1], {"day": True}, True, None])
def test_the_same_value_again_changes_nothing(value: object) -> None:
    user = User()
    take_over(user, merge(user, {"ends": value}, 1, 1))
    assert merge(user, {"ends": value}, 2, 2).changed == {}


@pytest.mark.parametrize(("value", "other"), [(1, True), (1, 1.0), ([1], [True]), ({"a": [0]}, {"a": [False]}), ("1", 1), (1, None)])
def test_what_only_python_takes_for_equal_is_another_value(value: object, other: object) -> None:
    user = User()
    take_over(user, merge(user, {"ends": value}, 1, 1))
    assert merge(user, {"ends": other}, 2, 2).changed == {"ends": other}


def test_a_zone_with_the_same_value_again_lets_what_has_passed_come_now() -> None:
    told = story(TRIAL, ends=1_775_174_400)  # the third of April
    told.identify("ann", {"timezone": "Asia/Tokyo", "ends": 1_775_174_400}, at="2026-04-03T05:00Z")
    told.until("2026-05-01")
    assert moments(told) == ["2026-04-03T05:00"]


def test_one_is_another_value_than_true() -> None:
    told = story('{date: traits.ends, at: "09:00"}', ends=1_775_174_400)
    told.identify("ann", {"ends": True})
    told.until("2026-05-01")
    assert moments(told) == []
