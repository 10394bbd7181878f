"""Runs that another entry replaces, and runs that a pause or a policy has kept back."""

import pytest

from triggers.base.moments import LAST, iso, iso_day, zone
from triggers.conditions.circumstances import local_time
from triggers.state.encoding import decode
from triggers.state.sections.begun import BEGUN
from triggers.testing import Story

CART = """version: 2
journeys:
  cart:
    entry: {event: Cart Updated}
    exit: {event: Ordered}
    goal: {event: Ordered, within: 14d}
    while_running: restart
    re_entry: always
    late: {after: 1h, then: drop}
    steps: [{wait: 30m}, {send: {channel: push, text: "{{ properties.items }}"}}]
"""
THREE = """version: 1
journeys:
  three:
    entry: {event: Go}
    late: {after: 10d, then: drop}
    steps: [{wait: 1d}, {send: {channel: push, text: A}}, {wait: 1d}, {send: {channel: push, text: B}}, {wait: 1d}, {wait: 1d}]
"""


def told(story: Story) -> list[str]:
    return [" ".join(filter(None, [d["kind"], d["reason"], iso(d["at"])[8:16]])) for d in story.decisions("ann") if d["kind"] != "waiting"]


def cart() -> Story:
    story = Story({"r.yaml": CART}, start="2026-01-01T00:00Z")
    story.track("ann", "Cart Updated", {"items": "1"}, at="2026-01-02T10:00Z")
    return story


def test_an_older_entry_that_comes_late_does_not_replace_the_run() -> None:
    """A phone that was offline delivers an old change of the cart: the newer one counts, and nothing goes out at once."""
    story = cart()
    story.track("ann", "Cart Updated", {"items": "0"}, at="2026-01-02T10:20Z", happened="2026-01-02T09:00Z")
    story.until("+1d")
    assert told(story) == ["entered 02T10:00", "refused older than the run 02T10:20", "sent 02T10:30", "exited completed 02T10:30"]
    assert [action["message"]["text"] for action in story.actions()] == ["1"]


def test_the_order_of_a_batch_of_late_entries_is_that_of_their_own_times() -> None:
    story = cart()
    for minute in (5, 15, 10):
        story.track("ann", "Cart Updated", {"items": f"{minute}"}, at="2026-01-02T10:20Z", happened=f"2026-01-02T10:{minute:02}Z")
    story.until("+1d")
    assert [(action["message"]["text"], iso(action["at"])[11:16]) for action in story.actions()] == [("15", "10:45")]


def test_one_event_is_one_conversion_however_often_the_run_was_replaced() -> None:
    story = cart()
    for _ in range(5):
        story.track("ann", "Cart Updated", {"items": "2"}, at="+10m")
    story.track("ann", "Ordered", at="+10m")
    assert [d["run"].rpartition("-")[2] for d in story.decisions("ann", "converted")] == ["o7"]
    assert "begun" not in decode(story.fold()[0].table.states()["ann"]).sections


def test_the_moment_of_the_entry_is_kept_only_for_journeys_that_can_restart() -> None:
    assert list(decode(cart().fold()[0].table.states()["ann"]).value(BEGUN)) == ["cart:0-o2"]
    other = Story({"r.yaml": CART.replace("    while_running: restart\n", "")}, start="2026-01-01T00:00Z")
    other.track("ann", "Cart Updated", {}, at="2026-01-02T10:00Z")
    assert "begun" not in decode(other.fold()[0].table.states()["ann"]).sections


def test_after_a_resume_later_steps_count_from_the_resume() -> None:
    """Otherwise all messages of a run that was paused for a week would go out at one moment."""
    story = Story({"r.yaml": THREE}, start="2026-01-01T00:00Z")
    story.track("ann", "Go", at="2026-01-02T10:00Z")
    story.pause("three", "2026-01-02T12:00Z")
    story.resume("three", "2026-01-08T12:00Z")
    story.until("+9d")
    assert [(a["message"]["text"], iso(a["at"])[5:16], iso(a["due"])[5:16]) for a in story.actions()] == [
        ("A", "01-08T12:00", "01-03T10:00"),
        ("B", "01-09T12:00", "01-09T12:00"),
    ]
    assert told(story)[-1] == "exited completed 11T12:00"


