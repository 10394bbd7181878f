"""An upgrade in the log: the fold before it ends there, the fold after it begins there, and no fold passes it under other terms."""

import re
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from triggers.base.model import ENGINE, LogRecord
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.records.control import COMMAND
from triggers.records.events import NeedsNewer, Unreadable, read_command
from triggers.records.messages import Terms
from triggers.state.encoding import decode, encode
from triggers.state.old import go_over
from triggers.state.position import Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table
from triggers.testing import Story, documents, run

RULES = """version: 1
journeys:
  hello:
    entry: {event: signed_up}
    re_entry: always
    steps: [{wait: 1d}, {send: {channel: push, text: hello}}]
"""
NEXT = Terms(engine=ENGINE + 1, tzdata="2030a", foreign_keys=True)


def upgrade(story: Story, terms: dict[str, Any] | Terms, at: str | None = None, **more: object) -> LogRecord:
    story._commands += 1
    seq = story._commands
    document = {"schema": 1, "kind": "upgrade", "seq": seq, "previous": seq - 1, "terms": msgspec.to_builtins(terms), **more}
    return story.record(None, orjson.dumps(document), at, COMMAND)


def waiting() -> Story:
    """A user waits for a message that is due at the upgrade."""
    story = Story({"rules.yaml": RULES})
    story.track("ann", "signed_up", at="2026-01-01T09:00Z")
    return story


def opened(story: Story, position: Position | None = None, **options: Any) -> Partition:
    return Partition(story.place, Table(), story.library, position, Options(**options))


def test_a_partition_is_handed_over_at_the_upgrade_and_folds_nothing_behind_it() -> None:
    story = waiting()
    record = upgrade(story, NEXT, "2026-01-02T10:00Z", engine=ENGINE + 1)
    story.track("bob", "signed_up", at="2026-01-02T11:00Z")
    partition = opened(story)
    for _ in range(10):
        if partition.advance(story.log) == len(story.log):
            break
        partition.drain()
    assert partition.position.offset == record.offset
    assert partition.position.handed_to == NEXT
    partition.reach(99)
    assert (partition.position.offset, partition.drain()) == (record.offset, 0)
    output = partition.take()
    kinds = [orjson.loads(out.value or b"")["kind"] for out in output.decisions]
    assert kinds == ["met", "met", "entered", "waiting", "sent", "exited", "met"], "what was due is decided by the engine before"
    with pytest.raises(NeedsNewer):
        run(partition, story.log)


def test_who_takes_over_goes_on_behind_the_upgrade_as_if_nothing_had_been() -> None:
    story = waiting()
    upgrade(story, NEXT, "2026-01-01T12:00Z", engine=ENGINE + 1)
    story.track("bob", "signed_up", at="2026-01-02T11:00Z")
    story.until("2026-01-05T00:00Z")
    partition = opened(story)
    partition.advance(story.log)
    first = partition.take()
    partition.saved(first)
    position = Position.decode(partition.position.encode())
    go_over(position, NEXT)
    assert (position.terms, position.handed_to, position.converted, position.upgraded) == (NEXT, None, -1, 3)
    after = Partition(story.place, partition.table, story.library, position)
    run(after, story.log)
    plain = opened(story, Position(engine=NEXT.engine, tzdata=NEXT.tzdata, foreign_keys=True))  # it only meets the upgrade
    run(plain, story.log)
    whole, second = plain.take(), after.take()
    assert [*first.actions, *second.actions] == whole.actions
    assert [*first.decisions, *second.decisions] == whole.decisions
    assert after.position == plain.position


def test_an_upgrade_to_the_terms_that_hold_is_met_and_stops_nothing() -> None:
    story = waiting()
    upgrade(story, Position().terms)
    story.pause("hello")
    partition, _ = story.fold()
    assert (partition.position.handed_to, partition.position.last_command, partition.position.paused) == (None, 4, ["hello"])


def test_a_fold_that_begins_again_passes_upgrades_up_to_the_one_whose_terms_hold() -> None:
    """After `rebase --from start --state drop`: between the two upgrades no release of today could fold."""
    story = waiting()
    upgrade(story, Terms(engine=ENGINE, tzdata="2020a", foreign_keys=True))
    upgrade(story, NEXT, engine=ENGINE + 1)
    story.pause("hello")
    begun = Position(engine=NEXT.engine, tzdata=NEXT.tzdata, foreign_keys=True, upgraded=4)
    partition = opened(story, begun)
    run(partition, story.log)
    assert (partition.position.last_command, partition.position.paused, partition.position.terms) == (5, ["hello"], NEXT)
    upgrade(story, Terms(engine=ENGINE + 2, tzdata="2031a", foreign_keys=True), engine=ENGINE + 2)
    run(partition, story.log)
    assert partition.position.handed_to is not None, "a later one counts"


def test_an_upgrade_that_does_not_follow_on_the_last_command_is_refused() -> None:
    story = waiting()
    story._commands += 1
    upgrade(story, NEXT, engine=ENGINE + 1)
    partition, output = story.fold()
    assert partition.position.handed_to is None
    assert orjson.loads(output.decisions[-1].value or b"")["kind"] == "refused"


def test_an_upgrade_that_was_taken_back_becomes_a_dead_letter() -> None:
    story = waiting()
    record = upgrade(story, NEXT, engine=ENGINE + 1)
    partition = opened(story, overrides=frozenset({record.offset}), taken_back=frozenset({record.offset}))
    run(partition, story.log)
    (letter,) = partition.take().dead_letters
    assert dict(letter.headers)["reason"] == b"passed by an override: an upgrade that was taken back"
    assert partition.position.last_command == 2, "the next command takes its number"


