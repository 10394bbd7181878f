"""Rule files are YAML 1.2; every value knows its line and column, and what is not for rule files is refused by name."""

import contextlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triggers.language.documents import MAX_DEPTH, MAX_FILE, List, Map, Node, Problem, Problems, RuleErrors, Scalar, Source, TooMany, parse
from triggers.rules.folder import read_folder


def read(text: str) -> tuple[Node | None, list[str]]:
    problems = Problems()
    root = parse("f.yaml", text, problems)
    return root, [str(problem) for problem in problems]


def value(text: str) -> object:
    root, problems = read(f"k: {text}\n")
    assert not problems
    assert isinstance(root, Map)
    found = root.entries[0][1]
    assert isinstance(found, Scalar)
    return found.value


def scalar(text: str) -> Scalar:
    """The last scalar of a document."""
    root, problems = read(text)
    assert not problems
    while not isinstance(root, Scalar):
        assert root is not None
        root = root.entries[-1][1] if isinstance(root, Map) else root.items[-1]
    return root


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "y", "12:30:00", "2026-01-01", "1_000", "0b1", "<<", "="])
def test_what_yaml_1_1_gave_a_meaning_is_a_word(word: str) -> None:
    """`on` is a word, not true."""
    assert value(word) == word


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        *[("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("7", 7), ("-7", -7), ("0x1F", 31), ("0o17", 15)],
        *[("017", 17), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ('"7"', "7"), ("'true'", "true"), ("'~'", "~")],
        ("9" * 50, "9" * 50),
    ],
)
def test_plain_values_mean_what_the_core_schema_says(text: str, meaning: object) -> None:
    found = value(text)
    assert found == meaning
    assert type(found) is type(meaning)


def test_keys_are_texts_whatever_they_look_like() -> None:
    root, problems = read("1: a\ntrue: b\non: c\n")
    assert not problems
    assert isinstance(root, Map)
    assert [key.text for key, _ in root.entries] == ["1", "true", "on"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f.yaml:3:1: "a" appears twice; first on line 1'),
        ("a: {x: 1, x: 2}\n", 'f.yaml:1:11: "x" appears twice; first on line 1'),
        ("a: &x 1\n", "f.yaml:1:4: anchor &x; rule files have no anchors and aliases: write it out"),
        ("a: *x\n", "f.yaml:1:4: alias *x; rule files have no anchors and aliases: write it out"),
        ("a: !!str 1\n", "f.yaml:1:4: tag tag:yaml.org,2002:str; rule files have no tags"),
        (
            "a: !!python/object/apply:os.system [ls]\n",
            "f.yaml:1:4: tag tag:yaml.org,2002:python/object/apply:os.system; rule files have no tags",
        ),
        ("a: !me {}\n", "f.yaml:1:4: tag !me; rule files have no tags"),
        ("%YAML 1.1\n---\na: 1\n", "f.yaml:1:1: %YAML 1.1; rule files are YAML 1.2"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "f.yaml:1:1: %TAG directive; rule files have no tags"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document in the file; one file, one document: remove the ---"),
        ("? [x]\n: 1\n", "f.yaml:1:3: a list as a key; keys are texts"),
        ("? {x: 1}\n: 1\n", "f.yaml:1:3: a mapping as a key; keys are texts"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: not YAML: found character '\\t' that cannot start any token; YAML wants spaces, not tabs"),
        ("a: b: c\n", "f.yaml:1:5: not YAML: mapping values are not allowed here; a text or an expression that contains ': ' needs quotes"),
        ("a: [1, 2\n", "f.yaml:2:1: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: 'x\n", "f.yaml:2:1: not YAML: found unexpected end of stream"),
        ("a: x\x01y\n", "f.yaml:1:5: not YAML: the character U+0001 is not allowed"),
        ("a: x\ud800y\n", "f.yaml:1:5: not YAML: the character U+D800 is not allowed"),
        ('a: "x\\ud800"\n', "f.yaml:1:4: half of a character (a surrogate); write the character itself"),
        ("a: @x\n", "f.yaml:1:4: not YAML: found character '@' that cannot start any token; a text that begins with @ needs quotes"),
    ],
)
def test_what_has_no_place_in_a_rule_file_is_named_with_its_place(text: str, problem: str) -> None:
    _, problems = read(text)
    assert problems == [problem]


def test_a_bomb_of_aliases_is_refused_before_anything_is_built() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10))
    _, problems = read("a0: &a0 [lol]\n" + levels)
    assert problems[0] == "f.yaml:1:5: anchor &a0; rule files have no anchors and aliases: write it out"
    assert len(problems) == 10 + 81


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 20_000, "- " * 50_000, "\n".join(" " * n + "a:" for n in range(400))])
def test_deep_nesting_is_refused_at_its_limit(text: str) -> None:
    _, problems = read(text)
    assert len(problems) == 1
    assert problems[0].endswith(f"nested too deeply; at most {MAX_DEPTH} levels")


