"""What `check` warns of in the steps of journeys and in what they depend on: constant conditions, waits, local times, unused names."""

import pytest

from triggers.rules.checks import read
from triggers.rules.warnings import warnings

SEND = "{send: {channel: push, text: Hi}}"
SHOWS = '{send: {channel: push, text: "{{ event.x }}"}}'


def found(text: str) -> list[str]:
    return [str(one).removeprefix("r.yaml:") for one in warnings(read({"r.yaml": text}))]


def of_condition(condition: str, version: int = 2) -> list[str]:
    return found(
        f"version: {version}\nsegments:\n  s: '{condition}'\njourneys:\n  j:\n    entry: {{enters: s}}\n    steps: [{SEND}]\n",
    )


def of_steps(steps: str, more: str = "", before: str = "") -> list[str]:
    """List the warnings; the steps are on line 5."""
    return found(f"version: 2\njourneys:\n  j:\n    entry: {{event: A}}\n    steps: [{steps}]\n    {more}\n{before}")


@pytest.mark.parametrize(
    ("where", "warned"),
    [
        ('local.weekday == "Monday"', 'never true: no day of the week is written like that; did you mean "monday"?'),
        ('local.weekday in ["Mon", "tuesday"]', 'local.weekday == "Mon" is never true: no day of the week is written like that; did you'),
        ('local.weekday != "Sonntag"', "always true: no day of the week is written like that"),
        ("local.hour > 23", "local.hour > 23 is never true; local.hour is 0 to 23"),
        ("24 == local.hour", "local.hour == 24 is never true; local.hour is 0 to 23"),
        ("21 <= local.hour <= 24", "local.hour <= 24 is always true; local.hour is 0 to 23"),
        ("local.hour == 9.5", "local.hour == 9.5 is never true"),
        ("local.month == 0", "local.month is 1 to 12"),
        ("local.day in [31, 32]", "local.day == 32 is never true; local.day is 1 to 31"),
    ],
)
def test_a_local_time_that_no_clock_shows_is_warned_of(where: str, warned: str) -> None:
    (warning,) = of_condition(f'did("A", where={where})')
    assert warned in warning
    (warning,) = of_steps(f"{{when: '{where}'}}, {SEND}")
    assert warned in warning


@pytest.mark.parametrize("where", ['local.weekday in ["monday", "sunday"]', "local.hour >= 21 or local.hour < 6", "0 < local.hour < 23"])
def test_other_local_times_are_not_warned_of(where: str) -> None:
    assert of_condition(f'did("A", where={where})') == []


@pytest.mark.parametrize("where", ["local.hour > 3", 'context.campaign.name == "x"', '"a" in context.tags', "0 < local.hour < 3"])
def test_a_newer_name_in_a_file_of_version_1_is_warned_of(where: str) -> None:
    (warning,) = of_condition(f'did("A", where={where})', version=1)
    assert "is a property of the event in a file of version 1" in warning
    assert 'needs "version: 2" at the top of the file; a property of that name is properties["' in warning
    assert of_condition(f'did("A", where={where})', version=2) == []


@pytest.mark.parametrize("where", ['properties["local"].hour > 3', "local.height > 3", "locale.hour > 3", "local > 3"])
def test_a_property_that_is_meant_in_a_file_of_version_1_is_not_warned_of(where: str) -> None:
    assert of_condition(f'did("A", where={where})', version=1) == []


def test_a_property_that_the_schema_declares_is_meant() -> None:
    schema = "schema: {events: {A: {local.hour: number}}}\n"
    text = f"version: 1\n{schema}journeys: {{j: {{entry: {{event: A, where: local.hour > 3}}, steps: [{SEND}]}}}}\n"
    assert found(text) == []


@pytest.mark.parametrize(
    ("steps", "column"),
    [
        (f"{{wait: {{date: run.entered}}}}, {SEND}", 20),
        (f"{{wait: {{date: run.entered, offset: -3d}}}}, {SEND}", 20),
        (f'{{wait: {{date: run.entered, offset: -1d, at: "09:00"}}}}, {SEND}', 20),
        (f"{{wait: 3d}}, {{wait: {{date: run.entered, offset: 2d}}}}, {SEND}", 32),
        (f'{{wait: {{weeks: 2}}}}, {{wait: {{date: run.entered, offset: 2d, at: "09:00"}}}}, {SEND}', 40),
        (f"{{wait: 3d}}, {{if: traits.a, then: [{{wait: {{date: run.entered, offset: 2d}}}}, {SEND}]}}", 54),
    ],
)
def test_a_wait_for_a_date_that_is_always_over_is_warned_of(steps: str, column: int) -> None:
    what = "no run waits here: the date is always over when a run reaches the step; take a later date, or leave it out"
    assert of_steps(steps) == [f"5:{column}: {what}"]


