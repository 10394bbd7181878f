"""A tier has levels: a user rises at once, and falls when nothing has spoken for the level for some time."""

from typing import Any

import pytest

from triggers.base.moments import parse_moment
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load
from triggers.state.encoding import decode, encode
from triggers.state.sections.tiers import TIERS
from triggers.testing import Story

LEVELS = """version: 2
values: {spent: 'sum("paid.total", days=30)'}
tiers:
  member:
    keep: 10d
    levels: [{silver: values.spent >= 10}, {gold: values.spent >= 100}, {diamond: values.spent >= 500}]
"""
CARE = """journeys:
  silver: {entry: {reaches: member.silver}, re_entry: always, steps: [{send: {channel: push, text: Silver}}]}
  gold: {entry: {reaches: member.gold}, exit: {falls: member}, re_entry: always, steps: [{wait: 60d}, {send: {channel: push, text: Gold}}]}
  diamond: {entry: {reaches: member.diamond}, re_entry: always, steps: [{send: {channel: push, text: Diamond}}]}
  lost: {entry: {falls: member}, re_entry: always, steps: [{send: {channel: push, text: Back}}]}
  risen:
    entry: {event: paid}
    goal: {rises: member, within: 30d}
    steps: [{wait: {falls: member, timeout: 90d}, came: [{send: {channel: push, text: Fell}}]}]
"""
START = "2026-01-01T00:00Z"
FELL = "2026-02-11T00:00:00.000Z"


def story_of(rules: str = LEVELS + CARE) -> Story:
    return Story({"rules.yaml": rules}, start=START, live=True)


def moves(story: Story, user: str = "ann") -> list[tuple[str, str | None, str | None]]:
    return [(one["reason"], one["values"]["before"], one["values"]["level"]) for one in story.decisions(user, "tier")]


def pay(story: Story, total: float, at: str, user: str = "ann") -> None:
    story.track(user, "paid", {"total": total}, at=at)


def test_a_user_rises_at_once_and_skips_levels() -> None:
    story = story_of()
    pay(story, 10, "2026-01-02T00:00Z")
    pay(story, 490, "+1h")
    assert moves(story) == [("rises to silver", None, "silver"), ("rises to diamond", "silver", "diamond")]
    assert [journey for _, journey, _ in story.sent("ann")] == ["silver", "diamond"], "gold was not reached"


def test_a_user_falls_when_the_level_was_false_for_the_time_of_grace() -> None:
    story = story_of()
    pay(story, 200, "2026-01-02T00:00Z")
    story.until("2026-02-10T23:59Z")
    assert moves(story) == [("rises to gold", None, "gold")]
    story.until("2026-02-11T00:00Z")  # the 2nd is in 30 days until the 31st; ten days later
    assert moves(story)[1:] == [("falls below silver", "gold", None)]
    assert [(journey, at) for _, journey, at in story.sent("ann")] == [("lost", FELL), ("risen", FELL)]
    assert [one["reason"] for one in story.decisions("ann", "exited") if one["journey"] == "gold"] == ["exit: falls member"]
    assert [one["journey"] for one in story.decisions("ann", "converted")] == []


def test_a_moment_in_which_the_level_holds_begins_the_grace_anew() -> None:
    story = story_of()
    pay(story, 200, "2026-01-02T00:00Z")
    pay(story, 100, "2026-02-09T00:00Z")
    story.until("2026-03-20T00:00Z")
    assert len(moves(story)) == 1
    story.until("2026-03-21T00:00Z")
    assert moves(story)[1:] == [("falls below silver", "gold", None)]


def test_a_fall_ends_at_the_highest_level_that_still_holds() -> None:
    story = story_of()
    pay(story, 600, "2026-01-02T00:00Z")
    pay(story, 50, "2026-01-30T00:00Z")
    story.until("2026-02-12T00:00Z")
    assert moves(story)[1:] == [("falls to silver", "diamond", "silver")]


