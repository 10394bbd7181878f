"""`load`: from rule files to one checked rule set, or to all that is wrong with them."""

import hashlib
import re
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.base.model import DAY, HOUR
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.definitions.model import (
    Compare,
    Did,
    Flag,
    Journey,
    Late,
    Measure,
    Not,
    Number,
    Property,
    RuleSet,
)
from triggers.journeys.plan import compile_plan
from triggers.language.documents import MAX_PROBLEMS, Problem, RuleErrors
from triggers.measures.windows import new_window, updater
from triggers.rules.bounds import state_bytes, window_bytes
from triggers.rules.checks import MAX_RULES, load, rules_hash
from triggers.rules.folder import read_folder
from triggers.steps.send import Send
from triggers.steps.wait import Wait
from triggers.steps.when import When

EXAMPLES = Path(__file__).parents[3] / "examples"


def problems(*texts: str, **files: str) -> list[str]:
    """All problems of these files; positional ones are called a.yaml, b.yaml ..."""
    named = {f"{letter}.yaml": text for letter, text in zip("abcdef", texts, strict=False)} | files
    with pytest.raises(RuleErrors) as caught:
        load(named)
    assert all(isinstance(problem, Problem) for problem in caught.value.problems)
    return str(caught.value).split("\n")


def loaded(body: str) -> RuleSet:
    rules = load({"a.yaml": "version: 1\n" + body})
    compile_plan(rules)
    return rules


def journey(body: str, entry: str = "{event: A}", steps: str = "[{wait: 1d}]") -> Journey:
    return loaded(f"segments: {{s: 'did(\"A\")'}}\njourneys:\n  j:\n    entry: {entry}\n    steps: {steps}\n    {body}\n").journeys["j"]


def journey_problems(body: str, entry: str = "{event: A}", steps: str = "[{wait: 1d}]") -> list[str]:
    """The problems as `line:column: ...`; entry is on line 5, steps on line 6, the body from line 7."""
    found = problems(f"version: 1\nsegments: {{s: 'did(\"A\")'}}\njourneys:\n  j:\n    entry: {entry}\n    steps: {steps}\n    {body}\n")
    return [problem.removeprefix("a.yaml:") for problem in found]


# ---- the five rules of RULES.md -------------------------------------------------------------------------------------


def test_the_cdnow_rules_are_read_as_they_are_meant() -> None:
    rules = load(read_folder(EXAMPLES / "cdnow"))
    orders = Measure("count", "Order Completed")
    silent = Not(Did(Measure("did", "Order Completed", (), "day", 60)))
    spent = Measure("sum", "Order Completed", ("total",), "day", 90)
    assert rules.time_zone == "UTC"
    assert list(rules.segments) == ["gold", "lapsed"]
    assert rules.segments["lapsed"].text == 'count("Order Completed") >= 2 and silent("Order Completed", days=60)'
    assert getattr(rules.segments["lapsed"].condition, "items", None) == (Compare(">=", orders, Number(2_000_000)), silent)
    assert rules.segments["gold"].condition == Compare(">=", spent, Number(100_000_000))
    assert list(rules.journeys) == ["gold", "welcome", "win-back"]
    welcome, win_back = rules.journeys["welcome"], rules.journeys["win-back"]
    assert welcome.entry == OnEvent("Order Completed")
    assert welcome.re_entry is None
    assert welcome.steps == (Wait("1", 3 * DAY), Send("2", "email", {"text": "Welcome"}))
    assert welcome.late == Late(24 * HOUR, "drop")
    assert welcome.on_change == "finish"
    assert win_back.entry == OnSegment("lapsed", "enters")
    assert win_back.re_entry == 0
    assert win_back.exits == ()
    compile_plan(rules)


def test_the_reading_apps_rules_are_read_as_they_are_meant() -> None:
    rules = load(read_folder(EXAMPLES / "reading-app"))
    signup, trial = rules.journeys["signup-welcome"], rules.journeys["trial"]
    assert signup.late == Late(24 * HOUR, "drop")
    assert signup.steps[1] == Send("2", "push", {"text": "Welcome {{ traits.name }}"}, None, 24 * HOUR)
    assert trial.re_entry == 180 * DAY
    assert trial.exits == (OnEvent("order_paid"),)
    assert trial.steps == (Send("1", "benefit", None, {"plan": "member", "days": 3}),)
    compile_plan(rules)


# ---- everything at once ---------------------------------------------------------------------------------------------


