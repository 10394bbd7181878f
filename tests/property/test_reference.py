"""The engine decides what the reference decides: on random small rule folders and logs, decision by decision.

The reference (`tests/reference/interpreter.py`) knows nothing of windows, timers, plans or slices, and lists how it reads what RULES.md
leaves open. Left out of the comparison: decisions that only report (`met`, unknown at an entry) and reasons in words. Each user's decisions
are compared in their order; where RULES.md leaves open which run comes first, each run's.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import chain, groupby, repeat
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from tests.reference.interpreter import interpret
from tests.reference.log import Command, Entry, Outcome, Said, UserCommand
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


class Decided(NamedTuple):
    """What both sides say about one decision."""

    user: str
    at: int
    kind: str
    journey: str
    run: str
    step: str | None
    due: int | None
    rule_set: str | None
    arms: tuple[tuple[str, str], ...] = ()
    path: tuple[tuple[str, str | None, bool], ...] = ()
    key: str | None = None
    arm: str | None = None
    dry: bool = False


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
    found = list(comparable(documents(output.decisions)))
    for user in sorted({outcome.user for outcome in outcomes} | {one.user for one in found}):
        told = [outcome for outcome in outcomes if outcome.user == user]
        ties = [outcome.tie for outcome in told]
        theirs, ours = settled(map(decided, told), ties), settled((one for one in found if one.user == user), ties)
        assert ours == theirs, difference(ours, theirs)
    actions = [
        (document["id"], document["user"], document["at"], document["due"], arms_of(document)) for document in documents(output.actions)
    ]
    assert actions == [(f"{one.run}:{one.step}", one.user, one.at, one.due, one.arms) for one in found if one.kind == "sent"]


def settled(decisions: Iterable[Decided], ties: list[int]) -> list[Decided]:
    """One user's decisions; where the reference has a tie, they are sorted by journey, each run's in their order."""
    made: list[Decided] = []
    for tie, group in groupby(zip(decisions, chain(ties, repeat(0)), strict=False), key=lambda pair: pair[1]):
        tied = [one for one, _ in group]
        made += sorted(tied, key=lambda one: one.journey) if tie else tied
    return made


def comparable(decisions: list[dict[str, Any]]) -> Iterator[Decided]:
    """The engine's decisions without those that only report: commands, who was met, and what unknown kept out (meant for no moment)."""
    for document in decisions:
        reports = document["kind"] == "met" or (document["kind"] == "refused" and document["due"] is None)
        if document["user"] is not None and not reports:
            yield plain(_found(document))


def _found(document: dict[str, Any]) -> Decided:
    moved = {"journey": document["values"]["tier"], "step": document["values"]["level"]} if document["kind"] == "tier" else {}
    if document["kind"] == "converted" and document["journey"] is None:  # by the goal of the control group
        moved = {"journey": "", "run": ""}
    named = {name: (document | moved)[name] for name in Decided._fields[:8]}
    dry = document["values"].get("dry", False) if document["kind"] in {"entered", "converted"} else False
    return Decided(**named, arms=arms_of(document), path=path_of(document), key=document.get("key"), arm=document.get("arm"), dry=dry)


def arms_of(document: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(document.get("arms", {}).items())


def path_of(document: dict[str, Any]) -> tuple[tuple[str, str | None, bool], ...]:
    return tuple((taken["step"], taken["branch"], taken.get("unknown", False)) for taken in document.get("path", ()))


def decided(outcome: Outcome) -> Decided:
    return plain(
        Decided(
            outcome.user,
            outcome.at,
            outcome.kind,
            outcome.journey,
            outcome.run,
            outcome.step or None,
            outcome.due,
            outcome.rule_set,
            outcome.arms,
            outcome.path,
            outcome.key,
            outcome.arm,
            outcome.dry,
        )
    )


def plain(one: Decided) -> Decided:
    """Without what is only said: what starts nothing has no run, and an exit was meant for no moment and is of no step."""
    if one.kind == "exited":
        return one._replace(due=None, step=None)
    if one.kind == "tier":
        return one._replace(run="")
    if one.kind in {"converted", "ended"}:
        return one._replace(key=None)
    if one.kind == "refused" or (one.kind == "skipped" and one.step is None):
        return one._replace(run="", key=None)
    return one


def difference(found: list[Decided], expected: list[Decided]) -> str:
    lines: list[tuple[str, Decided]] = []
    for kind, begin, end, other_begin, other_end in SequenceMatcher(None, expected, found, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [("both     ", one) for one in expected[begin:end]]
        else:
            lines += [("reference", one) for one in expected[begin:end]]
            lines += [("engine   ", one) for one in found[other_begin:other_end]]
    return "\n".join(["", *(f"{who} {iso(one.at)} {one}" for who, one in lines)])


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
