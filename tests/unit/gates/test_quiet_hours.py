"""Messages are held or dropped in quiet hours."""

from typing import Any

import pytest

from triggers.base.moments import iso
from triggers.state.encoding import decode
from triggers.state.sections.holds import HOLDS
from triggers.testing import Story

NIGHT = '{from: "22:00", to: "08:00"}'
DAY = "2026-01-02T"


def rules(quiet: str = NIGHT, journey: str = "", more: str = "", send: str = "") -> dict[str, str]:
    steps = f"[{{send: {{channel: push, text: Hi{send}}}, name: first}}, {{wait: 1h}}, {{send: {{channel: push, text: Ho}}, name: second}}]"
    text = f"""version: 2
policies:
  quiet_hours: {{night: {quiet}{more}}}
journeys:
  j: {{entry: {{event: Go}}, exit: {{event: Left}}, re_entry: always, {journey}steps: {steps}}}
"""
    return {"r.yaml": text}


def story(at: str = "23:00Z", **how: Any) -> Story:
    made = Story(rules(**how), start="2026-01-01T00:00Z")
    made.track("ann", "Go", at=DAY + at)
    return made


def told(made: Story, user: str = "ann") -> list[str]:
    return [" ".join(filter(None, [d["kind"], d["step"], d["reason"], iso(d["at"])[8:16]])) for d in made.decisions(user)]


def test_a_message_is_held_until_the_quiet_ends_and_later_steps_count_from_there() -> None:
    made = story()
    made.until("+2d")
    assert told(made) == [
        "entered 02T23:00",
        "held first quiet hours night 02T23:00",
        "sent first 03T08:00",
        "waiting 2 03T08:00",
        "sent second 03T09:00",
        "exited completed 03T09:00",
    ]
    [held] = made.decisions("ann", "held")
    assert held["values"] == {"to": "08:00", "zone": "UTC", "until": "2026-01-03T08:00:00.000Z"}
    first, second = made.actions()
    assert (iso(first["due"])[8:16], iso(second["due"])[8:16]) == ("02T23:00", "03T09:00")
    assert first["quiet"] == [{"from": "22:00", "to": "08:00", "zone": "UTC"}]


def test_what_is_held_is_in_the_state_until_it_goes_out() -> None:
    made = story()
    user = decode(made.fold()[0].table.states()["ann"])
    [run] = user.runs
    assert (run.step, run.held, iso(run.due)[8:16]) == ("first", True, "03T08:00")
    assert list(user.value(HOLDS).values()) == [(run.due, "quiet hours night")]
    made.until("2026-01-03T08:30Z")
    user = decode(made.fold()[0].table.states()["ann"])
    assert "holds" not in user.sections
    assert [run.held for run in user.runs] == [False]


def test_an_exit_withdraws_what_is_held() -> None:
    made = story()
    made.track("ann", "Left", at="+1h")
    made.until("+2d")
    assert told(made)[2:] == ["exited exit event: Left 03T00:00"]
    assert made.actions() == []
    assert "holds" not in decode(made.fold()[0].table.states()["ann"]).sections


def test_a_message_is_dropped_and_the_run_continues() -> None:
    made = story(quiet='{from: "22:00", to: "08:00", then: drop}')
    made.until("+2d")
    assert told(made)[1:3] == ["dropped first quiet hours night 02T23:00", "waiting 2 02T23:00"]
    assert told(made)[3] == "dropped second quiet hours night 03T00:00"


def test_one_rule_that_drops_decides_and_else_the_latest_end() -> None:
    made = story(more=', late: {from: "21:00", to: "09:30"}')
    made.until("+2d")
    assert told(made)[1:3] == ["held first quiet hours late 02T23:00", "sent first 03T09:30"]
    made = story(more=', late: {from: "21:00", to: "09:30", then: drop}')
    assert told(made)[1] == "dropped first quiet hours late 02T23:00"


def test_at_its_end_everything_is_asked_again_and_another_reason_is_another_decision() -> None:
    made = story(more=', morning: {from: "08:00", to: "09:00"}')
    made.until("+2d")
    assert told(made)[1:4] == ["held first quiet hours night 02T23:00", "held first quiet hours morning 03T08:00", "sent first 03T09:00"]


