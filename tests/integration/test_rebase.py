"""`rebase`: a refused partition continues as the operator decides, repeats no id, and survives crashes (law 6)."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from streams.broker import Broker
from streams.browse import inspect
from streams.cli.lines import of_position
from streams.commands import history, log_history, topic_layout, topics
from streams.commands import rebase as rebasing
from streams.commands import send as control
from streams.commands.log_history import CannotReplay
from streams.commands.rebase import Plan, Start, State, rebase
from streams.commands.rule_store import RuleStore
from streams.kafka import clients
from streams.kafka.reading import reader
from streams.settings import Settings
from streams.worker.checkpoint import Writer
from streams.worker.opening import Log, Refused, open_partition
from tests.conftest import SettingsFor
from triggers.engine.partition import Partition
from triggers.rules.checks import load
from triggers.state.position import POSITION_KEY

WELCOME = """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    re_entry: always
    steps: [{send: {channel: push, text: Welcome}}]
"""
RULES = {"rules.yaml": WELCOME}
NEWER = {"rules.yaml": WELCOME.replace("text: Welcome", "text: Welcome on board")}


@pytest.fixture
async def settings(kafka: Broker, settings_for: SettingsFor) -> Settings:
    """One partition's topics, with a rule set applied and live."""
    made = settings_for(kafka, partitions=1, accept_foreign_keys=True)
    await topics.create(made)
    await control.apply(made, RULES)
    await control.go_live(made)
    return made


async def _sign_up(settings: Settings, *users: str) -> None:
    async with clients.producer(settings) as producer:
        for user in users:
            event = orjson.dumps({"type": "track", "userId": user, "event": "Signed Up"})
            await producer.send_and_wait(settings.names.events, event, key=user.encode(), partition=0)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Partition, Writer, RuleStore]]:
    """Open the partition as a worker does."""

    async def now(fence: Callable[[], Awaitable[None]]) -> None:
        await fence()

    rule_store, writer = RuleStore(settings), Writer(settings, 0)
    await rule_store.start(pytest.fail)
    try:
        log = await Log.of(settings)
        async with reader(settings) as log_reader:
            rest = {"turn": asyncio.Semaphore(), "log_reader": log_reader, "progress": lambda _done, _end: None}
            fold, _ = await open_partition(
                settings, log, 0, writer=writer, rule_store=rule_store, fence=now, patience=lambda _: None, **rest
            )
        yield fold, writer, rule_store
    finally:
        await writer.close()
        await rule_store.stop()


async def _work(settings: Settings) -> Partition:
    """Fold all that is in the log and save it, as a worker does."""
    async with _opened(settings) as (fold, writer, rule_store):
        records = [r async for batch in clients.read(settings, settings.names.events, 0) for r in batch]
        at = 0
        while at < len(records):
            at = fold.advance(records, at)
            if fold.blocked is not None:
                await rule_store.fetch(fold.blocked)
            while fold.drain():
                pass
        output = fold.take()
        await writer.write(output)
        fold.saved(output)
        return fold


async def _sent(settings: Settings) -> list[str]:
    """Give the ids of all actions."""
    return [orjson.loads(r.value or b"")["id"] async for batch in clients.read(settings, settings.names.actions, 0) for r in batch]


async def _audits(settings: Settings) -> list[dict[str, object]]:
    """Give the latest one of each key: the topic is compacted."""
    found = {r.key or b"": r.value or b"" async for batch in clients.read(settings, settings.names.rules, 0) for r in batch}
    return [orjson.loads(value) for key, value in found.items() if key.startswith(b"audit:")]


async def _make_events_again(settings: Settings) -> None:
    """Lose the log: delete the topic, and create it."""
    async with clients.Cluster(settings) as cluster:
        await cluster.delete([settings.names.events])
        while settings.names.events in await cluster.topics():
            await asyncio.sleep(0.05)
    for _ in range(100):
        try:
            return await topics.create(settings)
        except topic_layout.TopicsWrong:
            await asyncio.sleep(0.1)
    pytest.fail("the topic does not come back")