def test_all_errors_of_all_files_are_found_at_once_in_order() -> None:
    first = """\
version: 2
segmens: {}
segments:
  lapsed: cuont("x") > 1 and
          traits.x.y < "s"
  lapsed: 'did("x")'
  b c: did("x")
  gold: "sum(\\"x\\") > 1"
  list: [1]
journeys:
  j:
    entry: {enters: lapse}
    steps:
      - wait: 3 days
      - send: {chanel: email, text: "a {{ trait.x }}"}
      - {wait: 1d, send: {channel: emial, grant: {}}}
      - when: did("x"
    late: {then: never}
"""
    second = """\
version: 1
segments: {gold: did("x")}
journeys:
  j: {}
  k:
    entry: {event: A, enters: gold}
    steps: []
    re_entry: sometimes
    exits: {event: B}
settings: {time_zone: Europe/Berln}
"""
    assert problems(first, second, "", "- 1\n", "segments: {}\n", "a: [") == [
        "a.yaml:1:10: version 2 is not known; version: 1 belongs here",
        'a.yaml:2:1: unknown key "segmens" in the file; did you mean "segments"?',
        'a.yaml:4:11: unknown function "cuont"; did you mean "count"?',
        "a.yaml:5:24: < does not compare texts; use == or !=, or in with a list",
        'a.yaml:6:3: "lapsed" appears twice; first on line 4',
        'a.yaml:7:3: "b c" is no name for a segment; letters, digits, _ - and . inside, at most 64 characters',
        'a.yaml:8:14: sum needs an event and a property; as in sum("Order Completed.total")',
        'a.yaml:9:9: the segment "list" is a list; a condition belongs here',
        'a.yaml:12:21: unknown segment "lapse"; did you mean "lapsed"?',
        'a.yaml:14:15: wait is "3 days", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        'a.yaml:15:16: unknown key "chanel" in send; did you mean "channel"?',
        'a.yaml:15:43: unknown variable "trait"; did you mean "traits"?',
        "a.yaml:16:9: a step that waits and sends; make two steps of it: - wait: ... and - send: ...",
        "a.yaml:17:18: not an expression: '(' was never closed",
        'a.yaml:18:18: late: then cannot be "never"; known: drop, send',
        'b.yaml:2:12: a second segment named "gold"; the first is at a.yaml:8',
        'b.yaml:4:3: a second journey named "j"; the first is at a.yaml:11',
        "b.yaml:6:12: entry has event and enters; one of {event: E}, {enters: S} and {leaves: S} belongs here",
        "b.yaml:7:12: 0 steps; 1 to 100 steps belong here",
        'b.yaml:8:15: re_entry cannot be "sometimes"; known: always, never, {after: 180d}',
        'b.yaml:9:5: unknown key "exits" in the journey "k"; did you mean "exit"?',
        'b.yaml:10:23: unknown time zone "Europe/Berln"; did you mean "Europe/Berlin"?',
        "c.yaml:1:1: the file is empty; version: 1 belongs at its top",
        "d.yaml:1:1: the file is a list; a mapping belongs here",
        "e.yaml:1:1: the file has no version; version: 1 belongs at its top",
        "f.yaml:1:5: not YAML: expected the node content, but found '<stream end>'",
    ]


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 2\n", "a.yaml:1:10: version 2 is not known; version: 1 belongs here"),
        ("version: '1'\n", "a.yaml:1:10: version is a text; version: 1 belongs here"),
        ("version: 0x1\n", "a.yaml:1:10: version 0x1 is not known; version: 1 belongs here"),
        ("version: +1\n", "a.yaml:1:10: version +1 is not known; version: 1 belongs here"),
        ("version: 1.0\n", "a.yaml:1:10: version 1.0 is not known; version: 1 belongs here"),
        ("version: true\n", "a.yaml:1:10: version true is not known; version: 1 belongs here"),
        ("version: [1]\n", "a.yaml:1:10: version is a list; version: 1 belongs here"),
        ("segments: {}\n", "a.yaml:1:1: the file has no version; version: 1 belongs at its top"),
        ("version: 1\nversion: 1\n", 'a.yaml:2:1: "version" appears twice; first on line 1'),
        (
            "version: 1\nsettings: {duplicates: 90m}\n",
            "a.yaml:2:24: duplicates must be whole hours, at most 7d; as in duplicates: 24h",
        ),
        (
            "version: 1\nsettings: {duplicates: 8d}\n",
            "a.yaml:2:24: duplicates must be whole hours, at most 7d; as in duplicates: 24h",
        ),
        (
            "version: 1\nsettings: {duplicates: never}\n",
            'a.yaml:2:24: duplicates is "never", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ("version: 1\nsegment: {}\n", 'a.yaml:2:1: unknown key "segment" in the file; did you mean "segments"?'),
        ("version: 1\nsegments: []\n", "a.yaml:2:11: segments is a list; a mapping belongs here"),
        ("version: 1\njourneys: x\n", "a.yaml:2:11: journeys is a text; a mapping belongs here"),
        ("text", "a.yaml:1:1: the file is a text; a mapping belongs here"),
        ("# nothing\n", "a.yaml:1:1: the file is empty; version: 1 belongs at its top"),
    ],
)
def test_every_file_says_its_version_and_has_known_sections(text: str, problem: str) -> None:
    assert problem in problems(text)


