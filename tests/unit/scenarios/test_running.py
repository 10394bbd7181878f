"""What a scenario says when it fails: what is missing, what came instead, and whose record it was."""

from itertools import permutations

import pytest

from triggers.records.control import COMMAND
from triggers.records.expectations import Difference, Leaf, assign
from triggers.records.lines import WIDE
from triggers.rules.checks import load
from triggers.scenarios.running import Result, run_scenarios
from triggers.testing import Story

RULES = load(
    {
        "rules.yaml": """version: 1
segments:
  regular: count("Order Completed") >= 2
journeys:
  thanks:
    entry: {event: Order Completed}
    re_entry: always
    steps:
      - send: {channel: email, subject: "Thank you", text: "Your order over {{ properties.total }} is on its way."}
        name: first
      - wait: 7d
      - send: {channel: sms, text: "Did it arrive?"}
        name: second
  bonus:
    entry: {enters: regular}
    steps: [{send: {channel: benefit, grant: {plan: member, days: 3, rights: [read, lend]}}}]
  big:
    entry: {event: Order Completed, where: total > 100}
    steps: [{send: {channel: push, text: "Wow"}}]
"""
    }
)


def result(scenario: str) -> Result:
    lines = "\n".join(f"    {line}" for line in scenario.strip().splitlines())
    (found,) = run_scenarios(RULES, {"s.yaml": f"version: 1\nscenarios:\n  x:\n{lines}\n"})
    return found


def after_an_order(then: str, given: str = "") -> Result:
    """One order of ann's on January 5th at 9, over 25: `first` goes out at once, `second` a week later."""
    return result(
        f"""
given:
  - {{at: 2026-01-05T09:00Z, user: ann, event: Order Completed, properties: {{total: 25}}}}
  {given}
until: 2026-02-01
{then}
"""
    )


# ---- who gets which outcome ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "then",
    [
        "[{journey: thanks}, {journey: thanks, step: first}]",
        "[{user: ann}, {journey: thanks, channel: sms}]",
        "[{journey: thanks, step: second}, {user: ann}]",
        '[{channel: sms}, {message: {subject: "Thank you"}}]',
    ],
)
def test_who_says_little_does_not_take_what_another_needs(then: str) -> None:
    """`{journey: thanks}` is first and fits both, but the other wants just the first one."""
    assert after_an_order(f"then: {then}").failures == ()


def test_an_outcome_is_handed_on_to_who_needs_it() -> None:
    """All have the same fields: taking the first that fits would leave none for `first`."""
    given = "- {at: 2026-01-06, user: bob, event: Order Completed, properties: {total: 7}}"
    asked = ["{user: ann}", "{user: bob}", "{step: first}", "{step: second}"]
    for then in permutations(asked):
        assert after_an_order(f"then: [{', '.join(then)}]", given).failures == ()


def test_each_outcome_is_used_once() -> None:
    found = after_an_order("then: [{user: ann}, {journey: thanks}, {user: ann, journey: thanks}]")
    assert found.failures == ("expected, but it did not come again: journey: thanks",)


def test_where_there_are_too_few_the_one_that_says_least_goes_without() -> None:
    """It is not said of `second` that it did not come, because it did."""
    found = after_an_order("then: [{journey: thanks}, {journey: thanks, step: first}, {journey: thanks, step: second}]")
    assert found.failures == ("expected, but it did not come again: journey: thanks",)


def test_order_does_not_matter() -> None:
    assert after_an_order("then: [{step: second}, {step: first}]").passed


def test_actions_and_decisions_are_told_apart() -> None:
    assert after_an_order("then: [{step: second}, {kind: sent, step: second}, {kind: exited, reason: completed}]").passed
    assert not after_an_order("then: [{step: second}, {step: second}]").passed


def test_assign_takes_what_is_left() -> None:
    assert assign([[0, 1], [0]]) == [1, 0]
    assert assign([[0], [0]]) == [0, None]
    assert assign([]) == []
    chain = [[index, index + 1] for index in range(5_000)] + [[0]]  # a path through all of them, deeper than a stack
    assert sorted(index for index in assign(chain) if index is not None) == list(range(5_001))