def test_a_file_that_is_too_big_is_not_read() -> None:
    _, problems = read("#" * (MAX_FILE + 1))
    assert problems == [f"f.yaml:1:1: the file has {MAX_FILE + 1:,} characters; at most {MAX_FILE:,} are read: split it"]


def test_an_empty_file_has_no_root_and_no_problem() -> None:
    assert read("") == (None, [])
    assert read("# nothing\n") == (None, [])


def test_all_that_can_be_found_in_one_reading_is_found() -> None:
    _, problems = read("a: &x 1\na: 2\nb: !t 3\n? [k]\n: 4\n")
    assert [problem.split(":")[1] for problem in problems] == ["1", "2", "3", "4"]


def test_line_ends_and_the_byte_order_mark_do_not_move_columns() -> None:
    for text in ("a: 1\nb: &x 2\n", "a: 1\r\nb: &x 2\r\n", "a: 1\rb: &x 2\r", "\ufeffa: 1\nb: &x 2\n"):
        _, problems = read(text)
        assert problems == ["f.yaml:2:4: anchor &x; rule files have no anchors and aliases: write it out"]


@pytest.mark.parametrize(
    ("text", "found", "places"),
    [
        ("k: abc def\n", "abc def", {"a": (1, 4), "f": (1, 10)}),
        ("k: 'it''s x'\n", "it's x", {"i": (1, 5), "s": (1, 9), "x": (1, 11)}),
        ('k: "a\\"b\\u00e9\\x41c"\n', 'a"béAc', {"a": (1, 5), "b": (1, 8), "é": (1, 9), "A": (1, 15), "c": (1, 19)}),
        ('k: "a\\tb\\\n  c d"\n', "a\tbc d", {"b": (1, 8), "c": (2, 3), "d": (2, 5)}),
        ("k: a b\n  c\n\n  d\n", "a b c\nd", {"b": (1, 6), "c": (2, 3), "d": (4, 3)}),
        ("k: >-  # note\n  a b\n  c\n\n  d\n", "a b c\nd", {"a": (2, 3), "b": (2, 5), "c": (3, 3), "d": (5, 3)}),
        ("k: |\n  a\n    b\n  c\n", "a\n  b\nc\n", {"a": (2, 3), "b": (3, 5), "c": (4, 3)}),
        ("k: [x, {y: 'z'}]\n", "z", {"z": (1, 13)}),
    ],
)
def test_each_character_of_a_text_knows_its_place(text: str, found: str, places: dict[str, tuple[int, int]]) -> None:
    node = scalar(text)
    assert node.text == found
    assert {char: node.source.place(node.index(node.text.index(char))) for char in places} == places


@given(st.lists(st.sampled_from("ab'\"\\é 中:#{}[],&*!|>%@`-\t\n"), max_size=30).map("".join), st.sampled_from("'\""))
def test_every_visible_character_of_any_quoted_text_is_found_where_it_stands(text: str, quote: str) -> None:
    written = text.replace("'", "''") if quote == "'" else text.replace("\\", "\\\\").replace('"', '\\"')
    written = written.replace("\n", "\n\n") if quote == "'" else written.replace("\n", "\\n").replace("\t", "\\t")
    source = f"k: {quote}{written}{quote}\n"
    root, problems = read(source)
    if problems:
        return  # "---" at the beginning of a line, for example
    assert isinstance(root, Map)
    node = root.entries[0][1]
    assert isinstance(node, Scalar)
    for offset, char in enumerate(node.text):
        if not char.isspace():
            assert source[node.index(offset)] == ("\\" if quote == '"' and char in '\\"' else char)