@pytest.mark.parametrize(
    "steps",
    [
        f'{{wait: {{date: run.entered, at: "09:00"}}}}, {SEND}',
        f'{{wait: {{date: run.entered, offset: -2h, at: "19:30"}}}}, {SEND}',
        f"{{wait: 1d}}, {{wait: {{date: run.entered, offset: 2d}}}}, {SEND}",
        f'{{wait: 2d}}, {{wait: {{date: run.entered, offset: 2d, at: "19:30"}}}}, {SEND}',
        f"{{if: traits.a, then: [{{wait: 3d}}]}}, {{wait: {{date: run.entered, offset: 2d}}}}, {SEND}",
        f"{{wait: {{event: B, timeout: 9d}}}}, {{wait: {{date: run.entered, offset: 2d}}}}, {SEND}",
    ],
)
def test_a_wait_for_a_date_that_can_come_is_not_warned_of(steps: str) -> None:
    assert of_steps(steps) == []


@pytest.mark.parametrize(
    "wait", ["{event: B, timeout: 3d}", "{any: [{event: C}, {event: B}], timeout: 3d}", "{event: B, where: x > 1, timeout: 3d}"]
)
def test_a_wait_for_an_exit_is_warned_of(wait: str) -> None:
    (warning,) = of_steps(f"{{wait: {wait}}}, {SEND}", "exit: {event: B}")
    assert warning.startswith('5:20: the event B ends the run, as an exit of "j": no run continues here by it; leave out the exit')
    assert of_steps(f"{{wait: {wait}}}, {SEND}", "exit: {event: B, where: x > 5}") == []


@pytest.mark.parametrize(
    "steps",
    [
        f"{{wait: {{event: B, timeout: 3d}}, timed_out: [{SHOWS}]}}",
        f"{{wait: {{event: B, timeout: 3d}}, timed_out: [{{if: traits.a, then: [{SHOWS}]}}]}}",
        f"{{wait: {{event: B, timeout: 3d}}}}, {{wait: {{any: [{{event: B}}], timeout: 3d}}, came: [{SEND}], timed_out: [{SHOWS}]}}",
    ],
)
def test_an_event_in_a_text_where_none_came_is_warned_of(steps: str) -> None:
    (warning,) = of_steps(steps)
    assert "event is always empty here: no event has ended the wait before it; show it under came" in warning


@pytest.mark.parametrize(
    "steps",
    [
        f"{{wait: {{event: B, timeout: 3d}}, came: [{SHOWS}], timed_out: [{SEND}]}}, {SHOWS}",
        f"{{if: traits.a, then: [{{wait: {{event: B, timeout: 3d}}}}]}}, {SHOWS}",
        f"{{wait: {{event: B, timeout: 3d}}, timed_out: [{{wait: {{event: C, timeout: 3d}}, came: [{SHOWS}]}}]}}",
    ],
)
def test_an_event_in_a_text_that_can_be_there_is_not_warned_of(steps: str) -> None:
    assert of_steps(steps) == []


@pytest.mark.parametrize(
    "condition", ['count("A") >= 0', 'count("A") > -1', 'did("A") or not did("A")', 'count("A") > 5 or count("A") <= 5']
)
def test_a_condition_that_is_never_false_is_warned_of_once(condition: str) -> None:
    (warning,) = of_steps(f"{{if: '{condition}', then: [{SEND}]}}")
    assert warning.startswith("5:19: ")
    assert warning.endswith(" is never false; leave it out, or correct it")
    assert len(of_condition(f'did("B") and {condition}' if " or " not in condition else f'did("B") and ({condition})')) == 1


