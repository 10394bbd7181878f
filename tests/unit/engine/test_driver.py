"""The engine as others embed it: fold, take, save, restore."""

import orjson
import pytest

from triggers.base.model import DAY, HOUR, LogRecord
from triggers.engine import driver
from triggers.engine.driver import Engine, MissingRules
from triggers.engine.interface import Output
from triggers.records.control import command_after, command_record
from triggers.rules.checks import load

RULES = load(
    {
        "rules.yaml": """version: 1
journeys:
  hello:
    entry: {event: Signed Up}
    steps: [{wait: 1d}, {send: {channel: push, text: hello}}]
"""
    }
)


def signed_up(offset: int, user: str, at: int) -> LogRecord:
    call = {"type": "track", "userId": user, "event": "Signed Up", "messageId": str(offset)}
    return LogRecord(offset, at, user.encode(), orjson.dumps(call))


def users(output: Output) -> list[bytes | None]:
    return [out.key for out in output.actions]


def test_what_is_due_fires_at_the_next_record_or_when_time_is_let_pass() -> None:
    engine = Engine.begin(RULES, at=0)
    engine.fold([signed_up(0, "ann", HOUR), signed_up(1, "bob", 2 * HOUR)])
    engine.settle()
    assert users(engine.take()) == []
    engine.fold([signed_up(2, "cem", DAY + HOUR)])
    engine.settle()
    assert users(engine.take()) == [b"ann"]
    engine.until(2 * DAY)
    assert users(engine.take()) == [b"bob"]
    assert users(engine.take()) == []


def test_time_that_is_let_pass_takes_no_offset() -> None:
    engine = Engine.begin(RULES, at=0)
    engine.until(HOUR)
    engine.fold([signed_up(0, "ann", HOUR)])
    engine.until(2 * DAY)
    assert users(engine.take()) == [b"ann"]


def test_a_repetition_is_skipped() -> None:
    engine = Engine.begin(RULES, at=0)
    engine.fold([signed_up(0, "ann", HOUR)])
    engine.fold([signed_up(0, "bob", HOUR)])
    assert engine.save().states.keys() == {"ann"}


def test_an_engine_goes_on_where_it_was_saved() -> None:
    engine, whole = Engine.begin(RULES, at=0), Engine.begin(RULES, at=0)
    log = [signed_up(number, f"u{number}", number * HOUR) for number in range(40)]
    whole.fold(log)
    whole.until(3 * DAY)
    taken = []
    for record in log:
        engine = Engine.restore(engine.save(), [RULES])
        engine.fold([record])
        taken += engine.take().actions
    engine.until(3 * DAY)
    taken += engine.take().actions
    assert sorted(taken) == sorted(whole.take().actions)
    assert engine.save() == whole.save()


def test_a_sink_is_given_the_output_a_stretch_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "STRETCH", 1)
    begun, given = Engine.begin(RULES, at=0), list[Output]()
    engine = Engine(begun.partition, given.append, slice_of=1)
    engine.fold([signed_up(0, "ann", HOUR), signed_up(1, "bob", HOUR)])
    engine.until(2 * DAY)
    engine.hand_on()
    assert len(given) > 3
    assert [user for output in given for user in users(output)] == [b"ann", b"bob"]


def test_a_command_with_rules_that_are_not_there_is_named() -> None:
    engine = Engine.begin(RULES, at=0)
    with pytest.raises(MissingRules) as missing:
        engine.fold([command_record(0, HOUR, command_after(2, "apply", rule_set="f" * 64))])
    assert missing.value.rule_set == "f" * 64
