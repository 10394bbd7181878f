"""The documentation says what is so: its rules load, its scenarios pass, its records come out, its commands and settings exist."""

import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast
from xml.etree import ElementTree as ET

import msgspec
import orjson
import pytest
import typer.main
from ruamel.yaml import YAML

from streams.cli.main import COMMANDS, app
from streams.settings import Settings
from streams.worker.telemetry.gauges import Gauges
from streams.worker.telemetry.metrics import Metrics
from triggers.base.model import DAY, MAX_RUNS, MAX_TOLD, MAX_TRAITS, Place
from triggers.definitions.model import KNOWN_HOURS
from triggers.engine.partition import Options
from triggers.language.documents import RuleErrors
from triggers.rules.checks import load, read
from triggers.rules.warnings import warnings
from triggers.scenarios.running import run_scenarios
from triggers.state.duplicates import ID_BYTES, MAX_IDS
from triggers.state.traits import MAX_GONE, REMEMBERED
from triggers.state.user import HEAD, User, encode
from triggers.testing import Story

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


class Block(NamedTuple):
    """A fenced block of a page."""

    page: str
    line: int
    info: str
    text: str

    @property
    def name(self) -> str:
        """The file that it shows, where its first line says so: `# rules/shop.yaml`."""
        first = re.match(r"# (\S+\.yaml)\n", self.text)
        return first[1] if first else "block.yaml"

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path, *kinds: str) -> list[Block]:
    """The fenced blocks of a page whose info string is one of these."""
    text = page.read_text("utf-8")
    found = re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    made = [Block(page.name, text.count("\n", 0, match.start()) + 1, match[1].strip(), match[2]) for match in found]
    return [block for block in made if block.info in kinds]


def pages_with_rules() -> list[Path]:
    return [page for page in PAGES if page.name != "CONTRIBUTING.md"]


def rules_of(page: Path) -> list[Block]:
    """The rule files that a page shows; not scenarios, and nothing that is YAML of another kind."""
    return [block for block in blocks(page, "yaml") if "version: 1\n" in block.text and "scenarios:\n" not in block.text]


# ---- rules -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [block for page in pages_with_rules() for block in rules_of(page)], ids=str)
def test_every_rule_file_in_the_documentation_loads(block: Block) -> None:
    """A reader may copy any of them as it is."""
    rules = load({block.name: block.text})
    assert rules.segments or rules.journeys or "schema:" in block.text


@pytest.mark.parametrize("page", pages_with_rules(), ids=lambda page: page.name)
def test_the_rules_in_the_documentation_give_no_warnings(page: Path) -> None:
    """Each by itself, and the scenarios beside them."""
    scenarios = {block.name: block.text for block in blocks(page, "yaml") if "scenarios:\n" in block.text}
    for block in rules_of(page):
        told = scenarios if block.name != "block.yaml" else {}
        assert list(map(str, warnings(read({block.name: block.text}), told))) == [], str(block)


def test_what_the_documentation_shows_as_warned_of_is_warned_of_with_these_words() -> None:
    shown = {warned.text: said.text for warned, said in pairwise(blocks(ROOT / "docs" / "rules.md", "yaml warned", "text"))}
    (warned,) = blocks(ROOT / "docs" / "rules.md", "yaml warned")
    found = warnings(read({"r.yaml": warned.text}))
    assert "\n".join(map(str, found)) == shown[warned.text].strip()


def test_the_scenarios_in_the_documentation_pass_on_the_rules_beside_them() -> None:
    """The page on rules shows a folder: files by the names in their first lines."""
    page = ROOT / "docs" / "rules.md"
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
    """It reads the rule file that stands above it."""
    page = ROOT / "docs" / "rules.md"
    monkeypatch.chdir(tmp_path)
    for block in rules_of(page):
        if block.name != "block.yaml":
            (tmp_path / block.name).parent.mkdir(exist_ok=True)
            (tmp_path / block.name).write_text(block.text)
    for block in blocks(page, "python"):
        exec(compile(block.text, str(block), "exec"), {})


# ---- the quickstart and Compose ------------------------------------------------------------------------------------------


def test_the_rule_of_the_quickstart_is_the_one_that_compose_applies() -> None:
    """And it acts ten seconds later, as both say; the scenarios beside it hold (tests/unit/rules/test_rules_examples.py)."""
    page = ROOT / "docs" / "quickstart.md"
    assert [block.text for block in rules_of(page)] == [(ROOT / "examples" / "quickstart" / "first.yaml").read_text("utf-8")]
    told = Story({"first.yaml": rules_of(page)[0].text}, start="2026-01-05T08:00Z")
    (calls,) = [block.text.split("<<'END'\n")[1].split("END")[0] for block in blocks(page, "sh") if block.text.startswith("cueline feed")]
    (in_compose,) = [block.text for block in blocks(page, "sh") if "-T cueline feed" in block.text]
    assert calls in in_compose
    for line in calls.splitlines():
        told.record(b"ann", line.encode(), "2026-01-05T09:00Z")
    told.until("2026-01-05T10:00Z")
    assert told.sent() == [("ann", "first-word", "2026-01-05T09:00:10.000Z")]
    assert told.actions()[0]["message"] == {"text": "Welcome Ann"}


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