def test_two_waits_in_a_row_count_from_the_resume_too() -> None:
    story = Story({"r.yaml": THREE.replace("[{wait: 1d}, ", "[{wait: 12h}, {wait: 1d}, ")}, start="2026-01-01T00:00Z")
    story.track("ann", "Go", at="2026-01-02T10:00Z")
    story.pause("three", "2026-01-02T12:00Z")
    story.resume("three", "2026-01-05T12:00Z")
    story.until("+1d")
    assert [iso(a["due"])[5:16] for a in story.actions()] == ["01-06T12:00"]


@pytest.mark.parametrize(("resume", "outcome"), [("2026-01-03T08:30Z", "sent 03T08:30"), ("2026-01-03T09:30Z", "skipped late 03T09:30")])
def test_what_a_policy_held_is_late_only_by_the_pause_behind_the_hold(resume: str, outcome: str) -> None:
    text = """version: 2
policies: {quiet_hours: {night: {from: "22:00", to: "08:00"}}}
journeys:
  j: {entry: {event: Go}, late: {after: 1h, then: drop}, steps: [{send: {channel: push, text: Hi}}]}
"""
    story = Story({"r.yaml": text}, start="2026-01-01T00:00Z")
    story.track("ann", "Go", at="2026-01-02T23:00Z")
    story.pause("j", "2026-01-03T07:00Z")
    story.resume("j", resume)
    assert told(story)[-2:] == [outcome, f"exited completed {outcome[-8:]}"]


def test_an_operator_who_enters_a_user_is_answered_each_time() -> None:
    text = CART.replace("    while_running: restart\n", "").replace("re_entry: always", "re_entry: never")
    story = Story({"r.yaml": text}, start="2026-01-01T00:00Z")
    story.track("ann", "Cart Updated", {}, at="2026-01-02T10:00Z")
    story.enter("ann", "cart", "+1m")
    story.enter("ann", "cart", "+1m")
    assert [d["reason"] for d in story.decisions("ann", "refused")] == ["a run of this journey is under way"] * 2


def test_a_message_id_cannot_stop_a_command() -> None:
    story = cart()
    story.call("ann", type="track", event="Other", messageId="\0c1", at="+1m")
    story.user_command("suppress", "ann", "+1m", id_="c1")
    assert [d["reason"] for d in story.decisions("ann", "met")] == ["command suppress"]


def test_the_send_log_is_forgotten_when_the_rules_have_no_policies_any_more() -> None:
    policies = "policies: {caps: {one: {most: 1, per: day}}}\n"
    story = Story({"r.yaml": CART.replace("journeys:", f"{policies}journeys:")}, start="2026-01-01T00:00Z")
    story.track("ann", "Cart Updated", {}, at="2026-01-02T10:00Z")
    story.until("+1h")
    assert "sends" in decode(story.fold()[0].table.states()["ann"]).sections
    story.apply({"r.yaml": CART})
    story.track("ann", "Other", at="+1m")
    assert "sends" not in decode(story.fold()[0].table.states()["ann"]).sections


def test_a_segment_that_a_new_rule_set_makes_the_user_leave_ends_the_run_and_converts_it() -> None:
    def rules(zone_name: str) -> dict[str, str]:
        return {
            "r.yaml": f"""version: 2
settings: {{time_zone: {zone_name}, before_rules: nothing}}
segments: {{early: "count('A', days=1) >= 1"}}
journeys:
  j: {{entry: {{event: Go}}, exit: goal, goal: {{leaves: early, within: 9d}}, steps: [{{wait: 9d}}, {{send: {{channel: push, text: Hi}}}}]}}
"""
        }

    story = Story(rules("Pacific/Honolulu"), start="2026-01-01T00:00Z")
    story.track("ann", "A", at="2026-01-02T09:00Z")
    story.track("ann", "Go", at="+1m")
    story.apply(rules("Asia/Tokyo"), "2026-01-02T09:30Z")
    story.track("ann", "Other", at="+1m")
    decisions = [d["kind"] for d in story.decisions("ann")]
    assert decisions == ["entered", "waiting", "converted", "exited"]


