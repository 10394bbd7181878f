"""Trials and feeds take files in the order of time, whatever order they are in, and nothing from the future."""

import random
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import orjson
import pytest

from streams.cli.main import run
from streams.cli.screen import Meter
from streams.cli.words import lasting
from streams.ingest import ordering
from streams.ingest.calls import BadLine, Call
from streams.ingest.ordering import NoRoom, Order, Present
from triggers.base.model import DAY, HOUR
from triggers.base.moments import iso, parse_moment
from triggers.engine import driver

EXAMPLES = Path(__file__).parents[3] / "examples"
START = parse_moment("1997-01-01T00:00:00Z")
NOW = parse_moment("1998-06-01T00:00:00Z")
UNTIL = parse_moment("1998-07-01T00:00:00Z")

# ---- sorting ---------------------------------------------------------------------------------------------------------


def calls_at(*moments: int) -> list[Call]:
    return [Call(at, b"ann", b"%d" % number, "e.jsonl", number) for number, at in enumerate(moments, 1)]


def test_calls_come_in_the_order_of_time_and_those_of_one_moment_as_they_stood() -> None:
    order = Order()
    assert [(call.at, call.line) for call in order.sort(calls_at(5, 3, 5, 1, 3))] == [(1, 4), (3, 2), (3, 5), (5, 1), (5, 3)]
    assert (order.calls, order.backward, order.furthest) == (5, 3, 4)


def test_the_screen_is_told_of_the_calls_that_are_read_and_then_that_the_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "REPORT_EVERY", 2)
    told: list[int] = []
    assert len(list(Order(on_progress=told.append).sort(calls_at(5, 3, 5, 1, 3)))) == 5
    assert told == [2, 4, 0]


def test_a_rate_on_the_screen_leaves_the_sorting_out(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("streams.cli.screen.time", SimpleNamespace(monotonic=lambda: clock[0]))
    with Meter("replaying", unit="records") as meter:
        clock[0] = 100.0
        meter.sorting(5_000)
        meter.sorting(0)
        clock[0] = 110.0
        meter(1_000)
    assert [line.partition(" records, ")[2] for line in capfd.readouterr().err.splitlines()] == ["50/s, to be sorted by time", "100/s"]


@pytest.mark.parametrize("run", [1, 2_000, 20_000])
@pytest.mark.parametrize("backward", [False, True])
def test_runs_on_disk_are_sorted_as_in_memory(run: int, *, backward: bool) -> None:
    chance = random.Random(7)
    calls = calls_at(*(chance.randrange(50) + (0 if backward else n * 50) for n in range(500)))
    assert list(Order(run).sort(iter(calls))) == list(Order().sort(calls)) == sorted(calls, key=lambda call: call.at or 0)


def test_memory_holds_one_run_however_long_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "BLOCK", 1 << 12)

    def many() -> Iterator[Call]:
        for number in range(60_000):
            yield Call(number * 7_919 % 60_000, b"ann", b"%0500d" % number)

    tracemalloc.start()
    try:
        assert sum(1 for _ in Order(run=1 << 20).sort(many())) == 60_000
        assert tracemalloc.get_traced_memory()[1] < 5 << 20  # all of it is 48 MiB
    finally:
        tracemalloc.stop()


def test_a_temporary_folder_without_room_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> IO[bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(NoRoom, match=r"No space left on device; name a folder that has room .* TMPDIR"):
        list(Order(run=1).sort(calls_at(1, 2)))


def test_the_machines_clock_goes_on_while_a_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1_000]
    monkeypatch.setattr(ordering, "_now", lambda: clock[0])
    present = Present()
    assert not present.is_before(1_000)
    assert present.is_before(1_001)
    clock[0] = 2_000
    assert not present.is_before(1_001)
    assert Present(5).is_before(6)


def test_what_is_still_to_come_is_a_bad_line() -> None:
    bad: list[BadLine] = []
    present = Present(START)
    assert [call.line for call in present.until_now(calls_at(START, START + 1), bad.append) if call] == [1]
    [line] = map(str, bad)
    assert line.startswith("e.jsonl:2: 1997-01-01T00:00:00.001Z is later than now, which is 1997-01-01T00:00:00.000Z; ")


def test_lengths_of_time_have_their_two_biggest_units() -> None:
    assert [lasting(ms) for ms in (0, 250, 90_000, 3 * DAY + 4 * HOUR + 5, 2 * DAY)] == ["0ms", "250ms", "1m 30s", "3d 4h", "2d"]


# ---- the command -----------------------------------------------------------------------------------------------------


def order_line(user: str, day: int, number: int, **more: Any) -> bytes:
    call = {"type": "track", "userId": user, "event": "Order Completed", "messageId": f"m{number}", "properties": {"total": 20}}
    return orjson.dumps({**call, "timestamp": iso(START + day * DAY + number), **more})


