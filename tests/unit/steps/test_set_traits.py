"""`set` sets traits of the user, as an `identify` at that moment: what follows from them follows at once."""

from typing import Any

import pytest

from triggers.base.draws import draw
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.state.encoding import decode, encode
from triggers.testing import Story

RULES = """version: 2
segments:
  member: traits.plan == "trial"
tiers:
  club: {keep: 0s, levels: [{silver: traits.points >= 10}]}
journeys:
  a-setter:
    entry: {event: started}
    re_entry: always
    steps:
      - set: {traits: {plan: trial, points: 12, source: "{{ properties.from or 'nowhere' }}", old: null}}
      - send: {channel: push, text: "{{ traits.plan }} by {{ traits.source }}"}
  b-member:
    entry: {enters: member}
    re_entry: always
    steps: [{send: {channel: email, text: Welcome}}]
  c-silver:
    entry: {reaches: club.silver}
    steps: [{send: {channel: sms, text: Silver}}]
  d-waiting:
    entry: {event: opened}
    steps:
      - wait: {inside: member, timeout: 9d}
      - send: {channel: in_app, text: Came}
  e-leaving:
    entry: {event: opened}
    exit: {enters: member}
    steps: [{wait: 9d}, {send: {channel: push, text: Never}}]
"""
PUSH = "      - send: {channel: push"
TOGGLE = "      - set: {traits: {plan: null}}\n      - set: {traits: {plan: trial}}\n"


def story_of(rules: str = RULES, **how: Any) -> Story:
    return Story({"rules.yaml": rules}, **how)


def told(story: Story) -> list[tuple[str, str | None]]:
    return [(one["kind"], one["journey"]) for one in story.decisions("ann") if one["kind"] != "met"]


def traits_of(story: Story, user: str = "ann") -> dict[str, Any]:
    state = story.fold()[0].table.states()[user]
    found = decode(state)
    assert encode(found) == state
    return found.traits


def test_all_that_follows_from_traits_follows_before_the_run_continues() -> None:
    story = story_of()
    story.track("ann", "opened")
    story.identify("ann", {"old": "x", "source": "y"}, at="+1m")
    story.track("ann", "started", {"from": "web"}, at="+1h")
    assert told(story) == [
        ("entered", "d-waiting"),
        ("entered", "e-leaving"),
        ("waiting", "d-waiting"),
        ("waiting", "e-leaving"),
        ("entered", "a-setter"),
        ("set", "a-setter"),
        ("tier", None),
        ("exited", "e-leaving"),
        ("entered", "b-member"),
        ("entered", "c-silver"),
        ("sent", "a-setter"),  # what has entered begins when the run has ended
        ("exited", "a-setter"),
        ("sent", "b-member"),
        ("exited", "b-member"),
        ("sent", "c-silver"),
        ("exited", "c-silver"),
        ("sent", "d-waiting"),
        ("exited", "d-waiting"),
    ]
    assert story.actions()[0]["message"]["text"] == "trial by web"
    assert traits_of(story) == {"plan": "trial", "points": 12, "source": "web"}
    [decision] = story.decisions("ann", "set")
    assert (decision["step"], decision["reason"]) == ("1", None)
    assert decision["values"] == {"traits": {"plan": "trial", "points": 12, "source": "web", "old": None}}


def test_an_entry_has_the_id_of_the_record_and_comes_once() -> None:
    twice = RULES.replace(
        "      - send: {channel: push",
        "      - set: {traits: {plan: null}}\n      - set: {traits: {plan: trial}}\n      - send: {channel: push",
    )
    story = story_of(twice)
    record = story.track("ann", "started")
    entered = [one for one in story.decisions("ann", "entered") if one["journey"] == "b-member"]
    assert [one["run"].rpartition(":")[2] for one in entered] == [f"0-o{record.offset}"]
    assert [one["reason"] for one in story.decisions("ann", "refused")] == ["a run of this journey is under way"]


def test_a_second_entry_at_one_moment_is_refused() -> None:
    rules = RULES.replace("    entry: {enters: member}\n", "    entry: {enters: member}\n    exit: {leaves: member}\n")
    story = story_of(rules.replace(PUSH, "      - wait: 1h\n" + TOGGLE + TOGGLE + PUSH))
    story.track("ann", "started", at="2026-01-02T00:00Z")
    story.until("+1h")
    assert [one["reason"] for one in story.decisions("ann", "refused")] == ["entered at this moment"]
    entered = [one["run"].rpartition(":")[2] for one in story.decisions("ann", "entered") if one["journey"] == "b-member"]
    assert entered == ["0-o2", f"0-t{story.now}"]


def test_a_run_can_end_itself() -> None:
    story = story_of(RULES.replace("    entry: {event: started}", "    entry: {event: started}\n    exit: {enters: member}"))
    story.track("ann", "started")
    assert told(story)[:3] == [("entered", "a-setter"), ("set", "a-setter"), ("tier", None)]
    assert ("sent", "a-setter") not in told(story)
    assert ("exited", "a-setter") in told(story)


def test_a_step_behind_it_knows_the_new_traits() -> None:
    steps = "      - wait: {inside: member, timeout: 1d}\n        came: [{end: inside}]\n      - send: {channel: push"
    story = story_of(RULES.replace("      - send: {channel: push", steps))
    story.track("ann", "started")
    [exited] = [one for one in story.decisions("ann", "exited") if one["journey"] == "a-setter"]
    assert exited["reason"] == "end: inside"


