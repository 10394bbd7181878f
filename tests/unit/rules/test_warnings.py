"""What `cueline check` warns of: rules that can never act, and names that look misspelt."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.cli.main import run
from triggers.language.documents import RuleErrors
from triggers.rules.checks import read
from triggers.rules.warnings import KINDS, warnings
from triggers.testing import Story

Said = Callable[[], tuple[str, str]]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    return capfd.readouterr


def told(text: str, scenarios: str | None = None) -> list[str]:
    files = {} if scenarios is None else {"s.scenarios.yaml": scenarios}
    found = [str(warning) for warning in warnings(read({"r.yaml": text}), files)]
    return [warning for warning in found if "nothing names the segment" not in warning]  # tests/unit/rules/test_unused.py


def of_condition(condition: str) -> list[str]:
    return told(f"version: 1\nsegments:\n  s: '{condition}'\n")


def journey(entry: str = "{event: Ordered}", more: str = "", steps: str = "[{send: {channel: sms, text: Hi}}]") -> str:
    segments = "version: 1\nsegments:\n  s: did('A')\n  t: did('A')\n  u: did('B')\n"
    return f"{segments}journeys:\n  j:\n    entry: {entry}\n    {more}\n    steps: {steps}\n"


# ---- conditions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    [
        'count("A") > 5 and count("A") < 3',
        '5 < count("A") < 3',
        'count("A") > 2 and count("A") < 3',
        'count("A") < 0',
        'count("A") == 2.5',
        'distinct("A.x", days=2) <= 0 and distinct("A.x", days=2) != 0',
        'sum("A.x") >= 3 and sum("A.x") < 3',
        'sum("A.x") == 3 and sum("A.x") != 3',
        'sum("A.x") / count("A") > 5 and sum("A.x") / count("A") <= 5',
        'count("A") > 5 and did("B") and not count("A") > 3',
        'count("A") > 5 and not (did("B") or count("A") > 4)',
        'not (count("A") > 3 or count("A") <= 3)',
        'did("A", days=7) and silent("A", days=7)',
        'first("A") > "2026-01-01" and first("A") < "2025-01-01"',
        'last("A") > last("B") and last("B") >= last("A")',
        'every_day(3, count("A") > 5 and count("A") < 3)',
        'did("A", where=x > 5 and x < 5)',
        'did("A", where=any(l.x > 5 and l.x < 5))',
        'did("B") or (traits.x > 7 and traits.x < 7)',
        'traits.c == "x" and traits.c == "y"',
        'traits.c in ["x", "y"] and traits.c in ["z"]',
        'traits.c in ["x", "y"] and traits.c != "x" and traits.c != "y"',
        'traits.c == "x" and traits.c > 5',
        'traits.c == "5" and traits.c > 5',
        "traits.c == True and traits.c == 1",
        "traits.c and traits.c == False",
        "traits.c >= 5 and traits.c <= 5 and traits.c != 5",
        "traits.c == traits.d and traits.c != traits.d",
        "traits.c >= traits.d and traits.d > traits.c",
    ],
)
def test_a_condition_that_is_never_true_is_warned_of_once(condition: str) -> None:
    (warning,) = of_condition(condition)
    assert "never true" in warning


@pytest.mark.parametrize(
    "condition",
    [
        'count("A") > 2 and count("A") < 4',
        'sum("A.x") > 2 and sum("A.x") < 2.1',
        'sum("A.x") / 3 > 2 and sum("A.x") / 3 < 2.000001',
        'count("A", days=7) > 5 and count("A", days=30) < 3',
        'count("A") > 5 or count("A") < 3',
        'count("A") > 5 and count("B") < 3',
        'traits.c == "5" and traits.c == "5.0"',
        'traits.c == 5 and traits.c != "5"',
        "traits.c != traits.d and traits.c <= traits.d and traits.c >= traits.d",
        'traits.c in ["x", "5"] and traits.c == 5',
        "not traits.c > 3 and not traits.c <= 3",
        "not (traits.c == 1) and not (traits.c != 1)",
        '"a" in traits.tags and "b" in traits.tags',
        'not did("A", days=7) and did("A")',
        "traits.c == traits.c",
        "False",
    ],
)
def test_a_condition_that_may_be_true_is_not_warned_of(condition: str) -> None:
    assert of_condition(condition) == []


def test_the_place_is_that_of_the_contradiction() -> None:
    (warning,) = of_condition('did("B") or (count("A") > 5 and count("A") < 3)')
    assert warning == ('r.yaml:3:20: count("A") > 5 and count("A") < 3 are never true together; fix one of them, or join them with or')


@pytest.mark.parametrize("op", ["!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("thing", ["traits.x", 'count("A")', 'last("A")'])
def test_a_thing_compared_with_itself_is_refused_but_for_the_question_whether_it_is_there(op: str, thing: str) -> None:
    text = f"version: 1\nsegments:\n  s: {thing} {op} {thing}\n"
    with pytest.raises(RuleErrors, match="compares a thing with itself") as error:
        read({"r.yaml": text})
    assert len(error.value.problems) == 1
    assert read({"r.yaml": text}, applied=True).rules.segments, "what was applied before is read as it was"
    assert read({"r.yaml": text.replace(f" {op} ", " == ")}).rules.segments


@pytest.mark.parametrize("root", ["run", "user", "traits"])
def test_what_is_no_property_is_refused_in_where_with_the_reason(root: str) -> None:
    with pytest.raises(RuleErrors, match=f"{root} inside where=; where= sees the event's properties alone") as error:
        read({"r.yaml": journey(more=f"exit: {{event: Paid, where: cart_id == {root}.cart_id}}")})
    assert len(error.value.problems) == 1


# ---- journeys -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "exit_"),
    [
        ("{event: Ordered}", "{event: Ordered}"),
        ("{event: Ordered, where: total > 5}", "[{event: Paid}, {event: Ordered}]"),
        ("{event: Ordered, where: a == 1 and b == 2}", "{event: Ordered, where: b == 2}"),
        ("{enters: s}", "{enters: s}"),
        ("{leaves: s}", "{leaves: t}"),
    ],
)
def test_an_entry_that_is_the_exit_too_is_warned_of_and_nobody_enters(entry: str, exit_: str) -> None:
    text = journey(entry, f"exit: {exit_}")
    (warning,) = told(text)
    assert 'everything that enters "j" is also this exit' in warning
    story = Story({"r.yaml": text.replace("did('A')", "did('A', days=1)")}, start="2026-01-01T00:00Z")
    story.track("ann", "Ordered", {"total": 9, "a": 1, "b": 2}, at="2026-01-02T00:00Z")
    story.track("ann", "A", at="2026-01-03T00:00Z")
    story.until("2026-01-10T00:00Z")
    assert story.decisions("ann", "entered") == []
    assert story.decisions("ann", "skipped")


@pytest.mark.parametrize(
    ("entry", "exit_"),
    [
        ("{event: Ordered}", "{event: Ordered, where: total > 5}"),
        ("{event: Ordered, where: total > 5}", "{event: Ordered, where: total <= 5}"),
        ("{event: Ordered}", "{event: Paid}"),
        ("{enters: s}", "[{leaves: s}, {enters: u}]"),
    ],
)
def test_an_entry_that_is_not_always_the_exit_is_not_warned_of(entry: str, exit_: str) -> None:
    assert told(journey(entry, f"exit: {exit_}")) == []


def test_a_last_step_that_waits_is_warned_of_at_its_place() -> None:
    (warning,) = told(journey(steps="[{send: {channel: sms, text: Hi}}, {wait: 3d}]"))
    assert warning == "r.yaml:10:47: the last step waits, and nothing comes after; put a step after it, or leave it out"


@pytest.mark.parametrize(
    ("entry", "then", "steps", "why"),
    [
        ("{event: Ordered}", "send", "[{send: {channel: sms, text: Hi}}]", "sends before the first wait go out however late"),
        ("{enters: s}", "send", "[{send: {channel: sms, text: Hi}}]", "sends before the first wait go out however late"),
        ("{enters: s}", "drop", "[{send: {channel: sms, text: Hi}}]", "a segment's change is never late"),
        ("{event: Ordered}", "drop", "[{send: {channel: sms, text: Hi}}]", ""),
        ("{event: Ordered}", "send", "[{wait: 3d}, {send: {channel: sms, text: Hi}}]", ""),
        ("{enters: s}", "drop", "[{wait: 3d}, {send: {channel: sms, text: Hi}}]", ""),
    ],
)
def test_late_where_it_can_have_no_effect_is_warned_of(entry: str, then: str, steps: str, why: str) -> None:
    found = told(journey(entry, f"late: {{after: 1h, then: {then}}}", steps=steps))
    what = f'late has no effect in "j": no wait comes before a send, and {why}; leave it out'
    assert [warning.split(": ", 1)[1] for warning in found] == ([what] if why else [])


def test_a_journey_that_sends_nothing_is_warned_of_once() -> None:
    (warning,) = told(journey(steps="[{wait: 3d}]"))
    assert warning == 'r.yaml:10:12: the journey "j" sends nothing; a step with send belongs here'


# ---- messages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "meant"), [("txt", "text"), ("Text", "text"), ("sujbect", "subject"), ("tittle", "title")])
def test_a_key_of_a_message_that_is_nearly_a_usual_one_is_warned_of(key: str, meant: str) -> None:
    (warning,) = told(journey(steps=f"[{{send: {{channel: sms, {key}: Hi}}}}]"))
    assert warning == f'r.yaml:10:35: "{key}" is sent as a part of the message; did you mean "{meant}"?'


@pytest.mark.parametrize("key", ["text2", "headline", "cta", "deep_link", "preview", "icon", "texture"])
def test_other_keys_of_a_message_are_not_warned_of(key: str) -> None:
    assert told(journey(steps=f"[{{send: {{channel: sms, text: Hi, {key}: Hi}}}}]")) == []


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("quiet_hours", "it belongs to policies, a section of its own"),
        ("time_zone", "it belongs to settings"),
        ("where", "it belongs to an entry or an exit"),
    ],
)
def test_a_word_of_another_section_inside_a_message_is_warned_of(key: str, why: str) -> None:
    (warning,) = told(journey(steps=f"[{{send: {{channel: sms, text: Hi, {key}: Hi}}}}]"))
    assert warning == f'r.yaml:10:45: "{key}" inside send is sent as a part of the message, and decides nothing; {why}'


def test_a_grant_may_hold_anything() -> None:
    assert told(journey(steps="[{send: {channel: benefit, grant: {txt: a, quiet_hours: b}}}]")) == []


@pytest.mark.parametrize(
    ("line", "cut"),
    [
        ("text: We are #1", "#1"),
        ("text: Ticket #42 is open", "#42"),
        ("title: Read ##chapter now", "##chapter"),
        ("text: Hello # a greeting", None),
        ("text: Hello #", None),
        ("text: Hello ######", None),
        ('text: "We are #1"', None),
        ("text: We are#1", None),
    ],
)
def test_a_text_that_yaml_cuts_at_a_hash_is_warned_of(line: str, cut: str | None) -> None:
    steps = f"\n      - send:\n          channel: sms\n          {line}\n"
    key = line.partition(":")[0]
    expected = [f'r.yaml:13:{11 + len(key) + 2}: "{key}" ends before {cut}: YAML takes that for a comment; put the text into double quotes']
    assert told(journey(steps=steps)) == (expected if cut else [])


# ---- names of events ----------------------------------------------------------------------------------------------------

SPELLINGS = """version: 1
segments:
  buyer: count("Order Completed", days=3) >= 1 and did("%s")
