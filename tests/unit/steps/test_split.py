"""`choose`, `split` and `end`: which way a run goes, what it keeps of that, and what is said."""

from collections import Counter
from typing import Any

import pytest

from tests.unit.rules.loading import problems
from triggers.base.draws import draw, pick
from triggers.rules.checks import load
from triggers.scenarios.running import run_scenarios
from triggers.state.encoding import decode
from triggers.state.sections.arms import ARMS
from triggers.testing import Story

CHOICE = """version: 2
journeys:
  offer:
    entry: {event: Signed Up}
    steps:
      - choose:
          - if: did("Paid", days=3)
            steps: [{send: {channel: push, text: Paid}}]
          - if: traits.vip
            steps: [{send: {channel: push, text: Dear}, name: dear}, {end: a friend}]
          - steps: [{wait: 1h}]
      - send: {channel: sms, text: Bye}
        name: bye
"""
SPLIT = """version: 2
journeys:
  cart:
    entry: {event: Cart Updated}
    re_entry: always
    steps:
      - split: offer-test
        arms:
          plain: {weight: 1}
          offer: {weight: 3, steps: [{send: {channel: push, text: Offer}}]}
      - wait: 1h
      - split: tone
        arms: {kind: {weight: 1, steps: [{send: {channel: push, text: Please}}]}, short: {weight: 1}}
      - send: {channel: sms, text: Bye}
        name: bye
"""


def said(story: Story, user: str = "ann") -> list[tuple[Any, ...]]:
    return [
        (one["kind"], one["step"], one["reason"], one.get("arms"), [(way["step"], way["branch"]) for way in one.get("path", ())])
        for one in story.decisions(user)
    ]


def test_the_first_choice_that_holds_is_taken() -> None:
    """The unknown does not hold: it says so, and shows why. Ann had records before the rules."""
    story = Story({"old.yaml": "version: 1\n"})
    story.track("ann", "Read")
    story.apply({"r.yaml": CHOICE})
    story.identify("ann", {"vip": True})
    story.track("ann", "Signed Up")
    story.until("+3h")
    sent, exited = said(story)[-2:]
    assert sent == ("sent", "dear", None, None, [("1", "2")])
    assert exited == ("exited", "1.2.2", "end: a friend", None, [])
    [way] = story.decisions("ann", "sent")[0]["path"]
    assert way["unknown"] is True
    assert way["values"]["traits.vip"] is True
    assert way["values"]["incomplete"] == {'did("Paid", days=3)': "2026-01-04T00:00:00.000Z"}


def test_a_choice_without_a_condition_always_fits() -> None:
    story = Story({"r.yaml": CHOICE})
    story.track("ann", "Signed Up")
    story.until("+3h")
    assert [one[:2] + one[4:] for one in said(story)][1:3] == [("waiting", "1.3.1", [("1", "3")]), ("sent", "bye", [])]


def test_where_no_choice_fits_the_run_continues_behind_them() -> None:
    story = Story({"r.yaml": CHOICE.replace("          - steps: [{wait: 1h}]\n", "")})
    story.track("ann", "Signed Up")
    assert said(story)[1] == ("sent", "bye", None, None, [("1", None)])


def test_each_user_takes_the_arm_of_the_draw_and_the_run_names_it() -> None:
    story = Story({"r.yaml": SPLIT})
    users = [f"u{number}" for number in range(40)]
    for user in users:
        story.track(user, "Cart Updated")
    story.until("+2h")
    expected = {}
    for user in users:
        offer = ("plain", "offer")[pick(draw("split", "cart/offer-test", user), (1, 3))]
        tone = ("kind", "short")[pick(draw("split", "cart/tone", user), (1, 1))]
        expected[user] = {"offer-test": offer, "tone": tone}
    assert {one["user"]: one["arms"] for one in story.actions() if one["step"] == "bye"} == expected
    assert {one["user"]: one["arms"] for one in story.decisions(kind="exited")} == expected
    assert len(Counter(map(str, expected.values()))) == 4
    assert all("arms" not in one for one in story.decisions(kind="entered"))


def test_the_arms_are_kept_while_the_run_lasts_and_no_longer() -> None:
    story = Story({"r.yaml": SPLIT})
    story.track("ann", "Cart Updated")
    story.until("+1m")
    partition = story.fold()[0]
    [(key, arms)] = dict(decode(partition.table.states()["ann"]).value(ARMS)).items()
    assert (key, list(arms)) == ("cart:0-o2", ["offer-test"])
    story.until("+2h")
    assert b"offer-test" not in story.fold()[0].table.states()["ann"]


