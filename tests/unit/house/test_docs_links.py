"""What the documentation points at is there: links, headings, files, modules."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.house.pages import PAGES, ROOT, blocks


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    """Files, and headings in them."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        other = (page.parent / file).resolve() if file else page
        assert other.exists(), target
        if anchor:
            assert anchor in anchors(other), target


def test_every_file_of_the_project_that_is_named_is_there() -> None:
    """The tables of files and laws grow old first."""
    for page in PAGES:
        named = re.findall(r"`((?:tests|streams|triggers|tools|bench|examples|docs)/[\w./-]+\.\w+)`", page.read_text("utf-8"))
        made = {"bench/results/latest.json"}
        assert [name for name in named if name not in made and not (ROOT / name).exists()] == [], page.name


def test_every_module_stands_in_the_list_of_the_page_on_design() -> None:
    """In the row of its package, or in a folder that is there as a whole; and the table names no file that is gone."""
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    part = page[page.index("## The flow, file by file") : page.index("## Why it is so")]
    for room, table in zip(("triggers", "streams"), part.split("In `streams/`")[:2], strict=True):
        named = {ROOT / room / name for name in _files_of(table)}
        there = {path for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py"} - {ROOT / room / "testing.py"}
        folders = [path for path in named if path.is_dir()]
        assert sorted(path.name for path in there - named if not any(folder in path.parents for folder in folders)) == []
        assert sorted(str(path) for path in named if not path.exists()) == []


def _files_of(table: str) -> Iterator[str]:
    """What the rows of a table name: the files of a package, in their folder; the package alone where none of its files is named."""
    for row in re.findall(r"^\| .*$", table, re.MULTILINE):
        package = next(iter(re.findall(r"^\| `(\w+/)`", row)), "")
        names = re.findall(r"`([\w/]+(?:\.py|/))`", row.partition("|")[2].partition("|")[2])
        yield from (package + name for name in names)
        if package and not names:
            yield package


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_in_the_documentation_is_python(page: Path) -> None:
    """It compiles, and whoever consumes or looks at actions says that only committed records are for them."""
    for block in blocks(page, "python", "python producer", "python consumer", "python meet"):
        compile(block.text, str(block), "exec")
        assert ("AIOKafkaConsumer" in block.text) == ("read_committed" in block.text), str(block)