# ---- values -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "passes"),
    [
        ("grant: {days: 3}", True),
        ('grant: {days: "3"}', True),
        ("grant: {days: 3.0}", True),
        ("grant: {days: 4}", False),
        ("grant: {days: true}", False),
        ("grant: {rights: [read, lend]}", True),
        ("grant: {rights: [lend, read]}", False),
        ("grant: {rights: [read]}", False),
        ("grant: {days: null}", False),
        ("message: null", True),
        ("grant: null", False),
        ("not_after: null", True),
        ("due: 2026-01-06T09:00+00:00", True),
    ],
)
def test_values_are_compared_as_a_person_would(wanted: str, passes: bool) -> None:
    given = "- {at: +1d, user: ann, event: Order Completed}"
    assert after_an_order(f"then: [{{journey: bonus, {wanted}}}]", given).passed is passes


def test_a_number_is_as_it_is_written() -> None:
    """1.50 in a text is no 1.5."""
    given = '- {at: +1d, user: bob, event: Order Completed, properties: {total: "1.50"}}'
    assert after_an_order("then: [{user: bob, message: {text: Your order over 1.50 is on its way.}}]", given).passed


# ---- what a failure says ------------------------------------------------------------------------------------------------


def test_what_differs_is_said() -> None:
    found = after_an_order("then: [{user: ann, step: first, message: {text: Your order over 25.00 is on its way.}}]")
    (failure,) = found.failures
    missing, _, nearest = failure.partition("; ")
    assert missing == "expected, but it did not come: user: ann, step: first, message: {text: Your order over 25.00 is on its way.}"
    assert nearest == 'what came nearest has message.text: "Your order over 25 is on its way."'


def test_moments_differ_in_words() -> None:
    (failure,) = after_an_order("then: [{user: ann, step: second, at: 2026-01-12T10:00Z}]").failures
    assert failure.endswith("what came nearest has at: 2026-01-12T09:00:00.000Z")


def test_what_came_to_another_or_has_nothing_in_common_is_not_near() -> None:
    (failure,) = after_an_order("then: [{user: ann, journey: bonus}]").failures
    assert failure == "expected, but it did not come: user: ann, journey: bonus"


def test_of_a_long_text_the_part_that_differs_is_shown() -> None:
    got = "x" * 500 + "25" + "y" * 500
    shown = str(Difference("text", Leaf("x" * 500 + "26", "x" * 500 + "26"), got))
    assert "x25y" in shown
    assert len(shown) < WIDE + 20


def test_the_timeline_shows_what_was_sent() -> None:
    given = "- {at: +1d, user: ann, event: Order Completed, properties: {total: 300}, happened: 2026-01-06T08:00Z}\n  - {pause: big}"
    found = after_an_order("never: [{channel: push}]", given)
    assert found.failures == ("it should never have come: channel: push",)
    assert found.timeline.splitlines() == [
        "timeline of ann:",
        '  2026-01-05T09:00:00.000Z  record   Order Completed {"total":25}',
        "  2026-01-05T09:00:00.000Z  entered  thanks",
        '  2026-01-05T09:00:00.000Z  sent     thanks step first by email: subject "Thank you", text "Your order over 25 is on its way."',
        "  2026-01-05T09:00:00.000Z  waiting  thanks step 2 until 2026-01-12T09:00:00.000Z",
        '  2026-01-06T09:00:00.000Z  record   Order Completed {"total":300} happened 2026-01-06T08:00:00.000Z',
        "  2026-01-06T09:00:00.000Z  command 3: pause big",
        "  2026-01-06T09:00:00.000Z  entered  big",
        '  2026-01-06T09:00:00.000Z  entered  bonus count("Order Completed") = 2',
        "  2026-01-06T09:00:00.000Z  refused  thanks a run of this journey is under way",
        '  2026-01-06T09:00:00.000Z  sent     big step 1 by push: text "Wow"',
        "  2026-01-06T09:00:00.000Z  exited   big completed",
        '  2026-01-06T09:00:00.000Z  sent     bonus step 1 by benefit: grant {"plan":"member","days":3,"rights":["read","lend"]}',
        "  2026-01-06T09:00:00.000Z  exited   bonus completed",
        '  2026-01-12T09:00:00.000Z  sent     thanks step second by sms: text "Did it arrive?"',
        "  2026-01-12T09:00:00.000Z  exited   thanks completed",
    ]


