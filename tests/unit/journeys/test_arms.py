"""Holdouts and the control group: some users get nothing, and their runs continue in all else."""

from collections import Counter
from math import sqrt
from typing import Any

import pytest

from streams.commands.changes import changes
from triggers.base.draws import draw
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load
from triggers.state.encoding import decode, encode
from triggers.state.sections.arms import ARMS
from triggers.testing import Story

RULES = """version: 2
policies:
  control: {percent: 20}
  caps: {one: {most: 1, per: 7d}}
journeys:
  trial:
    entry: {event: started}
    re_entry: always
    holdout: 50%
    goal: {event: order_paid, within: 14d, value: total}
    steps:
      - split: tone
        arms: {warm: {weight: 1}, cool: {weight: 1}}
      - send: {channel: push, text: Hello}
      - wait: 1d
      - send: {channel: benefit, grant: {coupon: back}}
"""
START = "2026-01-01T00:00Z"
ALL = 1 << 64


def arm_of(user: str, control: float = 0.2, holdout: float = 0.5) -> str:
    if draw("control", "", user) < control * ALL:
        return "control"
    return "holdout" if draw("holdout", "trial", user) < holdout * ALL else "treated"


def user_in(arm: str) -> str:
    return next(f"user-{number}" for number in range(1000) if arm_of(f"user-{number}") == arm)


def story_of(user: str, rules: str = RULES, *, live: bool = True) -> Story:
    story = Story({"rules.yaml": rules}, start=START, live=live)
    story.track(user, "started", at="2026-01-02T00:00Z")
    return story


def kinds(story: Story, user: str) -> list[str]:
    return [one["kind"] for one in story.decisions(user)]


@pytest.mark.parametrize("arm", ["control", "holdout"])
def test_from_these_users_everything_is_withheld_and_all_else_goes_on(arm: str) -> None:
    user = user_in(arm)
    story = story_of(user)
    story.track(user, "order_paid", {"total": 5}, at="+3d")
    assert kinds(story, user) == ["entered", "withheld", "waiting", "withheld", "exited", "converted"]
    assert {one["arm"] for one in story.decisions(user)} == {arm}
    assert [one["reason"] for one in story.decisions(user) if one["kind"] == "withheld"] == [arm, arm]
    assert story.actions() == []


def test_the_others_are_treated_and_only_their_messages_count() -> None:
    user = user_in("treated")
    story = story_of(user)
    assert [(one["channel"], one["arm"]) for one in story.actions()] == [("push", "treated")]
    story.until("2026-01-05T00:00Z")
    assert kinds(story, user) == ["entered", "sent", "waiting", "sent", "exited"]
    for other in (user, user_in("holdout")):
        again = story_of(other)
        again.track(other, "started", at="+2d")
        dropped = [one for one in again.decisions(other) if one["kind"] == "dropped"]
        assert len(dropped) == (1 if other == user else 0), "what is withheld counts in no cap"


def test_a_conversion_names_arm_and_arms_after_the_run_too() -> None:
    user = user_in("treated")
    story = story_of(user)
    for day in (1, 3, 5):
        story.track(user, "order_paid", {"total": 5}, at=f"2026-01-0{2 + day}T12:00Z")
    converted = [one for one in story.decisions(user) if one["kind"] == "converted"]
    entered = [one for one in story.decisions(user) if one["kind"] == "sent"]
    assert [(one["arm"], one["arms"]) for one in converted] == [("treated", entered[0]["arms"])] * 3
    story.apply({"rules.yaml": RULES.replace("within: 14d", "within: 13d")}, at="+1h")
    story.track(user, "other", at="+1h")
    [ended] = [one for one in story.decisions(user) if one["kind"] == "ended"]
    assert (ended["arm"], ended["arms"]) == ("treated", entered[0]["arms"])


def section(story: Story) -> dict[str, Any]:
    [state] = story.fold()[0].table.states().values()
    user = decode(state)
    held: dict[str, Any] = user.value(ARMS)
    assert encode(user) == state
    return held


def test_arms_are_kept_while_the_goal_is_watched_and_no_longer() -> None:
    user = user_in("holdout")
    story = story_of(user)
    story.until("2026-01-10T00:00Z")
    assert [one[""] for one in section(story).values()] == ["holdout"]
    story.track(user, "order_paid", {"total": 5}, at="2026-02-01T00:00Z")
    assert section(story) == {}
    bare = story_of(user, RULES.replace("    goal: {event: order_paid, within: 14d, value: total}\n", ""))
    assert len(section(bare)) == 1
    bare.until("2026-01-10T00:00Z")
    assert section(bare) == {}


