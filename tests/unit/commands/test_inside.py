"""How many users are inside runs that a new rule set affects, counted from the records of a changelog."""

from collections.abc import Iterable

import pytest

from streams.commands.changes import affected, changes
from streams.commands.inside import Affected, Inside, Sample, take
from triggers.definitions.model import RuleSet
from triggers.rules.checks import load
from triggers.testing import Story

START = "2026-01-01T00:00Z"


def rules(wait: str = "3d", goal: str = "Paid", more: str = "", on_change: str = "finish") -> str:
    return f"""version: 2
journeys:
  welcome:
    entry: {{event: Signed Up}}
    on_change: {on_change}
    goal: {{event: {goal}, within: 14d}}
    steps: [{{wait: {wait}}}, {{send: {{channel: push, text: x}}}}]
  bye:
    entry: {{event: Left}}
    steps: [{{wait: 9d}}, {{send: {{channel: push, text: x}}}}]
{more}"""


def loaded(text: str) -> RuleSet:
    return load({"r.yaml": text})


def states(entered: dict[str, Iterable[str]], until: str = "2026-01-02T00:00Z") -> list[tuple[bytes, bytes | None]]:
    story = Story({"r.yaml": rules()}, start=START)
    for event, users in entered.items():
        for user in users:
            story.track(user, event)
    story.until(until)
    partition, _ = story.fold()
    return [(user.encode(), state) for user, state in partition.table.states().items()]


def counted(found: Affected, records: list[tuple[bytes, bytes | None]], most: int = 1_000) -> Inside:
    result, sample = Inside(), Sample(most)
    for user, state in records:
        take(sample, user, state, found, -1, result)
    sample.count(result)
    return result


OLD = loaded(rules())


def test_users_are_counted_by_the_journeys_that_change_or_go_away() -> None:
    records = states({"Signed Up": ["ann", "bob"], "Left": ["bob", "cleo", "dan"]})
    found = counted(affected(OLD, loaded(rules("2d")), 0), records)
    assert (dict(found.runs), dict(found.goals), found.exact) == ({"welcome": 2}, {}, True)
    gone = load({"r.yaml": "version: 2\n"})
    found = counted(affected(OLD, gone, 0), records)
    assert (dict(found.runs), dict(found.goals)) == ({"welcome": 2, "bye": 3}, {"welcome": 2})


def test_the_last_record_of_a_user_counts_and_an_erased_user_does_not() -> None:
    inside, after = states({"Signed Up": ["ann", "bob", "cleo"]}), states({"Signed Up": ["ann"]}, until="2026-01-05T00:00Z")
    found = counted(affected(OLD, loaded(rules("2d")), 0), [*inside, *after, (b"bob", None)])
    assert dict(found.runs) == {"welcome": 1}


def test_a_run_of_the_new_version_is_not_affected() -> None:
    """Rules that go back to what a run entered under do not end it."""
    found = counted(affected(loaded(rules("2d")), OLD, 0), states({"Signed Up": ["ann"]}))
    assert not found.runs


def test_a_goal_that_is_over_does_not_count() -> None:
    change = affected(OLD, loaded(rules(goal="Bought")), 0)
    records = states({"Signed Up": ["ann", "bob"]})
    assert dict(counted(change, records).goals) == {"welcome": 2}
    assert not counted(affected(OLD, loaded(rules(goal="Bought")), 4_000_000_000_000), records).goals


def test_nothing_is_counted_where_no_run_can_be_affected() -> None:
    added = loaded(rules(more="  more: {entry: {event: A}, steps: [{send: {channel: push, text: x}}]}\n"))
    assert not affected(OLD, added, 0)
    assert not affected(OLD, loaded(rules() + "# a comment\n"), 0)
    assert not affected(None, OLD, 0)


@pytest.mark.parametrize("users", [500, 20_000])
def test_too_many_users_to_remember_are_counted_by_a_sample(users: int) -> None:
    sample, found = Sample(most=400), Inside()
    for number in range(users):
        sample.put(f"u{number}".encode(), ("a",) if number % 4 else ("a", "b"), ())
    for number in range(0, users, 2):
        sample.put(f"u{number}".encode(), (), ())
    sample.count(found)
    assert not found.exact
    assert found.runs["a"] == pytest.approx(users / 2, rel=0.3)
    assert not found.runs["b"]


