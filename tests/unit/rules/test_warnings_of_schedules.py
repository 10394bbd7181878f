"""What `check` warns of in entries by the clock."""

from __future__ import annotations

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings

SEND = "{send: {channel: push, text: Hi}}"
DAILY = '{every: day, at: "09:00", inside: vip}'


def found(entry: str, more: str = "priority: 50", steps: str = SEND, above: str = "segments: {vip: traits.vip}") -> list[str]:
    text = f"version: 2\n{above}\njourneys:\n  j:\n    entry: {entry}\n    {more}\n    steps: [{steps}]\n"
    return [str(one).removeprefix("r.yaml:") for one in warnings(read({"r.yaml": text})) if "nothing names" not in one.message]


@pytest.mark.parametrize(
    ("entry", "bounds"),
    [
        ('{on: 2026-12-24, at: "10:00", inside: vip}', "until: 2026-12-23"),
        ('{on: 2026-12-24, at: "10:00", inside: vip}', "from: 2026-12-25"),
        ('{every: week, on: [monday], at: "10:00", inside: vip}', "from: 2026-12-01\n    until: 2026-12-06"),
        ('{every: month, on: last, at: "10:00", inside: vip}', "from: 2026-12-01\n    until: 2026-12-30"),
        ('{every: year, on: 02-29, at: "10:00", inside: vip}', "from: 2026-03-01\n    until: 2027-02-27"),
    ],
)
def test_an_entry_that_never_comes_between_from_and_until_is_warned_of(entry: str, bounds: str) -> None:
    (warning,) = found(entry, bounds)
    assert warning == "5:12: no user enters here: no occurrence is between from and until; change the dates, or leave this entry out"
    (warning,) = found(f"[{{event: E}}, {entry}]", bounds)
    assert warning.startswith("5:25: no user enters here")


@pytest.mark.parametrize(
    ("entry", "bounds"),
    [
        ('{on: 2026-12-24, at: "10:00", inside: vip}', "from: 2026-12-24\n    until: 2026-12-24"),
        ('{on: 2026-12-24, at: "23:00", inside: vip}', "from: 2026-12-25\n    spread: 2h"),
        ('{every: week, on: [monday], at: "10:00", inside: vip}', "from: 2026-12-01\n    until: 2026-12-07"),
        ('{every: year, on: 02-29, at: "10:00", inside: vip}', "until: 2027-02-27"),
        ('{date: traits.born, every: year, at: "10:00"}', "from: 2026-12-01\n    until: 2026-12-01"),
    ],
)
def test_an_entry_that_can_come_is_not_warned_of(entry: str, bounds: str) -> None:
    assert found(entry, bounds) == []


@pytest.mark.parametrize(
    ("entry", "steps"),
    [
        (DAILY, f"{{wait: 27h}}, {SEND}"),
        (DAILY, f"{{wait: 20h}}, {{wait: 20h}}, {SEND}"),
        (DAILY, f"{{wait: {{days: 3}}}}, {{if: traits.a, then: [{SEND}], else: [{SEND}]}}"),
        (DAILY, f"{{if: traits.a, then: [{{wait: 3d}}], else: [{{wait: 2d}}]}}, {SEND}"),
        ('{every: week, on: [monday, thursday], at: "09:00", inside: vip}', f"{{wait: 5d}}, {SEND}"),
        ('{every: month, on: [1], at: "09:00", inside: vip}', f"{{wait: 32d}}, {SEND}"),
        ('{every: year, on: 02-29, at: "09:00", inside: vip}', f"{{wait: 367d}}, {SEND}"),
    ],
)
def test_a_schedule_that_ends_its_own_runs_before_they_send_is_warned_of(entry: str, steps: str) -> None:
    (warning,) = found(entry, "while_running: restart", steps)
    assert "while_running: restart begins each run again before its first message, so it sends nothing" in warning
    assert found(entry, "while_running: refuse", steps) == []


@pytest.mark.parametrize(
    "steps",
    [
        f"{{wait: 24h}}, {SEND}",
        f"{SEND}, {{wait: 3d}}, {SEND}",
        f"{{if: traits.a, then: [{SEND}]}}, {{wait: 3d}}, {SEND}",
        f"{{if: traits.a, then: [{{wait: 3d}}]}}, {SEND}",
        f"{{wait: {{event: E, timeout: 9d}}}}, {SEND}",
    ],
)
def test_a_schedule_whose_runs_can_send_is_not_warned_of(steps: str) -> None:
    assert found(DAILY, "while_running: restart", steps) == []


@pytest.mark.parametrize(
    ("condition", "what"), [("traits.born", "a flag"), ("traits.born == 5", "a small number"), ("18 <= traits.born", "a small number")]
)
def test_a_date_that_a_condition_takes_for_something_else_is_warned_of(condition: str, what: str) -> None:
    (warning,) = found('{date: traits.born, at: "09:00"}', above=f"segments: {{vip: '{condition}'}}")
    assert warning.startswith(f"5:12: a condition takes traits.born for {what}, and here it is a date; name the trait")


@pytest.mark.parametrize("condition", ["traits.other", "traits.born == traits.born", 'traits.born != ""', "traits.born > 1700000000"])
def test_a_date_that_conditions_also_ask_for_is_not_warned_of(condition: str) -> None:
    assert found('{date: traits.born, at: "09:00"}', above=f"segments: {{vip: '{condition}'}}") == []


def test_a_flag_of_the_schema_is_no_date() -> None:
    text = "version: 2\nschema: {traits: {vip: flag}}\njourneys: {j: {entry: {date: traits.vip, at: '09:00'}, steps: [" + SEND + "]}}\n"
    with pytest.raises(RuleErrors) as caught:
        load({"r.yaml": text})
    problem = 'r.yaml:3:30: entry: date is "traits.vip", a flag in the schema; a date, a moment or a number of seconds belongs in it'
    assert [str(one) for one in caught.value.problems] == [problem]


BIRTHDAY = '{date: traits.born, every: year, at: "09:00"}'
SHOWS = """{send: {channel: push, text: "{{ traits.born | date('%d.%m.') }}"}}"""


def test_a_date_that_may_be_without_a_year_in_a_text_is_warned_of() -> None:
    (warning,) = found(BIRTHDAY, steps=SHOWS)
    assert "7:42: a date without a year, such as 03-30, enters here too, but |date cannot show it: then the message fails" in warning
    assert found('{date: traits.born, at: "09:00"}', steps=SHOWS) == []
    assert found(BIRTHDAY, steps=SHOWS.replace("traits.born", "traits.other")) == []
    assert found(BIRTHDAY, steps=SHOWS, above="schema: {traits: {born: moment}}") == []
