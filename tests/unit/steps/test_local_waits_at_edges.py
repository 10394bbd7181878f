"""Local waits where a run could go back, move, or rest twice on one moment."""

from __future__ import annotations

import pytest

from triggers.rules.checks import read
from triggers.rules.warnings import warnings
from triggers.testing import Story

RULES = """version: 2
settings: {time_zone: Europe/Berlin}
journeys:
  j:
    entry: {event: E}
    steps: STEPS
"""
SEND = "{send: {channel: push, text: x}}"


def story(steps: str, start: str) -> Story:
    told = Story({"r.yaml": RULES.replace("STEPS", steps)}, start=start)
    told.track("ann", "E", at=start)
    return told


def dues(told: Story) -> list[str]:
    return [at for _, _, at in told.sent()]


def test_a_date_before_the_step_before_does_not_move_the_run_back() -> None:
    told = story(f"[{{wait: 3d}}, {{wait: {{date: run.entered, offset: 1d}}}}, {SEND}, {{wait: 1d}}, {SEND}]", "2026-01-05T12:00Z")
    told.until("+10d")
    assert dues(told) == ["2026-01-08T12:00:00.000Z", "2026-01-09T12:00:00.000Z"]
    assert [action["due"] for action in told.actions()] == [action["at"] for action in told.actions()]


def test_an_exact_offset_does_not_move_with_the_user() -> None:
    told = story(f"[{{wait: {{date: run.entered, offset: 26h}}}}, {SEND}]", "2026-01-05T12:00Z")
    told.identify("ann", {"timezone": "America/New_York"}, at="+1h")
    told.until("+3d")
    assert dues(told) == ["2026-01-06T14:00:00.000Z"]


def test_an_exact_offset_is_exact_when_the_clock_goes_back() -> None:
    told = story(f"[{{wait: {{date: run.entered, offset: 1h}}}}, {SEND}]", "2026-10-25T00:30Z")  # 02:30 comes twice
    told.until("+1d")
    assert dues(told) == ["2026-10-25T01:30:00.000Z"]


def test_a_new_default_zone_asks_again_about_what_is_held() -> None:
    quiet = 'policies: {quiet_hours: {night: {from: "22:00", to: "08:00"}}}\n'
    text = RULES.replace("STEPS", f"[{SEND}]") + quiet
    told = Story({"r.yaml": text}, start="2026-01-05T22:00Z")
    told.track("ann", "E", at="+1m")
    told.identify("bob", {"timezone": "Europe/Berlin"})
    told.track("bob", "E")
    told.apply({"r.yaml": text.replace("Europe/Berlin", "America/New_York")}, at="+1h")
    told.until("+1d")
    assert sorted(told.sent()) == [("ann", "j", "2026-01-05T23:01:00.000Z"), ("bob", "j", "2026-01-06T07:00:00.000Z")]


@pytest.mark.parametrize(
    ("steps", "number"),
    [
        (f'[{{wait: {{at: "09:00"}}}}, {SEND}, {{wait: {{at: "09:00"}}}}, {SEND}]', 1),
        (f'[{{wait: {{at: "09:00"}}}}, {{wait: {{at: "09:00"}}}}, {SEND}]', 1),
        (f'[{{wait: {{at: "09:00"}}}}, {SEND}, {{wait: {{at: "10:00"}}}}, {SEND}]', 0),
        (f'[{{wait: {{at: "09:00"}}}}, {{wait: 1h}}, {{wait: {{at: "09:00"}}}}, {SEND}]', 0),
        (f'[{{wait: {{at: "09:00"}}}}, {SEND}, {{wait: {{at: "09:00", on: monday}}}}, {SEND}]', 0),
        (f'[{{if: traits.x, then: [{{wait: {{at: "09:00"}}}}, {{wait: {{at: "09:00"}}}}, {SEND}]}}]', 1),
    ],
)
def test_check_warns_of_a_second_wait_for_the_same_time(steps: str, number: int) -> None:
    found = [str(one) for one in warnings(read({"r.yaml": RULES.replace("STEPS", steps)}))]
    assert sum("ended at 09:00 already" in one for one in found) == number == len(found)