def test_no_files_are_no_rules() -> None:
    assert problems() == [".:1:1: there are no rule files; rules are in files *.yaml"]


def test_sections_may_be_empty_and_files_have_one_name_space() -> None:
    rules = load(
        {
            "z.yaml": "version: 1\nsegments:\n  s: did('A')\nschema:\njourneys:\n",
            "sub/a.yml": "version: 1\njourneys: {j: {entry: {leaves: s}, steps: [{wait: 1d}]}}\n",
        }
    )
    assert rules.journeys["j"].entry == OnSegment("s", "leaves")


def test_the_hash_names_the_files_whatever_their_order() -> None:
    """SHA-256 of the canonical JSON of {file name: text}."""
    files = {"b.yaml": "version: 1 # ü\n", "a.yaml": "version: 1\n"}
    expected = hashlib.sha256(orjson.dumps({"a.yaml": "version: 1\n", "b.yaml": "version: 1 # ü\n"})).hexdigest()
    assert load(files).hash == load(dict(reversed(files.items()))).hash == rules_hash(files) == expected
    assert load(files).files == files
    assert list(load(files).files) == ["a.yaml", "b.yaml"]
    assert load({**files, "a.yaml": "version: 1\n#\n"}).hash != expected


def test_segments_and_journeys_stand_in_the_order_of_their_names() -> None:
    rules = loaded(
        "segments: {b: did('A'), a: did('B')}\n"
        "journeys: {y: {entry: {event: A}, steps: [{wait: 1d}]}, x: {entry: {event: A}, steps: [{wait: 1d}]}}\n"
    )
    assert list(rules.segments) == ["a", "b"]
    assert list(rules.journeys) == ["x", "y"]


def test_a_name_may_have_letters_of_any_script() -> None:
    assert list(loaded("segments: {可能付费: did('A'), Größe-2.b_c: did('A'), 7: did('A')}\n").segments) == ["7", "Größe-2.b_c", "可能付费"]


@pytest.mark.parametrize("name", ["'a b'", "a:b", "a@b", "-a", "a/b", "''", "'a\\tb'", "x" * 65])
def test_a_name_has_nothing_that_ids_or_metrics_could_not_bear(name: str) -> None:
    assert "is no name for a segment" in problems(f"version: 1\nsegments: {{{name}: did('A')}}\n")[0]


# ---- journeys -------------------------------------------------------------------------------------------------------


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


