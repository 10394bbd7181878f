"""`sent(days=7)` counts the messages that went out to a user, from the send log."""

import pytest

from tests.unit.rules.loading import problems
from triggers.base.model import DAY, HOUR
from triggers.base.moments import zone
from triggers.conditions.sends import counted
from triggers.definitions.model import Sent
from triggers.journeys.plan import compile_plan
from triggers.measures.view import View
from triggers.rules.checks import load
from triggers.state.encoding import decode
from triggers.state.sections.sends import SENDS
from triggers.state.sends import MAX_SENDS, add, number_of
from triggers.testing import Story


def rules(condition: str, more: str = "", category: str = "marketing") -> dict[str, str]:
    text = f"""version: 2
{more}
journeys:
  a:
    entry: {{event: A}}
    re_entry: always
    category: {category}
    steps: [{{send: {{channel: push, text: Hi}}}}, {{send: {{channel: benefit, grant: {{coupon: c}}}}}}]
  b:
    entry: {{event: B}}
    re_entry: always
    steps: [{{send: {{channel: email, text: Hi}}, skip_unless: '{condition}'}}]
"""
    return {"r.yaml": text}


def told(story: Story) -> list[str]:
    return [
        decision["kind"]
        for decision in story.decisions("ann")
        if decision["journey"] == "b" and decision["kind"] in ("sent", "skipped", "dry")
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("sent(days=1) < 2", ["sent", "skipped"]),
        ('sent(days=1, channel="push") == 1', ["sent", "sent"]),
        ('sent(days=1, channel="benefit") == 1', ["sent", "sent"]),
        ('sent(days=1, channel="email") < 1', ["sent", "skipped"]),
        ('sent(days=1, journey="b") == 0', ["sent", "skipped"]),
        ('sent(days=1, channel="sms") == 0 and sent(days=31) + 1 >= 2', ["sent", "sent"]),
        ('sent(days=1, channel="push", journey="b") >= 1', ["skipped", "skipped"]),
    ],
)
def test_it_counts_channels_and_journeys(condition: str, expected: list[str]) -> None:
    story = Story(rules(condition))
    story.track("ann", "A")
    story.track("ann", "B")
    story.track("ann", "B", at="+1h")
    assert told(story) == expected


def test_it_counts_local_days_and_today_is_the_last_of_them() -> None:
    story = Story(rules("sent(days=2) == 0"), start="2026-01-01T00:00Z")
    story.identify("ann", {"timezone": "Asia/Shanghai"})
    story.track("ann", "A", at="2026-01-02T15:59:59Z")  # the 2nd in Shanghai
    story.track("ann", "B", at="2026-01-03T15:59:59Z")  # the 3rd
    story.track("ann", "B", at="2026-01-03T16:00:00Z")  # the 4th
    assert told(story) == ["skipped", "sent"]


def test_the_decision_says_the_number() -> None:
    story = Story(rules("sent(days=7) < 1"))
    story.track("ann", "A")
    story.track("ann", "B")
    [decision] = story.decisions("ann", "skipped")
    assert decision["values"] == {"sent(days=7)": 1}


def test_before_going_live_it_counts_what_would_have_gone_out_and_then_starts_again() -> None:
    story = Story(rules("sent(days=7) < 1"), live=False)
    story.track("ann", "A")
    story.track("ann", "B")
    story.go_live()
    story.track("ann", "B")
    assert told(story) == ["skipped", "sent"]


def test_transactional_messages_do_not_count() -> None:
    story = Story(rules("sent(days=7) < 1", category="transactional"))
    story.track("ann", "A")
    story.track("ann", "B")
    assert told(story) == ["sent"]


def test_the_log_is_kept_only_where_a_rule_counts() -> None:
    assert compile_plan(load(rules("sent(days=7) < 1"))).keeps_sends
    assert compile_plan(load(rules("traits.x", "policies: {caps: {c: {most: 1, per: day}}}"))).keeps_sends
    assert not compile_plan(load(rules("traits.x"))).keeps_sends


def test_a_consent_can_ask_it() -> None:
    story = Story(rules("True", "policies: {consent: {c: {channels: [email], if: sent(days=7) < 1}}}"))
    story.track("ann", "A")
    story.track("ann", "B")
    [decision] = story.decisions("ann", "blocked")
    assert (decision["reason"], decision["values"]) == ("consent c", {"sent(days=7)": 1})