@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_nothing_fails_at_the_end_of_the_calendar(name: str) -> None:
    assert iso(LAST + 10**12) == iso(LAST) == "9999-12-31T23:59:59.999Z"
    assert iso_day(10**9) == "9999-12-31"
    moment = local_time(LAST, zone(name))
    assert (moment["day"], moment["month"]) in ((31, 12), (1, 1))


def test_rules_that_show_a_moment_live_to_the_end_of_the_calendar() -> None:
    text = """version: 2
segments: {s: "count('A', days=3650) >= 1"}
journeys:
  j:
    entry: {event: A, where: local.hour >= 0}
    re_entry: always
    steps: [{if: 'count("B", days=3650) > 1', then: [{wait: 1d}]}, {wait: {days: 1, at: "09:00"}}, {send: {channel: push, text: Hi}}]
"""
    story = Story({"r.yaml": text}, start=LAST - 86_400_000 * 3)
    story.identify("ann", {"timezone": "Pacific/Kiritimati"}, at=LAST - 10_000)
    story.track("ann", "A", at=LAST - 5_000)
    story.until(LAST)
    assert "entered" in [d["kind"] for d in story.decisions("ann")]


def test_a_run_that_was_inside_before_restart_came_is_not_replaced_by_an_older_event() -> None:
    """Of such a run only the logical time of its entry is known."""
    story = Story({"r.yaml": CART.replace("    while_running: restart\n", "")}, start="2026-01-01T00:00Z")
    story.track("ann", "Cart Updated", {"items": "1"}, at="2026-01-02T10:00Z")
    story.apply({"r.yaml": CART}, at="+1m")
    story.track("ann", "Cart Updated", {"items": "0"}, at="+1m", happened="2026-01-02T09:00Z")
    assert told(story) == ["entered 02T10:00", "refused older than the run 02T10:02"]
    story.track("ann", "Cart Updated", {"items": "2"}, at="+1m")
    assert told(story)[2:] == ["exited entered again 02T10:03", "entered 02T10:03"]


DATED = """version: 2
journeys:
  j:
    entry: {event: Go}
    steps:
      - wait: 1d
      - send: {channel: push, text: A}
        skip_unless: traits.a
      - wait: {date: run.entered, offset: 2d, at: "19:30"}
      - send: {channel: push, text: B}
      - wait: 1d
      - send: {channel: push, text: C}
"""


@pytest.mark.parametrize("between", ["        skip_unless: traits.a\n", ""])
@pytest.mark.parametrize(
    ("resumed", "sent"),
    [("2026-01-03T20:00Z", ["04T19:30", "05T19:30"]), ("2026-01-07T00:00Z", ["08T00:00"]), ("2026-01-05T19:30Z", ["05T19:30", "06T19:30"])],
)
def test_a_date_that_a_pause_has_let_pass_is_late(resumed: str, sent: list[str], between: str) -> None:
    """The send before it, which the pause made late, is skipped; so is the one after the date."""
    rules = DATED.replace("        skip_unless: traits.a\n", between)
    story = Story({"r.yaml": rules}, start="2026-01-01T00:00Z")
    story.track("ann", "Go", at="2026-01-02T00:00Z")
    story.pause("j", at="+1h")
    story.resume("j", at=resumed)
    story.until("2026-01-20T00:00Z")
    assert [iso(action["at"])[8:16] for action in story.actions() if action["message"]["text"] != "A"] == sent
    assert [one["reason"] for one in story.decisions("ann", "skipped") if one["step"] == "4"] == (["late"] if resumed[9] == "7" else [])
