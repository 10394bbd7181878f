"""`cueline check` and `cueline test`: what a person who writes rules sees."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.cli.main import run

GOOD = """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{wait: 3d}, {send: {channel: push, text: "Hello {{ traits.name }}"}}]
"""
SCENARIOS = """version: 1
scenarios:
  the welcome comes after three days:
    given:
      - {at: 2026-01-01T09:00Z, user: ann, traits: {name: Ann}}
      - {at: 2026-01-01T09:00Z, user: ann, event: Signed Up}
    until: 2026-01-10T00:00Z
    then:
      - {user: ann, journey: welcome, at: 2026-01-04T09:00Z, message: {text: Hello Ann}}
  no user is welcomed early:
    given:
      - {at: 2026-01-01T09:00Z, user: ann, event: Signed Up}
    until: 2026-01-03T00:00Z
    never:
      - {user: ann, journey: welcome}
"""
Said = Callable[[], tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(GOOD)
    return tmp_path


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    return capfd.readouterr


def test_a_right_folder_is_summed_up(folder: Path, said: Said) -> None:
    assert run(["check", str(folder)]) == 0
    out, err = said()
    assert "journeys  1  welcome" in out
    assert "rule set" in out
    assert err == ""


def test_tiers_and_what_each_makes_are_listed(folder: Path, said: Said) -> None:
    more = 'tiers: {care: {keep: 9d, levels: [{silver: did("A")}, {gold: did("B")}]}}\n'
    each = "each: {c: [fiction, {sci-fi: Science Fiction}]}\n    entry: {event: A}\n"
    sends = '    steps: [{send: {channel: push, text: "$c"}}]\n'
    (folder / "more.yaml").write_text(f"version: 2\n{more}journeys:\n  promo:\n    {each}{sends}")
    assert run(["check", str(folder)]) == 0
    out, _ = said()
    assert "  tiers     1  care (silver, gold)\n" in out
    assert "  each      the journey promo makes 2: fiction, sci-fi\n" in out
    assert run(["check", str(folder), "--json"]) == 0
    found = json.loads(said()[0])
    assert found["tiers"] == {"care": ["silver", "gold"]}
    assert found["made"] == [{"section": "journeys", "name": "promo", "names": ["promo-fiction", "promo-sci-fi"]}]


def test_all_that_is_wrong_is_told_at_once_with_its_place(folder: Path, said: Said) -> None:
    (folder / "rules.yaml").write_text(GOOD.replace("wait: 3d", "wiat: 3d").replace("entry:", "enrty:"))
    (folder / "more.yaml").write_text('version: 1\nsegments:\n  many: cuont("Read") > 3\n')
    assert run(["check", str(folder)]) == 1
    out, err = said()
    assert err == "", "the findings are what was asked for"
    places = [line.split(": ")[0] for line in out.splitlines()[:-1]]
    assert f"{folder}/more.yaml:3:9" in places
    assert {place.rpartition("/")[2].partition(":")[0] for place in places} == {"more.yaml", "rules.yaml"}
    assert out.splitlines()[-1].endswith(" problems")


def test_what_is_wrong_stands_on_stderr_where_something_else_was_asked_for(folder: Path, said: Said) -> None:
    (folder / "rules.yaml").write_text(GOOD.replace("wait: 3d", "wiat: 3d"))
    (folder / "events.jsonl").write_text("")
    for words in (["apply", str(folder)], ["replay", str(folder / "events.jsonl"), "--rules", str(folder)]):
        assert run(words) == 1
        out, err = said()
        assert out == ""
        assert 'unknown key "wiat"' in err
        assert err.splitlines()[-1] == "1 problem"


@pytest.mark.parametrize(("name", "why"), [("nowhere", "does not exist"), ("rules.yaml", "is a file; name its folder")])
def test_what_is_no_folder_is_said(folder: Path, said: Said, name: str, why: str) -> None:
    assert run(["check", str(folder / name)]) == 1
    assert said()[1] == f"{folder / name}: {why}\n"


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_scenario_file_instead_of_a_folder_names_the_command(folder: Path, said: Said, command: str) -> None:
    file = folder / "some.scenarios.yaml"
    file.write_text("version: 1\n")
    assert run([command, str(file)]) == 1
    assert said()[1] == f"{file}: is a file of scenarios; cueline test {folder} runs it with the rules of its folder\n"


def test_an_empty_folder_has_no_rules(tmp_path: Path, said: Said) -> None:
    assert run(["check", str(tmp_path)]) == 1
    assert "there are no rule files" in said()[0]


def test_scenarios_are_a_line_each(folder: Path, said: Said) -> None:
    (folder / "welcome.scenarios.yaml").write_text(SCENARIOS)
    assert run(["test", str(folder)]) == 0
    lines = said()[0].splitlines()
    assert lines[0] == "ok    welcome.scenarios.yaml: the welcome comes after three days"
    assert lines[-1].startswith("2 passed, 0 failed in ")


def test_a_failing_scenario_shows_what_happened_instead(folder: Path, said: Said) -> None:
    (folder / "welcome.scenarios.yaml").write_text(SCENARIOS.replace("at: 2026-01-04T09:00Z", "at: 2026-01-05T09:00Z"))
    assert run(["test", str(folder)]) == 1
    out, _ = said()
    assert "FAIL  welcome.scenarios.yaml: the welcome comes after three days" in out
    assert "expected, but it did not come: user: ann, journey: welcome, at: 2026-01-05T09:00:00.000Z" in out
    assert "2026-01-04T09:00:00.000Z  sent" in out
    assert "1 passed, 1 failed" in out


def test_a_scenario_file_that_cannot_be_read_fails_and_the_others_run(folder: Path, said: Said) -> None:
    (folder / "a.scenarios.yaml").write_text("version: 1\nscenarios: {x: {gvien: [], never: {user: ann}}}\n")
    (folder / "b.scenarios.yaml").write_text(SCENARIOS)
    assert run(["test", str(folder)]) == 1
    out, err = said()
    file = folder / "a.scenarios.yaml"
    assert err.splitlines() == [
        f'{file}:2:16: a scenario has no "given"',
        f'{file}:2:17: unknown key "gvien" in a scenario; did you mean "given"?',
        f"{file}:2:35: never is a mapping; a list belongs here",
        f"FAIL  {file}: 3 problems, so none of its scenarios was run",
    ]
    assert "2 passed, 1 failed" in out


def test_of_a_scenario_file_that_is_wrong_nothing_is_run(folder: Path, said: Said) -> None:
    (folder / "a.scenarios.yaml").write_text(SCENARIOS.replace("user: ann, journey: welcome}", "user: ann, jurney: welcome}"))
    assert run(["test", str(folder)]) == 1
    out, err = said()
    assert 'a.scenarios.yaml:15:21: unknown key "jurney" in never; did you mean "journey"?' in err
    assert out.startswith("0 passed, 1 failed")


def test_a_scenario_file_that_is_not_utf_8_is_named(folder: Path, said: Said) -> None:
    (folder / "a.scenarios.yaml").write_bytes(b"version: 1\n# \xff\n")
    assert run(["test", str(folder)]) == 1
    assert said()[1] == f"FAIL  {folder / 'a.scenarios.yaml'}: not UTF-8: byte 0xFF; save the file as UTF-8\n"


def test_no_scenarios_is_no_failure_but_said(folder: Path, said: Said) -> None:
    assert run(["test", str(folder)]) == 0
    assert "no scenarios; write some into a file such as welcome.scenarios.yaml" in said()[1]


# ---- a second rule set in mid-story -------------------------------------------------------------------------------------

CHANGE = """version: 1
scenarios:
  a waiting user leaves by the newer rules, and new users are greeted by them:
    given:
      - {at: 2026-01-01T09:00Z, user: ann, event: Signed Up}
      - {at: +1d, apply: %s}
      - {at: +1h, user: bob, event: Signed Up}
    until: 2026-01-10T00:00Z
    then:
      - {user: ann, kind: exited, journey: welcome, reason: "on_change: exit"}
      - {user: bob, journey: hello, at: 2026-01-02T10:00Z}
    never:
      - {user: ann, journey: welcome}