def test_a_rise_converts_and_a_wait_for_a_fall_ends_with_it() -> None:
    story = story_of()
    pay(story, 5, "2026-01-02T00:00Z")
    pay(story, 5, "+1h")
    story.until("2026-03-20T00:00Z")
    assert [one["journey"] for one in story.decisions("ann", "converted")] == ["risen"]
    assert [journey for _, journey, _ in story.sent("ann")] == ["silver", "lost", "risen"]


def test_a_level_below_one_that_is_unknown_is_set_without_a_move() -> None:
    """The windows of a user from before the rules are incomplete: the count is a lower bound, and a higher level is possible."""
    story = Story({"rules.yaml": "version: 2\n"}, start=START, live=True)
    story.track("ann", "seen")
    counted = LEVELS.replace('sum("paid.total", days=30)', 'count("paid", days=30) * 10')
    story.apply({"rules.yaml": counted + CARE}, "2026-01-05T00:00Z")
    pay(story, 150, "+1h")
    assert moves(story) == []
    assert shown(story)["level"] == 1
    story.until("2026-03-01T00:00Z")
    assert [before for _, before, _ in moves(story)] == ["silver"], "only the fall is one"


def test_other_levels_set_the_level_anew_and_another_grace_does_not() -> None:
    story = story_of()
    pay(story, 200, "2026-01-02T00:00Z")
    story.apply({"rules.yaml": (LEVELS + CARE).replace("10d", "20d")}, "+1d")
    pay(story, 1, "+1h")
    assert shown(story)["level"] == 2
    story.apply({"rules.yaml": (LEVELS + CARE).replace(">= 100}", ">= 300}")}, "+1d")
    pay(story, 1, "+1h")
    assert (shown(story)["level"], len(moves(story))) == (1, 1)


def test_what_no_rule_needs_any_more_is_forgotten() -> None:
    story = story_of(LEVELS + CARE[: CARE.index("  gold")])
    pay(story, 200, "2026-01-02T00:00Z")
    story.apply({"rules.yaml": "version: 2\n"}, "+1d")
    story.track("ann", "seen", at="+1h")
    assert "tiers" not in state(story).sections


def test_a_user_who_is_below_the_first_level_keeps_nothing() -> None:
    story = story_of()
    pay(story, 0, "2026-01-02T00:00Z")
    story.until("2026-03-01T00:00Z")
    assert "tiers" not in state(story).sections


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\ntiers: {}\n", "the section tiers in a file of version 1"),
        ("version: 2\ntiers: {m: {levels: [{a: traits.b}]}}\n", 'the tier "m" has no "keep"'),
        ("version: 2\ntiers: {m: {keep: 1d, levels: []}}\n", "0 levels"),
        ("version: 2\ntiers: {m: {keep: 1d, levels: [{a: traits.b, c: traits.d}]}}\n", "a level is 2 keys"),
        ("version: 2\ntiers: {m: {keep: 1d, levels: [{a: traits.b}, {a: traits.d}]}}\n", 'a second level named "a"'),
        ("version: 2\ntiers: {m: {keep: 1d, levels: [{a: [1]}]}}\n", 'the level "a" is a list'),
        (LEVELS + "journeys: {j: {entry: {reaches: member.golf}, steps: [{wait: 1d}]}}\n", 'unknown level "golf" of the tier "member"'),
        (LEVELS + "journeys: {j: {entry: {reaches: member}, steps: [{wait: 1d}]}}\n", "reaches without a level"),
        (LEVELS + "journeys: {j: {entry: {rises: member.gold}, steps: [{wait: 1d}]}}\n", "rises with a level"),
        (LEVELS + "journeys: {j: {entry: {falls: membre}, steps: [{wait: 1d}]}}\n", 'unknown tier "membre"'),
        ("version: 1\njourneys: {j: {entry: {falls: m}, steps: [{wait: 1d}]}}\n", '"falls"'),
    ],
)
def test_what_can_never_work_is_refused(text: str, message: str) -> None:
    with pytest.raises(RuleErrors) as error:
        load({"rules.yaml": text})
    assert message in str(error.value)


