"""Common slips: each is one problem, with the hint that the person who made it needs."""

import json

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load

LENGTH = "not an expression: invalid decimal literal; a length is a whole number without a unit:"
ZEROS = "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers"
SINCE = 'first("Signed Up") >= "2026-01-31"'
AVERAGE = 'an average is a sum by a count, as in sum("A.b", days=7) / count("A", days=7)'
WHERE = 'properties belong in where= of an entry, an exit or a function, as in did("Order Completed", where=total > 10)'
QUOTES = "inside { } and [ ] what has commas or brackets needs quotes, as in when: 'did(\"E\", days=2)'"
COLON = "a text or an expression that contains ': ' needs quotes"
APOSTROPHE = "a text in quotes ends at the next quote: inside '...' an apostrophe is doubled, or put the text in double quotes"
COLUMNS = "the indentation is wrong: keys of one mapping, and dashes of one list, must be exactly below each other"
UNDER = (
    "the line is indented under a value: put it exactly below its neighbours, a colon at the end of the line above, "
    "or quotes around a text of several lines"
)
LOCAL = "the local time is local.hour, local.weekday, local.day and local.month, in where= and in steps, in files of version 2"
TIMES = 'a step at a time of day or on a day is a wait, as in wait: {days: 3, at: "09:00"} and wait: {at: "09:00", on: [monday]}'
CLOCK = 'needs "version: 2" at the top of the file'


def slips(text: str) -> list[str]:
    """What is said of a rule file."""
    with pytest.raises(RuleErrors) as caught:
        load({"a.yaml": "version: 1\n" + text})
    return [str(problem).removeprefix("a.yaml:") for problem in caught.value.problems]


def journey(steps: str = "[{send: {channel: sms, text: x}}]", entry: str = "{event: A}") -> str:
    return f"journeys:\n  j:\n    entry: {entry}\n    steps: {steps}\n"


@pytest.mark.parametrize(
    ("text", "offset", "problem"),
    [
        ('count("A", days=7d) > 1', 16, f"{LENGTH} write days=7"),
        ('count("A", days=2w) > 1', 16, f"{LENGTH} write days=14"),
        ('did("A", hours=12h)', 16, f"{LENGTH} write hours=12"),
        ('count("A", weeks=2) > 1', 11, 'unknown argument "weeks"; write days=14'),
        ('count("A", months=1) > 1', 11, 'unknown argument "months"; write days=30'),
        ('count("A", 7) > 1', 11, "a length without a unit; name it, as in days=7"),
        ('count("A", "2w") > 1', 11, "a length without a unit; name it, as in days=14"),
        ('did("A", "24h")', 9, "a length without a unit; name it, as in hours=24"),
        ('count("A", 7d) > 1', 11, f"{LENGTH} write days=7"),
        ('first("A") > 2026-01-31', 18, f"not an expression: {ZEROS}; put a date in quotes, as in {SINCE}"),
        ('did("A", days=7) within 3', 17, "not an expression: invalid syntax"),
        ('avg("A.b", days=7) > 1', 0, f'unknown function "avg"; {AVERAGE}'),
        ("len(traits.tags) > 1", 0, 'unknown function "len"; conditions cannot ask how long a text or list is yet'),
        ("traits.country == DE", 18, 'unknown name "DE"; a text is written in quotes: "DE"'),
        ("traits.country == germany", 18, 'unknown name "germany"; a trait is written traits.germany, a text in quotes: "germany"'),
        ("traits.country in [DE]", 19, 'a plain value is expected; a text is written in quotes: "DE"'),
        ("properties.total > 5", 0, f"properties have no place in a condition about a user; {WHERE}"),
        (
            "weekday() == 1",
            0,
            f'unknown function "weekday"; {LOCAL}',
        ),
        (
            "weekday == 1",
            0,
            f'unknown name "weekday"; {LOCAL}',
        ),
        ("traits.x is not None", 16, "None is no value here; to ask whether it is there, write traits.x == traits.x"),
        ("traits.x != null", 12, "null is no value here; to ask whether it is there, write traits.x == traits.x"),
        ("None == traits.x", 0, "None is no value here; to ask whether it is missing, write not (traits.x == traits.x)"),
    ],
)
def test_a_slip_in_a_condition_is_one_problem_that_names_the_remedy(text: str, offset: int, problem: str) -> None:
    assert slips(f"segments:\n  s:\n    |\n    {text}\n") == [f"5:{5 + offset}: {problem}"]
    assert len(slips(journey(f"[{{when: {json.dumps(text)}, send: {{channel: sms, text: x}}}}]"))) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (journey('[{at: "09:00"}, {send: {channel: sms, text: x}}]'), f'5:14: unknown key "at" in a step; {TIMES}'),
        (journey('[{send: {channel: sms, text: x}, at: "09:00"}]'), f'5:45: unknown key "at" in a step; {TIMES}'),
        (journey(entry="{every: 1d}"), f'4:13: unknown key "every" in entry; {CLOCK}'),
        (journey(entry="{event: A, every: 1d}"), f'4:23: unknown key "every" in entry; {CLOCK}'),
    ],
)
def test_what_is_not_in_the_language_yet_is_named_as_that(text: str, problem: str) -> None:
    assert slips(text) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (journey("[{send: {channel: sms, text: Hi, you}}]"), f"5:43: the text ends at the comma; {QUOTES}"),
        (journey("[{send: {channel: sms, text: Hi, you, there, url: x}}]"), f"5:43: the text ends at the comma; {QUOTES}"),
        (journey(entry="{event: Order, paid}"), f"4:25: the text ends at the comma; {QUOTES}"),
        (journey("[{send: {channel: sms, text: Note: you}}]"), f"5:45: not YAML: expected ',' or '}}', but got ':'; {COLON}"),
        (
            journey("\n      - send:\n          channel: sms\n          text: Note: you"),
            f"8:21: not YAML: mapping values are not allowed here; {COLON}",
        ),
        (
            journey("[{send: {channel: sms, text: 'it's'}}]"),
            f"5:45: not YAML: expected ',' or '}}', but got '<scalar>'; {APOSTROPHE}",
        ),
        (
            journey("[{send: {channel: sms, text: {{ traits.name }}}}]"),
            '5:41: a text that begins with {{ without quotes; as in text: "{{ traits.name }}"',
        ),
    ],
)
def test_a_text_without_quotes_that_needs_them_is_one_problem(text: str, problem: str) -> None:
    assert slips(text) == [problem]


