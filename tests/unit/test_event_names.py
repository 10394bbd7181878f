"""A replay says which events no rule knows, and which of the rules never came."""

from pathlib import Path

import orjson
import pytest

from streams import eventnames
from streams.cli.main import run
from streams.eventnames import EventNames
from triggers.model import CONTROL_HEADER, LogRecord

RULES = """version: 1
segments:
  reader: count("page") > 3
journeys:
  cart:
    entry: {event: Cart Updated}
    exit: {event: Order Completed}
    steps: [{wait: 1h}, {send: {channel: push, text: x}}]
"""


def record(**call: object) -> LogRecord:
    return LogRecord(0, 0, b"ann", orjson.dumps({"userId": "ann", **call}))


def test_only_what_is_an_event_has_a_name() -> None:
    names = EventNames()
    names.take([record(type="track", event="A"), record(type="screen", name="Home"), record(type="identify", event="B")])
    names.take([record(type="track"), record(type=5), LogRecord(0, 0, None, b""), LogRecord(0, 0, None, b"[" * 100_000)])
    names.take([LogRecord(0, 0, None, b'{"type":"track","event":"C"}', ((CONTROL_HEADER, b"tick"),))])
    assert names.counts == {"A": 1, "screen": 1}


def test_names_that_are_spelt_otherwise_are_near() -> None:
    names = EventNames()
    names.know(["Order Completed", "page", "Signed Up"])
    names.take([record(type="track", event=name) for name in ("order_completed", "OrderCompleted", "Other", "page", "Other")])
    assert names.unknown() == {"Other": 2, "order_completed": 1, "OrderCompleted": 1}
    assert names.unseen() == ["Order Completed", "Signed Up"]
    assert [names.near(name) for name in ("order_completed", "Other")] == ["Order Completed", None]
    assert names.near("Signed Up") is None
    assert names.near("Order Completed") in {"order_completed", "OrderCompleted"}


def test_forged_names_do_not_fill_the_memory_and_then_nothing_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventnames, "MOST", 3)
    names = EventNames()
    names.know(["A"])
    names.take(
        [record(type="track", event="x" * 10_000 + str(n)) for n in range(9)] + [record(type="track", event=f"n{n}") for n in range(9)]
    )
    assert (len(names.counts), names.is_full, names.unseen()) == (3, True, [])
    assert max(map(len, names.counts)) == 256


def test_without_rules_nothing_is_said_of_names() -> None:
    names = EventNames()
    names.take([record(type="track", event="A")])
    assert (names.unknown(), names.unseen()) == ({}, [])


def test_a_trial_says_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    names = ["order completed"] * 3 + ["Cart Updated", "Other\x1b[2J"]
    calls = [{"type": "track", "userId": "ann", "event": name, "timestamp": f"1997-01-0{n}"} for n, name in enumerate(names, 1)]
    (tmp_path / "e.jsonl").write_bytes(b"\n".join(map(orjson.dumps, calls)))
    words = ["replay", str(tmp_path / "e.jsonl"), "--rules", str(tmp_path), "--summary"]
    assert run(words) == 0
    said = capfd.readouterr().out.splitlines()
    assert "  no rule knows: order completed (as Order Completed?), Other\\x1b[2J" in said
    assert "  in the rules, and never seen here: Order Completed (as order completed?), page" in said
    assert run([*words, "--json"]) == 0
    summary = orjson.loads(capfd.readouterr().out)["summary"]
    assert summary["unknown_events"] == {"order completed": 3, "Other\x1b[2J": 1}
    assert summary["unseen_events"] == ["Order Completed", "page"]
