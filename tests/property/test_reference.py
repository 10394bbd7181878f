"""The engine decides what the reference decides: on random small rule folders and logs, decision by decision.

The reference (`tests/reference/interpreter.py`) knows nothing of windows, timers, plans or slices, and lists how it reads what RULES.md
leaves open. `tests/reference/compared.py` says what is compared.
"""

import os
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.reference.compared import check
from tests.reference.interpreter import interpret
from tests.reference.log import Command, Entry, Said, UserCommand
from tests.reference.strategies import TASTES, Case, Taste, cases
from tests.reference.substitution import written_out
from triggers.base.model import LogRecord, Place
from triggers.base.moments import iso
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import TICK, command_after, command_record, tick
from triggers.records.user_commands import user_command, user_command_record
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import documents, run

EXAMPLES = int(os.environ.get("CUELINE_EXAMPLES", "200"))
"""The number of logs of each taste. The compiled engine gets fewer, because it has the same sources."""


@pytest.mark.timeout(900)  # it counts work, and a machine may be slow
@pytest.mark.parametrize("taste", TASTES.values(), ids=TASTES)
def test_the_engine_decides_what_the_reference_decides(taste: Taste) -> None:
    """Same users, moments, kinds, runs, steps and due moments, in the same order; and every `sent` has its action."""

    @settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(cases(taste), st.sampled_from([1, 3, 10_000]))
    def same(case: Case, slice_of: int) -> None:
        note(case.story())
        compare(case, slice_of)

    same()


def compare(case: Case, slice_of: int = 10_000) -> None:
    """Raises AssertionError with both sides' timelines where they differ. `slice_of`: how much the fold does before it is called again."""
    rule_sets = [load(folder) for folder in case.folders]
    log = case.with_hashes([rules.hash for rules in rule_sets])
    by_hash = {rules.hash: replace(load(written_out(files)), hash=rules.hash) for files, rules in zip(case.folders, rule_sets, strict=True)}
    outcomes = interpret(by_hash, log)
    library = Library()
    for rules in rule_sets:
        library.add(rules)
    partition = Partition(Place("events", 0), Table(), library, Position(), None)
    run(partition, records(log), slice_of)
    output = partition.take()
    reasons = [dict(out.headers)["reason"].decode() for out in output.dead_letters]
    assert [reason for reason in reasons if reason not in DISGUISED] == []
    check(outcomes, documents(output.decisions), documents(output.actions))


# ---- the log as bytes -------------------------------------------------------------------------------------------------


DISGUISED = ("a control header on a record with a key", "not a tick: it has a value")
"""What becomes of a user's event with the header of a tick: it moves the clock as a tick does, and is a dead letter."""


def records(log: list[Entry]) -> list[LogRecord]:
    """The log as it would be in the topic. Some ticks are users' events with the header of a tick."""
    commands = 0
    made: list[LogRecord] = []
    before: Said | None = None
    for entry in log:
        before = entry if isinstance(entry, Said) else before
        if isinstance(entry, Said):
            made.append(LogRecord(entry.offset, entry.timestamp, entry.user.encode(), orjson.dumps(call(entry))))
        elif isinstance(entry, UserCommand):
            order = user_command(entry.kind, entry.user, entry.id, entry.timestamp, channel=entry.channel, journey=entry.journey)
            made.append(user_command_record(entry.offset, entry.timestamp, order))
        elif isinstance(entry, Command):
            commands += 1
            command = command_after(commands - 1, entry.kind, rule_set=entry.rule_set, journey=entry.journey)
            made.append(command_record(entry.offset, entry.timestamp, command))
        elif before is None or entry.offset % 3 == 0:
            made.append(tick(entry.offset, entry.timestamp))
        else:
            event = orjson.dumps({**call(before), "timestamp": iso(entry.timestamp), "messageId": None})
            made.append(LogRecord(entry.offset, entry.timestamp, before.user.encode() if entry.offset % 3 == 1 else None, event, TICK))
    return made


def call(said: Said) -> dict[str, Any]:
    """A record of a user as a Segment call."""
    common = {"userId": said.user, "messageId": said.message_id, "timestamp": iso(said.at)}
    if said.event is not None:
        made = {**common, "type": "track", "event": said.event, "properties": dict(said.properties)}
        context = {**said.context, **({"traits": dict(said.traits)} if said.traits else {})}
        return {**made, "context": context} if context else made
    if said.traits:
        return {**common, "type": "identify", "traits": dict(said.traits)}
    return {**common, "type": "group", "groupId": "g"}