journeys:
  j: {entry: {event: Order Completed}, steps: [{send: {channel: sms, text: Hi}}]}
"""


@pytest.mark.parametrize("name", ["order_completed", "OrderCompleted", "Order Completd", "Oder Completed", "Order Compelted"])
def test_another_spelling_of_an_event_is_warned_of(name: str) -> None:
    (warning,) = told(SPELLINGS % name)
    assert warning.startswith(f'r.yaml:3:57: the event "{name}" looks like another spelling of one; 2 places name "Order Completed"')


@pytest.mark.parametrize("name", ["Order Cancelled", "Step 1 Done", "Order Completed 2"])
def test_other_events_are_not_warned_of(name: str) -> None:
    assert told(SPELLINGS.replace('did("%s")', f'did("{name}") and did("Step 2 Done")')) == []


def test_names_that_the_schema_declares_both_are_meant() -> None:
    schema = "schema: {events: {Order Completed: , order_completed: }}\n"
    assert told(SPELLINGS % "order_completed" + schema) == []


def test_another_spelling_in_a_scenario_is_warned_of_there() -> None:
    scenarios = """version: 1
scenarios:
  one:
    given:
      - {at: 2026-01-01T09:00Z, user: ann, event: order_completed}
      - {at: 2026-01-01T09:00Z, user: ann, event: Something Else}
    never: [{user: ann}]