def test_steps_wait_send_or_ask() -> None:
    """They are named by `name` or by their number; `when` is alone or part of a step."""
    steps = journey(
        "",
        steps="""
      - wait: 90m
      - {when: did("A"), name: asked}
      - {wait: 1w, when: did("A")}
      - send: {channel: push, title: "Hi {{ traits.name }}", text: T, badge: 1, not_after: 2h}
        when: did("A")
        name: first-push
      - send: {channel: benefit, grant: {plan: member, days: 3, options: [1, null, true, {x: 2.5}]}}
""",
    ).steps
    did = Did(Measure("did", "A"))
    assert steps == (
        Wait("1", 90 * 60_000),
        When("asked", did),
        Wait("3", 7 * DAY, did),
        Send("first-push", "push", {"title": "Hi {{ traits.name }}", "text": "T", "badge": "1"}, None, 2 * HOUR, did),
        Send("5", "benefit", None, {"plan": "member", "days": 3, "options": [1, None, True, {"x": 2.5}]}),
    )


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
        ("A", "5:12: entry is a text; a mapping belongs here"),
        ("[{event: A}]", "5:12: entry is a list; a mapping belongs here"),
    ],
)
def test_a_wrong_entry_is_named(entry: str, problem: str) -> None:
    assert problem in journey_problems("", entry)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ("[]", "6:12: 0 steps; 1 to 100 steps belong here"),
        ("[" + "{wait: 1s}, " * 101 + "]", "6:12: 101 steps; 1 to 100 steps belong here"),
        ("{wait: 1d}", "6:12: steps is a mapping; a list belongs here"),
        ("[{}]", "6:13: a step that does nothing; wait, send or when belongs here"),
        ("[{name: x}]", "6:13: a step that does nothing; wait, send or when belongs here"),
        ("[wait]", "6:13: a step is a text; a mapping belongs here"),
        ("[{wat: 1d}]", '6:14: unknown key "wat" in a step; did you mean "wait"?'),
        (
            "[{wait: 1d, send: {channel: push, text: x}}]",
            "6:13: a step that waits and sends; make two steps of it: - wait: ... and - send: ...",
        ),
        ("[{wait: 0d}]", "6:20: wait is nothing; a duration above zero belongs here"),
        ("[{wait: 3}]", '6:20: wait is "3", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)'),
        ("[{wait: 3 d}]", '6:20: wait is "3 d", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)'),
        (
            "[{wait: 999999w}]",
            '6:20: wait is "999999w", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        (
            "[{wait: {days: 3}}]",
            "6:20: wait is a mapping, which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)",
        ),
        ("[{when: }]", '6:19: an empty expression; a condition belongs here, such as count("Order Completed") >= 2'),
        ("[{when: [1]}]", "6:20: when is a list; an expression belongs here"),
        (
            "[{wait: 1d, name: a}, {wait: 1d, name: a}]",
            '6:51: a second step named "a"; the first is on line 6; steps without a name are named by their number',
        ),
        (
            "[{wait: 1d, name: '2'}, {wait: 1d}]",
            '6:36: a second step named "2"; the first is on line 6; steps without a name are named by their number',
        ),
        ("[{wait: 1d, name: a b}]", '6:30: "a b" is no name for a step; letters, digits, _ - and . inside, at most 64 characters'),
        ("[{send: {text: x}}]", '6:20: send has no "channel"; one of push, sms, email, in_app, webhook, benefit'),
        ("[{send: {channel: push}}]", '6:20: send has nothing to send; a message, as in text: "Welcome", or a grant belongs here'),
        (
            "[{send: {channel: push, not_after: 1h}}]",
            '6:20: send has nothing to send; a message, as in text: "Welcome", or a grant belongs here',
        ),
        ("[{send: {channel: psh, text: x}}]", '6:30: unknown channel "psh"; did you mean "push"? Others are listed in settings: channels'),
        (
            "[{send: {channel: push, text: x, grant: {a: 1}}}]",
            '6:36: "text" with grant; a send is a message or a grant; make two steps of it',
        ),
        ("[{send: {channel: benefit, grant: {}}}]", "6:46: an empty grant; as in grant: {plan: member, days: 3}"),
        ("[{send: {channel: benefit, grant: x}}]", "6:46: grant is a text; a mapping belongs here"),
        ("[{send: {channel: benefit, grant: {n: 99999999999999999}}}]", "6:50: a number of this size: 99999999999999999; put it in quotes"),
        ("[{send: {channel: benefit, grant: {t: '" + "x" * 4_100 + "'}}}]", "6:46: the grant is too big; at most 4,096 bytes"),
        ("[{send: {channel: push, text: }}]", '6:41: "text" is empty; a text belongs here'),
        ("[{send: {channel: push, text: [x]}}]", '6:42: "text" is a list; a text belongs here'),
        (
            "[{send: {channel: push, t t: x}}]",
            '6:36: "t t" is no name for a part of a message; letters, digits, _ - and . inside, at most 64 characters',
        ),
        (
            "[{send: {channel: push, text: x, not_after: soon}}]",
            '6:56: not_after is "soon", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ('[{send: {channel: push, text: "Hi {{ traits.name }"}}]', "6:46: {{ is not closed; close it with }}"),
        ('[{send: {channel: push, text: "Hi \\"{{ trait.name }}"}}]', '6:51: unknown variable "trait"; did you mean "traits"?'),
        (
            '[{send: {channel: push, text: "{{ traits.name | }}"}}]',
            "6:60: not a template: unexpected end of variable block, expected identifier",
        ),
        ('[{send: {channel: push, text: x, when: did("A")}}]', '6:45: "when" inside send; it belongs next to send: {send: ..., when: ...}'),
        ("[{send: {channel: push, text: x, name: offer}}]", '6:45: "name" inside send; it belongs next to send: {send: ..., name: ...}'),
        ("[{send: {channel: push, text: x, wait: 3d}}]", '6:45: "wait" inside send; make a step of its own of it'),
        (
            "[{send: {channel: push, text: x, late: {then: send}}}]",
            '6:45: "late" inside send; it belongs to the journey, next to its steps',
        ),
        ("[{send: {channel: push, text: x, not_afer: 6h}}]", '6:45: unknown key "not_afer" in send; did you mean "not_after"?'),
        ("[{send: {channel: push, text: x, notAfter: 6h}}]", '6:45: unknown key "notAfter" in send; did you mean "not_after"?'),
        ("[{send: {channel: benefit, grants: {a: 1}}}]", '6:39: unknown key "grants" in send; did you mean "grant"?'),
        ("[{send: {Channel: push, text: x}}]", '6:21: unknown key "Channel" in send; did you mean "channel"?'),
        ('[{send: {channel: push, text: "{{ 1 / 0 }}"}}]', "6:42: a text that cannot be rendered: unable to calculate 1 / 0 (line 1)"),
        (
            '[{send: {channel: push, text: "{{ traits.a|replace }}"}}]',
            "6:55: replace with 0 arguments; as in traits.name|replace('a', 'b')",
        ),
        ("[{send: x}]", "6:20: send is a text; a mapping belongs here"),
    ],
)
def test_a_wrong_step_is_named(steps: str, problem: str) -> None:
    assert problem in journey_problems("", steps=steps)