async def test_from_the_start_without_states_folds_the_log_anew_under_new_ids(settings: Settings) -> None:
    await _sign_up(settings, "ann", "bob")
    await _work(settings)
    await rebase(settings, None, "start", "drop")
    fold = await _work(settings)
    ids = await _sent(settings)
    assert len(ids) == len(set(ids)) == 4
    assert (fold.position.epoch, fold.position.last_command, fold.position.live) == (1, 2, True)


async def test_dropping_leaves_no_user_and_an_audit_record_with_the_position_before(settings: Settings) -> None:
    await _sign_up(settings, "ann", "bob")
    before = (await _work(settings)).position
    done: list[Plan] = []
    await rebase(settings, [0], "end", "drop", done=done.append)
    assert done[0].users == 2
    position, users = await rebasing.changelog_of(settings, 0)
    assert position is not None
    assert (users, position.rule_set, position.last_command, position.live) == (set(), load(RULES).hash, 2, True)
    (audit,) = await _audits(settings)
    assert (audit["state"], audit["users"], audit["epoch"]) == ("drop", 2, 1)
    assert audit["before"] == orjson.loads(before.encode())
    assert (await _work(settings)).position.offset >= before.offset
    assert len(await _sent(settings)) == 2


async def test_a_log_that_was_made_again_is_refused_until_a_rebase_and_then_goes_on(settings: Settings) -> None:
    await _sign_up(settings, "ann")
    await _work(settings)
    await _make_events_again(settings)
    with pytest.raises(Refused, match="was deleted and made again"):
        await _work(settings)
    await rebase(settings, None, "start", "keep")
    await _sign_up(settings, "bob")
    await control.pause(settings, "welcome")
    fold = await _work(settings)
    assert fold.position.paused == ["welcome"], "the next command follows on the last one"
    assert {action.split(":")[1] for action in await _sent(settings)} == {"ann", "bob"}
    assert fold.table.get("ann") is not None


async def test_a_lost_changelog_is_refused_until_a_rebase_says_from_where(settings: Settings) -> None:
    await _sign_up(settings, "ann")
    async with _opened(settings) as (_, writer, _rule_store):
        await writer._producer.begin_transaction()
        await writer._producer.send_and_wait(settings.names.changelog, b"x" * 40, key=b"ann", partition=0)
        await writer._producer.commit_transaction()
    with pytest.raises(Refused, match="no position"):
        await _work(settings)
    with pytest.raises(rebasing.Refused, match="--state drop"):
        await rebase(settings, None, "end", "keep")
    await rebase(settings, None, "end", "drop")
    await _sign_up(settings, "bob")
    await _work(settings)
    assert [action.split(":")[1] for action in await _sent(settings)] == ["bob"]


async def test_commands_that_are_skipped_are_made_up_for(settings: Settings) -> None:
    await _sign_up(settings, "ann")
    await _work(settings)
    await control.apply(settings, NEWER)
    await control.pause(settings, "welcome")
    await control.resume(settings, "welcome")
    plans = await rebasing.plan(settings, None, "end", "keep")
    assert any("are never folded" in note for note in plans[0].notes)
    assert any("cueline resume welcome --force" in note for note in plans[0].notes)
    await rebase(settings, None, "end", "keep")
    await control.resume(settings, "welcome", force=True)
    await _sign_up(settings, "bob")
    fold = await _work(settings)
    assert (fold.position.rule_set, fold.position.applied, fold.position.paused) == (load(NEWER).hash, 2, [])
    assert fold.position.last_command == 6
    assert fold.position.meeting is None
    ann = fold.table.get("ann")
    assert ann is not None
    assert ann.met == 1, "the newer rules change nothing for her, so her state is not written again"
    assert {action.split(":")[1] for action in await _sent(settings)} == {"ann", "bob"}


@pytest.mark.parametrize("state", ["keep", "drop"])
async def test_commands_under_another_key_are_counted_but_not_carried_out(kafka: Broker, settings_for: SettingsFor, state: State) -> None:
    signed = settings_for(kafka, partitions=1, accept_foreign_keys=True, command_key="a key of sixteen or more")
    await topics.create(signed)
    await control.apply(signed, RULES)
    await _work(signed)
    unsigned = settings_for(kafka, app=signed.app, prefix=signed.prefix, partitions=1, command_key=None)
    await control.go_live(unsigned, force=True)
    await control.pause(signed, "welcome", force=True)
    await _work(signed)
    with pytest.raises(control.Refused, match="partition 0 at command 1"):
        await control.resume(signed, "welcome")
    (planned,) = await rebasing.plan(signed, None, "end", state)
    assert any(note.startswith("command 2 (go-live) is not carried out") for note in planned.notes)
    await rebase(signed, None, "end", state)
    position = (await _work(signed)).position
    assert (position.rule_set, position.live, position.paused, position.last_command) == (load(RULES).hash, False, ["welcome"], 3)
    await control.go_live(signed)
    position = (await _work(signed)).position
    assert (position.live, position.last_command) == (True, 4)


