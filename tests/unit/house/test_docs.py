"""The documentation says what is so: its rules load, its scenarios pass, its records come out, its commands and settings exist."""

import re
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from ruamel.yaml import YAML

from streams.settings import Settings
from tests.unit.house.pages import PAGES, ROOT, Block, blocks, command_of, pages_with_rules, rules_of
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.scenarios.running import run_scenarios
from triggers.testing import Story

# ---- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [block for page in pages_with_rules() for block in rules_of(page)], ids=str)
def test_every_rule_file_in_the_documentation_loads(block: Block) -> None:
    """A reader may copy any of them as it is."""
    rules = load({block.name: block.text})
    assert rules.segments or rules.journeys or "schema:" in block.text


@pytest.mark.parametrize("page", pages_with_rules(), ids=lambda page: page.name)
def test_the_rules_in_the_documentation_give_no_warnings(page: Path) -> None:
    """Each file is checked by itself, with the scenarios of its page. An example may show a segment that nothing names."""
    scenarios = {block.name: block.text for block in blocks(page, "yaml") if "scenarios:\n" in block.text}
    for block in rules_of(page):
        read_with = scenarios if block.name != "block.yaml" else {}
        found = map(str, warnings(read({block.name: block.text}), read_with))
        assert [warning for warning in found if "nothing names the" not in warning] == [], str(block)


def test_what_the_documentation_shows_as_warned_of_is_warned_of_with_these_words() -> None:
    shown = {warned.text: said.text for warned, said in pairwise(blocks(ROOT / "docs" / "rules.md", "yaml warned", "text"))}
    (warned,) = blocks(ROOT / "docs" / "rules.md", "yaml warned")
    found = warnings(read({"r.yaml": warned.text}))
    assert "\n".join(map(str, found)) == shown[warned.text].strip()


@pytest.mark.parametrize("name", ["rules.md", "segments.md"])
def test_the_scenarios_in_the_documentation_pass_on_the_rules_of_their_page(name: str) -> None:
    """Such a page shows a folder: files by the names in their first lines."""
    page = ROOT / "docs" / name
    rules = {block.name: block.text for block in rules_of(page) if block.name != "block.yaml"}
    scenarios = {block.name: block.text for block in blocks(page, "yaml") if "scenarios:\n" in block.text}
    results = run_scenarios(rules, scenarios)
    assert len(results) >= 2
    assert [f"{result.name}: {result.failures}\n{result.timeline}" for result in results if not result.passed] == []


def test_what_the_documentation_shows_as_refused_is_refused_with_these_words() -> None:
    """The block after a refused rule file is what `cueline check` says of it."""
    found = blocks(ROOT / "docs" / "rules.md", "yaml refused", "text")
    for refused, said in pairwise(found):
        if refused.info == "yaml refused":
            with pytest.raises(RuleErrors) as error:
                load({"r.yaml": refused.text})
            assert str(error.value) == said.text.strip()


