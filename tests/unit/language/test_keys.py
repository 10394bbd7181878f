"""Keys and versions name definitions in states and ids: the same on every Python, and whatever else the rules say."""

import sys
import unicodedata

import pytest

from triggers.definitions.model import Did, Measure, RuleSet, Segment
from triggers.language.characters import is_printable
from triggers.language.expressions import compile_expression
from triggers.language.fields import is_name
from triggers.rules.checks import load

NEWER = "\U0001fae8"
"""A face of Unicode 15.0, which Python 3.11 does not know yet and 3.13 does."""
LETTER = "\U00031350"
"""A letter of Unicode 15.0, for the same reason."""
TEXTS = {
    f'count("Shaken {NEWER}") > 0': ("8e2612a76c06", "81b77f270409"),
    'did("Order Completed", days=60)': ("793a8007425e", "a81b325eab90"),
    'sum("Order Completed.total", days=90, where=currency == "EUR" and not gift) >= 12.5': ("51c04852eee4", "6a1251454d10"),
    f'every_day(30, distinct("app_used.größe") > 2 or count("app_used", where=kind in ["{NEWER}", "x"]) > 1)': (
        "85219268afd2",
        "95f3507d08e2",
    ),
    'traits.vip or first("Signed Up") < "2026-02-01"': ("b0baff37465f", "46daef458ca1"),
}


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_these_definitions_have_these_keys_on_every_python(text: str) -> None:
    """A key that changed would restart each user's window. So these only ever change with the language's meaning."""
    measures: dict[Measure, int] = {}
    condition = compile_expression(text, lambda *problem: pytest.fail(str(problem)), measures=measures)
    assert condition is not None
    assert (Segment("s", condition, text).key, next(iter(measures)).key) == TEXTS[text]


def test_did_and_last_share_a_window_whatever_their_length_but_not_each_day() -> None:
    one = Measure("did", "A", (), "day", 7)
    assert one.key == Measure("last", "A").key == Measure("did", "A", (), "hour", 2).key
    assert one.key != Measure("did", "A", (), "day", 7, daily=True).key
    assert one.key != Measure("did", "B", (), "day", 7).key


def rules(schema: str = "", settings: str = "") -> RuleSet:
    text = """version: 1
segments:
  spent: sum("Order.total", days=9) > 1
  bought: did("Order", where=total > 3)
journeys:
  by-spent: {entry: {enters: spent}, steps: [{wait: 1d}]}
  by-bought: {entry: {enters: bought}, steps: [{wait: 1d}]}
"""
    return load({"a.yaml": text + schema + settings})


def versions(rules: RuleSet) -> dict[str, str]:
    return {name: journey.version for name, journey in rules.journeys.items()}


PLAIN = "schema: {events: {Order: {total: number}}}\n"


def test_a_schema_that_says_nothing_of_a_sum_changes_no_key_and_no_version() -> None:
    for schema in (PLAIN, PLAIN + "  # and a comment\n", "schema: {events: {Order: {total: any, other: text}}, traits: {x: text}}\n"):
        assert versions(rules(schema)) == versions(rules())
        assert {s.name: s.key for s in rules(schema).segments.values()} == {s.name: s.key for s in rules().segments.values()}


def test_what_is_declared_non_negative_makes_other_segments_of_those_that_sum_it_and_no_others() -> None:
    """Their windows still keep their history."""
    plain, declared = rules(PLAIN), rules(PLAIN.replace("number", "{type: number, non-negative: true}"))
    assert declared.segments["spent"].key != plain.segments["spent"].key
    assert declared.segments["bought"].key == plain.segments["bought"].key
    assert versions(declared)["by-spent"] != versions(plain)["by-spent"]
    assert versions(declared)["by-bought"] == versions(plain)["by-bought"]
    one = Measure("sum", "Order", ("total",), "day", 9)
    assert one.key == Measure("sum", "Order", ("total",), "day", 9, non_negative=True).key


def test_of_the_settings_only_a_journeys_late_policy_belongs_to_its_version() -> None:
    assert versions(rules(settings="settings: {time_zone: Asia/Tokyo, channels: [letter]}\n")) == versions(rules())
    assert versions(rules(settings="settings: {late: {after: 24h, then: drop}}\n")) == versions(rules())
    assert not set(versions(rules(settings="settings: {late: {then: send}}\n")).values()) & set(versions(rules()).values())


# ---- which characters a name may have -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "7", "可能付费", "Größe-2.b_c", "имя", "한국어", "ไทย"])
def test_a_name_may_have_letters_of_any_script(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a b", "a:b", "½", "x²", NEWER, LETTER, f"a{LETTER}", "x" * 65])
def test_no_name_depends_on_how_new_a_python_is(name: str) -> None:
    assert not is_name(name)


def test_a_trait_with_a_letter_that_not_every_python_knows_wants_quotes() -> None:
    problems: list[str] = []
    assert compile_expression(f"traits.{LETTER} == 1", lambda _at, message, hint: problems.append(f"{message}; {hint}")) is None
    if unicodedata.category(LETTER) != "Cn":
        assert problems == ['a name with letters newer than Unicode 3.2; put it in quotes, as in traits["..."]']
    else:
        assert "not an expression" in problems[0], sys.version
    assert compile_expression(f'traits["{LETTER}"] == 1  # {NEWER}', lambda *problem: pytest.fail(str(problem))) is not None


def test_a_file_may_have_any_name_that_can_be_printed() -> None:
    assert is_printable(f"größe {NEWER}.yaml")
    assert not any(map(is_printable, ["a\n", "a\x1b", "a\ud800", "\u202ea", "a\u2028"]))


def test_an_event_with_half_a_character_is_refused_before_it_has_a_key() -> None:
    problems: list[str] = []
    assert compile_expression('did("\\ud83d")', lambda _at, message, _hint: problems.append(message)) is None
    assert problems == ["half of a character (a surrogate) in an event's name"]
    assert Did(Measure("did", NEWER)).measure.key