def test_a_new_version_with_other_weights_leaves_the_arms_of_running_runs() -> None:
    story = Story({"r.yaml": SPLIT})
    users = [f"u{number}" for number in range(20)]
    for user in users:
        story.track(user, "Cart Updated")
    story.apply({"r.yaml": SPLIT.replace("weight: 3", "weight: 0")}, at="+1m")
    story.until("+2h")
    arms = Counter(one["arms"]["offer-test"] for one in story.actions() if one["step"] == "bye")
    assert set(arms) == {"plain", "offer"}
    for user in users:
        story.track(user, "Cart Updated")
    story.until("+2h")
    assert {one["arms"]["offer-test"] for one in story.actions()[-20:]} == {"plain"}


def test_a_salt_makes_two_splits_draw_alike() -> None:
    text = SPLIT.replace("      - split: offer-test\n", "      - split: offer-test\n        salt: same\n")
    text = text.replace("weight: 3", "weight: 1").replace("      - split: tone\n", "      - split: tone\n        salt: same\n")
    story = Story({"r.yaml": text})
    for number in range(20):
        story.track(f"u{number}", "Cart Updated")
    story.until("+2h")
    pairs = {tuple(one["arms"].values()) for one in story.actions() if one["step"] == "bye"}
    assert pairs == {("plain", "kind"), ("offer", "short")}


SCENARIO = """version: 1
scenarios:
  arms can be expected:
    given:
      - {at: 2026-01-05T09:00Z, user: ann, event: Cart Updated}
    until: +2h
    then:
      - {step: bye, arms: {offer-test: OFFER}}
      - {kind: exited, arms: {offer-test: OFFER}}
"""


def test_scenarios_can_expect_arms() -> None:
    arm = ("plain", "offer")[pick(draw("split", "cart/offer-test", "ann"), (1, 3))]
    [result] = run_scenarios(load({"r.yaml": SPLIT}), {"s.scenarios.yaml": SCENARIO.replace("OFFER", arm)})
    assert result.failures == ()
    [result] = run_scenarios(load({"r.yaml": SPLIT}), {"s.scenarios.yaml": SCENARIO.replace("OFFER", "another")})
    assert len(result.failures) == 2


def test_the_arms_of_a_run_are_bounded() -> None:
    """Else nine runs and one more would not always fit into a state."""
    arms = f"{{{'a' * 64}: {{weight: 1}}, b: {{weight: 1}}}}"
    splits = ", ".join(f"{{split: {'s' * 60}{number}, arms: {arms}}}" for number in range(10, 26))
    [found] = problems(f"version: 2\njourneys: {{j: {{entry: {{event: A}}, steps: [{splits}]}}}}\n")
    assert "a run would keep more than 2,048 bytes of names of arms; have fewer splits, or shorter names" in found


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[{end: }]", "5:18: end is empty; a text belongs here"),
        ("[{end: [x]}]", "5:19: end is a list; a text belongs here"),
        ("[{choose: []}]", "5:22: choose has no choices; as in choose: [{if: traits.vip, steps: [...]}, {steps: [...]}]"),
        ("[{choose: [{if: traits.a}]}]", '5:23: a choice has no "steps"'),
        (
            "[{choose: [{steps: [{wait: 1d}]}, {if: traits.a, steps: [{wait: 1d}]}]}]",
            "5:23: a choice without if before others; it always fits, so it is the last one",
        ),
        ("[{split: x}]", "5:21: split without arms; as in arms: {plain: {weight: 50}, offer: {weight: 50, steps: [...]}}"),
        ("[{split: x y, arms: {a: {weight: 1}, b: {weight: 1}}}]", '5:21: "x y" is no name for a split'),
        ("[{split: x, arms: {a: {weight: 1}}}]", "5:30: 1 arms; 2 to 20 arms belong here"),
        ("[{split: x, arms: {a: {weight: 0}, b: {weight: 0}}}]", "5:30: no arm has a weight above 0"),
        ("[{split: x, arms: {a: {weight: 50%}, b: {weight: 1}}}]", '5:43: weight is "50%"; weight: 50 is meant'),
        ("[{split: x, arms: {a: {}, b: {weight: 1}}}]", '5:34: the arm "a" has no "weight"'),
        ("[{split: x, arms: {a: {weight: 1, step: []}, b: {weight: 1}}}]", 'unknown key "step" in the arm "a"; did you mean "steps"?'),
        ("[{wait: 1d, arms: {}}]", '5:30: "arms" without "split"; it belongs next to "split"'),
        (
            "[{split: x, arms: {a: {weight: 1}, b: {weight: 1}}}, {split: x, arms: {a: {weight: 1}, b: {weight: 1}}}]",
            '5:73: a second split named "x" in the journey; give it another name',
        ),
    ],
)
def test_a_wrong_step_is_named(steps: str, problem: str) -> None:
    found = problems(f"version: 2\njourneys:\n  j:\n    entry: {{event: A}}\n    steps: {steps}\n")
    assert any(problem in one for one in found), found