def test_the_python_in_the_page_on_rules_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads the rule files above it on the page."""
    page = ROOT / "docs" / "rules.md"
    monkeypatch.chdir(tmp_path)
    for block in rules_of(page):
        if block.name != "block.yaml":
            (tmp_path / block.name).parent.mkdir(exist_ok=True)
            (tmp_path / block.name).write_text(block.text)
    for block in blocks(page, "python"):
        exec(compile(block.text, str(block), "exec"), {})


# ---- the quickstart and Compose --------------------------------------------------------------------------------------


def test_the_rule_of_the_quickstart_is_the_one_that_compose_applies() -> None:
    """It acts ten seconds later, as both say; its scenarios hold (tests/unit/scenarios/test_examples.py)."""
    page = ROOT / "docs" / "quickstart.md"
    assert [block.text for block in rules_of(page)] == [(ROOT / "examples" / "quickstart" / "first.yaml").read_text("utf-8")]
    story = Story({"first.yaml": rules_of(page)[0].text}, start="2026-01-05T08:00Z")
    (calls,) = [block.text.split("<<'END'\n")[1].split("END")[0] for block in blocks(page, "sh") if block.text.startswith("cueline feed")]
    (in_compose,) = [block.text for block in blocks(page, "sh") if "-T cueline feed" in block.text]
    assert calls in in_compose
    for line in calls.splitlines():
        story.record(b"ann", line.encode(), "2026-01-05T09:00Z")
    story.until("2026-01-05T10:00Z")
    assert story.sent() == [("ann", "first-word", "2026-01-05T09:00:10.000Z")]
    assert story.actions()[0]["message"] == {"text": "Welcome Ann"}


def test_what_compose_copies_into_the_image_is_there_and_not_ignored() -> None:
    """The wheel needs all of it: a folder that .dockerignore leaves out stops the build."""
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    image = compose["services"]["cueline"]["build"]["dockerfile_inline"]
    copied = [word for words in re.findall(r"^COPY (?!--)(.+) \S+$", image, re.MULTILINE) for word in words.split()]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *wheel["packages"],
        *wheel["force-include"],
    ]
    assert [path for path in needed if not any(path == folder or path.startswith(f"{folder}/") for folder in copied)] == []
    everything, *kept = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert everything == "*"
    assert [path for path in copied if f"!{path}" not in kept or not (ROOT / path).exists()] == []


def test_the_commands_of_compose_see_rules_of_the_reader_and_no_other_topics_than_the_samples() -> None:
    """`apply` reads any folder of the clone; the prefix is the default one, as in all pages."""
    compose = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    tools = compose["services"]["cueline"]
    assert tools["volumes"] == [f".:{tools['working_dir']}:ro"]
    environment = tools["environment"]
    assert {name.removeprefix("CUELINE_").lower() for name in environment} <= set(Settings.model_fields)
    assert "CUELINE_PREFIX" not in environment
    commands = [service["command"] for service in compose["services"].values() if "command" in service]
    commands += [
        shlex.split(line)
        for line in re.findall(
            r"^#   docker compose run --rm cueline (.+)$", (ROOT / "docker-compose.yml").read_text("utf-8"), re.MULTILINE
        )
    ]
    assert len(commands) == 5
    for words in commands:
        assert command_of(words)[0] is not None
        assert words[0] != "apply" or (ROOT / words[1]).is_dir()


# ---- pictures --------------------------------------------------------------------------------------------------------


def test_every_picture_is_shown_somewhere_and_says_in_words_what_it_shows() -> None:
    pages = "".join(page.read_text("utf-8") for page in PAGES)
    for picture in (ROOT / "docs").glob("*.svg"):
        document = ET.parse(picture).getroot()
        assert f"({picture.name})" in pages or f"(docs/{picture.name})" in pages
        assert all(document.findtext(f"{{http://www.w3.org/2000/svg}}{name}") for name in ("title", "desc"))


def asked(condition: str, at: str, *events: tuple[str, str], before_rules: bool = False) -> bool:
    """Whether a condition is true for Ann at a moment, after these events."""
    steps = f"[{{when: '{condition}'}}, {{send: {{channel: push, text: x}}}}]"
    rules = f"version: 1\njourneys:\n  j:\n    entry: {{event: Look}}\n    steps: {steps}\n"
    story = (
        Story({"empty.yaml": "version: 1"}, start="2026-01-01T00:00Z")
        if before_rules
        else Story({"r.yaml": rules}, start="2026-01-01T00:00Z")
    )
    if before_rules:
        story.track("ann", "Any", at="2026-01-02T00:00Z")
        story.apply({"r.yaml": rules}, at="2026-01-03T00:00Z")
    for name, moment in events:
        story.track("ann", name, at=moment)
    story.track("ann", "Look", at=at)
    return bool(story.sent())


def test_the_windows_of_the_picture_hold_what_it_says() -> None:
    """2026-01-05 is a Monday; the picture looks at Thursday, 15:00."""
    assert 'count("Read", days=3) == 2' in (ROOT / "docs" / "windows.svg").read_text("utf-8")
    reads = [("Read", f"2026-01-{moment}Z") for moment in ("05T18:00", "06T20:00", "07T09:00")]
    now = "2026-01-08T15:00Z"
    assert asked('count("Read", days=3) == 2', now, *reads)
    assert asked('every_day(3, count("Read") >= 1)', now, *reads)
    assert asked('did("Read", days=3)', now, reads[0])
    assert asked('silent("Read", days=3)', now, ("Read", "2026-01-05T15:00Z"))
    assert not asked('silent("Read", days=3)', now, ("Read", "2026-01-05T15:00:00.001Z"))


def test_what_the_picture_calls_known_is_known_and_what_it_calls_unknown_is_not() -> None:
    orders = [("Order", "2026-01-10T00:00Z"), ("Order", "2026-01-11T00:00Z")]
    within, after = "2026-01-20T00:00Z", "2026-02-03T00:00Z"
    assert asked('count("Order", days=30) >= 2', within, *orders, before_rules=True)
    assert not asked('count("Order", days=30) == 2', within, *orders, before_rules=True)
    assert asked('count("Order", days=30) == 2', after, *orders, before_rules=True)
    assert not asked('not did("Paid")', "2030-01-01T00:00Z", before_rules=True)
    assert asked('not did("Paid")', within)


def test_a_run_that_began_dry_sends_after_go_live() -> None:
    steps = "[{wait: 3d}, {send: {channel: push, text: x}}]"
    story = Story({"r.yaml": f"version: 1\njourneys:\n  j:\n    entry: {{event: Signed Up}}\n    steps: {steps}\n"}, live=False)
    story.track("ann", "Signed Up")
    story.track("bob", "Signed Up", at="+2d")
    story.command("go-live", at="+2d")
    story.track("cleo", "Signed Up", at="+1d")
    story.until("+10d")
    assert [user for user, _, _ in story.sent()] == ["bob", "cleo"]
    assert [decision["user"] for decision in story.decisions() if decision["kind"] == "dry"] == ["ann"]
