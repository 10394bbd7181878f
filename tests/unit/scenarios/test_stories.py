"""Stories: what they expect, how they say that it did not come, and that asking early changes nothing."""

from typing import Any

import pytest

from triggers.engine.driver import MissingRules
from triggers.rules.checks import load
from triggers.testing import Story, documents

RULES = load(
    {
        "rules.yaml": """version: 1
journeys:
  thanks:
    entry: {event: Order Completed}
    re_entry: always
    steps:
      - {wait: 1d}
      - {send: {channel: push, text: "Thank you for {{ properties.total }}"}}
"""
    }
)
HERS: dict[str, Any] = {"user": "ann", "journey": "thanks"}


def story() -> Story:
    """Ann orders for 25 on the 5th, Bob for 7 on the 7th."""
    told = Story(RULES)
    told.track("ann", "Order Completed", {"total": 25}, at="2026-01-05T09:00Z")
    told.track("bob", "Order Completed", {"total": 7}, at="2026-01-07T09:00Z")
    told.until("2026-01-10T00:00Z")
    return told


def test_what_came_is_as_expected_in_any_order_and_each_once() -> None:
    told = story()
    told.expect({"user": "bob"}, HERS, never=[{"journey": "win-back"}])
    told.expect(**HERS, at="2026-01-06T09:00Z", message={"text": "Thank you for 25"})
    told.expect(**HERS, at=told.moment("2026-01-06T09:00Z"))
    with pytest.raises(AssertionError, match="expected, but it did not come again: user: ann, journey: thanks"):
        told.expect(HERS, HERS)


def test_decisions_are_meant_where_a_kind_is_named() -> None:
    told = story()
    told.expect(kind="entered", user="ann")
    with pytest.raises(AssertionError, match="it did not come: kind: refused, user: ann"):
        told.expect(kind="refused", user="ann")
    with pytest.raises(AssertionError, match="it should never have come: kind: waiting"):
        told.expect(never=[{"kind": "waiting"}])


def test_a_failure_names_what_came_nearest_and_shows_the_timeline_of_the_users_that_are_named() -> None:
    with pytest.raises(AssertionError) as failed:
        story().expect(**HERS, message={"text": "Thank you for 26"})
    first, *timeline = str(failed.value).splitlines()
    assert first.endswith('; what came nearest has message.text: "Thank you for 25"')
    assert timeline == [
        "timeline of ann:",
        '  2026-01-05T09:00:00.000Z  record   Order Completed {"total":25}',
        "  2026-01-05T09:00:00.000Z  entered  thanks",
        "  2026-01-05T09:00:00.000Z  waiting  thanks step 1 until 2026-01-06T09:00:00.000Z",
        '  2026-01-06T09:00:00.000Z  sent     thanks step 2 by push: text "Thank you for 25"',
        "  2026-01-06T09:00:00.000Z  exited   thanks completed",
    ]


def test_where_nobody_is_named_all_timelines_are_shown() -> None:
    with pytest.raises(AssertionError, match=r"(?s)timeline of ann:.*timeline of bob:"):
        story().expect(journey="win-back")


def test_asking_in_between_changes_nothing() -> None:
    whole, told = story(), Story(RULES)
    assert told.sent() == []
    told.track("ann", "Order Completed", {"total": 25}, at="2026-01-05T09:00Z")
    assert told.decisions("ann", "entered") != []
    told.track("bob", "Order Completed", {"total": 7}, at="2026-01-07T09:00Z")
    assert told.sent() == [("ann", "thanks", "2026-01-06T09:00:00.000Z")]
    told.until("2026-01-10T00:00Z")
    for user in ("ann", "bob"):
        assert told.actions(user) == whole.actions(user) == documents(whole.fold()[1].actions, user)
        assert told.decisions(user) == whole.decisions(user) == documents(whole.fold()[1].decisions, user)


def test_only_what_is_new_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    told = story()
    told.expect(HERS)
    folded: list[int] = []
    engine = told._come().engine
    monkeypatch.setattr(engine, "fold", lambda records: folded.extend(record.offset for record in records))
    told.expect(HERS)
    told.track("ann", "Read")
    told.expect(HERS)
    assert folded == [len(told.log) - 1]


def test_after_rules_were_missing_a_story_goes_on_where_it_stood() -> None:
    told = story()
    told.sent()
    told.command("apply", rule_set="0" * 64)
    with pytest.raises(MissingRules, match="is not in the library"):
        told.sent()
    with pytest.raises(MissingRules):
        told.sent()
