"""What people write who know other tools, or only this guide: each answer names what is right."""

import pytest

from tests.unit.rules.loading import problems

SEND = "{send: {channel: push, text: Hi}}"


def of(more: str = "", steps: str = SEND, entry: str = "{event: A}", before: str = "", version: int = 2) -> list[str]:
    """List the problems of a file: entry on line 4, steps on line 5."""
    body = f"journeys:\n  j:\n    entry: {entry}\n    steps: [{steps}]\n"
    return problems(f"version: {version}\n{body}" + (f"    {more}\n" if more else "") + (f"{before}\n" if before else ""))


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        ("{}", "wait does not say what it waits for; as in wait: 3d, wait: {days: 3"),
        ("{day: 3}", '"day" in wait does not say what it waits for; as in wait: {days: 3}, {weeks: 1} or {months: 1}'),
        ("{hours: 3}", "as in wait: 3h or wait: 30m"),
        ('{until: "09:00"}', 'as in wait: {at: "09:00"} or {at: "09:00", on: [monday]}'),
        ("{segment: s, timeout: 3d}", "as in wait: {inside: S, timeout: 3d} or {enters: S, timeout: 3d}"),
        ("{events: [A, B], timeout: 3d}", "as in wait: {any: [{event: A}, {event: B}], timeout: 3d}"),
        ("{timeout: 3d}", "as in wait: {event: E, timeout: 3d}"),
        ('{between: ["09:00", "18:00"]}', 'it is not in the language yet: wait for the beginning, as in wait: {at: "09:00"}'),
        ("[{event: B}]", "wait is a list; as in wait: {any: [{event: A}, {event: B}], timeout: 3d}"),
        ("Monday", 'wait is "Monday", which is no duration; as in wait: {at: "09:00", on: [monday]}'),
        ('"09:00"', 'wait is "09:00", which is no duration; as in wait: {at: "09:00"}'),
        ("2 months", 'wait is "2 months", which is no duration; as in wait: {months: 2}'),
        ("2 days", 'wait is "2 days", which is no duration; as in wait: 2d'),
        ("1y", "as in wait: {months: 12}"),
        ('{days: "3"}', 'days is "3"; a whole number from 1 to 36,525 belongs here, without quotes'),
    ],
)
def test_a_wait_that_is_nearly_right_names_the_right_one(wait: str, said: str) -> None:
    (problem,) = of(steps=f"{{wait: {wait}}}, {SEND}")
    assert said in problem


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("{elif: traits.a, then: []}", "several ways are one step: choose: [{if: condition, steps: [...]}, {steps: [...]}]"),
        ("{switch: x}", "several ways are one step: choose:"),
        ("{exit: done}", "a run ends at a step end:, as in end: has bought already"),
        ("{delay: 3d}", "a step that waits is wait:, as in wait: 3d"),
        ("{email: {text: Hi}}", "a step that sends is send:, as in send: {channel: push"),
        ("{ab_test: x}", "users are divided by split:"),
        ("{repeat: {times: 3}}", "rounds are not in the language yet: write the steps out, or let users enter again"),
        ("{came: []}", '"came" as a step of its own; it belongs to the step "wait", without a dash before it'),
        ("{else: []}", '"else" as a step of its own; it belongs to the step "if", without a dash before it'),
        ("{if: traits.a, then: []}", "then is an empty list; leave then out, or put steps into it"),
        ("{if: traits.a, then: }", "then is empty; a list belongs here"),
        ("{if: traits.a, then: {wait: 1d}}", "then is a mapping; a list belongs here: each step begins with a dash"),
        ("{choose: {if: traits.a}}", "choose is a mapping; as in choose: [{if: traits.vip, steps: [...]}, {steps: [...]}]"),
        ("{choose: [{if: traits.a, then: []}]}", 'unknown key "then" in a choice; the steps of a choice are under steps:'),
        ("{choose: [{if: traits.a, steps: [{wait: 1d}]}, {else: []}]}", "the last choice has only steps:, as in {steps: [...]}"),
        ("{split: s, arms: {a: 50, b: {weight: 50}}}", 'the arm "a" is a number (50); as in arms: {plain: {weight: 50}'),
        ('{split: s, arms: {a: {weight: "5"}, b: {weight: 5}}}', "in relation to the other arms, without quotes"),
    ],
)
def test_a_step_of_another_tool_names_that_of_this_language(step: str, said: str) -> None:
    (problem,) = of(steps=f"{step}, {SEND}")
    assert said in problem


