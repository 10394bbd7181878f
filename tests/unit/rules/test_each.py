"""One journey or segment for each value: what is made, under which names, and what is refused."""

import re

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.loading import problems
from triggers.causes import kind_of
from triggers.definitions.model import RuleSet
from triggers.rules.checks import load

BOTH = """\
version: 2
segments:
  fan:
    each: {category: [fiction, history]}
    if: count("chapter_read", days=14, where=category == "$category") >= 5
journeys:
  promo:
    each: {category: [fiction, history]}
    entry: {enters: fan-$category}
    priority: 80
    steps: [{send: {channel: push, text: "New in $category, for $5"}}]
"""


def loaded(text: str) -> RuleSet:
    return load({"a.yaml": text})


def written(category: str) -> tuple[str, str]:
    return (
        f"""  fan-{category}: count("chapter_read", days=14, where=category == "{category}") >= 5\n""",
        f"""  promo-{category}:
    entry: {{enters: fan-{category}}}
    priority: 80
    steps: [{{send: {{channel: push, text: "New in {category}, for $5"}}}}]\n""",
    )


def test_each_makes_what_would_be_written_by_hand_with_the_same_versions() -> None:
    fiction, history = written("fiction"), written("history")
    by_hand = loaded(f"version: 2\nsegments:\n{fiction[0]}{history[0]}journeys:\n{fiction[1]}{history[1]}")
    made = loaded(BOTH)
    assert made.segments == by_hand.segments
    assert made.journeys == by_hand.journeys
    assert list(made.journeys) == ["promo-fiction", "promo-history"]


def journey(each: str, text: str = "$c", more: str = "") -> str:
    """Return a file with one journey; its text is on line 6, `more` from line 7."""
    steps = f'[{{send: {{channel: push, text: "{text}"}}}}]'
    return f"version: 2\njourneys:\n  j:\n    each: {each}\n    entry: {{event: A}}\n    steps: {steps}\n{more}"


def texts(rules: RuleSet) -> dict[str, list[str]]:
    return {name: list(step.texts()) for name, found in rules.journeys.items() for step in found.steps}  # type: ignore[attr-defined]


def test_a_short_name_is_given_where_a_value_is_no_part_of_a_name() -> None:
    assert texts(loaded(journey("{c: [{sci-fi: Science & Fiction}]}"))) == {"j-sci-fi": ["Science & Fiction"]}
    (found,) = problems(journey("{c: [Science & Fiction]}"))
    assert found == (
        'a.yaml:4:16: "j-Science & Fiction" is no name; at most 64 characters; '
        "give it a short name for names, as in {sci-fi: Science Fiction}"
    )


def test_several_lists_make_one_of_each_pair() -> None:
    rules = loaded(journey("{c: [a, b], d: [1, 2]}", "${c}x$d"))
    assert texts(rules) == {"j-a-1": ["ax1"], "j-a-2": ["ax2"], "j-b-1": ["bx1"], "j-b-2": ["bx2"]}


def test_two_dollar_signs_write_one() -> None:
    assert texts(loaded(journey("{c: [a]}", "$c $$c $${c} $$5 $"))) == {"j-a": ["a $c ${c} $$5 $"]}


def test_a_number_stays_a_number_and_a_text_in_quotes_stays_a_text() -> None:
    assert loaded(journey("{c: [1]}", more="    priority: $c\n")).journeys["j-1"].priority == 1
    assert problems(journey("{c: ['1']}", more="    priority: $c\n")) == [
        "a.yaml:7:15: priority is 1 ($c: 1); a whole number from 0 to 100 belongs here; 50 without it"
    ]


def test_an_error_names_the_place_where_it_is_written_and_the_value() -> None:
    text = BOTH.replace("for $5", "for {{ traits.x | $category }}").replace("[fiction, history]", "[upper, nonsense]")
    (found,) = problems(text)
    assert found.startswith("a.yaml:11:")
    assert "($category: nonsense)" in found
    line = text.split("\n")[10]
    column = int(found.split(":")[2])
    assert line[column - 1 :].startswith("$category")


def test_an_error_behind_a_value_is_reported_at_its_place() -> None:
    text = BOTH.replace(") >= 5", ") >= 5 and nonsense").replace("fiction", "a-longer-text")
    found = problems(text)
    line = text.split("\n")[4]
    assert [one.split(": ")[0] for one in found] == [f"a.yaml:5:{line.index('nonsense') + 1}"] * 2
    assert "($category: a-longer-text)" in found[0]


def test_an_error_in_what_shows_no_value_is_reported_once() -> None:
    assert len(problems(BOTH.replace("priority: 80", "priority: high"))) == 1


def test_unknown_and_unused_values_are_refused() -> None:
    assert problems(journey("{cat: [a, b]}", "$cta $cat")) == [
        'a.yaml:6:43: unknown value "$cta"; did you mean "cat"? The text itself is written $$cta'
    ]
    assert problems(journey("{cat: [a, b]}", "none")) == [
        "a.yaml:4:12: $cat is never used; all copies would be the same: write $cat where they differ"
    ]