@pytest.mark.parametrize("upgraded", [0, 3])
def test_an_override_of_an_upgrade_far_ahead_moves_no_clock_and_stops_no_upgrade(upgraded: int) -> None:
    """A broker's clock can be wrong at the upgrade too. Else that partition would pass it, and refuse every later command."""
    story = waiting()
    now = story.log[-1].timestamp
    record = upgrade(story, NEXT, "2031-01-01T00:00Z", engine=ENGINE + 1)
    partition = opened(story, Position(upgraded=upgraded), overrides=frozenset({record.offset}))
    while partition.position.offset < record.offset:
        partition.advance(story.log)
        partition.drain()
    assert partition.position.handed_to == (None if upgraded else NEXT)
    assert (partition.position.last_command, partition.position.clock) == (3, now)
    assert not partition.take().dead_letters


def test_an_upgrade_of_a_later_release_is_read_whatever_it_adds() -> None:
    """Every release folds the log up to the upgrade, so none may stop before it."""
    terms = {"engine": ENGINE + 5, "tzdata": "2031b", "foreign_keys": False, "weather": "fine"}
    value = {"schema": 2, "kind": "upgrade", "seq": 3, "previous": 2, "engine": ENGINE + 5, "app": "x", "terms": terms, "more": [1]}
    command = read_command(LogRecord(0, 0, None, orjson.dumps(value), COMMAND))
    assert command.terms == Terms(engine=ENGINE + 5, tzdata="2031b", foreign_keys=False)
    assert (command.seq, command.previous, command.app) == (3, 2, "x")
    broken = {"schema": 1, "kind": "upgrade", "seq": 3, "previous": 2, "engine": ENGINE, "terms": {"engine": 0}}
    with pytest.raises(Unreadable):
        read_command(LogRecord(0, 0, None, orjson.dumps(broken), COMMAND))
    with pytest.raises(NeedsNewer):
        read_command(LogRecord(0, 0, None, orjson.dumps({**value, "kind": "apply"}), COMMAND))


def test_the_documented_record_is_an_upgrade() -> None:
    page = (Path(__file__).parents[3] / "docs" / "topics.md").read_text("utf-8")
    (block,) = re.findall(r"^```json upgrade\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    command = read_command(LogRecord(0, 0, None, block.encode(), COMMAND))
    assert command.terms == Terms(engine=ENGINE + 1, tzdata="2027a", foreign_keys=False)


EXIT = """version: 1
journeys:
  trial:
    entry: {event: started}
    exit: {event: paid}
    steps: [{wait: 1d}, {send: {channel: push, text: hello}}]
"""
UNPAID = """version: 1
segments:
  unpaid: did("seen") and not did("paid")
journeys:
  remind:
    entry: {enters: unpaid}
    steps: [{send: {channel: push, text: "You never paid"}}]
"""


def of_engine_1(story: Story, before: Partition) -> Partition:
    """Continue as after release 0.1.0, which kept no windows of exits alone, and no count of windows."""
    users = {user_id: decode(state) for user_id, state in before.table.states().items()}
    for user in users.values():
        user.windows = {}
    store = MemoryStore()
    store.apply((user_id, encode(user)) for user_id, user in users.items())
    position = Position.decode(before.position.encode())
    position.engine, position.state_schema, position.windows, position.left, position.kept = 1, 1, {}, {}, -1
    go_over(position, before.position.terms)
    return Partition(story.place, Table(store), story.library, position)


def users_sent_to(partition: Partition, log: list[LogRecord]) -> list[str]:
    run(partition, log)
    return [action["user"] for action in documents(partition.take().actions)]


def test_exits_that_engine_1_did_not_count_are_not_taken_for_none() -> None:
    story = Story({"rules.yaml": EXIT})
    story.track("ann", "paid")
    before = opened(story)
    run(before, story.log)
    after = of_engine_1(story, before)
    story.apply({"rules.yaml": UNPAID}, "+1d")
    for user_id in ("ann", "bob"):
        story.track(user_id, "seen")
    assert users_sent_to(after, story.log) == ["bob"]


def test_nor_are_they_where_engine_1_stopped_while_users_met_the_next_rules() -> None:
    story = Story({"rules.yaml": EXIT})
    for user_id in ("ann", "cem"):
        story.track(user_id, "paid")
    story.apply({"rules.yaml": UNPAID}, "+1d")
    before = opened(story)
    before.advance(story.log)
    before.drain(1)
    assert before.position.meeting is not None
    after = of_engine_1(story, before)
    for user_id in ("bob", "cem"):
        story.track(user_id, "seen")
    assert users_sent_to(after, story.log) == ["bob"]


def test_windows_stay_complete_where_engine_1_stopped_while_runs_were_released() -> None:
    story = Story({"rules.yaml": EXIT})
    story.track("ann", "looked")
    story.apply({"rules.yaml": UNPAID})
    story.apply({"rules.yaml": UNPAID.replace("never", "did not")})
    story.pause("remind")
    story.resume("remind")
    before = opened(story)
    run(before, story.log[:-1])
    before.advance(story.log[-1:])
    assert before.position.meeting is not None
    windows = of_engine_1(story, before).position.windows
    assert set(windows.values()) == {(0, 0)}