def test_a_timeout_next_to_a_wait_belongs_inside() -> None:
    found = of(steps=f"{{wait: {{event: B}}, timeout: 3d}}, {SEND}")
    assert any(
        one.endswith('unknown key "timeout" in a step; it belongs inside wait, as in wait: {event: E, timeout: 3d}') for one in found
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("exit: B", "exit is a text; as in {event: B}"),
        ("exit: never", "exit is a text; leave it out"),
        ("exit: [goal, {event: B}]", "the word goal in a list of exits; write exit: goal alone, or the cause of the goal in the list"),
        ("goal: Order Completed", "goal is a text; as in goal: {event: Order Completed, within: 14d}"),
        ("exit: goal", "exit is the goal, and the journey has no goal; add goal: {event: E, within: 14d}"),
        ("exit: {any: [{event: B}]}", "several causes are a list, as in [{event: A}, {enters: S}]"),
        ("exit: {event: B, when: total > 20}", "an event is filtered by where:, as in {event: Order Completed, where: total > 20}"),
        ("exit: {after: 3d}", "a time is a step of the journey, as in wait: 3d"),
        ("goal: {event: B, within: 3d, value: properties.total}", "the name of a property alone, as in value: total"),
        ("re_entry: yes", "re_entry: always is meant"),
        ("re_entry: once", "re_entry: never is meant"),
        ("on_change: move", "on_change: move is not in the language yet; finish lets runs end as they began, exit ends them"),
        ("existing: enter", "it is not in the language yet: only users who enter from now on"),
        ("enabled: false", "cueline pause JOURNEY stops a journey"),
        ("trigger: {event: A}", "a journey starts by entry:, as in entry: {event: Signed Up}"),
        ("time_zone: Asia/Tokyo", "it belongs to settings"),
    ],
)
def test_a_key_of_a_journey_that_is_nearly_right_names_the_right_one(more: str, said: str) -> None:
    (problem,) = of(more)
    assert said in problem


def test_a_goal_needs_version_2() -> None:
    assert of("exit: goal", version=1) == [
        'a.yaml:6:11: exit is the goal, and the journey has no goal; a goal needs "version: 2" at the top of the file'
    ]


@pytest.mark.parametrize(("entry", "said"), [("Signed Up", "as in {event: Signed Up}"), ("s", "as in {enters: s}")])
def test_an_entry_without_a_word_names_it(entry: str, said: str) -> None:
    assert of(entry=entry, before="segments: {s: traits.a}") == [f"a.yaml:4:12: entry is a text; {said}"]


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ("caps: {most: 1, per: day}", "caps without a name; each policy has a name, as in caps: {weekly: {most: 5, per: 7d}}"),
        ("caps: [{most: 1, per: day}]", "caps without a name; each policy has a name, as in caps: {weekly: {most: 5, per: 7d}}"),
        ('quiet_hours: {from: "22:00", to: "08:00"}', "quiet_hours without a name; each policy has a name, as in quiet_hours: {night:"),
        ("consent: traits.a", "consent without a name; each policy has a name, as in consent: {sms:"),
        ("consent: {sms: traits.a}", 'the consent "sms" is a text; as in sms: {channels: [sms], if: traits.sms_opt_in}'),
        ("caps: {c: {most: 3}}", 'the cap "c" has no "per"; as in weekly: {most: 5, per: 7d}'),
        ('caps: {c: {most: "5", per: day}}', "most is 5; a whole number from 1 to 100 belongs here, without quotes"),
        ('quiet_hours: {n: {from: "22:00", to: "08:00", on: sunday}}', "on is a text; a list belongs here, as in on: [sunday]"),
        ('quiet_hours: {n: {from: "00:00", to: "00:00"}}', "for a whole day make two policies"),
    ],
)
def test_a_policy_that_is_nearly_right_names_the_right_one(policies: str, said: str) -> None:
    (problem,) = of(before=f"policies: {{{policies}}}")
    assert said in problem


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("quiet_hours: {}", "it belongs inside policies:"),
        ("scenarios: {}", "scenarios are in files named *.scenarios.yaml, which cueline test runs"),
        ("settings: {caps: {}}", "it belongs to policies, a section of its own, at the left edge"),
        (
            "segments: [{name: a, if: traits.a}]",
            "segments is a list; a mapping belongs here: names without dashes",
        ),
        ("segments: {s: 'count(\"A\") > 1,000'}", "a comma outside brackets, also in a number such as 1,000, is not part of conditions"),
        ("values: {a: }", 'the value "a" is empty; a function or a trait belongs here, as in sum("paid.total")'),
        (
            "values: {a: traits.x > 3}",
            "a value is a number, a text, a trait or a function; a condition is a segment",
        ),
    ],
)
def test_a_section_that_is_nearly_right_names_the_right_one(section: str, said: str) -> None:
    (problem,) = of(before=section)
    assert said in problem


def test_a_goal_with_an_error_is_not_missed_by_the_exit() -> None:
    (problem,) = of("exit: goal\n    goal: {event: B}")
    assert 'goal has no "within"' in problem


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("properties.cart_id", 'entry: key is "properties.cart_id"; the name of a property of the event alone, as in key: cart_id'),
        ("traits.cart", 'entry: key is "traits.cart"; the name of a property of the event alone, as in key: cart'),
        ("'properties[\"k\"]'", 'entry: key cannot be "properties["k"]"; the name of a property of the event, as in key: cart_id'),
        ('"{{ properties.k }}"', 'entry: key cannot be "{{ properties.k }}"; the name of a property of the event, as in key: cart_id'),
    ],
)
def test_a_key_is_the_name_of_a_property_alone(key: str, remedy: str) -> None:
    text = f"version: 2\njourneys:\n  j: {{entry: {{event: A, key: {key}}}, steps: [{{send: {{channel: push, text: Hi}}}}]}}\n"
    [problem] = problems(text)
    assert problem.partition(": ")[2] == remedy


def test_a_tier_has_no_dot_in_its_name() -> None:
    [problem] = problems("version: 2\ntiers: {a.b: {keep: 1d, levels: [{gold: did('A')}]}}\n")
    assert problem.endswith('the tier "a.b" has a dot in its name; a level of it is written after a dot, as in member.gold')
