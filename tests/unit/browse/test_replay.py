"""Rules over files, in virtual time: the engine's decisions, whatever the driver does around it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from streams.browse.folding import Replayed
from streams.browse.replay import replay_calls
from streams.cli.main import run
from streams.ingest import cdnow
from streams.ingest.calls import Call
from triggers.base.model import DAY, HOUR
from triggers.base.moments import iso, parse_moment
from triggers.engine import driver
from triggers.engine.interface import Output
from triggers.rules.checks import load
from triggers.rules.folder import read_folder
from triggers.testing import Story, documents

EXAMPLES = Path(__file__).parents[3] / "examples"
CDNOW = load(read_folder(EXAMPLES / "cdnow"))
START = parse_moment("1997-01-01T00:00:00Z")


def order(user: str, day: int, total: float, number: int) -> Call:
    at = START + day * DAY
    document = {
        "type": "track",
        "userId": user,
        "event": cdnow.EVENT,
        "timestamp": iso(at),
        "messageId": f"m{number}",
        "properties": {"total": total},
    }
    return Call(at, user.encode(), orjson.dumps(document))


ORDERS = [order(f"u{n % 17}", n // 9, 15.0 + n % 40, n) for n in range(600)]
END = START + 200 * DAY


def actions(replayed: Replayed) -> list[tuple[str, str, int]]:
    found = [orjson.loads(value) for value in replayed.actions[0]]
    return [(action["user"], action["journey"], action["at"]) for action in found]


def test_a_replay_decides_as_a_story_does() -> None:
    story = Story(CDNOW, start=START)
    for call in ORDERS:
        story.record(call.key, call.value, call.at)
    story.until(END)
    expected = [(action["user"], action["journey"], action["at"]) for action in documents(story.fold()[1].actions)]
    replayed = replay_calls(ORDERS, CDNOW, until=END)
    assert sorted(actions(replayed)) == sorted(expected)
    assert len(expected) > 30
    assert (replayed.events, replayed.users, replayed.clock, replayed.waiting) == (600, 17, END, 0)


def test_handing_on_in_small_stretches_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replay_calls(ORDERS, CDNOW, until=END, states=True)
    monkeypatch.setattr(driver, "STRETCH", 5_000)
    monkeypatch.setattr(driver, "SLICE", 50)
    outputs: list[Output] = []
    pieces = replay_calls(ORDERS, CDNOW, until=END, states=True, sink=lambda _, output: outputs.append(output))
    assert len(outputs) > 5
    assert sorted(out.value or b"" for output in outputs for out in output.decisions) == sorted(whole.decisions[0])
    assert pieces.states == whole.states
    assert pieces.counts == whole.counts


def test_a_trial_takes_the_ids_that_its_rules_take(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rules = "version: 1\nsettings: {placeholder_ids: WORD}\njourneys: {j: {entry: {event: E}, steps: [{send: {channel: sms, text: x}}]}}\n"
    (tmp_path / "a.csv").write_text("userId,event,timestamp\nundefined,E,2026-01-06\n")
    (tmp_path / "a.jsonl").write_text('{"type": "track", "userId": "null", "event": "E", "timestamp": "2026-01-06"}\n')
    for word, code in (("accept", 0), ("refuse", 1)):
        (tmp_path / word).mkdir()
        (tmp_path / word / "r.yaml").write_text(rules.replace("WORD", word))
        for file in ("a.csv", "a.jsonl"):
            assert run(["replay", str(tmp_path / file), "--rules", str(tmp_path / word), "--summary"]) == code
            out, err = capfd.readouterr()
            assert "1 sent" in out if code == 0 else "rules take it with placeholder_ids: accept" in err


def test_until_leaves_out_what_is_later_and_lets_time_go_on_to_there() -> None:
    at = START + 30 * DAY
    replayed = replay_calls(ORDERS, CDNOW, until=at)
    assert replayed.clock == at
    assert replayed.events == sum(1 for call in ORDERS if call.at is not None and call.at <= at)
    assert replay_calls(ORDERS[:1], CDNOW, until=START + 72 * HOUR).counts["sent", "welcome"] == 1
    assert replay_calls(ORDERS[:1], CDNOW, until=START + 72 * HOUR - 1).counts["sent", "welcome"] == 0


def test_without_until_time_stands_where_the_file_ends_and_somebody_still_waits() -> None:
    replayed = replay_calls(ORDERS[:1], CDNOW)
    assert (replayed.clock, replayed.waiting, replayed.actions[0]) == (START, 1, [])


def test_an_empty_file_is_no_error() -> None:
    assert replay_calls([], CDNOW).events == 0
    assert replay_calls([None], CDNOW, until=END).clock == END


# ---- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def events(tmp_path: Path) -> str:
    path = tmp_path / "orders.jsonl"
    path.write_bytes(b"\n".join(call.value for call in ORDERS) + b"\n")
    return str(path)


Said = Callable[[], tuple[str, str]]
"""What was written to stdout and stderr since it was last asked."""


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Said:
    return capfd.readouterr


def command(*words: str) -> int:
    return run(["replay", *words, "--rules", str(EXAMPLES / "cdnow"), "--until", iso(END)])


def lines_of(text: str) -> list[Any]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_json_is_a_line_for_each_decision_and_action_and_at_last_the_summary(events: str, said: Said) -> None:
    assert command(events, "--json") == 0
    *found, last = lines_of(said()[0])
    summary = last
    assert (summary["type"], summary["events"]) == ("summary", 600)
    assert len([document for document in found if document["type"] == "action"]) == summary["actions"]
    assert len([document for document in found if document["type"] == "decision"]) == summary["decisions"]
    assert {document["value"]["channel"] for document in found if document["type"] == "action"} == {"email"}
    assert summary["journeys"]["welcome"]["sent"] == 17


def test_a_file_takes_the_decisions_and_the_screen_the_summary(events: str, said: Said, tmp_path: Path) -> None:
    assert command(events, "--out", str(tmp_path / "out.jsonl"), "--states", str(tmp_path / "states.jsonl")) == 0
    found = lines_of((tmp_path / "out.jsonl").read_text())
    assert f"{sum(document['type'] == 'action' for document in found):,} actions" in said()[0]
    assert len(lines_of((tmp_path / "states.jsonl").read_text())) == 17


def test_decisions_are_readable_lines(events: str, said: Said) -> None:
    assert command(events) == 0
    assert "1997-01-01T00:00:00.000Z  u0               entered  welcome" in said()[0].splitlines()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["replay"], "name files, or give --topic"),
        (["replay", "x.jsonl"], "files need rules"),
        (["replay", "--topic", "x.jsonl"], "name files, or give --topic"),
        (["replay", "no-such.jsonl", "--rules", str(EXAMPLES / "cdnow")], "there is no file no-such.jsonl"),
        (["replay", "x.jsonl", "--rules", "x", "--as-of", "now"], "it needs --topic and --rules"),
        (["replay", "--topic", "--now", "2026-01-01"], "records of the log have their own time"),
        (["feed", __file__, "--now", "2026-01-01"], "with clock=broker, the broker sets the time"),
        (["feed", "x", "--format", "xml"], "there is no format 'xml'"),
        (["feed", __file__, "--rate", "fast"], "'fast' is not a value such as 500/s"),
        (["feed", __file__, "--until", "noon"], "not an ISO 8601 date"),
        (["feed", __file__, "--user", "id"], "options that describe columns need a CSV file"),
        (["feed", "x.csv", "--empty", "clear"], "it needs --identify"),
        (["feed", "x.csv", "--identify", "--name", "x"], "the lines are users, not events"),
        (["feed", "x.csv", "--event", "e", "--name", "x"], "--event already names a column for it"),
        (["feed", "x.csv", "--user", "id", "--message-id", "id"], "--user names the column 'id' already"),
        (["feed", "x.csv", "--separator", "ab"], "'ab' is not one character"),
    ],
)
def test_wrong_words_are_named_with_code_2(words: list[str], why: str, said: Said) -> None:
    assert run(words) == 2
    assert why in said()[1]


def test_a_bad_line_stops_a_replay_with_code_1_unless_it_is_left_out(tmp_path: Path, said: Said) -> None:
    path = tmp_path / "orders.jsonl"
    path.write_bytes(ORDERS[0].value + b"\nnonsense\n" + ORDERS[1].value + b"\n")
    assert command(str(path), "--summary") == 1
    assert "orders.jsonl:2: not JSON" in said()[1]
    assert command(str(path), "--summary", "--skip-bad") == 0
    out, err = said()
    assert "2 events of 2 users" in out
    assert "1 bad line left out" in out
    assert "left out: orders.jsonl:2" in err


TABLE = "customer;ordered_at;total;gift\nann;1997-01-02;20;true\nann;1997-01-02;20;true\nbob;1997-01-03;9.5;false\n"
NAMED = ["--user", "customer", "--timestamp", "ordered_at", "--name", "Order Completed"]


def test_a_copy_of_a_table_adds_nothing_and_equal_rows_of_one_table_all_count(tmp_path: Path, said: Said) -> None:
    files = [str(tmp_path / name) for name in ("monday.csv", "copy of monday.csv")]
    for file in files:
        Path(file).write_text(TABLE)
    assert command(*files, *NAMED, "--json", "--summary") == 0
    summary = lines_of(said()[0])[-1]
    assert (summary["events"], summary["duplicates"], summary["users"]) == (6, 3, 2)


def test_a_column_that_is_misspelt_stops_a_replay_with_code_1_also_where_bad_lines_are_left_out(tmp_path: Path, said: Said) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(TABLE)
    assert command(str(path), *NAMED, "--message-id", "order_at", "--skip-bad") == 1
    assert "orders.csv:1: there is no column 'order_at'" in (err := said()[1])
    assert "perhaps --message-id 'ordered_at'" in err
