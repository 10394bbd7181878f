"""The commands, settings, limits and metrics that the documentation names are those of the code."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from streams.cli.main import COMMANDS
from streams.settings import Settings
from streams.worker.telemetry.gauges import Gauges
from streams.worker.telemetry.metrics import Metrics
from tests.unit.house.pages import PAGES, ROOT, blocks, command_of
from triggers.base.model import DAY, MAX_REPORTED, MAX_RUNS, MAX_TRAITS
from triggers.definitions.model import KNOWN_HOURS
from triggers.state.duplicates import MAX_IDS
from triggers.state.encoding import HEAD
from triggers.state.sections import SECTIONS
from triggers.state.sections.seen import ID_BYTES
from triggers.state.traits import MAX_GONE, REMEMBERED

IN_A_CONTAINER = re.compile(r"docker compose run --rm (?:-T )?cueline ")


def lines_of_commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The words of each `cueline ...` in a page, in code spans and in blocks of commands; with the place for the message."""
    text = page.read_text("utf-8")
    text = IN_A_CONTAINER.sub("cueline ", text)
    spans = re.findall(r"`(cueline [^`]+)`", text)
    code = re.findall(r"^(?: {4,}|\$ )(?:[A-Z_]+=\S+ )*(cueline [^\n]+)", text, re.MULTILINE)
    fenced = [IN_A_CONTAINER.sub("cueline ", line) for block in blocks(page, "sh") for line in block.text.splitlines()]
    code += [match[1] for line in fenced if (match := re.match(r"(?:[A-Z_]+=\S+ )*(cueline .+)", line))]
    for line in [*spans, *code]:
        yield f"{page.name}: {line}", shlex.split(re.split(r"\s(?:\||#|>|2>|&&)\s?", line)[0].replace("...", ""), comments=True)[1:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_in_the_documentation_exists(page: Path) -> None:
    """As `cueline COMMAND --help` has them."""
    for place, words in lines_of_commands(page):
        try:
            command, rest = command_of(words)
        except KeyError as error:
            pytest.fail(f"{place}: there is no {error}")
        if command is not None:
            known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"-h", "--help"}
            unknown = [word for word in rest if re.match(r"--?[a-z]", word) and word.partition("=")[0] not in known]
            assert unknown == [], place


def test_every_command_is_in_the_documentation() -> None:
    """Somewhere a reader finds each of them at work."""
    named = {words[0] for page in PAGES for _, words in lines_of_commands(page) if words}
    assert set(COMMANDS) - named == set()


def rows(page: Path, kind: str) -> dict[str, list[str]]:
    """The rows of tables whose first cell is `code`, by that code; of `kind` is what matches this expression."""
    found = {}
    for line in page.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and (match := re.fullmatch(rf"`({kind})`", cells[0])):
            found[match[1]] = cells[1:]
    return found


def test_every_setting_stands_in_the_table_with_its_default() -> None:
    """And the table has no other."""
    page = ROOT / "docs" / "operating.md"
    text = page.read_text("utf-8")
    section = text[text.index("## Settings") : text.index("## Topics")]
    named = re.findall(r"^\| `(\w+)` \| (?:`([^`]*)`)? ?\|", section, re.MULTILINE)
    expected = {}
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, "") else str(default).lower() if isinstance(default, bool) else f"{default}"
        expected[name] = shown
    assert {name: default for name, default in named if name in expected} == expected
    assert [name for name, _ in named if name not in expected] == []


def test_the_sections_of_a_state_stand_in_the_page_on_topics() -> None:
    """All of them; and the head of a state is as long as the page says."""
    text = (ROOT / "docs" / "topics.md").read_text("utf-8")
    part = text[text.index("| a user's state |") : text.index("The position is JSON")]
    shown = [name for row in re.findall(r"^\| (`\w+`.*?) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(shown) == [section.name for section in SECTIONS]
    assert sum(map(int, re.findall(r"^\| (\d+) bytes? \|", part, re.MULTILINE))) == HEAD


def test_the_bounds_of_one_user_in_the_documentation_are_those_of_the_code() -> None:
    """Numbers in prose become outdated silently."""
    limits = dict(
        re.findall(r"^\| ([^|`]+?) \| (.*) \|$", (ROOT / "docs" / "rules.md").read_text("utf-8").split("## Limits")[1], re.MULTILINE)
    )
    assert (
        limits["remembered message ids"]
        == f"those of {KNOWN_HOURS} hours or of the setting `duplicates`, at most {MAX_IDS // 1024} KiB (some 250) for each user"
    )
    assert 240 <= MAX_IDS // ID_BYTES <= 260
    assert limits["all runs and watched goals of one user"].startswith(f"{MAX_RUNS // 1024} KiB;")
    assert limits["remembered deletions of traits"] == f"{MAX_GONE} for each user, for {REMEMBERED // DAY} days"
    assert limits["refusals reported on a day and remembered"].startswith(f"{MAX_REPORTED} for each user")
    assert limits["traits of a user"] == f"{MAX_TRAITS // 1024} KiB"


def test_every_metric_stands_in_the_table() -> None:
    """And the table has no other."""
    metrics = Metrics()
    metrics.watch(Gauges(cast("Any", _Nobody()), None))
    families = set(re.findall(r"^# TYPE (cueline_\w+) (?:counter|gauge|histogram)$", metrics.page().decode(), re.MULTILINE))
    there = {name for name in families if not name.endswith("_created")}
    named = {name.partition("{")[0] for name in rows(ROOT / "docs" / "operating.md", r"cueline_[\w{},]+")}
    assert named == there


class _Nobody:
    """The ownership of a worker that owns nothing."""

    generation = -1

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def __iter__(self) -> Iterator[Any]:
        return iter(())


def test_the_script_that_measures_a_new_rule_set_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a handful of users it says as much as it must."""
    (block,) = blocks(ROOT / "docs" / "operating.md", "python meet")
    events = tmp_path / "events.jsonl"
    with events.open("wb") as to:
        for number in range(50):
            call = {
                "type": "track",
                "userId": f"u{number}",
                "event": "app_used",
                "timestamp": "2026-01-05T09:00:00Z",
                "properties": {"minutes": 5},
            }
            to.write(orjson.dumps(call) + b"\n")
    monkeypatch.setattr("sys.argv", ["meet.py", str(ROOT / "examples" / "reading-app"), str(events)])
    exec(compile(block.text, str(block), "exec"), {})
    said = capsys.readouterr().out
    assert said.startswith("50 users migrated, ")
    assert "10 million users: " in said
