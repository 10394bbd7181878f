"""`load` makes one checked rule set of rule files, or lists all their problems."""

import hashlib

import orjson
import pytest

from tests.unit.rules.loading import EXAMPLES, loaded, problems
from triggers.base.model import DAY, HOUR
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.definitions.model import Compare, Did, Late, Measure, Not, Number
from triggers.journeys.plan import compile_plan
from triggers.language.documents import MAX_PROBLEMS, RuleErrors
from triggers.rules.checks import load, rules_hash
from triggers.rules.folder import read_folder
from triggers.steps.send import Send
from triggers.steps.waits.delay import Delay

# ---- the rules of the examples ---------------------------------------------------------------------------------------


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
    assert welcome.steps == (Delay("1", 3 * DAY), Send("2", "email", {"text": "Welcome"}))
    assert welcome.late == Late(24 * HOUR, "drop")
    assert welcome.on_change == "finish"
    assert win_back.entry == OnSegment("lapsed", "enters")
    assert win_back.re_entry == 0
    assert win_back.exits == ()
    compile_plan(rules)


def test_the_reading_apps_rules_are_read_as_they_are_meant() -> None:
    rules = load(read_folder(EXAMPLES / "reading-app"))
    welcome, trial = rules.journeys["welcome-series"], rules.journeys["trial"]
    assert welcome.late == Late(24 * HOUR, "drop")
    assert trial.re_entry == 180 * DAY
    assert trial.exits == (OnEvent("order_paid"),)
    assert trial.steps == (Send("1", "benefit", None, {"plan": "member", "days": 3}),)
    compile_plan(rules)


# ---- everything at once ---------------------------------------------------------------------------------------------


def test_all_errors_of_all_files_are_found_at_once_in_order() -> None:
    first = """\
version: 3
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
        "a.yaml:1:10: version 3 is not known; version: 2 belongs here",
        'a.yaml:2:1: unknown key "segmens" in the file; did you mean "segments"?',
        'a.yaml:4:11: unknown function "cuont"; did you mean "count"?',
        "a.yaml:5:24: < does not compare texts; use == or !=, or in with a list",
        'a.yaml:6:3: "lapsed" appears twice; first on line 4',
        'a.yaml:7:3: "b c" is no name for a segment; letters, digits, _ - and . inside, at most 64 characters',
        'a.yaml:8:14: sum needs an event and a property; as in sum("Order Completed.total")',
        'a.yaml:9:9: the segment "list" is a list; a condition alone belongs here, as in did("A", days=7)',
        'a.yaml:12:21: unknown segment "lapse"; did you mean "lapsed"?',
        'a.yaml:14:15: wait is "3 days", which is no duration; as in wait: 3d',
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
        "c.yaml:1:1: the file is empty; version: 2 belongs at its top",
        "d.yaml:1:1: the file is a list; a mapping belongs here",
        "e.yaml:1:1: the file has no version; version: 2 belongs at its top",
        "f.yaml:1:5: not YAML: expected the node content, but found '<stream end>'",
    ]


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 3\n", "a.yaml:1:10: version 3 is not known; version: 2 belongs here"),
        ("version: '1'\n", "a.yaml:1:10: version is a text; version: 2 belongs here"),
        ("version: 0x1\n", "a.yaml:1:10: version 0x1 is not known; version: 2 belongs here"),
        ("version: +1\n", "a.yaml:1:10: version +1 is not known; version: 2 belongs here"),
        ("version: 1.0\n", "a.yaml:1:10: version 1.0 is not known; version: 2 belongs here"),
        ("version: true\n", "a.yaml:1:10: version true is not known; version: 2 belongs here"),
        ("version: [1]\n", "a.yaml:1:10: version is a list; version: 2 belongs here"),
        ("segments: {}\n", "a.yaml:1:1: the file has no version; version: 2 belongs at its top"),
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
        ("version: 1\nsegments: []\n", "a.yaml:2:11: segments is a list; a mapping belongs here: names without dashes"),
        ("version: 1\njourneys: x\n", "a.yaml:2:11: journeys is a text; a mapping belongs here"),
        ("text", "a.yaml:1:1: the file is a text; a mapping belongs here"),
        ("# nothing\n", "a.yaml:1:1: the file is empty; version: 2 belongs at its top"),
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


def test_segments_and_journeys_are_in_the_order_of_their_names() -> None:
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


# ---- problems -------------------------------------------------------------------------------------------------------


def test_the_search_for_problems_ends() -> None:
    found = problems("version: 1\n" + "\n".join(f"k{n}: 1" for n in range(5_000)))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[-1] == f"~:1:1: more than {MAX_PROBLEMS:,} problems; fix these first"


def test_a_message_is_one_line_and_quotes_what_it_names_escaped() -> None:
    (problem,) = problems('version: 1\njourneys: {j: {entry: {enters: "a\\nb\\e' + "x" * 1_000 + '"}, steps: [{wait: 1d}]}}\n')
    assert problem == 'a.yaml:2:32: unknown segment "a\\nb\\x1b' + "x" * 375 + "..."


def test_a_file_name_that_nothing_could_write_down_is_refused() -> None:
    assert problems(**{"a\ud800": "version: 1\n", "b\nc": "version: 1\n"}) == [
        "'a\\ud800':1:1: a file name that cannot be printed",
        "'b\\nc':1:1: a file name that cannot be printed",
    ]


def test_half_a_character_in_an_event_s_name_is_one_error_and_no_exception() -> None:
    text = 'version: 1\njourneys:\n  j:\n    entry: {event: "\\ud83d\\ude42"}\n    steps: [{send: {channel: push, text: Hello}}]\n'
    with pytest.raises(RuleErrors) as refused:
        load({"f.yaml": text})
    assert str(refused.value) == "f.yaml:4:20: half of a character (a surrogate); write the character itself"
