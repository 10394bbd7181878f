"""`if` takes one of two lists of steps; the next decision says which, and why."""

from typing import Any

import pytest

from tests.unit.rules.loading import loaded, problems
from triggers.base.canonical import canonical
from triggers.rules.checks import load
from triggers.scenarios.running import run_scenarios
from triggers.steps import all_of
from triggers.testing import Story

RULES = """version: 2
journeys:
  offer:
    entry: {event: Signed Up}
    steps:
      - wait: 1h
      - if: did("Paid", days=3) or traits.vip
        then:
          - if: traits.vip
            then: [{send: {channel: push, text: Dear}, name: dear}]
          - wait: 1h
        else:
          - send: {channel: push, text: Please}
      - send: {channel: sms, text: Bye}
        name: bye
"""


def told(story: Story, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(decision.get(field) for field in fields) for decision in story.decisions("ann") if decision["journey"]]


def branches(story: Story) -> list[tuple[Any, ...]]:
    found = []
    for kind, step, path in told(story, "kind", "step", "path"):
        found.append((kind, step, *((taken["step"], taken["branch"], taken.get("unknown")) for taken in path or ())))
    return found


def test_a_run_takes_a_branch_and_goes_on_behind_it() -> None:
    story = Story({"r.yaml": RULES})
    story.track("ann", "Paid")
    story.track("ann", "Signed Up")
    story.until("+3h")
    assert branches(story) == [
        ("entered", None),
        ("waiting", "1"),
        ("waiting", "2.then.2", ("2", "then", None), ("2.then.1", "else", None)),
        ("sent", "bye"),
        ("exited", None),
    ]


def test_a_condition_that_is_unknown_does_not_hold_and_that_is_said() -> None:
    """Ann had records before the rules, so it is not known whether she paid."""
    story = Story({"old.yaml": "version: 1\n"})
    story.track("ann", "Read")
    story.apply({"r.yaml": RULES})
    story.identify("ann", {"vip": False})
    story.track("ann", "Signed Up")
    story.until("+3h")
    [taken] = next(path for kind, path in told(story, "kind", "path") if kind == "sent" and path)
    assert (taken["step"], taken["branch"], taken["unknown"]) == ("2", "else", True)
    assert taken["values"]["incomplete"] == {'did("Paid", days=3)': "2026-01-04T00:00:00.000Z"}


def test_an_if_without_a_branch_that_fits_goes_on_behind_it() -> None:
    story = Story({"r.yaml": RULES.replace("        else:\n          - send: {channel: push, text: Please}\n", "")})
    story.track("ann", "Signed Up")
    story.until("+3h")
    assert branches(story)[2] == ("sent", "bye", ("2", "else", None))


def test_the_end_of_a_run_says_which_branch_led_to_it() -> None:
    """Of `when`, of the last step, of too many moves."""
    text = "{if: traits.vip, else: [{when: traits.age > 18}]}"
    story = Story(
        {"r.yaml": RULES.replace("{send: {channel: push, text: Dear}, name: dear}", "{send: {channel: push, text: Dear}}, " + text)}
    )
    story.identify("ann", {"vip": True, "age": 20})
    story.track("ann", "Signed Up")
    story.until("+3h")
    assert branches(story)[3] == ("waiting", "2.then.2", ("2.then.1.then.2", "then", None))


def test_branches_that_do_not_fit_into_a_decision_lose_their_values() -> None:
    deep = "[{send: {channel: push, text: x}}]"
    for _ in range(7):
        deep = f"[{{if: traits.bio == traits.bio, then: {deep}}}]"
    story = Story({"r.yaml": f"version: 2\njourneys: {{j: {{entry: {{event: A}}, steps: {deep}}}}}\n"})
    story.identify("ann", {"bio": "x" * 12_000})
    story.track("ann", "A")
    sent = story.decisions("ann", "sent")[0]
    assert sent["cut"] == "the values were too big"
    assert [taken["values"] for taken in sent["path"]] == [{}] * 7


def test_what_branches_decide_is_part_of_the_version() -> None:
    """Other steps, other sides, other conditions, and not the words around them."""
    texts = [
        RULES,
        RULES.replace("then:\n          - if", "else:\n          - if").replace("else:\n          - send", "then:\n          - send"),
        RULES.replace("if: traits.vip\n", "if: not traits.vip\n"),
        RULES.replace("text: Please", "text: Pleased"),
        RULES.replace("        else:\n          - send: {channel: push, text: Please}\n", ""),
    ]
    journeys = [Story({"r.yaml": text}).library.rule_sets()[0].journeys["offer"] for text in texts]
    assert len({journey.version for journey in journeys}) == len(texts) == len({journey.hash for journey in journeys})
    step = journeys[4].steps[1]
    name, fields = step.wire()  # type: ignore[attr-defined] # every kind has it
    assert (name, sorted(fields)) == ("If", ["condition", "name", "then"])
    assert canonical(step) == canonical(step)