def test_what_stands_at_the_wrong_place_or_is_a_slip_is_said_once() -> None:
    """Not also that a channel is missing, that there is nothing to send, or what the value lacks."""
    for send in ("{chanel: email, text: x}", "{channel: push, not-after: soon}", "{channel: push, when: x >}"):
        assert len(journey_problems("", steps=f"[{{send: {send}}}]")) == 1


def test_other_names_than_those_are_parts_of_a_message() -> None:
    send = "{channel: push, text: hi, channel_id: orders, brand: x, category: y, event: z, after: w, sender: v, names: u}"
    (step,) = journey("", steps=f"[{{send: {send}}}]").steps
    assert isinstance(step, Send)
    assert list(step.message or ()) == ["text", "channel_id", "brand", "category", "event", "after", "sender", "names"]


@pytest.mark.parametrize("entry", ["{enters: s}", "{leaves: s}"])
def test_a_text_shows_no_properties_where_a_segment_starts_the_run(entry: str) -> None:
    """There is no event to have them: the text would always lack a word."""
    steps = '[{send: {channel: push, text: "Hi {{ properties.a.b }}"}}]'
    (problem,) = journey_problems("", entry, steps)
    message, _, hint = problem.partition("; ")
    assert message == '6:49: "properties.a.b" in a journey that a segment starts'
    assert hint == "there is no event to have properties: show a trait, or enter by {event: E}"
    journey("", steps=steps)


def test_a_segment_that_names_a_segment_or_says_true_is_told_what_is_meant() -> None:
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
    """Not the bracket that is open without the rest, nor the rest as a key."""
    said = "the text ends at the comma; inside { } and [ ] what has commas or brackets needs quotes, as in when: 'did(\"E\", days=2)'"
    assert journey_problems("", steps=f"[{{wait: 1d}}, {body}]") == [f"{place}: {said}" for place in places]


