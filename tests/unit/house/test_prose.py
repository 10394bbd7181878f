"""`tools/prose.py`, which checks prose against the word list of docs/style.md."""

import importlib.util
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
TOOL = ROOT / "tools" / "prose.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prose", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def found(tool: ModuleType, path: Path, text: str) -> list[tuple[int, str]]:
    """Check a file with this text; return line and word of each finding."""
    path.write_text(text, "utf-8")
    prose, code = tool.split(path)
    in_prose, in_names = tool.words("Words to avoid"), tool.words("Names to avoid")
    findings = list(tool.findings(prose.lower(), tool.in_prose(in_prose), in_prose))
    findings += tool.findings(code, tool.in_names(in_names), in_names)
    return [(line, word) for line, word, _ in sorted(findings)]


def test_docstrings_comments_and_messages_are_checked(tool: ModuleType, tmp_path: Path) -> None:
    text = '"""Whoever reads this."""\n\nx = 1  # it stands here\ny = f"{x} is told"\nz = \'nobody reads "it"\'\n'
    assert found(tool, tmp_path / "a.py", text) == [(1, "whoever"), (3, "stands"), (4, "told"), (5, "nobody")]


def test_a_phrase_is_found_over_two_lines(tool: ModuleType, tmp_path: Path) -> None:
    text = "x = 1\n# It is kept for\n# ever.\n"
    assert found(tool, tmp_path / "a.py", text) == [(2, "for ever")]
    assert found(tool, tmp_path / "a.md", "It is kept for\never.\n") == [(1, "for ever")]


def test_code_in_strings_and_strings_of_one_word_are_no_prose(tool: ModuleType, tmp_path: Path) -> None:
    text = '"""Calls `nobody`, and {told}."""\nx = {"stands": 1}\ny = f"{nobody} reads"\n'
    assert found(tool, tmp_path / "a.py", text) == []


def test_names_are_checked_part_by_part(tool: ModuleType, tmp_path: Path) -> None:
    text = "told = 1\nis_told = 2\nTold = 3\nBeenTold = 4\nuntold = 5\ntolderance = 6\n_told_by = 7\nMAX_TOLD = 8\n"
    assert [line for line, _ in found(tool, tmp_path / "a.py", text)] == [1, 2, 3, 4, 7, 8]


def test_only_whole_words_count(tool: ModuleType, tmp_path: Path) -> None:
    assert found(tool, tmp_path / "a.md", "standing, understand, stand-alone, retold\n") == []


def test_code_in_markdown_is_no_prose(tool: ModuleType, tmp_path: Path) -> None:
    text = "Use `told`, [a link](nobody.md).\n\n```yaml\nx: nobody\n```\n\n    cueline nobody\n\n<!-- nobody -->\nNobody\n"
    assert found(tool, tmp_path / "a.md", text) == [(10, "nobody")]


def test_allowed_phrases_are_allowed(tool: ModuleType, tmp_path: Path) -> None:
    assert found(tool, tmp_path / "a.md", "The wall clock. The wall. In turn.\n") == [(1, "wall")]


def test_the_text_of_pictures_and_the_comments_of_settings_are_checked(tool: ModuleType, tmp_path: Path) -> None:
    assert found(tool, tmp_path / "a.svg", '<svg id="told now">\n<text>told</text></svg>') == [(2, "told")]
    assert found(tool, tmp_path / "a.yaml", "told: 1  # it stands\n") == [(1, "stands")]


def test_notes_of_older_releases_are_not_checked(tool: ModuleType, tmp_path: Path) -> None:
    assert found(tool, tmp_path / "a.md", "## [Unreleased]\nNobody\n## [0.1.0]\nNobody\n") == [(2, "nobody")]


def test_every_word_has_a_replacement(tool: ModuleType) -> None:
    """And each allowed phrase contains a word that is avoided."""
    for section in ("Words to avoid", "Names to avoid"):
        listed = tool.words(section)
        avoided = {word for word, instead in listed.items() if instead}
        assert len(avoided) > 5
        assert [phrase for phrase, instead in listed.items() if not instead and not any(word in phrase for word in avoided)] == []


def test_every_path_in_the_lists_exists_and_has_files(tool: ModuleType) -> None:
    for path in (*tool.HELD, *tool.NAMED):
        assert tool.files((path,)), path


def test_the_check_is_fast_and_finds_nothing_in_what_is_held(tool: ModuleType) -> None:
    began = time.process_time()
    assert tool.check(tool.held(), tool.files(tool.NAMED)) == []
    assert time.process_time() - began < 10, "about one second"


def test_a_finding_has_place_word_and_replacement(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("one\nKept for ever.\n", "utf-8")
    assert tool.check(tool.files(("docs",)), ()) == ["docs/a.md:2: for ever; write: permanently, always, without limit"]