"""
NEWER = """version: 1
journeys:
  welcome:
    entry: {event: Nothing}
    on_change: exit
    steps: [{send: {channel: push, text: x}}]
  hello:
    entry: {event: Signed Up}
    steps: [{send: {channel: push, text: Hello}}]
"""


@pytest.mark.parametrize("name", ["../newer", ".newer", "../newer/rules.yaml"])
def test_a_scenario_applies_a_second_rule_set_in_mid_story(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules"
    newer = (rules / name).parent if name.endswith(".yaml") else rules / name
    rules.mkdir()
    newer.mkdir()
    (newer / "rules.yaml").write_text(NEWER)
    (rules / "rules.yaml").write_text(GOOD)
    (rules / "welcome.scenarios.yaml").write_text(CHANGE % name)
    assert run(["test", str(rules)]) == 0, capsys.readouterr()


def test_names_of_a_second_rule_set_hold_only_where_it_is_applied(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".newer").mkdir()
    (folder / ".newer" / "rules.yaml").write_text(NEWER)
    other = """  another:
    given: [{at: 2026-01-01T09:00Z, user: ann, event: Signed Up}]
    never: [{user: ann, journey: hello}]
"""
    (folder / "x.scenarios.yaml").write_text(CHANGE % ".newer" + other)
    assert run(["test", str(folder)]) == 1
    assert 'unknown journey "hello"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, 'x.scenarios.yaml:6:26: the rules ".newer" cannot be read: no such folder'),
        ("version: 1\njourneys: {}\nx: 1\n", 'x.scenarios.yaml:6:26: the rules ".newer" are wrong: rules.yaml:'),
        (b"version: 1 # \xe9\n", 'x.scenarios.yaml:6:26: the rules ".newer" are wrong: rules.yaml:1:14: not UTF-8'),
    ],
)
def test_a_second_rule_set_that_cannot_be_had_is_told_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str | bytes | None, said: str
) -> None:
    if text is not None:
        (folder / ".newer").mkdir()
        (folder / ".newer" / "rules.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    (folder / "x.scenarios.yaml").write_text(CHANGE % ".newer")
    assert run(["test", str(folder)]) == 1
    assert said in capsys.readouterr().err


# ---- options ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("inspect users --bootstrap h:1", "--bootstrap belongs before the command: `cueline --bootstrap ... inspect`"),
        ("apply rules --verbose", "--verbose belongs before the command: `cueline --verbose ... apply`"),
        ("--json inspect users", "--json belongs behind its command: `cueline inspect ... --json`"),
        ("--yes apply rules", "--yes belongs behind its command: `cueline apply ... --yes`"),
        ("--yes inspect users", "No such option: --yes"),
        ("apply --nonsense", "No such option: --nonsense"),
    ],
)
def test_an_option_at_a_wrong_place_is_named_as_that(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words.split()) == 2
    assert said in capsys.readouterr().err


# ---- JSON --------------------------------------------------------------------------------------------------------------


def the_object(said: Said) -> dict[str, Any]:
    """Return the one object on stdout; there is no other output."""
    out, err = said()
    assert (err, out.count("\n")) == ("", 1)
    found: dict[str, Any] = orjson.loads(out)
    return found


def test_a_check_as_json_is_one_object(folder: Path, said: Said) -> None:
    assert run(["check", str(folder), "--json"]) == 0
    found = the_object(said)
    assert (found["type"], found["ok"], found["problems"], found["warnings"]) == ("check", True, [], [])
    assert (found["files"], found["journeys"], found["time_zone"]) == ([str(folder / "rules.yaml")], ["welcome"], "UTC")


def test_a_check_as_json_has_each_problem_with_its_place(folder: Path, said: Said) -> None:
    (folder / "rules.yaml").write_text(GOOD.replace("wait: 3d", "wiat: 3d"))
    assert run(["check", str(folder), "--json"]) == 1
    found = the_object(said)
    assert found["ok"] is False
    assert {(problem["file"], problem["line"]) for problem in found["problems"]} == {(str(folder / "rules.yaml"), 5)}
    assert found["problems"][0].keys() == {"file", "line", "column", "message", "hint"}


def test_warnings_as_json_fail_a_strict_check_only(folder: Path, said: Said) -> None:
    (folder / "rules.yaml").write_text(GOOD.replace("text: ", "txt: "))
    assert run(["check", str(folder), "--json"]) == 0
    found = the_object(said)
    assert (found["ok"], len(found["warnings"])) == (True, 1)
    assert run(["check", str(folder), "--json", "--strict"]) == 1
    assert the_object(said)["ok"] is False


@pytest.mark.parametrize("command", ["check", "test"])
def test_a_folder_that_is_not_there_is_a_problem_as_json(folder: Path, said: Said, command: str) -> None:
    assert run([command, str(folder / "nowhere"), "--json"]) == 1
    found = the_object(said)
    assert (found["type"], found["ok"]) == (command, False)
    assert found["problems"] == [{"file": str(folder / "nowhere"), "line": None, "column": None, "message": "does not exist", "hint": None}]


def test_scenarios_as_json_are_one_object(folder: Path, said: Said) -> None:
    (folder / "right.scenarios.yaml").write_text(SCENARIOS)
    (folder / "failing.scenarios.yaml").write_text(SCENARIOS.replace("Hello Ann", "Hello Bob"))
    (folder / "wrong.scenarios.yaml").write_text(SCENARIOS.replace("until:", "untl:"))
    (folder / "bytes.scenarios.yaml").write_bytes(b"\xff")
    assert run(["test", str(folder), "--json"]) == 1
    found = the_object(said)
    assert (found["type"], found["ok"], found["passed"], found["failed"]) == ("test", False, 3, 3)
    [failing] = [scenario for scenario in found["scenarios"] if not scenario["ok"]]
    assert failing["file"] == str(folder / "failing.scenarios.yaml")
    assert failing["failures"]
    assert failing["timeline"]
    assert {problem["file"] for problem in found["problems"]} == {
        str(folder / name) for name in ("wrong.scenarios.yaml", "bytes.scenarios.yaml")
    }
    for name in ("failing", "wrong", "bytes"):
        (folder / f"{name}.scenarios.yaml").unlink()
    assert run(["test", str(folder), "--json"]) == 0
    assert the_object(said)["ok"] is True