"""
    (warning,) = told(SPELLINGS % "Signed Up", scenarios)
    assert warning.startswith('s.scenarios.yaml:5:51: the event "order_completed" looks like another spelling of one')


# ---- the command --------------------------------------------------------------------------------------------------------


JOURNEY = "version: 1\njourneys:\n  j:\n    entry: {event: Ordered}\n    steps: [{send: {channel: sms, %s: Hi}}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(JOURNEY % "txt")
    return tmp_path


def test_warnings_are_told_with_their_place_and_fail_only_where_that_is_asked_for(folder: Path, said: Said) -> None:
    assert run(["check", str(folder)]) == 0
    out, err = said()
    lines = out.splitlines()
    assert lines[0] == f'{folder}/rules.yaml:5:35: warning: "txt" is sent as a part of the message; did you mean "text"?'
    assert lines[1] == f"{folder}: 1 warning"
    assert "rule set" in lines[-1]
    assert err == ""
    assert run(["check", str(folder), "--strict"]) == 1
    assert said()[0] == out


def test_strict_is_content_with_rules_that_nothing_is_to_be_said_of(tmp_path: Path, said: Said) -> None:
    (tmp_path / "rules.yaml").write_text(JOURNEY % "text")
    assert run(["check", str(tmp_path), "--strict"]) == 0
    assert "all is well" in said()[0]


def test_events_that_a_file_has_never_seen_are_named_with_the_nearest(folder: Path, said: Said) -> None:
    (folder / "rules.yaml").write_text(SPELLINGS % "Signed Up")
    events = folder / "january.jsonl"
    events.write_text(
        '{"type":"track","userId":"ann","event":"order completed"}\n{"type":"page","userId":"ann"}\nno JSON\n'
        '{"type":"track","userId":"ann","event":"Signed Up"}\n'
    )
    assert run(["check", str(folder), "--events", str(events), "--strict"]) == 1
    out = said()[0].splitlines()
    assert out[1] == (
        f'{folder}/rules.yaml:3:17: warning: the event "Order Completed" does not occur in january.jsonl; did you mean "order completed"?'
    )
    assert out[2] == f"{folder}: 2 warnings"


def test_options_name_the_columns_of_a_table_of_events(folder: Path, said: Said) -> None:
    (folder / "rules.yaml").write_text(SPELLINGS % "Signed Up")
    orders = folder / "orders.csv"
    orders.write_text("customer;what\nann;order completed\nann;Signed Up\n")
    assert run(["check", str(folder), "--events", str(orders)]) == 1
    assert "--user" in said()[1]
    assert run(["check", str(folder), "--events", str(orders), "--user", "customer", "--event", "what"]) == 0
    assert 'does not occur in orders.csv; did you mean "order completed"?' in said()[0]


def test_a_file_of_events_that_is_not_there_is_named(folder: Path, said: Said) -> None:
    assert run(["check", str(folder), "--events", "nowhere.jsonl"]) == 2
    assert "there is no file nowhere.jsonl" in said()[1]


# ---- what we show -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples").iterdir() if path.is_dir()))
def test_the_examples_give_no_warnings(name: str, said: Said) -> None:
    assert run(["check", str(ROOT / "examples" / name), "--strict"]) == 0, said()


def test_each_kind_of_warning_is_one_function() -> None:
    assert len(set(KINDS)) == len(KINDS)