def test_where_the_log_has_lost_a_message_the_number_is_a_lower_bound() -> None:
    log = b""
    for number in range(MAX_SENDS + 1):  # each hour from the 10th on
        log = add(log, 10 * DAY + number * HOUR, dry=False, channel="push", category="marketing", journey="j")
    view = View({}, {}, 18 * DAY + 23 * HOUR, zone("UTC"))
    view.sends = lambda: (log, False)
    assert number_of(log) == MAX_SENDS
    assert counted(Sent(31))(view) == (MAX_SENDS, float("inf"))
    assert counted(Sent(9))(view) == (MAX_SENDS, float("inf"))
    assert counted(Sent(8))(view) == MAX_SENDS - 23


PLACES = "it is asked in when, if, choose and skip_unless, and in the if of a consent"


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("sent(days=32) < 1", "days is 32; a whole number from 1 to 31 belongs here, today the last"),
        ("sent() < 1", "sent has no days=; as in sent(days=7) < 3"),
        ("sent(7) < 1", "sent takes names only; as in sent(days=7) < 3"),
        ("sent(days=7)", "sent(...) is a number, not a condition; compare it, as in sent(days=7) < 3"),
        ('sent(days=7, chanel="push") < 1', 'unknown argument "chanel"; did you mean "channel"?'),
        ('sent(days=7, channel="pash") < 1', 'unknown channel "pash"; did you mean "push"?'),
        ('sent(days=7, journey="c") < 1', 'unknown journey "c"; known: a, b'),
        ("sent(days=7, channel=traits.x) < 1", "channel is no text in quotes; as in sent(days=7) < 3"),
        ('did("A", where=sent(days=7) < 1)', f"sent(...) in where=; {PLACES}"),
        ('every_day(3, count("A") > sent(days=7))', f"sent(...) in every_day; {PLACES}"),
    ],
)
def test_what_cannot_be_meant_is_refused(condition: str, problem: str) -> None:
    found = problems(rules(condition)["r.yaml"])
    assert any(problem in each for each in found), found


def test_segments_and_values_do_not_know_it() -> None:
    for section in ("segments: {s: sent(days=7) < 1}", "values: {v: sent(days=7)}"):
        found = problems(f"version: 2\n{section}")
        assert any(f"sent(...) in a segment or a value; {PLACES}" in each for each in found), found
    [found_one] = problems(
        "version: 1\njourneys: {j: {entry: {event: A}, steps: [{when: sent(days=7) < 1}, {send: {channel: push, text: a}}]}}"
    )
    assert "sent is not known in version 1" in found_one


def test_a_run_does_not_continue_under_rules_that_count_days_in_another_zone() -> None:
    """Local days belong to what decides, but not to the short version."""
    one = load(rules("sent(days=7) < 1")).journeys
    other = load(rules("sent(days=7) < 1", "settings: {time_zone: Asia/Tokyo}")).journeys
    assert one["b"].version == other["b"].version
    assert one["b"].hash != other["b"].hash
    assert one["a"].hash == other["a"].hash


ASKING = """version: 2
journeys:
  b:
    entry: {event: B}
    steps:
      - send: {channel: push, text: Hi}
      - wait: 1d
      - send: {channel: email, text: Ho}
        skip_unless: 'sent(days=7, channel="push") == 2'
  c: {entry: {event: C}, re_entry: always, steps: [{send: {channel: push, text: Hi}}]}
"""


def test_the_log_is_kept_for_a_run_that_asks_although_the_active_rules_ask_no_longer() -> None:
    story = Story({"r.yaml": ASKING}, start="2026-01-01T00:00Z")
    story.track("ann", "B")
    newer = ASKING[: ASKING.index("      - wait")] + ASKING[ASKING.index("  c: ") :]
    story.apply({"r.yaml": newer}, at="+1h")
    story.track("ann", "C", at="+1h")
    state = decode(story.fold()[0].table.states()["ann"])
    assert number_of(state.value(SENDS)) == 2
    story.until("+2d")
    assert told(story) == ["sent", "sent"]
    state = decode(story.fold()[0].table.states()["ann"])
    assert not state.has(SENDS), "no rule asks for it any more"