@pytest.mark.parametrize(
    "steps", [f"{{when: 'True'}}, {SEND}", f"{{if: 'True', then: [{SEND}]}}", f"{{choose: [{{if: 'True', steps: [{SEND}]}}]}}"]
)
def test_a_constant_step_is_warned_of(steps: str) -> None:
    (warning,) = of_steps(steps)
    assert "a condition that is always True; leave the condition out" in warning
    (warning,) = of_steps(steps.replace("True", "False"))
    assert "a condition that is always False; leave out what depends on it" in warning


def test_a_segment_of_all_users_is_no_constant() -> None:
    assert of_condition("True") == []
    assert of_condition("traits.a == traits.a") == []


def test_a_choice_that_an_earlier_one_takes_is_warned_of() -> None:
    choices = ", ".join(f"{{if: '{condition}', steps: [{SEND}]}}" for condition in ('did("A")', 'did("B")', 'did( "A" )'))
    (warning,) = of_steps(f"{{choose: [{choices}]}}")
    assert "no run takes this choice: an earlier one has the same condition; that is on line 5" in warning


def test_a_guard_of_a_send_in_the_middle_is_warned_of() -> None:
    guarded = "{send: {channel: push, text: Hi}, when: traits.a}"
    (warning,) = of_steps(f"{guarded}, {SEND}")
    assert "5:53: when next to a send that is not the last step: where it is not true, the run ends" in warning
    assert of_steps(f"{SEND}, {guarded}") == []
    assert of_steps(f"{{when: traits.a}}, {SEND}") == []


def test_segments_and_values_that_nothing_names_are_warned_of() -> None:
    names = 'segments: {a: traits.a, b: segment("a"), c: traits.c, d: traits.d}\nvalues: {v: traits.v, w: traits.w, x: values.w, y: 3}\n'
    steps = "{wait: {inside: d, timeout: 1d}}, {if: values.x > 3, then: [{send: {channel: push, text: '{{ values.v }}'}}]}"
    assert of_steps(steps, before=names) == [
        '7:28: nothing names the segment "b"; name it in an entry, an exit or a condition, or leave it out',
        '7:45: nothing names the segment "c"; name it in an entry, an exit or a condition, or leave it out',
        '8:52: nothing names the value "y"; leave it out',
    ]


def test_rules_of_segments_alone_are_not_warned_of() -> None:
    assert found("version: 2\nsegments: {a: traits.a}\n") == []


@pytest.mark.parametrize(
    ("cap", "warned"),
    [
        ("{most: 1, per: day, journeys: [j]}", "it is transactional; leave it out, or change the category of the journey"),
        ("{most: 1, per: day, journeys: [k], channels: [sms]}", "it sends nothing in the channels and categories of the cap"),
        ("{most: 1, per: day, journeys: [k]}", ""),
        ("{most: 1, per: day}", ""),
    ],
)
def test_a_cap_that_counts_nothing_of_a_journey_is_warned_of(cap: str, warned: str) -> None:
    journeys = f"j: {{entry: {{event: A}}, category: transactional, steps: [{SEND}]}}, k: {{entry: {{event: A}}, steps: [{SEND}]}}"
    said = found(f"version: 2\npolicies: {{caps: {{c: {cap}}}}}\njourneys: {{{journeys}}}\n")
    assert len(said) == bool(warned)
    assert all(f'the cap "c" does not bind the journey "{"k" if "sms" in cap else "j"}": {warned}' in one for one in said)


@pytest.mark.parametrize(("length", "warned"), [("9h", True), ("10h", False)])
def test_quiet_hours_that_are_longer_than_a_hold_are_warned_of(length: str, warned: bool) -> None:
    quiet = 'policies: {quiet_hours: {n: {from: "22:00", to: "08:00"}}}\n'
    said = of_steps(SEND, f"hold_at_most: {length}", quiet)
    assert len(said) == warned
    assert all('6:19: hold_at_most is shorter than the quiet hours "n": a message of their first minutes is dropped' in one for one in said)


def test_an_event_with_the_name_of_a_segment_is_warned_of() -> None:
    journeys = f"journeys: {{j: {{entry: {{event: lapsed}}, exit: {{leaves: lapsed}}, steps: [{SEND}]}}}}\n"
    assert found(f"version: 2\nsegments: {{lapsed: traits.a}}\n{journeys}") == [
        '3:31: "lapsed" is a segment, and here the name of an event; for users who enter it write {enters: lapsed}'
    ]