@pytest.mark.parametrize("key", ["text", "subject", "url"])
def test_a_part_of_a_message_that_is_empty_is_not_taken_for_the_rest_of_a_text(key: str) -> None:
    assert slips(journey(f"[{{send: {{channel: sms, {key}}}}}]")) == [f'5:{36 + len(key)}: "{key}" is empty; a text belongs here']


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "journeys:\n  j:\n  entry: {event: A}\n  steps: []\n",
            '4:3: "entry" is next to "j", which is empty; what belongs to j is indented further than j',
        ),
        (
            "journeys:\nj:\n  entry: {event: A}\n",
            '3:1: "j" is next to "journeys", which is empty; what belongs to journeys is indented further than journeys',
        ),
        (
            "journeys:\n  j:\n    entry:\n    event: A\n    steps: [{send: {channel: sms, text: x}}]\n",
            '5:5: "event" is next to "entry", which is empty; what belongs to entry is indented further than entry',
        ),
        (
            journey("\n    - send:\n      channel: sms\n      text: x"),
            '7:7: "channel" is next to "send", which is empty; what belongs to send is indented further than send',
        ),
        (
            "journeys:\n  j:\n    entry: {event: A}\n   steps: []\n",
            f"5:4: not YAML: expected <block end>, but found '<block mapping start>'; {COLUMNS}",
        ),
        (journey("\n    - wait: 1d\n      - wait: 1d"), f"7:7: not YAML: expected <block end>, but found '-'; {COLUMNS}"),
        ("segments:\n  a: did('A')\n   b: did('B')\n", f"4:5: not YAML: mapping values are not allowed here; {UNDER}"),
        ("journeys:\n  j\n    entry: {event: A}\n", f"4:10: not YAML: mapping values are not allowed here; {UNDER}"),
        ("segments:\n  a:did('A')\n", "3:3: segments is a text; a blank belongs after a:"),
    ],
)
def test_wrong_indentation_is_one_problem_that_says_so(text: str, problem: str) -> None:
    assert slips(text) == [problem]


def test_an_empty_section_is_not_blamed_for_an_unknown_key_elsewhere() -> None:
    assert slips("segments:\njourneys: {}\nsegmnts: {}\n") == ['4:1: unknown key "segmnts" in the file; did you mean "segments"?']