def test_what_can_never_work_is_refused() -> None:
    many = ", ".join(f"v{number}" for number in range(201))
    assert problems(journey(f"{{c: [{many}]}}"))[0].startswith("a.yaml:4:15: each: c has 201 values; 1 to 200")
    assert problems(journey("{c: [a, a]}"))[0].startswith('a.yaml:4:19: each: c has "a" twice')
    assert problems(journey("{c: []}"))[0].startswith("a.yaml:4:15: each: c has 0 values")
    assert problems(journey("{c: [true]}"))[0].startswith("a.yaml:4:16: each: c: a value is a flag (true)")
    assert problems(journey("{}"))[0].startswith("a.yaml:4:11: each has no values; as in each: {category")
    assert problems(journey("{1c: [a]}"))[0].startswith('a.yaml:4:12: "1c" cannot be written as $1c')
    assert problems(journey("{c: [a]}").replace("version: 2", "version: 1")) == [
        'a.yaml:4:5: each in a file of version 1; needs "version: 2" at the top of the file'
    ]
    hundred = ", ".join(f"v{number}" for number in range(20))
    assert "each makes 400 journeys" in problems(journey(f"{{c: [{hundred}], d: [{hundred}]}}", "$c $d"))[0]


def test_a_copy_does_not_take_the_name_of_another_definition() -> None:
    more = '  j-a: {entry: {event: A}, steps: [{send: {channel: push, text: "x"}}]}\n'
    assert problems(journey("{c: [a]}", more=more)) == ['a.yaml:7:3: a second journey named "j-a"; the first is at a.yaml:3']


def test_check_says_of_which_value_a_window_is_too_big() -> None:
    text = 'version: 2\nsegments:\n  many:\n    each: {p: [a, b, c, d, e, f, g, h]}\n    if: distinct("A.$p", minutes=10080) > 1\n'
    (found,) = problems(text)
    place, message = found.split(": ", 1)
    assert place == "a.yaml:5:9"
    assert re.search(r"of which this window, the biggest, \d+ KiB \(\$p: [a-h]\); at most 512 KiB", message)


SLUGS = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), min_size=1, max_size=4, unique=True)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters='\\"{}$%#', exclude_categories=("C", "Z")), min_size=1, max_size=12)


@given(SLUGS, st.data())
def test_copies_are_what_a_person_would_write_whatever_the_values(slugs: list[str], data: st.DataObject) -> None:
    values = {slug: data.draw(VALUES) for slug in slugs}
    items = ", ".join(f'{{{slug}: "{value}"}}' for slug, value in values.items())
    each = f"each: {{v: [{items}]}}"

    def condition(value: str) -> str:
        return f'"did(\\"read\\", where=category == \\"{value}\\")"'

    def body(value: str) -> str:
        steps = f'[{{if: {condition(value)}, then: [{{send: {{channel: push, text: "a {value} b"}}}}]}}]'
        return f"    entry: {{event: A}}\n    steps: {steps}\n"

    by_hand = "version: 2\nsegments:\n" + "".join(f"  s-{slug}: {condition(value)}\n" for slug, value in values.items())
    by_hand += "journeys:\n" + "".join(f"  j-{slug}:\n{body(value)}" for slug, value in values.items())
    with_each = f"version: 2\nsegments:\n  s:\n    {each}\n    if: {condition('$v')}\njourneys:\n  j:\n    {each}\n{body('$v')}"
    written, made = loaded(by_hand), loaded(with_each)
    assert made.segments == written.segments
    assert made.journeys == written.journeys


def test_the_short_name_of_a_value_names_what_another_definition_made() -> None:
    each = "each: {c: [fiction, {sci-fi: Science Fiction}]}"
    made = loaded(
        f"""version: 2
segments:
  fan:
    {each}
    if: did("read", where=category == "$c")
journeys:
  promo:
    {each}
    entry: {{enters: fan-$c.name}}
    steps: [{{send: {{channel: push, text: "$c, ${{c.name}}. $c.names, $$c.name"}}}}]
"""
    )
    assert texts(made) == {
        "promo-fiction": ["fiction, fiction. fiction.names, $c.name"],
        "promo-sci-fi": ["Science Fiction, sci-fi. Science Fiction.names, $c.name"],
    }
    assert [kind_of(journey.entry).segment_names() for journey in made.journeys.values()] == [("fan-fiction",), ("fan-sci-fi",)]
    assert "Science Fiction" in made.segments["fan-sci-fi"].text


def test_the_short_name_alone_makes_use_of_a_list() -> None:
    assert texts(loaded(journey("{c: [a, b]}", "$c.name"))) == {"j-a": ["a"], "j-b": ["b"]}
    assert problems(journey("{cat: [a, b]}", "$dog.name $cat")) == [
        'a.yaml:6:43: unknown value "$dog.name"; known: cat; The text itself is written $$dog.name'
    ]