@given(st.text(max_size=300))
def test_any_text_is_a_tree_or_problems(text: str) -> None:
    """Never an exception."""
    read(text)


@given(
    st.lists(
        st.sampled_from(
            ["a", ":", " ", "\n", "- ", "[", "]", "{", "}", ",", "'", '"', "\\", "&x", "*x", "!", "|", ">", "?", "%", "#", "\t", "é"]
        ),
        max_size=40,
    )
)
def test_any_text_of_yaml_signs_is_a_tree_or_problems(parts: list[str]) -> None:
    """Never an exception; and a tree's nodes are inside the file."""
    text = "".join(parts)
    root, problems = read(text)
    stack = [root] if root is not None and not problems else []
    while stack:
        node = stack.pop()
        assert 0 <= node.start <= len(text)
        stack.extend(node.items if isinstance(node, List) else [n for _, n in node.entries] if isinstance(node, Map) else [])


@pytest.mark.parametrize(
    "text",
    [
        'a: "\\U99999999"',
        'a: "\\ud800"',
        "%YAML x\n---\n",
        "%YAML 1.2.3\n---",
        "%TAG\n---",
        "!<",
        "a: !<tag",
        "&",
        "*",
        "a: |99",
        "a: |+-",
        "\x00",
        "-\t-",
        "? ?\n: :",
    ],
)
def test_what_the_parser_itself_trips_over_is_a_problem(text: str) -> None:
    problems = Problems()
    parse("f.yaml", text, problems)
    assert all(problem.message for problem in problems)


def test_problems_read_as_editors_want_them_and_stand_in_order() -> None:
    errors = RuleErrors(
        [Problem("b.yaml", 1, 1, "x"), Problem("a.yaml", 10, 1, "y", "do z"), Problem("a.yaml", 9, 2, "w"), Problem("a.yaml", 9, 2, "w")]
    )
    assert str(errors) == "a.yaml:9:2: w\na.yaml:10:1: y; do z\nb.yaml:1:1: x"


def test_places_count_from_one() -> None:
    source = Source("f", "ab\n\ncd")
    assert [source.place(index) for index in range(7)] == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (3, 3)]


# ---- folders --------------------------------------------------------------------------------------------------------


def test_a_folder_is_all_its_yaml_files_but_scenarios_and_hidden_ones(tmp_path: Path) -> None:
    for name in (
        "a.yaml",
        "sub/b.yml",
        "sub/deep/c.yaml",
        "a.scenarios.yaml",
        ".git/x.yaml",
        "sub/.hidden.yaml",
        "notes.txt",
        "d.yaml.bak",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    assert list(read_folder(tmp_path)) == ["a.yaml", "sub/b.yml", "sub/deep/c.yaml"]


def test_a_file_that_is_not_utf_8_is_refused_at_the_bad_byte(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("version: 1\n")
    (tmp_path / "bad.yaml").write_bytes("é: 1\nname: ü".encode() + b"\xff\n")
    with pytest.raises(RuleErrors) as caught:
        read_folder(tmp_path)
    assert str(caught.value) == "bad.yaml:2:8: not UTF-8: byte 0xFF; save the file as UTF-8"


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        read_folder(tmp_path / "nowhere")


def test_a_value_that_many_commas_end_costs_no_more_than_other_keys() -> None:
    def cost(text: str) -> float:
        begun = time.process_time()
        with contextlib.suppress(TooMany):
            parse("a.yaml", text, Problems())
        return time.process_time() - begun

    keys = "".join(f", b{number}" for number in range(25_000))
    assert cost("{a: (x" + keys + "}") < 2 * cost("{a: x" + keys + "}")