# ---- pictures ----------------------------------------------------------------------------------------------------------


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
    told = (
        Story({"empty.yaml": "version: 1"}, start="2026-01-01T00:00Z")
        if before_rules
        else Story({"r.yaml": rules}, start="2026-01-01T00:00Z")
    )
    if before_rules:
        told.track("ann", "Any", at="2026-01-02T00:00Z")
        told.apply({"r.yaml": rules}, at="2026-01-03T00:00Z")
    for name, moment in events:
        told.track("ann", name, at=moment)
    told.track("ann", "Look", at=at)
    return bool(told.sent())


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
    told = Story({"r.yaml": f"version: 1\njourneys:\n  j:\n    entry: {{event: Signed Up}}\n    steps: {steps}\n"}, live=False)
    told.track("ann", "Signed Up")
    told.track("bob", "Signed Up", at="+2d")
    told.command("go-live", at="+2d")
    told.track("cleo", "Signed Up", at="+1d")
    told.until("+10d")
    assert [user for user, _, _ in told.sent()] == ["bob", "cleo"]
    assert [decision["user"] for decision in told.decisions() if decision["kind"] == "dry"] == ["ann"]


# ---- records -----------------------------------------------------------------------------------------------------------


def shown(page: Path, kind: str) -> list[Any]:
    return [orjson.loads(block.text) for block in blocks(page, f"json {kind}")]


def test_the_action_in_the_readme_comes_out_of_its_rule() -> None:
    """Word for word, offsets and hashes included."""
    page = ROOT / "README.md"
    story = Story({"r.yaml": rules_of(page)[0].text}, start="2026-01-05T08:00Z", place=Place("cueline.events", 3))
    while len(story.log) < 16:
        story.until("2026-01-05T08:59Z")
    story.identify("ann", {"name": "Ann"}, at="2026-01-05T08:59:59Z")
    story.track("ann", "Signed Up", at="2026-01-05T09:00:00Z")
    story.until("2026-01-09T00:00Z")
    assert shown(page, "action") == story.actions()


def test_the_records_in_the_page_on_topics_come_out_of_its_rule() -> None:
    """All but the version of the time zone data, which is whatever is installed."""
    page = ROOT / "docs" / "topics.md"
    story = Story({"rules.yaml": rules_of(page)[0].text}, start="2026-01-05T08:00Z", place=Place("cueline.events", 3))
    story.identify("ann", {"name": "Ann", "timezone": "Asia/Shanghai"}, at="2026-01-05T08:30Z")
    story.track("ann", "Order Completed", {"total": 60}, at="2026-01-05T09:00Z")
    (event,) = shown(page, "event")
    story.record(b"ann", orjson.dumps(event), event["timestamp"])
    story.record(b"bob", b'{"type":"track","userId":"bob"', "2026-01-06T09:00:01Z")
    output = story.fold()[1]
    assert shown(page, "command") == [orjson.loads(story.log[0].value or b"")]
    assert shown(page, "action") == story.actions()
    (decision,) = shown(page, "decision")
    decided = {**story.decisions("ann", "entered")[0], "tzdata": decision["tzdata"]}
    assert decision == decided
    assert shown(page, "dead-letter-headers") == [{name: value.decode() for name, value in output.dead_letters[0].headers}]


