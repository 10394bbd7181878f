"""A goal says which entries of a journey reached what the journey is for. It is watched beyond the end of the run."""

from typing import Any

import pytest

from triggers.base.model import DAY, HOUR
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load
from triggers.state.encoding import decode, encode
from triggers.state.sections.watches import WATCHES
from triggers.state.watches import MOST, MOST_OF_JOURNEY
from triggers.testing import Story

TRIAL = """version: 2
segments:
  payer: did("order_paid")
journeys:
  trial:
    entry: {event: started}
    re_entry: always
    goal: {event: order_paid, where: total > 1, within: 14d, value: total}
    steps: [{send: {channel: push, text: Hello}}]
"""
START = "2026-01-01T00:00Z"


def story_of(rules: str = TRIAL, *, live: bool = True) -> Story:
    story = Story({"rules.yaml": rules}, start=START, live=live)
    story.track("ann", "started", at="2026-01-02T00:00Z")
    return story


def converted(story: Story, kind: str = "converted") -> list[dict[str, Any]]:
    return [{"journey": one["journey"], **one["values"]} for one in story.decisions("ann") if one["kind"] == kind]


def test_every_goal_event_within_its_time_converts_also_after_the_run() -> None:
    story = story_of()
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    story.track("ann", "order_paid", {"total": 0.5}, at="+1h")
    story.track("ann", "order_paid", {"total": 7.5}, at="+2d")
    story.track("ann", "order_paid", {"total": "?"}, at="+2d")
    assert converted(story) == [
        {"journey": "trial", "ordinal": 1, "after_ms": HOUR, "value": 5},
        {"journey": "trial", "ordinal": 2, "after_ms": 2 * DAY + 2 * HOUR, "value": 7.5},
    ]


def test_the_decision_names_the_run_that_entered() -> None:
    story = story_of()
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    runs = {one["run"] for one in story.decisions("ann")}
    assert len(runs) == 1


@pytest.mark.parametrize(("later", "happened", "count"), [("+14d", None, 0), ("+13d", None, 1), ("+1h", "2026-01-01T23:59Z", 0)])
def test_it_counts_until_its_time_is_over_and_not_before_the_entry(later: str, happened: str | None, count: int) -> None:
    """The clock decides when it is over, and the event's own time whether it was before: the same for a phone that is late."""
    story = story_of()
    story.track("ann", "order_paid", {"total": 5}, at=later, happened=happened)
    assert len(converted(story)) == count


def test_what_enters_does_not_convert() -> None:
    story = Story({"rules.yaml": TRIAL.replace("{event: order_paid, where: total > 1,", "{event: started,")}, start=START)
    story.track("ann", "started", {"total": 1}, at="+1h")
    assert converted(story) == []
    story.track("ann", "started", {"total": 1}, at="+1h")
    assert [one["ordinal"] for one in converted(story)] == [1], "the second entry is the goal of the first, and not of itself"


def test_a_change_of_a_segment_converts() -> None:
    story = story_of(TRIAL.replace("{event: order_paid, where: total > 1, within: 14d, value: total}", "{enters: payer, within: 3d}"))
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    assert converted(story) == [{"journey": "trial", "ordinal": 1, "after_ms": HOUR}]


def test_the_goal_can_be_the_exit() -> None:
    story = story_of(TRIAL.replace("    re_entry", "    exit: goal\n    re_entry").replace("steps: [", "steps: [{wait: 1d}, "))
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    assert [one["kind"] for one in story.decisions("ann")] == ["entered", "waiting", "converted", "exited"]
    assert story.actions() == []


def test_an_entry_before_go_live_is_marked() -> None:
    story = story_of(live=False)
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    assert [one["dry"] for one in converted(story)] == [True]


def test_another_goal_ends_the_watch_and_the_same_one_keeps_it() -> None:
    story = story_of()
    story.apply({"rules.yaml": TRIAL.replace("text: Hello", "text: Hi")}, at="+1h")
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    assert len(converted(story)) == 1
    story.apply({"rules.yaml": TRIAL.replace("within: 14d", "within: 15d")}, at="+1h")
    story.track("ann", "order_paid", {"total": 5}, at="+1h")
    assert len(converted(story)) == 1
    assert converted(story, "ended") == [{"journey": "trial", "conversions": 1}]


def test_a_user_has_a_bounded_number_of_watches() -> None:
    more = "".join(TRIAL.partition("journeys:\n")[2].replace("trial:", f"trial-{number}:") for number in range(9))
    story = Story({"rules.yaml": TRIAL + more}, start=START)
    for _ in range(MOST_OF_JOURNEY + 1):
        story.track("ann", "started", at="+1m")
    assert len(converted(story, "ended")) == 10 * (MOST_OF_JOURNEY + 1) - MOST
    [state] = story.fold()[0].table.states().values()
    user = decode(state)
    assert len(user.value(WATCHES)) == MOST
    assert encode(user) == state


def test_watches_that_are_over_leave_the_state() -> None:
    story = story_of()
    story.track("ann", "order_paid", {"total": 5}, at="+20d")
    [state] = story.fold()[0].table.states().values()
    assert "watches" not in decode(state).sections


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ("{event: order_paid}", 'goal has no "within"'),
        ("{event: order_paid, within: 91d}", "goal: within is too long"),
        ("{within: 3d}", "goal has neither"),
        ("{enters: payer, within: 3d, value: total}", "goal: value without an event"),
        ("{event: order_paid, within: 3d, value: 'a b'}", 'goal: value cannot be "a b"'),
        ("goal", "goal is a text"),
    ],
)
def test_a_goal_that_is_not_whole_is_refused(goal: str, message: str) -> None:
    rules = TRIAL.replace("{event: order_paid, where: total > 1, within: 14d, value: total}", goal)
    with pytest.raises(RuleErrors) as refused:
        load({"rules.yaml": rules})
    assert message in str(refused.value)


def test_files_of_version_1_have_no_goals() -> None:
    with pytest.raises(RuleErrors, match="version: 2"):
        load({"rules.yaml": TRIAL.replace("version: 2", "version: 1")})
    with pytest.raises(RuleErrors, match="has no goal"):
        load(
            {
                "rules.yaml": TRIAL.replace(
                    "    goal: {event: order_paid, where: total > 1, within: 14d, value: total}\n", "    exit: goal\n"
                )
            }
        )


def test_a_watch_that_is_over_takes_no_room_of_later_entries() -> None:
    """With its arms. Otherwise they would stay until the next event that is a goal."""
    text = TRIAL.replace("steps: [", "steps: [{split: s, arms: {a: {weight: 1}, b: {weight: 1}}}, ")
    story = story_of(text + "  other: {entry: {event: came}, steps: [{wait: 1d}, {send: {channel: push, text: Hi}}]}\n")
    story.until("+30d")
    assert {"arms", "watches"} <= decode(story.fold()[0].table.states()["ann"]).sections.keys()
    story.track("ann", "came", at="+1m")
    assert {"arms", "watches"}.isdisjoint(decode(story.fold()[0].table.states()["ann"]).sections)