def test_a_bracket_inside_braces_that_yaml_takes_for_its_own_is_told_to_need_quotes() -> None:
    for text in ('segments: {a: traits.a in ["x", "y"]}', 'segments: {a: traits["x"] == 1}'):
        assert "inside { } and [ ] what has commas or brackets needs quotes" in problems(f"version: 1\n{text}\n")[0]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("exit: []", "7:11: exit is an empty list; leave it out"),
        ("exit: [{event: B}, {leaves: t}]", '7:33: unknown segment "t"; known: s'),
        ("exit: never", "7:11: exit is a text; a mapping belongs here"),
        ("re_entry: alwys", '7:15: re_entry cannot be "alwys"; did you mean "always"?'),
        ("re_entry: 180d", '7:15: re_entry cannot be "180d"; re_entry: {after: 180d} is meant'),
        ("re_entry: {}", '7:15: re_entry has no "after"'),
        (
            "re_entry: {after: always}",
            '7:23: re_entry: after is "always", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ("late: {}", "7:11: late says nothing; as in late: {after: 24h, then: drop}"),
        ("late: drop", "7:11: late is a text; a mapping belongs here"),
        ("late: {then: hold}", '7:18: late: then cannot be "hold"; known: drop, send'),
        (
            "late: {after: -1h}",
            '7:19: late: after is "-1h", which is no duration; for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)',
        ),
        ("on_change: restart", '7:16: on_change cannot be "restart"; known: exit, finish'),
        ("on_change:", "7:15: on_change is empty; one of finish, exit"),
        (
            "goal: {event: B}",
            '7:5: unknown key "goal" in the journey "j"; goals and holdouts are not in the language yet; exit: ends a run',
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


# ---- versions -------------------------------------------------------------------------------------------------------

J = "entry: {enters: s}, steps: [{wait: 1d}, {send: {channel: push, text: hi}}]"


def version(body: str = J, segment: str = "did('A')", more: str = "") -> str:
    return loaded(f'segments: {{s: "{segment}"}}\njourneys: {{j: {{{body}}}}}\n{more}').journeys["j"].version


def test_a_journeys_version_is_8_hex_of_its_definition() -> None:
    assert len(version()) == 8
    assert int(version(), 16) >= 0


def test_what_is_written_otherwise_but_means_the_same_is_the_same_version() -> None:
    spaced = "steps: [ {wait: 24h} , {send: {channel: push, text: 'hi'}} ], re_entry: never, entry: {enters: s}, late: {after: 24h}"
    assert version(spaced, "did( 'A' )  # bought") == version()
    assert version(more="settings: {time_zone: Asia/Tokyo}\n") == version()


@pytest.mark.parametrize(
    "body",
    [
        *[J.replace("1d", "2d"), J.replace("hi", "ho"), J.replace("push", "sms"), J.replace("enters", "leaves"), J + ", re_entry: always"],
        *[
            J + ", exit: {event: B}",
            J + ", on_change: exit",
            J + ", late: {then: send}",
            J.replace("text", "title"),
            J.replace("{wait", "{name: x, wait"),
        ],
    ],
)
def test_what_means_something_else_is_another_version(body: str) -> None:
    assert version(body) != version()


def test_the_definitions_of_the_segments_that_it_names_belong_to_a_journeys_version() -> None:
    assert version(segment="did('B')") != version()
    assert version(more="settings: {late: {then: send}}\n") != version()


# ---- settings and schema --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("settings: {time_zone: Mars/Olympus}", 'a.yaml:2:23: unknown time zone "Mars/Olympus"; as in Europe/Berlin'),
        ("settings: {time_zone: asia/shanghai}", 'a.yaml:2:23: unknown time zone "asia/shanghai"; did you mean "Asia/Shanghai"?'),
        ("settings: {time_zone: ../../etc/passwd}", 'a.yaml:2:23: unknown time zone "../../etc/passwd"; as in Europe/Berlin'),
        ("settings: {time_zone: +1}", "a.yaml:2:23: time_zone is a number (+1); put it in quotes"),
        ("settings: {timezone: UTC}", 'a.yaml:2:12: unknown key "timezone" in settings; did you mean "time_zone"?'),
        ("settings: {channels: push}", "a.yaml:2:22: channels is a text; a list belongs here"),
        (
            "settings: {channels: [a b]}",
            'a.yaml:2:23: "a b" is no name for a channel; letters, digits, _ - and . inside, at most 64 characters',
        ),
        ("settings: x", "a.yaml:2:11: settings is a text; a mapping belongs here"),
        ("schema: {event: {}}", 'a.yaml:2:10: unknown key "event" in schema; did you mean "events"?'),
        ("schema: {events: {A: {p: numbr}}}", 'a.yaml:2:26: "p" cannot be "numbr"; did you mean "number"?'),
        ("schema: {events: {A: {p: {}}}}", 'a.yaml:2:26: "p" has no "type"'),
        ("schema: {events: {A: {p: {type: text, non-negative: true}}}}", 'a.yaml:2:53: "p" is non-negative but no number'),
        ("schema: {events: {A: {p: {type: number, non-negative: yes}}}}", 'a.yaml:2:55: non-negative of "p" is neither true nor false'),
        (
            "schema: {events: {A: {p: {type: number, nonnegative: true}}}}",
            'a.yaml:2:41: unknown key "nonnegative" in "p"; did you mean "non-negative"?',
        ),
        ("schema: {events: {A: [p]}}", 'a.yaml:2:22: the event "A" is a list; a mapping belongs here'),
        ("schema: {traits: {a..b: text}}", 'a.yaml:2:19: "a..b" in traits is no name; a name, or a path as address.city'),
        ("schema: {traits: [a]}", "a.yaml:2:18: traits is a list; a mapping belongs here"),
    ],
)
def test_wrong_settings_and_schemas_are_named(text: str, problem: str) -> None:
    assert problem in problems(f"version: 1\n{text}\n")


def test_settings_and_declarations_stand_once_over_all_files() -> None:
    text = "version: 1\nsettings: {time_zone: UTC}\nschema: {events: {A: {}}, traits: {t: text}}\n"
    assert problems(text, text) == [
        "b.yaml:2:23: time_zone is set twice; first at a.yaml:2",
        'b.yaml:3:19: the event "A" is declared twice; first at a.yaml:3',
        'b.yaml:3:36: the trait "t" is declared twice; first at a.yaml:3',
    ]


def test_a_channel_of_ones_own_is_listed_in_the_settings() -> None:
    rules = loaded("settings: {channels: [whatsapp]}\njourneys: {j: {entry: {event: A}, steps: [{send: {channel: whatsapp, text: x}}]}}\n")
    assert rules.journeys["j"].steps == (Send("1", "whatsapp", {"text": "x"}),)