def test_every_dead_letters_reason_is_explained() -> None:
    """What comes out of poison has a line in the table of reasons."""
    page = (ROOT / "docs" / "operating.md").read_text("utf-8")
    table = page[page.index("## Dead letters") : page.index("## Partitioners")]
    heads = [reason.removesuffix("...") for reason in re.findall(r"`([^`]+)`", table)]
    rules = """version: 1
segments:
  big: sum("E.total") >= 100
  many: distinct("E.book", days=14) >= 3
"""
    story = Story({"r.yaml": rules})
    track = b'{"type":"track","userId":"ann","event":"E",%s}'
    for number, (key, value) in enumerate(
        [
            (b"ann", b""),
            (b"ann", b"hello"),
            (b"ann", track % b'"properties":{"total":NaN}'),
            (b"ann", b"[1]"),
            (b"ann", track % (b'"x":' + b"[" * 40 + b"]" * 40)),
            (None, b'{"type":"track","event":"E"}'),
            (b"", b'{"type":"track","userId":"","event":"E"}'),
            (b"\0position", b'{"type":"track","userId":"\\u0000position","event":"E"}'),
            (b"a" * 257, b'{"type":"track","userId":"%s","event":"E"}' % (b"a" * 257)),
            (None, track % b'"x":1'),
            (b"bob", track % b'"x":1'),
            (b"ann", track % (b'"x":"%s"' % (b"x" * 300_000))),
            (b"ann", b'{"type":"track","userId":"ann"}'),
            (b"ann", b'{"type":"alias","userId":"ann","previousId":"b"}'),
            (b"ann", b'{"type":"other","userId":"ann"}'),
            (b"undefined", b'{"type":"track","userId":"undefined","event":"E"}'),
            (b"ann", track % b'"properties":[1]'),
            (b"ann", b'{"type":"identify","userId":"ann","traits":{"a":"%s"}}' % (b"x" * 17_000)),
        ],
        1,
    ):
        story.record(key, value, "+1s")
        assert len(story.dead_letters()) == number, value[:80]
    story.record(None, b"{}", "+1s", [("cueline-control", b"command")])
    story.record(b"ann", b"{}", "+1s", [("cueline-control", b"tick")])
    story.record(None, b"", "+1s", [("cueline-control", b"zap")])
    story.options = Options(overrides=frozenset({story.log[-1].offset}))
    story.record(b"ann", track % b'"x":1', 10**15)
    assert len(story.dead_letters()) == len(story.log) - 2, "all but the two commands of the story itself"
    unexplained = [reason for reason in story.dead_letters() if not any(_fits(reason, head) for head in heads)]
    assert unexplained == []


def _fits(reason: str, head: str) -> bool:
    """Whether a table's entry stands for a reason; a single capital in it stands for a name."""
    pattern = r"\b[A-Z]\b".join(map(re.escape, re.split(r"\b[A-Z]\b", head)))
    return re.match(pattern.replace(r"\b[A-Z]\b", r"\S+"), reason) is not None


# ---- commands, settings, metrics ---------------------------------------------------------------------------------------


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


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and what is left of them; raises KeyError for one that does not exist."""
    top = typer.main.get_command(app)
    context = top.make_context("cueline", [], resilient_parsing=True)
    own = {option for parameter in top.params for option in parameter.opts}
    while words and words[0].startswith("-"):
        name = words[0].partition("=")[0]
        if name not in own | {"-h", "--help"}:
            raise KeyError(name)
        words = words[2:] if name in {"--config", "--bootstrap", "--app", "--prefix"} else words[1:]
    if not words:
        return None, []
    command = cast("Any", top).get_command(context, words[0])
    if command is None:
        raise KeyError(words[0])
    words = words[1:]
    if hasattr(command, "commands") and words and words[0].islower():
        command, words = command.commands[words[0]], words[1:]
    return command, words


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
    """As a state that has all of them is written; and its head is as long as the page says."""
    text = (ROOT / "docs" / "topics.md").read_text("utf-8")
    part = text[text.index("| a user's state |") : text.index("The position is JSON")]
    user = User()
    user.traits, user.trait_times, user.gone = {"a": 1}, [1], {"b": 1}
    anything: Any = None  # what is in them is not looked at
    user.windows, user.standings, user.runs, user.refused = {"w": anything}, {"s": anything}, [anything], {"x": (1, 1)}
    user.entered["j"] = 1
    user.ids, user.hours, user.unread, user.unread_hours = b"12345678", {1: 1}, b"12345678", {1: 1}
    sections = msgspec.msgpack.decode(encode(user)[HEAD:])
    shown = [name for row in re.findall(r"^\| (`\w+`.*?) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(shown) == sorted(sections)
    assert sum(map(int, re.findall(r"^\| (\d+) bytes? \|", part, re.MULTILINE))) == HEAD


def test_the_bounds_of_one_user_in_the_documentation_are_those_of_the_code() -> None:
    """Numbers in prose grow old in silence."""
    limits = dict(
        re.findall(r"^\| ([^|`]+?) \| (.*) \|$", (ROOT / "docs" / "rules.md").read_text("utf-8").split("## Limits")[1], re.MULTILINE)
    )
    assert (
        limits["remembered message ids"]
        == f"those of {KNOWN_HOURS} hours or of the setting `duplicates`, at most {MAX_IDS // 1024} KiB (some 250) for each user"
    )
    assert 240 <= MAX_IDS // ID_BYTES <= 260
    assert limits["all runs of one user"].startswith(f"{MAX_RUNS // 1024} KiB;")
    assert limits["remembered deletions of traits"] == f"{MAX_GONE} for each user, for {REMEMBERED // DAY} days"
    assert limits["refusals reported on a day and remembered"].startswith(f"{MAX_TOLD} for each user")
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
    assert said.startswith("50 users, ")
    assert "10 million users: " in said


# ---- links -------------------------------------------------------------------------------------------------------------


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