def test_long_texts_are_shortened_to_a_line() -> None:
    story = Story(RULES)
    story.track("ann", "Order Completed", {"total": "9\n" * 1_000}, at="2026-01-05T09:00Z")
    lines = story.timeline("ann").splitlines()
    assert len(lines) == 5
    assert all(len(line) < 400 for line in lines)
    assert lines[3].endswith('…"')


def test_a_dead_letter_says_whose_record_it_was() -> None:
    given = "- {at: +1h, user: undefined, event: Order Completed, properties: {total: 1}}"
    found = after_an_order("never: [{channel: push}]", given)
    why = "bad user id: undefined stands for an id that is missing"
    assert found.failures == (f"dead letter: line 6, Order Completed of undefined at 2026-01-05T10:00:00.000Z: {why}",)
    ann, other = found.timeline.split("\ntimeline of undefined:\n")
    assert "dead letter" not in ann
    assert other.splitlines() == [
        '  2026-01-05T10:00:00.000Z  record   Order Completed {"total":1}',
        f"  2026-01-05T10:00:00.000Z  dead letter: {why}",
    ]


def test_a_timeline_stands_whatever_was_in_the_log() -> None:
    story = Story(RULES)
    story.record(b"ann", b"\xff{", "2026-01-05T09:00Z")
    story.record(b"ann", b'["a"]')
    story.record(b"ann", b'{"type":"track","userId":"ann","event":"a\\nb"}')
    story.record(None, b"no command", headers=COMMAND)
    lines = [line[28:].split()[0] for line in story.timeline("ann").splitlines()[1:]]
    assert lines == ["record", "dead", "record", "dead", "record", "command", "dead"]


# ---- virtual time -------------------------------------------------------------------------------------------------------


def test_what_follows_a_repetition_counts_from_its_last_record() -> None:
    """Daily from the 1st to the 3rd; an hour later is the 3rd at 10."""
    found = result(
        """
given:
  - {at: 2026-01-01T09:00Z, user: ann, event: Order Completed, every: 1d, times: 3}
  - {at: +1h, user: bob, event: Order Completed}
  - {user: eve, event: Order Completed}
until: +7d
then:
  - {user: bob, step: first, at: 2026-01-03T10:00Z}
  - {user: eve, step: first, at: 2026-01-03T10:00Z}
  - {user: eve, step: second, at: 2026-01-10T10:00Z}
  - {user: ann, journey: bonus, at: 2026-01-02T09:00Z}
"""
    )
    assert found.failures == ()


def test_the_first_record_may_count_from_the_start() -> None:
    found = result(
        """
start: 2026-01-01
given: [{at: +2h, user: ann, event: Order Completed}]
then: [{user: ann, step: first, at: 2026-01-01T02:00Z}]
never: [{step: second}]
"""
    )
    assert found.failures == ()


def test_commands_and_go_live_are_told_in_their_place() -> None:
    found = result(
        """
live: false
given:
  - {at: 2026-01-01, user: ann, event: Order Completed}
  - {at: +1h, go-live: true}
  - {pause: thanks}
  - {at: +8d, resume: thanks}
until: +1d
then:
  - {kind: dry, step: first}
  - {kind: paused, step: "2", at: 2026-01-08}
  - {kind: skipped, step: second, reason: late}
never: [{user: ann}]
"""
    )
    assert found.failures == ()


def test_months_of_repetitions_take_less_than_a_second() -> None:
    found = result(
        """
given: [{at: 2026-01-01, user: ann, event: Order Completed, every: 1h, times: 2000}]
until: 2026-12-31
then: [{user: ann, journey: bonus}]
"""
    )
    assert found.failures == ()