@pytest.mark.parametrize(
    ("how", "dropped"),
    [
        ({"journey": "hold_at_most: 8h, "}, True),
        ({"journey": "hold_at_most: 9h, "}, False),
        ({"send": ", not_after: 8h"}, True),
        ({"send": ", not_after: 9h"}, False),
    ],
)
def test_a_hold_that_would_be_too_long_is_not_begun(how: dict[str, str], dropped: bool) -> None:
    made = story(**how)
    kind = "dropped first would be held too long" if dropped else "held first quiet hours night"
    assert told(made)[1] == f"{kind} 02T23:00"
    [decision] = made.decisions("ann", "dropped" if dropped else "held")
    assert decision["values"]["until"] == "2026-01-03T08:00:00.000Z"


def test_users_wait_by_their_own_clocks_and_held_messages_spread_over_a_time() -> None:
    made = Story(rules(quiet='{from: "22:00", to: "08:00", spread: 1h}'), start="2026-01-01T00:00Z")
    for number in range(40):
        made.identify(f"u{number}", {"timezone": "Asia/Shanghai"})
        made.track(f"u{number}", "Go", at=f"{DAY}15:00Z")
    made.track("utc", "Go", at=f"{DAY}15:00Z")
    made.until("+2d")
    first = sorted(iso(a["at"])[8:16] for a in made.actions() if a["step"] == "first" and a["user"] != "utc")
    assert first[0] >= "03T00:00"
    assert first[-1] < "03T01:00"
    assert len(set(first)) > 20
    assert told(made, "utc")[1] == "sent first 02T15:00"


def test_a_user_who_travels_is_asked_again_by_the_new_clock() -> None:
    made = story()
    made.identify("ann", {"timezone": "America/New_York"}, at="2026-01-03T05:00Z")
    made.until("+2d")
    assert told(made)[1:4] == ["held first quiet hours night 02T23:00", "held first quiet hours night 03T08:00", "sent first 03T13:00"]


def test_a_pause_comes_before_a_hold_and_a_resume_does_not_end_a_hold() -> None:
    made = story()
    made.pause("j", at="2026-01-03T01:00Z")
    made.resume("j", at="2026-01-03T02:00Z")
    made.until("2026-01-03T07:00Z")
    assert told(made)[1:] == ["held first quiet hours night 02T23:00"]
    made.pause("j", at="2026-01-03T07:30Z")
    made.resume("j", at="2026-01-03T10:00Z")
    made.until("+1h")
    assert told(made)[2:] == [
        "paused first the journey is paused 03T08:00",
        "sent first 03T10:00",
        "waiting 2 03T10:00",
        "sent second 03T11:00",
        "exited completed 03T11:00",
    ]


@pytest.mark.parametrize(("how", "reason"), [({"send": ", not_after: 20h"}, "expired"), ({}, "late")])
def test_a_held_message_that_a_pause_kept_too_long_is_skipped(how: dict[str, str], reason: str) -> None:
    made = story(**how)
    made.pause("j", at="2026-01-03T07:30Z")
    made.resume("j", at="2026-01-03T20:00Z" if reason == "expired" else "2026-01-04T20:00Z")
    made.until("+1h")
    assert [line for line in told(made) if "first" in line][-1].startswith(f"skipped first {reason}")


def test_policies_that_are_no_longer_active_hold_until_their_end_and_no_longer() -> None:
    made = story()
    made.apply({"r.yaml": rules()["r.yaml"].replace(f"night: {NIGHT}", "")}, at="2026-01-03T01:00Z")
    made.until("+2d")
    assert told(made)[1:3] == ["held first quiet hours night 02T23:00", "sent first 03T08:00"]


def test_before_go_live_messages_are_held_too() -> None:
    made = Story(rules(), start="2026-01-01T00:00Z", live=False)
    made.track("ann", "Go", at=f"{DAY}23:00Z")
    made.until("+12h")
    assert told(made)[1:3] == ["held first quiet hours night 02T23:00", "dry first before go-live 03T08:00"]