def state(story: Story) -> Any:
    """The state of ann, written and read again."""
    partition, _ = story.fold()
    user = partition.table.get("ann")
    assert user is not None
    return decode(encode(user))


def shown(story: Story) -> dict[str, Any]:
    standing = state(story).value(TIERS)["member"]
    return {"level": standing.level, "since": standing.since}


def test_a_shorter_time_of_grace_lets_a_user_fall_just_after_the_new_rules_and_the_fall_enters() -> None:
    """As long as the fall comes with the rules it would be no entry: a meeting enters no journey."""
    story = story_of()
    pay(story, 200, "2026-01-02T00:00Z")
    story.until("2026-02-05T00:00Z")  # false since the 1st
    story.apply({"rules.yaml": (LEVELS + CARE).replace("keep: 10d", "keep: 1d")})
    story.track("ann", "paid", {"total": 0})
    assert len(moves(story)) == 1, "not at the moment of the new rules"
    story.until("+1m")
    assert moves(story)[1:] == [("falls below silver", "gold", None)]
    [fall] = [one for one in story.decisions("ann", "tier") if one["values"]["level"] is None]
    assert fall["at"] == parse_moment("2026-02-05T00:00Z") + 1
    assert [one["journey"] for one in story.decisions("ann", "sent")] == ["lost", "risen"]
    assert [one["reason"] for one in story.decisions("ann", "exited") if one["journey"] == "gold"] == ["exit: falls member"]


LEAVING = """version: 2
tiers:
  member: {keep: 0s, levels: [{low: 'count("paid", days=3) >= 1'}, {high: 'count("paid", days=3) >= 3'}]}
journeys:
  stay: {entry: {event: paid}, exit: {falls: member}, steps: [{wait: 60d}, {send: {channel: push, text: Hi}}]}
  wait:
    entry: {event: paid}
    steps:
      - wait: {reaches: member.high, timeout: 90d}
        came: [{send: {channel: push, text: High}}]
"""


def test_a_tier_that_leaves_the_rules_remains_for_the_runs_that_need_it() -> None:
    story = Story({"r.yaml": LEAVING}, start=START)
    story.track("ann", "paid", at="2026-01-02T12:00Z")
    story.apply({"r.yaml": "version: 1\njourneys: {}\n"}, at="+1h")
    for _ in range(2):
        story.track("ann", "paid", at="+1h")
    assert moves(story) == [("rises to low", None, "low"), ("rises to high", "low", "high")]
    assert [one["message"]["text"] for one in story.actions()] == ["High"]
    story.until("2026-01-20T00:00Z")
    [left] = [one for one in story.decisions("ann", "exited") if one["journey"] == "stay"]
    assert (left["reason"], left["at"]) == ("exit: falls member", parse_moment("2026-01-05T00:00Z"))
    user = decode(story.fold()[0].table.states()["ann"])
    assert not user.has(TIERS)
    assert not user.windows


def test_of_two_definitions_that_have_left_that_of_the_newest_run_counts() -> None:
    story = Story({"r.yaml": LEAVING.replace("  wait:", "  later:")}, start=START)
    story.track("ann", "paid", at="2026-01-02T12:00Z")
    other = LEAVING.replace("stay", "next").replace(">= 1", ">= 2")
    story.apply({"r.yaml": other}, at="+1h")
    story.track("ann", "paid", at="+1h")
    story.apply({"r.yaml": "version: 1\njourneys: {}\n"}, at="+1h")
    story.until("2026-01-20T00:00Z")
    falls = [one["reason"] for one in story.decisions("ann", "tier")]
    assert falls == ["rises to low", "rises to low", "falls below low"]
    assert [one["journey"] for one in story.decisions("ann", "exited") if one["reason"] == "exit: falls member"] == ["next", "stay"]