def test_a_run_keeps_its_arm_when_the_percentages_change() -> None:
    user = user_in("treated")
    story = story_of(user, RULES.replace("wait: 1d", "wait: 5d"))
    story.apply({"rules.yaml": RULES.replace("percent: 20", "percent: 99.99")}, at="+1d")
    story.until("2026-01-20T00:00Z")
    assert kinds(story, user)[:5] == ["entered", "sent", "waiting", "sent", "exited"]
    story.track(user, "started", at="+1d")
    assert [one["arm"] for one in story.decisions(user) if one["kind"] == "entered"] == ["treated", "control"]


def test_before_go_live_entries_are_marked_and_withheld_all_the_same() -> None:
    user = user_in("holdout")
    story = story_of(user, live=False)
    entered, withheld, *_ = story.decisions(user)
    assert (entered["values"], withheld["kind"]) == ({"dry": True}, "withheld")
    assert kinds(story_of(user_in("treated"), live=False), user_in("treated"))[:2] == ["entered", "dry"]


def test_transactional_journeys_have_no_arm() -> None:
    user = user_in("control")
    story = story_of(user, RULES.replace("holdout: 50%", "category: transactional"))
    assert kinds(story, user)[:2] == ["entered", "sent"]
    assert all("arm" not in one for one in story.decisions(user))


def test_users_fall_into_arms_by_their_percentages() -> None:
    users = [f"u{number}" for number in range(300)]
    story = Story({"rules.yaml": RULES}, start=START)
    for user in users:
        story.track(user, "started", at="2026-01-02T00:00Z")
    arms = {one["user"]: one["arm"] for one in story.decisions() if one["kind"] == "entered"}
    assert arms == {user: arm_of(user) for user in users}
    counted = Counter(arms.values())
    for arm, share in (("control", 0.2), ("holdout", 0.4), ("treated", 0.4)):
        assert abs(counted[arm] - 300 * share) <= 4 * sqrt(300 * share * (1 - share))


def test_an_exit_by_the_goal_is_what_converts() -> None:
    """An event of a time between that of the entry event and the logical time of the entry does neither."""
    rules = (
        RULES.replace("    goal", "    exit: goal\n    goal").replace("    holdout: 50%\n", "").replace("  control: {percent: 20}\n", "")
    )
    rules = rules.replace("wait: 1d", "wait: 30d")
    story = Story({"rules.yaml": rules}, start=START)
    story.track("ann", "started", at="2026-01-02T12:00Z", happened="2026-01-02T00:00Z")
    story.track("ann", "order_paid", {"total": 1}, at="2026-01-02T13:00Z", happened="2026-01-02T06:00Z")
    assert kinds(story, "ann") == ["entered", "sent", "waiting"]
    late = Story({"rules.yaml": rules}, start=START)
    late.track("ann", "started", at="2026-01-02T12:00Z")
    late.track("ann", "order_paid", {"total": 1}, at="2026-01-20T12:00Z")
    assert kinds(late, "ann") == ["entered", "sent", "waiting"], "the goal's time is over"
    story.track("ann", "order_paid", {"total": 1}, at="+1h")
    assert kinds(story, "ann")[3:] == ["converted", "exited"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("50%", "50", "holdout is 50; holdout: 50% is meant"),
        ("50%", "0%", "holdout is 0%"),
        ("50%", "100%", "holdout is 100%"),
        ("50%", "1.234%", "holdout is 1.234%"),
        ("percent: 20", "percent: 20%", "percent is 20%; percent: 20 is meant"),
        ("percent: 20", "part: 20", 'unknown key "part"'),
        ("holdout: 50%", "holdout: 50%\n    category: transactional", "holdout of a transactional journey"),
        ("value: total", "value: properties.total", "the name of a property alone, as in value: total"),
    ],
)
def test_what_cannot_work_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(RuleErrors) as refused:
        load({"rules.yaml": RULES.replace(old, new)})
    assert message in str(refused.value)


def test_apply_says_how_many_users_a_changed_percentage_moves() -> None:
    new = RULES.replace("percent: 20", "percent: 22.5").replace("50%", "49.99%")
    lines = changes(load({"rules.yaml": RULES}), load({"rules.yaml": new}), 0, 0).lines
    assert "~ holdout of journey trial: fewer than 0.1% of all users move out of it in new runs" in lines
    assert "~ the control group: 2.5% of all users move into it in new runs" in lines