LINES = [order_line(f"u{number % 23}", number // 4, number) for number in range(600)]
PHONE = order_line("u1", 3, 7_000, timestamp="2099-01-01T00:00:00Z")

Trial = Callable[..., tuple[int, list[Any], str]]
"""Replays these lines; returns exit code, the JSON lines on stdout, and all other lines."""


@pytest.fixture
def trial(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Trial:
    def try_(lines: list[bytes], *words: str, until: int = UNTIL) -> tuple[int, list[Any], str]:
        (tmp_path / "e.jsonl").write_bytes(b"\n".join(lines))
        rules = ["--rules", str(EXAMPLES / "cdnow"), "--until", iso(until), "--now", iso(NOW)]
        code = run(["replay", str(tmp_path / "e.jsonl"), *rules, *words])
        out, err = capfd.readouterr()
        plain = [line for line in out.splitlines() if not line.startswith("{")]
        return code, [orjson.loads(line) for line in out.splitlines() if line.startswith("{")], "\n".join(plain) + err

    return try_


def test_a_file_in_reverse_order_gives_the_same_as_one_in_order(trial: Trial) -> None:
    code, forward, _ = trial(LINES, "--json")
    assert code == 0
    _, backward, _ = trial(LINES[::-1], "--json")
    assert forward[:-1] == backward[:-1]
    assert sum(document["type"] == "action" for document in forward) > 20
    summary = backward[-1]
    assert (forward[-1]["out_of_order"], summary["out_of_order"], summary["out_of_order_by_ms"]) == (0, 599, 149 * DAY + 599)


def test_a_phone_that_believes_it_is_2099_changes_nothing_but_is_told(trial: Trial) -> None:
    _, without, _ = trial(LINES, "--json")
    spoilt = [*LINES[:10], PHONE, *LINES[10:]]
    code, _, err = trial(spoilt, "--json")
    assert code == 1
    assert "e.jsonl:11: 2099-01-01T00:00:00.000Z is later than now" in err
    assert "--skip-bad" in err
    code, with_it, err = trial(spoilt, "--json", "--skip-bad")
    assert (code, with_it[:-1]) == (0, without[:-1])
    assert "left out: e.jsonl:11: 2099" in err
    summary = with_it[-1]
    assert (summary["bad_lines"], summary["later_than_now"], summary["now"]) == (1, 1, iso(NOW))


def test_what_was_received_counts_from_there_whatever_the_phone_believes(trial: Trial) -> None:
    received = order_line("u1", 3, 7_000, timestamp="2099-01-01T00:00:00Z", receivedAt=iso(START + 3 * DAY))
    code, found, _ = trial([received], "--json")
    assert code == 0
    assert found[0]["value"]["at"] == START + 3 * DAY


def test_how_many_calls_were_out_of_order_and_later_than_until_is_said(trial: Trial) -> None:
    _, _, said = trial([LINES[5], *LINES[:5], *LINES[6:], PHONE], "--summary", "--skip-bad", until=START + 2 * DAY)
    assert "  5 of 600 calls came after a later one, by up to 1d; sorted by time" in said
    assert "  1 bad line left out, 1 of them later than 1998-06-01T00:00:00.000Z (see --now)" in said
    assert "  592 events later than --until left out" in said
    assert "as if the rules had been active since 1997-01-01T00:00:00.000Z" in said


def test_a_dead_letter_says_in_which_line_of_which_file_it_stands(trial: Trial, tmp_path: Path) -> None:
    """Also where the line is far from its place in the order of time."""
    spoilt = order_line("u1", 0, 9_000, properties=[1])
    _, found, _ = trial([*LINES, spoilt], "--json")
    reason = "not an event: properties is no object"
    [letter] = [document for document in found if document["type"] == "dead-letter"]
    assert (letter["key"], letter["file"], letter["line"], letter["headers"]["reason"]) == ("u1", "e.jsonl", 601, reason)
    assert letter["value"] == orjson.loads(spoilt)
    trial([*LINES, spoilt], "--out", str(tmp_path / "out"))
    assert letter in [orjson.loads(line) for line in (tmp_path / "out").read_bytes().splitlines()]
    assert f"dead letter: {reason} (e.jsonl:601, " in trial([*LINES, spoilt])[2]


def test_every_dead_letter_of_a_long_file_names_its_own_line(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SLICE", 7)
    lines = [order_line(f"u{number}", number, number, properties=[1] if number % 5 == 0 else {"total": 1}) for number in range(100)]
    _, found, _ = trial(lines, "--json")
    assert [document["line"] for document in found if document["type"] == "dead-letter"] == list(range(1, 101, 5))
