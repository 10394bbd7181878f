"""A journey is read from its mapping: entry, exit and policies."""

import pytest

from tests.unit.rules.loading import journey, journey_problems, loaded, problems
from triggers.base.model import DAY, HOUR
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.definitions.model import Compare, Flag, Late, Number, Property


def test_an_entry_is_an_event_or_a_change_of_a_segment() -> None:
    assert journey("", "{event: A}").entry == OnEvent("A")
    assert journey("", "{event: A, where: x > 1}").entry == OnEvent("A", Compare(">", Property(("x",)), Number(1_000_000)))
    assert journey("", "{enters: s}").entry == OnSegment("s", "enters")
    assert journey("", "{leaves: s}").entry == OnSegment("s", "leaves")


def test_an_exit_is_one_cause_or_a_list_of_them() -> None:
    assert journey("").exits == ()
    assert journey("exit: {event: B}").exits == (OnEvent("B"),)
    assert journey("exit: [{event: B}, {leaves: s}, {event: C, where: paid}]").exits == (
        OnEvent("B"),
        OnSegment("s", "leaves"),
        OnEvent("C", Compare("==", Property(("paid",)), Flag(True))),
    )


def test_re_entry_is_never_always_or_after_a_time() -> None:
    assert journey("").re_entry is None
    assert journey("re_entry: never").re_entry is None
    assert journey("re_entry: always").re_entry == 0
    assert journey("re_entry: {after: 180d}").re_entry == 180 * DAY


def test_late_is_a_day_and_drop_unless_said() -> None:
    """By the journey, else by the settings."""
    assert journey("").late == Late(24 * HOUR, "drop")
    assert journey("late: {after: 1h, then: send}").late == Late(HOUR, "send")
    assert journey("late: {then: send}").late == Late(24 * HOUR, "send")
    assert journey("late: {after: 0s}").late == Late(0, "drop")
    body = "journeys: {j: {entry: {event: A}, steps: [{wait: 1d}], late: {after: 5m}}, k: {entry: {event: A}, steps: [{wait: 1d}]}}\n"
    rules = loaded("settings: {late: {after: 2h, then: send}, time_zone: Asia/Shanghai}\n" + body)
    assert rules.journeys["j"].late == Late(300_000, "send")
    assert rules.journeys["k"].late == Late(2 * HOUR, "send")
    assert rules.time_zone == "Asia/Shanghai"


def test_runs_finish_on_change_unless_said() -> None:
    assert journey("").on_change == "finish"
    assert journey("on_change: finish").on_change == "finish"
    assert journey("on_change: exit").on_change == "exit"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{}", "5:12: entry has neither event, enters nor leaves; one of {event: E}, {enters: S} and {leaves: S} belongs here"),
        ("{event: A, leaves: s}", "5:12: entry has event and leaves; one of {event: E}, {enters: S} and {leaves: S} belongs here"),
        ("{enters: t}", '5:21: unknown segment "t"; known: s'),
        ("{enters: s, where: x}", "5:31: where with enters; where filters an event"),
        ("{evnt: A}", '5:13: unknown key "evnt" in entry; did you mean "event"?'),
        ("{event: 7}", "5:20: entry: event is a number (7); put it in quotes"),
        ("{event: }", "5:19: entry: event is empty; a text belongs here"),
        ("{event: A, where: x >}", "5:32: not an expression: it ends too early"),
        ("{event: A, where: [x]}", "5:30: entry: where is a list; an expression belongs here"),
        ("{event: A, where: did('B')}", "5:30: did(...) inside where=; where= compares properties of the one event"),
        ("A", "5:12: entry is a text; as in {event: A}"),
        ("[{event: A}]", '5:12: entry is a list; needs "version: 2" at the top of the file'),
    ],
)
def test_a_wrong_entry_is_named(entry: str, problem: str) -> None:
    assert problem in journey_problems("", entry)