def test_a_sample_decides_by_the_user_and_not_by_the_order() -> None:
    def of(numbers: Iterable[int]) -> dict[str, int]:
        sample, found = Sample(most=100), Inside()
        for number in numbers:
            sample.put(f"u{number}".encode(), ("a",), ())
        sample.count(found)
        return dict(found.runs)

    assert of(range(3_000)) == of(reversed(range(3_000)))


def test_a_state_that_cannot_be_read_is_said() -> None:
    change = affected(OLD, loaded(rules("2d")), 0)
    found = counted(change, [(b"ann", b"\xff" * 40), *states({"Signed Up": ["bob"]})])
    assert (dict(found.runs), found.unreadable) == ({"welcome": 1}, 1)
    lines = changes(OLD, loaded(rules("2d")), 2, 0, inside=found).lines
    assert "! 1 states cannot be read by this release, and are not counted" in lines


# ---- what apply says of it -------------------------------------------------------------------------------------------


def said(new: str, inside: Inside | None) -> tuple[str, ...]:
    return changes(OLD, loaded(new), 0, 0, inside=inside).lines


def test_the_plan_says_how_many_users_and_what_becomes_of_their_runs() -> None:
    some = Inside()
    some.runs["welcome"] = 1_234
    assert said(rules("2d"), some) == ("~ journey welcome: running runs of 1,234 users continue by their own rules",)
    assert said(rules("2d", on_change="exit"), some) == ("~ journey welcome: running runs of 1,234 users end (on_change: exit)",)
    some.runs["welcome"] = 1
    assert said(rules("2d"), some) == ("~ journey welcome: running runs of 1 user continue by their own rules",)
    assert said(rules("2d"), Inside()) == ("~ journey welcome: no user is inside a run of it",)
    assert said(rules("2d"), None) == ("~ journey welcome: running runs continue by their own rules",)
    some.runs["welcome"], some.exact = 4_096_000, False
    assert said(rules("2d"), some) == ("~ journey welcome: running runs of about 4,096,000 users continue by their own rules",)


def test_the_plan_names_goals_and_the_users_whose_goal_is_watched_no_longer() -> None:
    some = Inside()
    some.goals["welcome"] = 7
    line = "~ goal of journey welcome: 7 users are not watched for it any longer"
    assert line in said(rules(goal="Bought"), some)
    without = "\n".join(line for line in rules().splitlines() if "goal:" not in line)
    assert "- goal of journey welcome: entries from before are not watched any longer" in said(without, None)
    assert "+ goal of journey welcome: it counts for entries from now on" in changes(loaded(without), OLD, 0, 0).lines


def test_the_plan_names_the_goal_of_the_control_group() -> None:
    def control(more: str) -> RuleSet:
        return loaded(f"version: 2\npolicies: {{control: {{percent: 5{more}}}}}\n")

    line = "~ goal of the control group: it counts from now on"
    assert changes(control(""), control(", goal: {event: Paid}"), 0, 0).lines == (line,)
    assert changes(control(", goal: {event: Paid}"), control(", goal: {event: Paid, value: total}"), 0, 0).lines == (line,)
    assert changes(control(", goal: {event: Paid}"), control(", goal: {event: Paid}"), 0, 0).lines == ()


TIERS = """tiers:
  member: {{keep: {keep}, levels: [{{silver: count("A") >= {least}}}]}}
policies:
  caps: {{daily: {{most: {least}, per: day}}}}
  consent: {{sms: {{channels: [sms], if: traits.sms}}}}
  quiet_hours: {{night: {{from: "22:00", to: "08:00"}}}}
"""


def test_the_plan_names_tiers_and_policies() -> None:
    def both(old: str, new: str) -> tuple[str, ...]:
        return changes(loaded("version: 2\n" + old), loaded("version: 2\n" + new), 0, 0).lines

    text = TIERS.format(keep="9d", least=1)
    assert both("", text) == (
        "+ tier member: users who are at a level already do not rise to it",
        "+ consent sms: from now on, also for messages of running runs",
        "+ quiet hours night: from now on, also for messages of running runs",
        "+ cap daily: from now on, also for messages of running runs",
    )
    assert both(text, TIERS.format(keep="10d", least=1)) == ("~ tier member: a level is kept for 10d instead of 9d",)
    assert both(text, TIERS.format(keep="9d", least=2)) == (
        "~ tier member: the level of each user is set again, without a move and without grace",
        "~ cap daily: from now on, also for messages of running runs",
    )
    assert both(text, "")[0] == "- tier member: the levels of all users are forgotten"
    assert len(both(text, "")) == 4
    assert both(text, text) == ()