SCHEMA = """
schema:
  events:
    Order Completed: {total: {type: number, non-negative: true}, coupon: text, shop.name: text}
    Signed Up:
  traits: {name: text, age: number, address.city: text, more: any}
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "journeys: {j: {entry: {event: Order Complete}, steps: [{wait: 1d}]}}",
            '8:31: unknown event "Order Complete"; did you mean "Order Completed"?',
        ),
        (
            "journeys: {j: {entry: {event: Signed Up}, exit: {event: Sined Up}, steps: [{wait: 1d}]}}",
            '8:57: unknown event "Sined Up"; did you mean "Signed Up"?',
        ),
        (
            "journeys: {j: {entry: {event: Order Completed, where: 'totl > 1'}, steps: [{wait: 1d}]}}",
            '8:56: "Order Completed" has no property "totl"; did you mean "total"?',
        ),
        ("segments: {s: 'did(\"Order Competed\")'}", '8:21: unknown event "Order Competed"; did you mean "Order Completed"?'),
        ("segments: {s: 'traits.nam == \"x\"'}", '8:16: unknown trait "nam"; did you mean "name"?'),
        (
            'journeys: {j: {entry: {event: Signed Up}, steps: [{send: {channel: push, text: "Hi {{ traits.nam }}"}}]}}',
            '8:94: unknown trait "nam"; did you mean "name"?',
        ),
        (
            'journeys: {j: {entry: {event: Order Completed}, steps: [{send: {channel: push, text: "{{ properties.totl }}"}}]}}',
            '8:101: "Order Completed" has no property "totl"; did you mean "total"?',
        ),
    ],
)
def test_with_a_schema_names_are_checked_everywhere(body: str, problem: str) -> None:
    assert problems("version: 1\n" + SCHEMA + body + "\n") == ["a.yaml:" + problem]


def test_what_the_schema_declares_passes() -> None:
    loaded(
        SCHEMA
        + """
segments:
  s: sum("Order Completed.total", days=3, where=shop.name == "x") > 1 and traits.age > 3 and traits.timezone == "UTC"
journeys:
  j:
    entry: {event: Order Completed, where: coupon == "x"}
    steps: [{send: {channel: push, text: "{{ traits.address.city }} {{ traits.address }} {{ traits.more.x }} {{ properties.shop }}"}}]