@pytest.mark.parametrize("entry", ["{enters: s}", "{leaves: s}"])
def test_a_text_shows_no_properties_where_a_segment_starts_the_run(entry: str) -> None:
    """There is no event to have them: the text would always lack a word."""
    steps = '[{send: {channel: push, text: "Hi {{ properties.a.b }}"}}]'
    (problem,) = journey_problems("", entry, steps)
    message, _, hint = problem.partition("; ")
    assert message == '6:49: "properties.a.b" in a journey that a segment starts'
    assert hint == "there is no event to have properties: show a trait, or enter by {event: E}"
    journey("", steps=steps)


def test_a_segment_that_names_a_segment_or_says_true_gets_the_condition_that_is_meant() -> None:
    assert problems("version: 1\nsegments:\n  a: did('A')\n  b: a and did('B')\n  k: true\n") == [
        "a.yaml:4:6: a is a segment; conditions do not refer to segments: write its condition here",
        'a.yaml:5:6: unknown name "true"; True is meant',
    ]
    loaded("segments: {k: True}\n")


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ('{when: did("E", days=2)}', ["6:39"]),
        ('{send: {channel: push, text: x}, when: count("E", days=2, where=a == 1) > 3}', ["6:73"]),
        ('{when: did("E", days=2), name: a}, {when: did("E", days=2)}', ["6:39", "6:74"]),
        ('{when: sum("E.a",\n          days=2) > 1}', ["6:41"]),
    ],
)
def test_a_comma_that_ends_an_expression_inside_braces_is_what_is_named(body: str, places: list[str]) -> None:
    """The problem names neither the bracket that is open without the rest, nor the rest as a key."""
    said = "the text ends at the comma; inside { } and [ ] what has commas or brackets needs quotes, as in when: 'did(\"E\", days=2)'"
    assert journey_problems("", steps=f"[{{wait: 1d}}, {body}]") == [f"{place}: {said}" for place in places]


def test_a_bracket_inside_braces_that_yaml_takes_for_its_own_needs_quotes() -> None:
    for text in ('segments: {a: traits.a in ["x", "y"]}', 'segments: {a: traits["x"] == 1}'):
        assert "inside { } and [ ] what has commas or brackets needs quotes" in problems(f"version: 1\n{text}\n")[0]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("exit: []", "7:11: exit is an empty list; leave it out"),
        ("exit: [{event: B}, {leaves: t}]", '7:33: unknown segment "t"; known: s'),
        ("exit: never", "7:11: exit is a text; leave it out"),
        ("re_entry: alwys", '7:15: re_entry cannot be "alwys"; did you mean "always"?'),
        ("re_entry: 180d", '7:15: re_entry cannot be "180d"; re_entry: {after: 180d} is meant'),
        ("re_entry: {}", '7:15: re_entry has no "after"; as in re_entry: {after: 30d}'),
        (
            "re_entry: {after: always}",
            '7:23: re_entry: after is "always", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ("late: {}", "7:11: late says nothing; as in late: {after: 24h, then: drop}"),
        ("late: drop", "7:11: late is a text; as in late: {after: 24h, then: drop}"),
        ("late: {then: hold}", '7:18: late: then cannot be "hold"; known: drop, send'),
        (
            "late: {after: -1h}",
            '7:19: late: after is "-1h", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ("on_change: restart", '7:16: on_change cannot be "restart"; known: exit, finish'),
        ("on_change:", "7:15: on_change is empty; one of finish, exit"),
        (
            "goal: {event: B}",
            '7:5: unknown key "goal" in the journey "j"; needs "version: 2" at the top of the file',
        ),
    ],
)
def test_a_wrong_policy_is_named(body: str, problem: str) -> None:
    assert problem in journey_problems(body)


def test_a_journey_needs_an_entry_and_steps() -> None:
    assert problems("version: 1\njourneys: {j: {}, k: x}\n") == [
        'a.yaml:2:15: the journey "j" has no "entry"',
        'a.yaml:2:15: the journey "j" has no "steps"',
        'a.yaml:2:22: the journey "k" is a text; a mapping belongs here',
    ]


def test_a_faulty_segment_is_not_reported_again_by_who_names_it() -> None:
    found = problems("version: 1\nsegments: {s: dit('A')}\njourneys: {j: {entry: {enters: s}, steps: [{wait: 1d}]}}\n")
    assert found == ['a.yaml:2:15: unknown function "dit"; did you mean "did"?']
