"""Scenario files are checked like rule files: a scenario that names what does not exist would always pass."""

import re
from pathlib import Path

import pytest

from triggers.records.decisions import KINDS
from triggers.rules.checks import load
from triggers.scenarios.files import ScenarioErrors, read_scenarios
from triggers.scenarios.given import MAX_RECORDS
from triggers.scenarios.running import run_scenarios

DOCS = Path(__file__).parents[3] / "docs"
RULES = load(
    {
        "rules.yaml": """version: 1
settings: {channels: [whatsapp]}
schema:
  events:
    Order Completed: {total: number}
    Signed Up:
journeys:
  thanks:
    entry: {event: Order Completed}
    steps: [{wait: 3d}, {send: {channel: email, text: "Thank you"}, name: note}]
  trial:
    entry: {event: Signed Up}
    steps: [{send: {channel: benefit, grant: {days: 3}}}]
"""
    }
)
GIVEN = "{at: 2026-01-05T09:00Z, user: ann, event: Signed Up}"
NEVER = "[{user: ann, journey: thanks}]"


def problems(text: str) -> list[str]:
    """What is wrong with a file, or nothing."""
    try:
        read_scenarios(RULES, {"s.yaml": text})
    except ScenarioErrors as errors:
        return [str(problem) for problem in errors.problems]
    return []


def wrong(given: str = f"[{GIVEN}]", never: str = NEVER, more: str = "") -> list[str]:
    """What is wrong with a scenario. A » marks the place; the test removes it and checks the place."""
    text = f"version: 1\nscenarios:\n  x:\n    given: {given}\n    never: {never}\n    {more}\n"
    before, mark, _ = text.partition("»")
    place = f"s.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}: "
    found = problems(text.replace("»", ""))
    assert not mark or [problem for problem in found if problem.startswith(place)], (place, found)
    return [problem.removeprefix(place) for problem in found]


def test_a_right_scenario_has_no_problems() -> None:
    assert wrong() == []


# ---- what once printed ok and tested nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("never", "problem"),
    [
        ("[{user: ann, »jurney: thanks}]", 'unknown key "jurney" in never; did you mean "journey"?'),
        ("[{journey: »thnks}]", 'unknown journey "thnks"; did you mean "thanks"?'),
        ("[{kind: »snt}]", 'kind cannot be "snt"; did you mean "sent"?'),
        ("[{step: »ntoe}]", 'unknown step that sends "ntoe"; did you mean "note"?'),
        ("[{journey: trial, step: »note}]", 'unknown step that sends "note"; known: 1'),
        ("[{journey: thanks, step: »1}]", 'unknown step that sends "1"; known: note'),
        ("[{kind: waiting, step: »notes}]", 'unknown step "notes"; did you mean "note"?'),
        ("[{channel: »emial}]", 'unknown channel "emial"; did you mean "email"?'),
        ("[{message: {»txt: Thank you}}]", 'no message of any journey has "txt"; did you mean "text"?'),
        ("[{journey: trial, grant: {»dyas: 3}}]", 'no grant of trial has "dyas"; did you mean "days"?'),
        ("[{journey: trial, message: {»text: x}}]", 'no message of trial has "text"'),
        ("[{user: »anne}]", 'the user "anne" is in no record of given; did you mean "ann"?'),
        ("[{»reason: completed}]", '"reason" of an action; with a kind, such as entered, a decision is meant'),
        ("[{kind: exited, »channel: email}]", '"channel" of a decision; without kind an action is meant'),
        ("[{user:» }]", "user is empty; a text belongs here"),
        ("[{user: »null}]", "user is empty; a text belongs here"),
        ("[{message: {text:» }}]", "text is empty; a value belongs here, or null"),
        ("[{message: »Thank you}]", "message is a text; a mapping belongs here"),
        ("[{journey: »[thanks]}]", "journey is a list; a name belongs here"),
        ("[{due: »soon}]", 'due is "soon", which is no moment; as in 2026-01-31T09:00Z'),
        ("[{at: »+3d}]", 'at is "+3d", but nothing comes before it; as in 2026-01-31T09:00Z'),
        ("[»{}]", "an item of never that names nothing; name at least a user or a journey"),
        ("[»ann]", "an item of never is a text; a mapping belongs here"),
        ("»{user: ann}", "never is a mapping; a list belongs here"),
        ("»[]", "never is an empty list; leave it out"),
    ],
)
def test_an_expectation_names_what_exists(never: str, problem: str) -> None:
    assert wrong(never=never) == [problem]


