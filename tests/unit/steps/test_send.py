"""`skip_unless` skips one message, and `budget` is handed on in the action."""

from typing import Any

import pytest

from tests.unit.rules.loading import problems
from triggers.rules.checks import load
from triggers.testing import Story

RULES = """version: 2
journeys:
  hello:
    entry: {event: ask}
    re_entry: always
    steps:
      - wait: 1h
      - send: {channel: push, text: one}
        skip_unless: traits.vip or count("Order", days=2) >= 1
      - send: {channel: push, text: two, budget: {name: spring, most: 10}}
"""
QUIET = """policies: {quiet_hours: {night: {from: "00:30", to: "05:00"}}}
"""


def kinds(story: Story) -> list[tuple[str, Any]]:
    return [(decision["kind"], decision["reason"]) for decision in story.decisions("ann")]


def test_a_condition_that_is_not_true_skips_one_message_alone() -> None:
    story = Story({"r.yaml": RULES})
    story.track("ann", "ask")
    story.until("+2h")
    assert [action["message"]["text"] for action in story.actions("ann")] == ["two"]
    assert kinds(story)[2:] == [("skipped", "skip_unless: false"), ("sent", None), ("exited", "completed")]
    assert story.decisions("ann", "skipped")[0]["values"] == {"traits.vip": None, 'count("Order", days=2)': 0}
    assert story.decisions("ann", "skipped")[0]["step"] == "2"


def test_a_condition_that_is_true_skips_nothing() -> None:
    story = Story({"r.yaml": RULES})
    story.track("ann", "ask")
    story.track("ann", "Order")
    story.until("+2h")
    assert [action["message"]["text"] for action in story.actions("ann")] == ["one", "two"]


def test_what_is_unknown_skips_and_is_said() -> None:
    story = Story({"r.yaml": RULES.replace('count("Order", days=2)', 'count("Tea", days=2)')})
    story.track("ann", "ask")
    story.until("+2h")
    story.apply({"r.yaml": RULES})
    story.track("ann", "ask")
    story.until("+2h")
    assert "skip_unless: unknown" in [reason for _, reason in kinds(story)]


def test_a_held_message_asks_again_when_it_would_go_out() -> None:
    story = Story({"r.yaml": RULES + QUIET})
    story.identify("ann", {"vip": True})
    story.track("ann", "ask")
    story.until("+2h")
    assert kinds(story)[-1] == ("held", "quiet hours night")
    story.identify("ann", {"vip": False})
    story.until("+4h")
    assert [action["message"]["text"] for action in story.actions("ann")] == ["two"]
    assert ("skipped", "skip_unless: false") in kinds(story)


def test_the_budget_is_in_the_action_only_where_there_is_one() -> None:
    story = Story({"r.yaml": RULES})
    story.identify("ann", {"vip": True})
    story.track("ann", "ask")
    story.until("+2h")
    one, two = story.actions("ann")
    assert "budget" not in one
    assert two["budget"] == {"name": "spring", "most": 10}


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{send: {channel: push, text: a, budget: {name: b}}}", 'budget has no "most"'),
        ("{send: {channel: push, text: a, budget: {name: b, most: 0}}}", "budget: most is 0; a whole number above 0 belongs here"),
        ("{send: {channel: push, text: a, budget: {name: b, most: true}}}", "budget: most is true; a whole number above 0 belongs here"),
        ("{send: {channel: push, text: a, budget: 5}}", "budget is a number"),
        ("{send: {channel: push, text: a, skip_unless: traits.a}}", '"skip_unless" inside send; it belongs next to send'),
        ("{wait: 1d, skip_unless: traits.a}", '"skip_unless" without "send"; it belongs next to "send"'),
        ("{send: {channel: push, text: a}, skip_unless: [a]}", "skip_unless is a list; an expression belongs here"),
    ],
)
def test_what_cannot_be_meant_is_refused(step: str, problem: str) -> None:
    found = problems(f"version: 2\njourneys: {{j: {{entry: {{event: e}}, steps: [{step}]}}}}")
    assert any(problem in each for each in found), found


def test_a_file_of_version_1_knows_neither() -> None:
    body = "journeys: {j: {entry: {event: e}, steps: [{send: {channel: push, text: a}, skip_unless: traits.a}]}}"
    [found] = problems(f"version: 1\n{body}")
    assert "skip_unless in a file of version 1" in found
    one = "journeys: {j: {entry: {event: e}, steps: [{send: {channel: push, text: a, budget: b}}]}}"
    step: Any = load({"a.yaml": f"version: 1\n{one}"}).journeys["j"].steps[0]
    assert step.message == {"text": "a", "budget": "b"}, "there it is a part of the message like any other"