async def test_going_on_in_the_middle_finds_the_rules_that_were_in_force_there(settings: Settings) -> None:
    await _sign_up(settings, "ann")
    spans = await clients.spans(settings, [settings.names.events])
    middle = next(iter(spans.values())).end
    await control.apply(settings, NEWER)
    await _sign_up(settings, "bob")
    await _work(settings)
    plans = await rebasing.plan(settings, None, middle, "drop")
    assert (plans[0].after.rule_set, plans[0].after.last_command) == (load(RULES).hash, 2)
    await rebase(settings, None, middle, "drop")
    fold = await _work(settings)
    assert (fold.position.rule_set, fold.position.last_command) == (load(NEWER).hash, 3)
    assert fold.table.get("ann") is None


class PowerCut(Exception):  # noqa: N818 - it is one
    """Ends a rebase between two of its transactions."""


@pytest.mark.parametrize("transactions", [1, 2, 3])
async def test_a_crash_between_two_transactions_is_refused_by_workers_and_healed_by_doing_it_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, transactions: int
) -> None:
    await _sign_up(settings, "ann", "bob", "cem", "dan")
    before = (await _work(settings)).position
    monkeypatch.setattr(rebasing, "SLICE", 2)
    write, count = rebasing.send_all, 0

    async def failing(*arguments: object) -> None:
        nonlocal count
        if count == transactions:
            raise PowerCut
        count += 1
        await write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rebasing, "send_all", failing)
    with pytest.raises(PowerCut):
        await rebase(settings, None, "start", "drop")
    monkeypatch.setattr(rebasing, "send_all", write)
    with pytest.raises(Refused, match=re.escape(rebasing.UNDER_WAY)):
        await _work(settings)
    with pytest.raises(rebasing.Refused, match="was interrupted; finish it"):
        await rebase(settings, None, "end", "keep")
    with pytest.raises(CannotReplay, match="was interrupted; finish it"):
        (await log_history.Log.look(settings)).parts(0)
    await rebase(settings, None, "start", "drop")
    first, second = await _audits(settings)
    assert (first["done"], second["done"]) == (False, True)
    assert first["before"] == second["before"] == orjson.loads(before.encode()), "both contain the lost position"
    await _work(settings)
    ids = await _sent(settings)
    assert len(ids) == len(set(ids)) == 8


async def test_it_refuses_beside_live_workers_and_never_writes_past_one_that_has_taken_over(settings: Settings) -> None:
    await _work(settings)
    async with clients.consumer(settings, group_id=settings.app, auto_offset_reset="earliest") as member:
        member.subscribe([settings.names.events])
        await member.getmany(timeout_ms=1_000)
        with pytest.raises(rebasing.Refused, match="live members"):
            await rebase(settings, None, "end", "keep")
        await rebase(settings, None, "end", "keep", force=True)