@pytest.mark.parametrize(
    "never",
    [
        *["[{channel: whatsapp}]", "[{channel: sms}]", "[{step: note}]", "[{kind: waiting, step: 1}]", "[{kind: failed}]"],
        *["[{kind: met, user: null}]", "[{kind: entered, reason: ~}]", "[{message: null}]", "[{grant: {days: 3}}]"],
        *["[{kind: exited, values: {anything: 1}}]", "[{cause: {offset: 2}}]", "[{not_after: 2026-01-01}]"],
    ],
)
def test_what_exists_may_be_named(never: str) -> None:
    assert wrong(never=never) == []


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            "[»{at: 2026-01-05, user: ann}]",
            "no event, traits or command; one of event, traits, pause, resume, go-live, apply, suppress, unsuppress, erase, enter b",
        ),
        (
            "[»{at: 2026-01-05, user: ann, event: Signed Up, traits: {}}]",
            "a record of given with event and traits; make several records of it, one after the other",
        ),
        ("[»{at: 2026-01-05, event: Signed Up}]", 'a record of given has no "user"'),
        ("[{at: 2026-01-05, user: , event: Signed Up}]", "user is empty; a text belongs here"),
        ("[{at: 2026-01-05, user: ann, »evnt: Signed Up}]", 'unknown key "evnt" in a record of given; did you mean "event"?'),
        ("[{at: 2026-01-05, user: ann, event: »Signd Up}]", 'unknown event "Signd Up"; did you mean "Signed Up"?'),
        ("[{at: 2026-01-05, user: ann, event: »404}]", "event is a number (404); put it in quotes"),
        ("[{at: 2026-01-05, user: ann, event: Signed Up, properties: »[1]}]", "properties is a list; a mapping belongs here"),
        ("[{at: 2026-01-05, user: ann, traits: {a: »99999999999999999999}}]", "a number of this size"),
        ("[{at: 2026-01-05, user: ann, traits: {a: »1e999}}]", "a number of this size"),
        ("[{at: 2026-01-05, user: ann, traits: {}, properties: »{}}]", '"properties" with traits; leave it out'),
        ("[{at: 2026-01-05, pause: »thnks}]", 'unknown journey "thnks"; did you mean "thanks"?'),
        ("[{at: 2026-01-05, pause: thanks, user: »ann}]", '"user" with pause; a command is for all users'),
        ("[{at: 2026-01-05, go-live: »false}]", "go-live is false; leave it out, or begin with live: false"),
        ("[{at: 2026-01-05, go-live: »now}]", "go-live is a text; true or false belongs here"),
        (
            f"[{GIVEN}, {{at: »3d, user: ann, event: Signed Up}}]",
            'at is "3d", which is no moment; as in 2026-01-31T09:00Z, or as in +3d',
        ),
        ("[{at: »2026-02-30, user: ann, event: Signed Up}]", 'at is "2026-02-30", which is no moment'),
        ("[»{user: ann, event: Signed Up}]", 'the first record of given has no "at"'),
        ("[{at: »+1h, user: ann, event: Signed Up}]", 'at is "+1h", but nothing comes before it'),
        ("[{at: 9999-12-31, user: ann, event: Signed Up, every: 1d, times: »2}]", "records beyond the year 9999"),
        ("[{at: 2026-01-05, user: ann, event: Signed Up, happened: »soon}]", 'happened is "soon", which is no moment'),
        ("[{at: 2026-01-05, user: ann, event: Signed Up, messageId: »[1]}]", "messageId is a list; a text belongs here"),
        ("[{at: 2026-01-05, user: ann, event: Signed Up, every: »1d}]", "every without times; as in times: 30"),
        (
            "[{at: 2026-01-05, user: ann, event: Signed Up, times: »0}]",
            "times is a number (0); a whole number above zero belongs here",
        ),
        ("[{at: 2026-01-05, user: ann, event: Signed Up, times: »1000000}]", f"1,000,000 records; at most {MAX_RECORDS:,} in one scenario"),
        ("[{at: 2026-01-05, user: ann, event: Signed Up, every: »daily, times: 2}]", 'every is "daily", which is no duration'),
        ("[{at: 2026-01-05, erase: ann, user: »ann}]", '"user" with erase; the command itself names the user, as in erase: ann'),
        ("[{at: 2026-01-05, user: »ann, erase: true}]", '"user" with erase; the command itself names the user, as in erase: ann'),
        ("[»{at: 2026-01-05, enter: thanks}]", 'a record of given has no "user"; as in {user: ann, enter: JOURNEY}'),
        ("[{at: 2026-01-05, user: ann, »identify: {a: 1}}]", "the traits of a user are given by traits:, as in traits: {name: Ann}"),
        (f"[{GIVEN}, {{»wait: 3d, user: ann, event: Signed Up}}]", "time passes by at:, as in at: +3d"),
        ("»[]", "given is an empty list; a record belongs here"),
        ("»ann", "given is a text; a list belongs here"),
    ],
)
def test_a_record_is_one_that_can_be_told(given: str, problem: str) -> None:
    found = wrong(given=given)
    assert len(found) == 1, found
    assert problem in found[0]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("until: »2026-01-05T08:59Z", "until is before the last record; it comes at 2026-01-05T09:00:00.000Z"),
        ("until: »never", 'until is "never", which is no moment; as in 2026-01-31T09:00Z, or as in +3d'),
        ("start: »2026-01-06", "start is after the first record; it comes at 2026-01-05T09:00:00.000Z"),
        ("live: »dry", "live is a text; true or false belongs here"),
        ("»untill: 2026-01-06", 'unknown key "untill" in a scenario; did you mean "until"?'),
        ("then: »{user: ann}", "then is a mapping; a list belongs here"),
    ],
)
def test_a_scenario_has_a_beginning_and_an_end(more: str, problem: str) -> None:
    assert wrong(more=more) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "s.yaml:1:1: the file is empty; version: 1 belongs at its top"),
        ("scenarios: {x: {}}\n", "s.yaml:1:1: the file has no version; version: 1 belongs at its top"),
        ("version: 2\nscenarios: {x: {}}\n", "s.yaml:1:10: this version is not known; version: 1 belongs here"),
        ("version: 1\n", 's.yaml:1:1: the file has no "scenarios"'),
        ("version: 1\nscenarios: {}\n", "s.yaml:2:12: there are no scenarios; each has a name, and under it given, then and never"),
        ("version: 1\nscenarios: {x: {}}\n", "s.yaml:2:16: a scenario that expects nothing; then or never belongs into it"),
        ("version: 1\nscenarios: {x: {}, x: {}}\n", 's.yaml:2:20: "x" appears twice; first on line 2'),
        ("version: 1\njourneys: {}\n", 's.yaml:2:1: unknown key "journeys" in the file; rules are in files of their own'),
        ("version: 1\nscenarios: [\n", "s.yaml:3:1: not YAML: "),
    ],
)
def test_a_file_holds_scenarios(text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(text)), problems(text)


