"""The goal of the control group: `converted` for all users, in the group or not, without a journey."""

from typing import Any

import pytest

from streams.browse.user_view import user_view
from triggers.base.draws import draw
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.scenarios.running import run_scenarios
from triggers.state.encoding import decode
from triggers.testing import Story

RULES = """version: 2
segments:
  payer: did("order_paid")
policies:
  control: {percent: 20, goal: {event: order_paid, where: total > 1, value: total}}
journeys:
  trial:
    entry: {event: started}
    goal: {event: order_paid, within: 1d}
    steps: [{send: {channel: push, text: Hello}}]
"""
GOAL = "{event: order_paid, where: total > 1, value: total}"
USERS = [f"user-{number}" for number in range(40)]
ARMS = {user: "control" if draw("control", "", user) < (1 << 64) // 5 else "treated" for user in USERS}
TREATED = next(user for user in USERS if ARMS[user] == "treated")


def story_of(goal: str = GOAL, *, live: bool = True) -> Story:
    return Story({"rules.yaml": RULES.replace(GOAL, goal)}, live=live)


def converted(story: Story, user: str | None = None) -> list[dict[str, Any]]:
    return [one for one in story.decisions(user, "converted") if one["journey"] is None]


def test_each_goal_event_of_each_user_converts_without_any_run() -> None:
    story = story_of()
    for user in USERS:
        story.track(user, "order_paid", {"total": 5}, at="+1m")
    story.track(TREATED, "order_paid", {"total": 2.5}, at="+90d")
    story.track(TREATED, "order_paid", {"total": 1}, at="+1m")
    story.track(TREATED, "order_paid", {"total": "?"}, at="+1m")
    assert {one["user"]: one["arm"] for one in converted(story)} == ARMS
    assert set(ARMS.values()) == {"control", "treated"}
    assert [one["values"] for one in converted(story, TREATED)] == [{"value": 5}, {"value": 2.5}]
    assert {(one["run"], one["version"], one["step"], one["reason"]) for one in converted(story)} == {(None, None, None, None)}


def test_the_goals_of_journeys_are_measured_with_it() -> None:
    story = story_of()
    story.track(TREATED, "started")
    story.track(TREATED, "order_paid", {"total": 5}, at="+1h")
    story.expect(
        {"user": TREATED, "kind": "converted", "journey": "trial", "arm": "treated", "values": {"ordinal": 1}},
        {"user": TREATED, "kind": "converted", "journey": None, "arm": "treated", "values": {"value": 5}},
    )


def test_a_repetition_of_an_event_does_not_convert_and_a_late_one_does() -> None:
    story = story_of()
    story.track(TREATED, "order_paid", {"total": 5}, messageId="one")
    story.track(TREATED, "order_paid", {"total": 5}, at="+1h", messageId="one")
    story.track(TREATED, "order_paid", {"total": 6}, at="+10d", happened="2026-01-02T00:00Z")
    assert [one["values"]["value"] for one in converted(story)] == [5, 6]


def test_before_go_live_it_is_marked() -> None:
    story = story_of(live=False)
    story.track(TREATED, "order_paid", {"total": 5})
    assert [one["values"] for one in converted(story)] == [{"value": 5, "dry": True}]


def test_a_change_of_a_segment_can_be_the_goal() -> None:
    story = story_of("{enters: payer}")
    story.track(TREATED, "order_paid", {"total": 5})
    story.track(TREATED, "order_paid", {"total": 5}, at="+1h")
    assert [one["values"] for one in converted(story)] == [{}]


def test_the_goal_can_ask_for_the_local_time() -> None:
    story = story_of("{event: order_paid, where: local.hour < 12}")
    story.track(TREATED, "order_paid", at="2026-01-05T11:00Z")
    story.track(TREATED, "order_paid", at="2026-01-05T12:00Z")
    assert len(converted(story)) == 1


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("{event: order_paid, within: 14d}", "control: goal has within; it counts whatever the users do"),
        ("{event: order_paid, key: cart}", "control: goal has a key; it belongs to no run"),
        ("{every: day, at: '09:00'}", "only an entry can be by the clock"),
        ("{enters: payers}", 'unknown segment "payers"; did you mean "payer"?'),
        ("{enters: payer, value: total}", "goal: value without an event"),
        ("order_paid", "control: goal is a text; as in goal: {event: Order Completed, value: total}"),
        ("[{event: a}]", "control: goal is a list"),
        ("{value: total}", "control: goal has neither"),
    ],
)
def test_a_goal_that_cannot_be_is_refused(goal: str, message: str) -> None:
    with pytest.raises(RuleErrors) as refused:
        load({"rules.yaml": RULES.replace(GOAL, goal)})
    assert message in str(refused.value)


def test_its_segment_is_used_and_the_name_of_its_event_is_compared() -> None:
    rules = RULES.replace("exit", "").replace(GOAL, "{enters: payer}")
    assert warnings(read({"rules.yaml": rules})) == []
    [warning] = warnings(read({"rules.yaml": RULES.replace(GOAL, "{event: Order Paid}").replace("payer: ", "p: ")}))[:1]
    assert "looks like another spelling" in str(warning) or "nothing names" in str(warning)


def test_scenarios_expect_it() -> None:
    scenario = f"""version: 1
scenarios:
  an order:
    given: [{{user: {TREATED}, event: order_paid, properties: {{total: 5}}, at: 2026-01-05T10:00Z}}]
    then: [{{user: {TREATED}, kind: converted, arm: treated, values: {{value: 5}}}}]
"""
    [result] = run_scenarios(load({"rules.yaml": RULES}), {"s.yaml": scenario})
    assert not result.failures


def test_a_user_view_names_the_group() -> None:
    story = story_of()
    story.track(TREATED, "order_paid", {"total": 5})
    partition, _ = story.fold()
    view = user_view(TREATED, decode(partition.table.states()[TREATED]), partition.position, story.library)
    assert view["arm"] == "treated"