async def test_a_worker_that_opens_the_partition_meanwhile_wins(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await _work(settings)
    ground = rebasing._ground

    async def late(*arguments: Any) -> Any:
        """Between our fence and our writing a worker opens the partition."""
        async with _opened(settings):
            pass
        return await ground(*arguments)

    monkeypatch.setattr(rebasing, "_ground", late)
    with pytest.raises(rebasing.Refused, match="a worker has opened it meanwhile"):
        await rebase(settings, None, "end", "keep")
    position, _ = await rebasing.changelog_of(settings, 0)
    assert position is not None
    assert position.epoch == 0


async def test_a_command_that_comes_while_partitions_are_rebased_is_met_in_each_of_them(
    kafka: Broker, settings_for: SettingsFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is made up for, or it will be read."""
    settings = settings_for(kafka, partitions=3)
    await topics.create(settings)
    await control.apply(settings, RULES)
    await control.go_live(settings)
    ground = rebasing._ground

    async def busy(settings: Settings, partition: int) -> Any:
        if partition == 1:
            await control.apply(settings, NEWER)
        return await ground(settings, partition)

    monkeypatch.setattr(rebasing, "_ground", busy)
    done: list[Plan] = []
    await rebase(settings, None, "end", "drop", done=done.append)
    offsets = (await history.read(settings)).entries[3].offsets
    assert [plan.after.last_command for plan in done] == [2, 3, 3]
    assert [offset > plan.after.offset for offset, plan in zip(offsets, done, strict=True)] == [True, False, False]


@pytest.mark.parametrize(("start", "state"), [(99, "keep"), (-1, "drop")])
async def test_a_place_that_the_log_does_not_have_is_refused(settings: Settings, start: Start, state: State) -> None:
    await _work(settings)
    with pytest.raises(rebasing.Refused, match="holds offsets 0 to"):
        await rebase(settings, None, start, state)
    with pytest.raises(rebasing.Refused, match="no partition 5"):
        await rebase(settings, [5], "start", state)


async def test_the_epoch_never_goes_back_also_when_the_changelog_is_emptied(settings: Settings) -> None:
    await _work(settings)
    await rebase(settings, None, "start", "keep")
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(settings.names.changelog, None, key=POSITION_KEY, partition=0)
    await rebase(settings, None, "start", "drop")
    position, _ = await rebasing.changelog_of(settings, 0)
    assert position is not None
    assert position.epoch == 2


async def test_the_preview_of_a_rebase_that_drops_says_what_the_log_will_do(settings: Settings) -> None:
    """It begins dry and without rules, and the log that it reads again applies them and goes live."""
    await _sign_up(settings, "ann", "bob")
    await _work(settings)
    sent = len(await _sent(settings))
    assert sent == 2
    (plan,) = await rebasing.plan(settings, None, "start", "drop")
    assert plan.sends == sent
    told = "\n".join(plan.notes)
    live = (await history.read(settings)).entries[2].offsets[0]
    assert f"the log goes live again at offset {live}: 2 actions will be sent again" in told
    assert "the log applies rules again at offset 0" in told
    (plan,) = await rebasing.plan(settings, None, live + 2, "drop")
    assert f"the log is live at offset {live + 2}" in "\n".join(plan.notes)
    (plan,) = await rebasing.plan(settings, None, "end", "keep")
    assert plan.sends == 0
    await rebase(settings, None, "start", "drop")
    await _work(settings)
    assert len(await _sent(settings)) == 4
    (plan,) = await rebasing.plan(settings, None, "start", "drop")
    assert plan.sends == 2, "each once more, however often it was sent before"


async def test_the_preview_of_a_rebase_that_keeps_says_what_is_sent_again_by_events_that_are_read_again(settings: Settings) -> None:
    await _sign_up(settings, "ann", "bob")
    await _work(settings)
    (plan,) = await rebasing.plan(settings, None, "start", "keep")
    assert plan.sends == 2
    assert "the log is live: up to 2 actions will be sent again" in "\n".join(plan.notes)


async def test_offsets_of_a_topic_that_was_made_again_are_not_told_as_those_of_the_new_one(settings: Settings) -> None:
    await _sign_up(settings, "ann")
    await _work(settings)
    await _make_events_again(settings)
    (plan,) = await rebasing.plan(settings, None, "start", "keep")
    told = "\n".join(plan.notes)
    assert "was deleted and made again" in told
    assert "a second time" not in told
    (found,) = await inspect.positions(settings)
    assert found["behind"] is None
    assert "of another topic than events is now" in of_position(found)


async def test_from_here_keeps_each_partition_where_it_is(settings: Settings) -> None:
    """For a topic that was copied with its offsets, say, or a new `command_key`."""
    await _sign_up(settings, "ann", "bob")
    before = (await _work(settings)).position
    await _sign_up(settings, "cem")
    await rebase(settings, None, "here", "keep")
    position, users = await rebasing.changelog_of(settings, 0)
    assert position is not None
    assert (position.offset, position.epoch, users) == (before.offset, before.epoch + 1, {b"ann", b"bob"})
    await _work(settings)
    assert len(await _sent(settings)) == 3
