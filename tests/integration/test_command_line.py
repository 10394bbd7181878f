"""The command line as a person meets it: answers, refusals, exit codes, pipes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.broker import Broker, free_port
from tests.conftest import SettingsFor

ROOT = Path(__file__).parent.parent.parent
RULES = """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{send: {channel: push, text: Welcome}}]
"""
Cueline = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cueline(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> Cueline:
    """Run the command line against a broker, in an empty folder."""
    settings = settings_for(broker)
    own = {"CUELINE_BOOTSTRAP": settings.bootstrap, "CUELINE_APP": settings.app, "CUELINE_PREFIX": settings.prefix}
    return _runner({**own, "CUELINE_PARTITIONS": "2"}, tmp_path)


@pytest.fixture
def bare(tmp_path: Path) -> Cueline:
    """Run the command line with no settings at all."""
    return _runner({}, tmp_path)


def _runner(own: dict[str, str], folder: Path) -> Cueline:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CUELINE_")}

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**clean, "PYTHONPATH": str(ROOT), **own, **more}
        command = [sys.executable, "-m", "streams.cli.main", *words]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def _rules(folder: Path, text: str = RULES) -> str:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "rules.yaml").write_text(text)
    return str(folder / "rules")


def test_from_nothing_to_a_live_rule_set_and_back(cueline: Cueline, tmp_path: Path) -> None:
    wrong = cueline("topics", "verify", "--json")
    found = json.loads(wrong.stdout)
    assert (wrong.returncode, wrong.stderr, found["type"], found["ok"]) == (1, "", "verify", False)
    assert found["problems"][0].keys() == {"topic", "message", "hint"}
    created = cueline("topics", "create")
    assert (created.returncode, created.stderr) == (0, "")
    assert cueline("topics", "verify").stdout == "the 7 topics are as they must be\n"
    applied = cueline("apply", _rules(tmp_path))
    assert (applied.returncode, "+ journey welcome" in applied.stdout) == (0, True), applied.stderr
    assert "is active already" in cueline("apply", _rules(tmp_path)).stdout
    assert cueline("go-live").stdout == "go-live written as command 2\n"
    assert cueline("pause", "welcome").returncode == 0
    assert cueline("resume", "welcome").returncode == 0
    rows = {row["topic"].split(".")[-1]: row for row in map(json.loads, cueline("topics", "list", "--json").stdout.splitlines())}
    assert (rows["events"]["partitions"], rows["rules"]["partitions"]) == (2, 1)
    assert rows["events"]["lag"]["total"] >= 8
    table = cueline("topics", "list").stdout
    assert "message.timestamp.type=LogAppendTime" in table


def test_what_is_refused_ends_with_code_1_and_one_line_that_says_why(cueline: Cueline, tmp_path: Path) -> None:
    cueline("topics", "create")
    wrong = cueline("apply", _rules(tmp_path, RULES.replace("Signed Up", "Signed Up, wehn: x")))
    assert (wrong.returncode, "rules.yaml:4:" in wrong.stderr) == (1, True)
    cueline("apply", _rules(tmp_path))
    refused = cueline("pause", "welcom")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "cueline: the active rule set has no journey welcom; did you mean welcome?\n"


def test_topics_that_are_not_there_are_wrong_settings(cueline: Cueline) -> None:
    missing = cueline("go-live")
    assert (missing.returncode, "`cueline topics create` makes it" in missing.stderr) == (78, True)


@pytest.mark.parametrize("word", ["events", "rules", "users", "users --user ann", "positions"])
def test_there_is_nothing_to_look_at_where_there_are_no_topics(cueline: Cueline, word: str) -> None:
    missing = cueline("inspect", *word.split())
    assert (missing.returncode, missing.stdout) == (78, "")
    assert missing.stderr.startswith("cueline: there is no topic ")
    assert "`cueline topics create` makes it" in missing.stderr


def test_no_broker_is_code_69_within_seconds(bare: Cueline) -> None:
    port = free_port()
    gone = bare("--bootstrap", f"127.0.0.1:{port}", "topics", "verify")
    assert gone.returncode == 69
    assert gone.stderr.startswith("cueline: no broker can be reached (127.0.0.1:")
    assert gone.stderr.count("\n") == 1


def test_a_wrong_setting_is_code_78_and_named(bare: Cueline) -> None:
    wrong = bare("topics", "list", CUELINE_BOOTSRTAP="x:1", CUELINE_PARTITIONS="none")
    assert wrong.returncode == 78
    assert "did you mean CUELINE_BOOTSTRAP?" in wrong.stderr
    assert "CUELINE_PARTITIONS" in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize("words", [["aply"], ["apply"], ["pause", "--sofort"], ["topics", "make"], ["apply", "rules", "--at", "noon"]])
def test_wrong_words_are_code_2_and_point_at_the_help(bare: Cueline, words: list[str], tmp_path: Path) -> None:
    _rules(tmp_path)
    wrong = bare(*words)
    assert wrong.returncode == 2
    assert "--help" in wrong.stderr
    assert "Traceback" not in wrong.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("insepct", "No such command 'insepct'. Did you mean 'inspect'? See `cueline --help`"),
        ("topics lst", "No such command 'lst'. Did you mean 'list'? See `cueline topics --help`"),
        ("feed .", "'.' is a folder; name the files in it"),
        ("feed nowhere.jsonl", "there is no file nowhere.jsonl"),
        ("inspect positions --follow", "--follow: it does not apply to positions; it applies to events, actions, decisions, receipts,"),
        ("inspect events --journey welcome", "--journey: it does not apply to events; it applies to actions, decisions, receipts, users"),
        ("inspect rules --user ann", "--user: it does not apply to rules; it applies to events, "),
    ],
)
def test_wrong_words_are_answered_with_the_right_ones(bare: Cueline, words: str, said: str) -> None:
    wrong = bare(*words.split())
    assert (wrong.returncode, said in wrong.stderr) == (2, True), wrong.stderr


@pytest.mark.parametrize(
    "command", ["worker", "topics create", "topics verify", "topics list", "apply", "pause", "resume", "go-live", "rebase"]
)
def test_the_help_of_every_command_has_an_example(bare: Cueline, command: str) -> None:
    helped = bare(*command.split(), "--help")
    assert (helped.returncode, "Examples:" in helped.stdout, f"cueline {command}" in helped.stdout) == (0, True, True)


def test_the_list_of_commands_loads_none_of_them(bare: Cueline) -> None:
    listed = bare("--help", PYTHONPROFILEIMPORTTIME="1")
    assert "go-live" in listed.stdout
    assert "aiokafka" not in listed.stderr
    assert "pydantic" not in listed.stderr
    assert bare("--version").stdout.startswith("cueline ")


@pytest.mark.skipif(os.name == "nt", reason="asks for POSIX pipes")
@pytest.mark.parametrize("words", ["--help", "topics list --help"])
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(words: str) -> None:
    script = f"{sys.executable} -m streams.cli.main {words} | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_rebase_wants_a_clear_word(cueline: Cueline) -> None:
    cueline("topics", "create")
    assert cueline("rebase", "--from", "start", "--state", "drop").returncode == 2
    assert cueline("rebase", "--all", "--from", "noon", "--state", "drop").returncode == 2
    asked = cueline("rebase", "--all", "--from", "start", "--state", "drop")
    assert (asked.returncode, "say --yes" in asked.stderr) == (1, True)
    done = cueline("rebase", "--all", "--from", "start", "--state", "drop", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "partition 1: done"), done.stderr


def test_apply_asks_where_journeys_go_away_and_a_dry_run_writes_nothing(cueline: Cueline, tmp_path: Path) -> None:
    cueline("topics", "create")
    dry = cueline("apply", _rules(tmp_path), "--dry-run")
    assert (dry.returncode, dry.stderr) == (0, "")
    assert dry.stdout.splitlines()[0] == "  + journey welcome"
    assert dry.stdout.endswith("would be command 1; nothing was written (--dry-run)\n")
    first = cueline("apply", _rules(tmp_path))
    assert (first.returncode, first.stderr) == (0, ""), "a first apply loses nothing, so it does not ask"
    assert "!" not in first.stdout
    other = _rules(tmp_path, RULES.replace("welcome", "hello"))
    refused = cueline("apply", other)
    assert refused.returncode == 1
    assert "  - journey welcome: no user enters it any more; running runs continue by their own rules\n" in refused.stdout
    assert refused.stderr == (
        "cueline: nothing was written: this removes journey welcome, and there is no terminal to ask on; "
        "give --yes (--dry-run only shows it)\n"
    )
    assert cueline("apply", other, "--dry-run").returncode == 0
    assert cueline("inspect", "rules", "--json").stdout.count('"command:head"') == 1, "neither has written a command"
    agreed = cueline("apply", other, "--yes")
    assert (agreed.returncode, agreed.stdout.splitlines()[-1].endswith("written as command 2")) == (0, True), agreed.stderr


def test_an_apply_asks_on_a_terminal_and_a_no_writes_nothing(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(broker)
    own = {
        "CUELINE_BOOTSTRAP": settings.bootstrap,
        "CUELINE_APP": settings.app,
        "CUELINE_PREFIX": settings.prefix,
        "CUELINE_PARTITIONS": "2",
    }
    cueline = _runner(own, tmp_path)
    cueline("topics", "create")
    cueline("apply", _rules(tmp_path))
    other = _rules(tmp_path, RULES.replace("welcome", "hello"))
    answered = {answer: _answer(["apply", other], answer, own, tmp_path) for answer in ("n", "y")}
    assert "This removes journey welcome. Continue? [y/N]" in answered["n"][1]
    assert [code for code, _ in answered.values()] == [130, 0]
    assert "written as command 2" in answered["y"][1]
    commented = _rules(tmp_path, f"{RULES.replace('welcome', 'hello')}# nothing that decides\n")
    code, said = _answer(["apply", commented], "n", own, tmp_path)
    assert (code, "This replaces the active rules. Continue? [y/N]" in said) == (130, True), "other rules are active, so it asks"
    assert cueline("apply", commented).returncode == 0, "nothing is lost, so without a terminal it does not ask"


def _answer(words: list[str], answer: str, own: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run a command on a terminal and answer its question; returns exit code and what it said."""
    leader, terminal = os.openpty()
    environment = {**{name: value for name, value in os.environ.items() if not name.startswith("CUELINE_")}, "PYTHONPATH": str(ROOT), **own}
    command = [sys.executable, "-m", "streams.cli.main", *words]
    os.write(leader, f"{answer}\n".encode())
    ended = subprocess.run(command, cwd=folder, env=environment, stdin=terminal, capture_output=True, text=True, timeout=60, check=False)
    os.close(leader)
    os.close(terminal)
    return ended.returncode, ended.stdout + ended.stderr