def test_the_last_step_of_a_run_can_set() -> None:
    rules = RULES.replace('      - send: {channel: push, text: "{{ traits.plan }} by {{ traits.source }}"}\n', "")
    story = story_of(rules)
    story.track("ann", "started")
    assert [kind for kind, journey in told(story) if journey == "a-setter"] == ["entered", "set", "exited"]
    assert ("sent", "b-member") in told(story)
    assert [one for one in warnings(read({"rules.yaml": rules})) if "sends nothing" in one.message] == []


def test_it_also_sets_before_go_live() -> None:
    story = story_of(live=False)
    story.track("ann", "started")
    assert traits_of(story)["plan"] == "trial"
    assert story.actions() == []


def test_withheld_runs_set_nothing() -> None:
    rules = RULES.replace(
        "    re_entry: always\n    steps:\n      - set", "    re_entry: always\n    holdout: 50%\n    steps:\n      - set"
    )
    users = [f"user-{number}" for number in range(20)]
    story = story_of(rules)
    for user in users:
        story.track(user, "started")
    held = {user for user in users if draw("holdout", "a-setter", user) < 1 << 63}
    states = {user: decode(state) for user, state in story.fold()[0].table.states().items()}
    assert {user for user, state in states.items() if not state.traits} == held
    assert 0 < len(held) < len(users)
    kinds = [one["kind"] for one in story.decisions(min(held))]
    assert kinds == ["entered", "withheld", "withheld", "exited"]


def test_traits_that_become_too_big_are_not_set() -> None:
    story = story_of()
    story.identify("ann", {"big": "x" * 16_350})
    story.track("ann", "started", at="+1m")
    [failed] = story.decisions("ann", "failed")
    assert (failed["reason"], failed["step"]) == ("traits too big", "1")
    assert ("sent", "a-setter") in told(story)
    assert "plan" not in traits_of(story)


def test_a_text_that_fails_sets_nothing() -> None:
    story = story_of(RULES.replace("{{ properties.from or 'nowhere' }}", "{{ properties.from + 1 }}"))
    story.track("ann", "started", {"from": "x"})
    assert [kind for kind, journey in told(story) if journey == "a-setter"] == ["entered", "failed", "sent", "exited"]
    assert traits_of(story) == {}


def test_at_a_new_rule_set_no_user_enters_by_it() -> None:
    """A wait that ends at the migration is the only way in which a run gets to its steps there."""
    rules = """version: 2
settings: {time_zone: UTC}
segments:
  late: count("opened", days=1) >= 1
  member: traits.plan == "trial"
journeys:
  a:
    entry: {event: opened}
    steps: [{wait: {outside: late, timeout: 9d}}, {set: {traits: {plan: trial}}}]
  b:
    entry: {enters: member}
    steps: [{send: {channel: push, text: x}}]
"""
    story = story_of(rules, start="2026-01-01T20:00Z")
    story.track("ann", "opened", at="2026-01-01T22:30Z")
    story.apply({"rules.yaml": rules.replace("time_zone: UTC", "time_zone: Asia/Tokyo")}, at="+1h")
    story.track("ann", "other", at="+1m")
    assert ("entered", "b") not in told(story)
    if ("set", "a") in told(story):
        assert traits_of(story) == {"plan": "trial"}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{set: {plan: gold}}", 'set has no "traits"; the traits are under it, as in set: {traits: {plan: ...}}'),
        ("{set: {traits: {}}}", "set has 0 traits; 1 to 50 belong here, as in set: {traits: {plan: trial}}"),
        ("{set: gold}", "set is a text"),
        ("{set: {traits: [a]}}", "set: traits is a list"),
        ("{set: {traits: {timezone: Europe/Berlin}}}", "set changes timezone; where a user is comes from the user's own calls"),
        ('{set: {traits: {a: "{{ trait.x }}"}}}', 'unknown variable "trait"'),
        ("{set: {traits: {a: 123456789012345678901}}}", "a number of this size"),
        ("{update: {plan: gold}}", "traits are set by the step set:"),
        ("{set: {traits: {a: 1}}, send: {channel: push, text: x}}", "a step that sends and sets traits; make two steps of it"),
    ],
)
def test_a_step_that_cannot_be_is_refused(step: str, message: str) -> None:
    with pytest.raises(RuleErrors) as refused:
        load({"rules.yaml": f"version: 2\njourneys: {{a: {{entry: {{event: b}}, steps: [{step}]}}}}\n"})
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ("{plna: x}", 'unknown trait "plna"; did you mean "plan"?'),
        ("{points: true}", 'the trait "points" is a number, and this is a flag (true)'),
        ("{plan: 5}", 'the trait "plan" is a text, and this is a number'),
        ("{vip: gold}", 'the trait "vip" is a flag, and this is a text'),
    ],
)
def test_traits_are_compared_with_the_schema(traits: str, message: str) -> None:
    schema = "schema: {traits: {plan: text, points: number, vip: flag, address.city: text}}\n"
    rules = "version: 2\n" + schema + "journeys: {a: {entry: {event: b}, steps: [{set: {traits: %s}}]}}\n"
    with pytest.raises(RuleErrors) as refused:
        load({"rules.yaml": rules % traits})
    assert message in str(refused.value)
    load({"rules.yaml": rules % '{plan: x, points: "{{ properties.n }}", vip: true, address: {city: Ulm}}'})


def test_files_of_version_1_have_no_set() -> None:
    with pytest.raises(RuleErrors, match="version: 2"):
        load({"rules.yaml": "version: 1\njourneys: {a: {entry: {event: b}, steps: [{set: {traits: {a: 1}}}]}}\n"})