"""
    )


def test_a_schema_may_be_spread_over_files() -> None:
    load(
        {
            "a.yaml": "version: 1\nschema: {events: {A: {}}}\n",
            "b.yaml": (
                "version: 1\nschema: {events: {B: {}}, traits: {t: text}}\nsegments: {s: did('A') and did('B') and traits.t == 'x'}\n"
            ),
        }
    )


# ---- bounds ---------------------------------------------------------------------------------------------------------


def test_one_users_state_is_bounded_and_the_biggest_window_is_named() -> None:
    windows = [f'  s{n}: sum("A.p{n}", minutes=10080) > 1' for n in range(4)]
    (problem,) = problems(
        "version: 1\nsegments:\n  small: did('A')\n" + "\n".join([*windows, '  big: "1 < distinct(\\"A.x\\", minutes=10080)"']) + "\n"
    )
    assert problem == (
        "a.yaml:6:7: one user's state could take 659 KiB, of which this window, the biggest, 137 KiB; "
        "at most 512 KiB: make windows shorter or their unit coarser"
    )


def test_windows_that_rules_share_count_once() -> None:
    same = "\n".join(f'  s{n}: sum("A.p", minutes=10080) > {n}' for n in range(50))
    loaded(f"segments:\n{same}\n")


def test_what_runs_keep_counts_up_to_what_runs_may_take() -> None:
    """Beyond 128 KiB an entry is refused at run time (`no room`), so more journeys do not make a bigger state."""
    body = ", ".join(
        f"j{n}: {{entry: {{event: A}}, steps: [{{send: {{channel: push, text: '{{{{ properties.p }}}}'}}}}]}}" for n in range(70)
    )
    rules = loaded(f"journeys: {{{body}}}\n")
    assert 128 * 1024 < state_bytes([], rules.journeys, 0) < 192 * 1024


@pytest.mark.parametrize("unit", ["minutes=10080", "hours=8784", "days=3650"])
@pytest.mark.parametrize("function", ['count("A", {})', 'sum("A.b", {})', 'distinct("A.b", {})'])
def test_the_longest_windows_fit(function: str, unit: str) -> None:
    loaded(f"segments:\n  s: {function.format(unit)} > 1\n")


@pytest.mark.parametrize("kind", ["count", "sum", "distinct", "first", "did", "last"])
def test_a_window_is_never_bigger_than_reckoned(kind: str) -> None:
    """The estimate holds for a window that is as full as it can be."""
    for unit, size, number in (("day", DAY, 400), ("hour", HOUR, 2_000), ("minute", 60_000, 3_000)):
        measure = Measure(kind, "A", ("b",), unit, number)  # type: ignore[arg-type]
        window, update = new_window(measure, 0), updater(measure)
        start = 20_000 * DAY
        for step in range(number + 10):
            at = start + step * size
            value: object = 10**17 - step if kind == "sum" else "\U0001f600" * 12 + f"{step:04}"
            update(window, at, at // DAY, value, at, at // DAY)
        assert len(msgspec.msgpack.encode(window)) + 14 <= window_bytes(measure)


@pytest.mark.parametrize("filler", ["x", '"', "\n"])
def test_rules_are_weighed_as_the_record_that_would_be_published(filler: str) -> None:
    """JSON writes quotes and ends of lines with two bytes."""
    most = MAX_RULES // 4 // (1 if filler == "x" else 2)
    head = "version: 1\n#\n" if filler == "\n" else "version: 1\n#"

    def files(each: int) -> dict[str, str]:
        return {f"{name}.yaml": head + filler * each for name in "abcd"}

    load(files(most - 50))
    with pytest.raises(RuleErrors) as caught:
        load(files(most))
    assert re.fullmatch(
        r"a\.yaml:1:1: the rule files have \d+,\d+ bytes together as JSON; at most 786,432: this is the biggest", str(caught.value)
    )
    load(files(most), applied=True)


def test_the_search_for_problems_ends() -> None:
    found = problems("version: 1\n" + "\n".join(f"k{n}: 1" for n in range(5_000)))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == f"~:1:1: more than {MAX_PROBLEMS:,} problems; fix these first"


def test_a_message_is_one_line_whatever_it_quotes() -> None:
    (problem,) = problems('version: 1\njourneys: {j: {entry: {enters: "a\\nb\\e' + "x" * 1_000 + '"}, steps: [{wait: 1d}]}}\n')
    assert problem == 'a.yaml:2:32: unknown segment "a\\nb\\x1b' + "x" * 375 + "..."


def test_a_file_name_that_nothing_could_write_down_is_refused() -> None:
    assert problems(**{"a\ud800": "version: 1\n", "b\nc": "version: 1\n"}) == [
        "'a\\ud800':1:1: a file name that cannot be printed",
        "'b\\nc':1:1: a file name that cannot be printed",
    ]


# ---- any text -------------------------------------------------------------------------------------------------------


def check(files: dict[str, str]) -> None:
    found: tuple[Problem, ...] = ()
    try:
        rules = load(files)
    except RuleErrors as errors:
        found = errors.problems
    else:
        assert rules.hash == rules_hash(files)
        compile_plan(rules)
        return
    assert found
    for problem in found:
        assert problem.line >= 1
        assert problem.column >= 1
        assert "\n" not in str(problem)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=200), max_size=3))
def test_any_files_are_a_rule_set_or_problems(files: dict[str, str]) -> None:
    """Never another exception."""
    check(files)


SCALARS = st.sampled_from(
    [
        *[
            "1",
            "2",
            "true",
            "",
            "~",
            "x",
            "A",
            "s",
            "3d",
            "0d",
            "24h",
            "never",
            "always",
            "drop",
            "send",
            "finish",
            "exit",
            "push",
            "UTC",
            "number",
        ],
        *[
            "did('A')",
            "'count(\"A\") > 1'",
            '"traits.x == 1"',
            "'every_day(3, did(\"A\"))'",
            '"{{ traits.x }}"',
            '"{{ x"',
            "[",
            "{",
            "&a x",
            "*a",
            "!t x",
        ],
    ]
)
KEYS = st.sampled_from(
    [
        *[
            "version",
            "segments",
            "journeys",
            "settings",
            "schema",
            "s",
            "j",
            "entry",
            "steps",
            "exit",
            "re_entry",
            "late",
            "on_change",
            "event",
            "where",
        ],
        *[
            "enters",
            "leaves",
            "after",
            "then",
            "wait",
            "send",
            "when",
            "name",
            "channel",
            "grant",
            "text",
            "not_after",
            "time_zone",
            "channels",
            "events",
        ],
        *["traits", "type", "non-negative", "A", "x.y"],
    ]
)
FLOWS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(st.builds("{}: {}".format, KEYS, inner), max_size=4).map(lambda items: "{" + ", ".join(items) + "}")
        | st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
    ),
    max_leaves=12,
)


@given(st.lists(st.builds("{}: {}\n".format, KEYS, FLOWS), max_size=5).map("".join))
def test_any_document_of_known_words_is_a_rule_set_or_problems(text: str) -> None:
    """Never another exception."""
    check({"a.yaml": "version: 1\n" + text})


RULES = {name: text for folder in ("cdnow", "reading-app") for name, text in read_folder(EXAMPLES / folder).items()}


@given(st.data())
def test_the_examples_with_anything_cut_doubled_or_replaced_are_a_rule_set_or_problems(data: st.DataObject) -> None:
    """Never another exception."""
    name = data.draw(st.sampled_from(sorted(RULES)))
    text = RULES[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        filling = data.draw(
            st.sampled_from(["", text[start:end] * 2, "\n", " ", ":", "'", '"', "{", "}", "[", "]", "#", "\t", "&a ", "- ", "\x00", "é"])
        )
        text = text[:start] + filling + text[end:]
    check({**RULES, name: text})


def test_half_a_character_in_an_event_s_name_is_one_error_and_no_exception() -> None:
    text = 'version: 1\njourneys:\n  j:\n    entry: {event: "\\ud83d\\ude42"}\n    steps: [{send: {channel: push, text: Hello}}]\n'
    with pytest.raises(RuleErrors) as refused:
        load({"f.yaml": text})
    assert str(refused.value) == "f.yaml:4:20: half of a character (a surrogate); write the character itself"