def test_the_deepest_steps_can_be_hashed_and_run() -> None:
    deep, condition = "[{send: {channel: push, text: x}}]", " and ".join(["(not " * 10 + "traits.a" + ")" * 10] * 2)
    for _ in range(7):
        deep = f"[{{if: {condition}, else: {deep}}}]"
    story = Story({"r.yaml": f"version: 2\njourneys: {{j: {{entry: {{event: A}}, steps: {deep}}}}}\n"})
    story.track("ann", "A")
    assert [action["step"] for action in story.actions()] == ["1" + ".else.1" * 7]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[{if: traits.a}]", "5:18: if without then; a list of steps belongs under then: or else:, next to if:"),
        ("[{if: , then: [{wait: 1d}]}]", '5:17: an empty expression; a condition belongs here, such as count("Order Completed") >= 2'),
        ("[{if: traits.a, then: []}]", "5:34: then is an empty list; leave then out, or put steps into it"),
        ("[{if: traits.a, then: {wait: 1d}}]", "5:34: then is a mapping; a list belongs here: each step begins with a dash"),
        ("[{wait: 1d, then: [{wait: 1d}]}]", '5:30: "then" without "if"; it belongs next to "if"'),
        ("[{then: [{wait: 1d}]}]", '5:20: "then" as a step of its own; it belongs to the step "if", without a dash before it'),
        (
            "[{if: traits.a, wait: 1d, then: [{wait: 1d}]}]",
            "5:13: a step that waits and branches; make two steps of it: - wait: ... and - if: ...",
        ),
        (
            "[{if: traits.a, then: [{wait: 1d, name: x}], else: [{wait: 1d, name: x}]}]",
            '5:81: a second step named "x"; the first is on line 5; steps without a name are named by their number',
        ),
    ],
)
def test_a_wrong_branch_is_named(steps: str, problem: str) -> None:
    assert f"a.yaml:{problem}" in problems(f"version: 2\njourneys:\n  j:\n    entry: {{event: A}}\n    steps: {steps}\n")


def test_steps_are_bounded_in_number() -> None:
    many = ", ".join(["{if: traits.a, then: [" + ", ".join(["{wait: 1s}"] * 90) + "]}"] * 6)
    [found] = problems(f"version: 2\njourneys: {{j: {{entry: {{event: A}}, steps: [{many}]}}}}\n")
    assert found.endswith("more than 500 steps in a journey; make two journeys of it")


def test_files_of_version_1_do_not_know_branches() -> None:
    """They say what is needed; and parts of a message may be called like the new words."""
    steps = "[{if: traits.a, then: [{wait: 1d}]}]"
    assert problems(f"version: 1\njourneys: {{j: {{entry: {{event: A}}, steps: {steps}}}}}\n") == [
        'a.yaml:2:44: unknown key "if" in a step; needs "version: 2" at the top of the file',
        'a.yaml:2:58: unknown key "then" in a step; needs "version: 2" at the top of the file',
    ]
    steps = "[{send: {channel: push, text: x, then: y, if: z}}]"
    [send] = loaded(f"journeys: {{j: {{entry: {{event: A}}, steps: {steps}}}}}\n").journeys["j"].steps
    assert list(next(iter(all_of([send]))).parts("message")) == ["text", "then", "if"]


def test_each_file_has_its_own_version() -> None:
    """A segment of one file serves a journey of another."""
    steps = "[{if: traits.vip, then: [{send: {channel: push, text: x}}]}]"
    files = {
        "a.yaml": "version: 1\nsegments: {s: 'did(\"Paid\")'}\n",
        "b.yaml": f"version: 2\njourneys: {{j: {{entry: {{enters: s}}, steps: {steps}}}}}\n",
    }
    story = Story(files)
    story.identify("ann", {"vip": True})
    story.track("ann", "Paid")
    assert len(story.actions()) == 1
    assert problems(**{**files, "c.yaml": f"version: 1\njourneys: {{k: {{entry: {{enters: s}}, steps: {steps}}}}}\n"})[0].startswith(
        'c.yaml:2:45: unknown key "if"'
    )


SCENARIO = """version: 1
scenarios:
  ann has not paid:
    given:
      - {at: 2026-01-05T09:00Z, user: ann, event: Signed Up}
    until: +1d
    then:
      - {kind: sent, step: 2.else.1, path: [{step: "2", branch: else, values: {traits.vip: null}}]}
      - {kind: sent, step: bye}
    never:
      - {kind: sent, path: [{branch: then}]}
"""


def test_scenarios_can_expect_the_branches_of_a_decision() -> None:
    rules = load({"r.yaml": RULES})
    assert [result.failures for result in run_scenarios(rules, {"s.scenarios.yaml": SCENARIO})] == [()]
    [wrong] = run_scenarios(rules, {"s.scenarios.yaml": SCENARIO.replace("branch: else", "branch: other")})
    assert 'path[0].branch: "else"' in wrong.failures[0]
    assert "sent     offer step 2.else.1 branch 2 else by push" in wrong.timeline


def test_version_2_changes_nothing_for_what_version_1_knows() -> None:
    text = "version: 1\njourneys: {j: {entry: {event: A}, steps: [{wait: 1d}, {send: {channel: push, text: x}}]}}\n"
    one, two = (Story({"r.yaml": text.replace("1", version, 1)}).library.rule_sets()[0].journeys["j"] for version in "12")
    assert (one, one.hash) == (two, two.hash)