# ---- all at once -------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_in_all_files_is_told_at_once_and_nothing_runs() -> None:
    good = f"version: 1\nscenarios: {{x: {{given: [{GIVEN}], never: {NEVER}}}}}\n"
    bad = good.replace("thanks", "thnks").replace("Signed Up", "Singed Up")
    with pytest.raises(ScenarioErrors) as errors:
        run_scenarios(RULES, {"c.yaml": bad, "b.yaml": good, "a.yaml": bad})
    assert [(problem.file, problem.message) for problem in errors.value.problems] == [
        ("a.yaml", 'unknown event "Singed Up"'),
        ("a.yaml", 'unknown journey "thnks"'),
        ("c.yaml", 'unknown event "Singed Up"'),
        ("c.yaml", 'unknown journey "thnks"'),
    ]


def test_what_counts_from_a_wrong_moment_is_not_refused_as_well() -> None:
    given = "[{at: once, user: ann, event: Signed Up}, {at: +1h, user: ann, event: Signed Up}, {user: ann, event: Signed Up}]"
    assert len(wrong(given, more="until: +1d")) == 1


def test_while_a_record_does_not_say_whose_it_is_nobody_is_missed() -> None:
    assert len(wrong("[»{at: 2026-01-05, event: Signed Up}]", "[{user: bob}]")) == 1


def test_a_flood_of_problems_ends() -> None:
    found = wrong(never=f"[{', '.join(['{a: 1}'] * 2_000)}]")
    assert found[-1] == "~:1:1: more than 1,000 problems; fix these first"


def test_without_a_schema_every_event_may_be_given() -> None:
    rules = load({"r.yaml": "version: 1\njourneys: {j: {entry: {event: A}, steps: [{send: {channel: sms, text: x}}]}}\n"})
    text = "version: 1\nscenarios: {x: {given: [{at: 2026-01-05, user: ann, event: B}], never: [{user: ann}]}}\n"
    assert run_scenarios(rules, {"s.yaml": text})[0].passed


def test_user_ids_are_taken_as_they_are_written() -> None:
    """00001 is a number to YAML, and a customer to its author."""
    text = "version: 1\nscenarios: {x: {given: [{at: 2026-01-05, user: 00001, event: Signed Up}], then: [{user: 00001, id: %s}]}}\n"
    journey = RULES.journeys["trial"]
    assert run_scenarios(RULES, {"s.yaml": text % f"trial@{journey.version}:00001:0-o2:1"})[0].failures == ()


# ---- the documentation --------------------------------------------------------------------------------------------------


def test_the_kinds_are_those_that_the_documentation_explains() -> None:
    page = (DOCS / "rules.md").read_text("utf-8").partition("## Decisions, and what to do about them")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(KINDS)


def test_what_the_documentation_shows_as_a_wrong_scenario_file_is_refused_with_these_words() -> None:
    page = (DOCS / "rules.md").read_text("utf-8")
    rules = dict(re.findall(r"```yaml\n# (rules/shop\.yaml)\n(.*?)```", page, re.DOTALL))
    shown = re.findall(r"```yaml refused-scenarios\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert shown
    for text, said in shown:
        with pytest.raises(ScenarioErrors) as errors:
            run_scenarios(rules, {"s.scenarios.yaml": text})
        assert str(errors.value) == said.strip()
