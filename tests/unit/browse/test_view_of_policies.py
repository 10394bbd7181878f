"""`inspect users` shows what policies hold, how much of each cap is used, and runs, goals, tiers and schedules."""

from typing import Any

from streams.browse.user_view import user_view
from streams.cli.lines import of_user
from triggers.state.encoding import decode
from triggers.testing import Story

RULES = """version: 2
policies:
  quiet_hours: {night: {from: "22:00", to: "08:00"}}
  caps:
    day: {most: 2, per: day}
    hour: {most: 1, per: 1h, channels: [push]}
journeys:
  welcome: {entry: {event: A}, re_entry: always, steps: [{send: {channel: push, text: Hi}}]}
"""


def test_holds_and_caps_are_shown() -> None:
    story = Story({"r.yaml": RULES}, start="2026-01-01T00:00Z")
    story.track("ann", "A", at="2026-01-02T12:00Z")
    partition = story.fold()[0]
    shown = user_view("ann", decode(partition.table.states()["ann"]), partition.position, story.library)
    assert shown["caps"] == [
        {"cap": "day", "used": 1, "most": 2, "per": "day", "room_from": None},
        {"cap": "hour", "used": 1, "most": 1, "per": "1h", "room_from": "2026-01-02T13:00:00.000Z"},
    ]
    assert "holds" not in shown
    story.track("ann", "A", at="2026-01-02T23:00Z")
    partition = story.fold()[0]
    shown = user_view("ann", decode(partition.table.states()["ann"]), partition.position, story.library)
    assert shown["holds"] == [{"journey": "welcome", "until": "2026-01-03T08:00:00.000Z", "reason": "quiet hours night"}]
    assert shown["timers"] == [{"at": "2026-01-03T08:00:00.000Z", "what": "continue journey welcome"}]


ALL = """version: 2
segments: {reader: did("Read")}
tiers: {member: {keep: 9d, levels: [{silver: count("Read") >= 1}, {gold: count("Read") >= 9}]}}
policies:
  control: {percent: 5}
  quiet_hours: {night: {from: "22:00", to: "08:00", channels: [push]}}
  caps: {weekly: {most: 3, per: 7d}, mail: {most: 1, per: 7d, channels: [email]}}
journeys:
  cart:
    entry: {event: Cart, key: id}
    goal: {event: Paid, key: id, within: 3d}
    re_entry: always
    holdout: 1%
    steps:
      - split: offer
        arms: {a: {weight: 1}, b: {weight: 0}}
      - send: {channel: push, text: Hi}
  long: {entry: {event: Cart}, steps: [{wait: 9d, name: rest}, {send: {channel: email, text: x}}]}
  digest: {entry: {every: week, on: [monday], at: "10:00", inside: reader}, steps: [{send: {channel: email, text: Week}}]}
"""


def view_of(story: Story, user: str) -> dict[str, Any]:
    partition = story.fold()[0]
    return user_view(user, decode(partition.table.states()[user]), partition.position, story.library)


def seen() -> dict[str, Any]:
    story = Story({"r.yaml": ALL}, start="2026-01-01T00:00Z")
    story.track("ann", "Read", at="2026-01-02T12:00Z")
    story.track("ann", "Cart", {"id": "c1"}, at="2026-01-05T12:00Z")
    story.track("ann", "Paid", {"id": "c1"}, at="2026-01-05T13:00Z")
    story.track("ann", "Cart", {"id": "c2"}, at="2026-01-05T23:00Z")
    return view_of(story, "ann")


def test_runs_and_goals_have_their_key_and_their_arms_and_a_held_run_says_why() -> None:
    shown = seen()
    kept = {"key": "c2", "arm": "treated", "arms": {"offer": "a"}}
    (held,) = [run for run in shown["runs"] if run["journey"] == "cart"]
    assert {name: held[name] for name in kept} == kept
    assert held["hold"] == {"until": "2026-01-06T08:00:00.000Z", "reason": "quiet hours night"}
    assert [(goal["key"], goal["arm"], goal["arms"], goal["conversions"]) for goal in shown["goals"]] == [
        ("c1", "treated", {"offer": "a"}, 1),
        ("c2", "treated", {"offer": "a"}, 0),
    ]
    (other,) = [run for run in shown["runs"] if run["journey"] == "long"]
    assert other.keys() & {"key", "arms", "hold"} == set()
    assert (shown["arm"], other["arm"]) == ("treated", "treated"), "the user's own arm of the control group, and that of the run"


def test_the_page_about_a_user_says_all_of_it_in_words() -> None:
    page = of_user({"partition": 3, "bytes": 100, "clock": "2026-01-05T23:00:00.000Z", **seen()})
    for line in (
        "  measured as treated",
        "    member: silver since 2026-01-02T12:00:00.000Z",
        "its message is held until 2026-01-06T08:00:00.000Z: quiet hours night",
        "      key c2, arm treated, offer: a",
        "    cart until 2026-01-08T12:00:00.000Z, entered 2026-01-05T12:00:00.000Z, reached 1 time (key c1, arm treated, offer: a)",
        "    cart until 2026-01-08T23:00:00.000Z, entered 2026-01-05T23:00:00.000Z, not reached yet (key c2, arm treated, offer: a)",
        "    digest: next entry 2026-01-12T10:00:00.000Z, last for 2026-01-05",
        "    mail: 1 of 1 used in 7d, room from 2026-01-12T10:00:00.000Z",
        "    weekly: 2 of 3 used in 7d\n",
    ):
        assert line in page, page


def test_a_page_has_no_part_for_what_no_rule_needs() -> None:
    page = of_user({"partition": 3, "bytes": 100, "clock": None, **view_of(_plain(), "ann")})
    assert not any(f"\n  {part}" in page for part in ("tiers", "caps", "goals", "schedules", "measured"))


def _plain() -> Story:
    story = Story({"r.yaml": "version: 1\nsegments: {a: did('A')}\n"}, start="2026-01-01T00:00Z")
    story.track("ann", "A", at="2026-01-02T12:00Z")
    return story