def test_events_that_the_log_has_never_seen_are_named_and_apply_shows_warnings(cueline: Cueline, tmp_path: Path) -> None:
    assert cueline("topics", "create").returncode == 0
    names = ["signed up", *["Order Completed"] * 5_000]
    lines = [{"type": "track", "userId": f"u{n}", "event": name, "timestamp": "2026-01-01T00:00Z"} for n, name in enumerate(names)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cueline("feed", "events.jsonl").returncode == 0
    folder = _rules(tmp_path, RULES.replace("text:", "txt:"))
    said = cueline("check", folder, "--topic")
    assert said.stderr == ""
    assert said.stdout.splitlines()[0] == (
        f'{folder}/rules.yaml:4:20: warning: the event "Signed Up" does not occur in the newest 64 MiB of {_prefix(said)}events; '
        'did you mean "signed up"?'
    )
    assert 'warning: "txt" is sent as a part of the message; did you mean "text"?' in said.stdout
    assert said.returncode == 0
    assert cueline("check", folder, "--topic", "--strict").returncode == 1
    applied = cueline("apply", folder)
    assert applied.returncode == 0
    assert 'warning: "txt" is sent as a part of the message; did you mean "text"?' in applied.stderr


def _prefix(said: subprocess.CompletedProcess[str]) -> str:
    return said.stdout.partition("MiB of ")[2].partition("events;")[0]
