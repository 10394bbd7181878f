"""A log goes over from one release to the next, on real Kafka: from 0.1.0 with the workers stopped, later with all of them running."""

import asyncio
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from streams.broker import Broker
from streams.browse.folding import Replayed
from streams.browse.replay import replay_topic
from streams.commands import history, rebase, snapshot, taking_back, upgrade
from streams.commands import send as control
from streams.commands.log_history import CannotReplay
from streams.kafka import clients
from streams.kafka.partitioner import partition_of
from streams.settings import Settings
from tests.conftest import SettingsFor
from tests.crash.workers import CUELINE, environment
from tests.integration import release_1
from tests.integration.running import PROMPT, Log, Worker, installed
from triggers.base.model import ENGINE, HOUR
from triggers.base.moments import iso
from triggers.state.old import converted

OPTIONS = {"partitions": 1, "clock": "log", "max_ahead": 315_360_000, "accept_foreign_keys": True}
"""The recorded log has its own time, and all of its users in one partition."""
KEY = "a key of sixteen or more"


@pytest.fixture
def settings(kafka: Broker, settings_for: SettingsFor) -> Settings:
    return settings_for(kafka, **OPTIONS)


async def upgraded(settings: Settings, file: Path, at: int | None = None) -> control.Done:
    return await upgrade.upgrade(settings, await upgrade.plan(settings, at=at), file, at=at)


def plain(values: Iterable[bytes | None]) -> list[dict[str, Any]]:
    """Documents without what says who decided, and under which of two rule sets with the same journey."""
    found = [orjson.loads(value or b"") for value in values]
    return [{name: part for name, part in one.items() if name not in ("engine", "tzdata", "rule_set")} for one in found]


async def more_events(log: Log, at: int) -> int:
    """Half a hundred users' calls, and then a long time in which everything that waits comes due; the last moment."""
    names = ("used", "paid", "signed_up")
    for number in range(150):
        at += HOUR // 2
        user, name = f"user-{number % 26}", names[number % 3]
        call = {"type": "track", "userId": user, "event": name, "messageId": f"more-{number}", "properties": {"total": 60, "book": "x"}}
        await log.producer.send(log.settings.names.events, orjson.dumps(call), key=user.encode(), partition=0, timestamp_ms=at)
    at += 60 * 24 * HOUR
    await log.producer.send_and_wait(log.settings.names.events, b"", partition=0, timestamp_ms=at, headers=[("cueline-control", b"tick")])
    return at


def by_user(values: Iterable[bytes | None]) -> dict[str | None, list[bytes | None]]:
    """Each user's documents in their order; the order of users is not promised."""
    found: dict[str | None, list[bytes | None]] = {}
    for value in values:
        found.setdefault(orjson.loads(value or b"")["user"], []).append(value)
    return found


async def held_against(log: Log, replayed: Replayed, converted_at: int) -> None:
    """What the workers have put out and saved is what the replay says."""
    names = log.settings.names

    async def values(topic: str) -> list[bytes | None]:
        return [record.value for record in await log.records(topic)]

    assert by_user(await values(names.actions)) == by_user(replayed.actions[0])
    assert by_user(await values(names.decisions)) == by_user(replayed.decisions[0])
    states = {user: converted(data, converted_at) for user, data in (await log.states()).items()}
    assert states == replayed.states
    assert (await log.positions())[0] == replayed.positions[0]


@pytest.mark.timeout(180)
async def test_an_installation_of_the_first_release_goes_over_and_goes_on_as_a_replay_says(settings: Settings, tmp_path: Path) -> None:
    left = await release_1.seed(settings)
    async with clients.producer(settings) as producer:
        log = Log(settings, producer)
        with Worker(settings, tmp_path) as worker:
            assert await worker.ends() == 78
            assert "no upgrade was written" in worker.said()
            assert "`cueline upgrade`" in worker.said()
        with pytest.raises(control.Refused, match=r"this log is decided by engine 1.*first `cueline upgrade`"):
            await control.pause(settings, "welcome", at=left["clock"], force=True)
        at = await more_events(log, left["clock"])  # no worker has folded these
        file = tmp_path / "copy"
        done = await upgraded(settings, file, at)
        assert done.command is not None
        at = await more_events(log, at + HOUR)
        with Worker(settings, tmp_path) as worker:
            await worker.says("taken over at offset 945")
            await log.is_saved()
            await worker.leaves()
        entry = (await history.read(settings)).upgrade
        assert entry is not None
        assert (entry.saved, entry.was and entry.was.engine) == ([945], 1)
        await held_against(log, await replay_topic(settings, copy=file, states=True), left["clock"])
        with Worker(settings, tmp_path) as worker:  # with states of the first schema that no event has changed
            await worker.opens()
            await worker.leaves()
        await _is_replayed_only_when_it_is_said(log)
        assert "already; nothing was written" in (await upgrade.plan(settings, at=at)).message


async def _is_replayed_only_when_it_is_said(log: Log) -> None:
    """The actions of the first release were its own; those since are what today's engine makes of the whole log."""
    with pytest.raises(CannotReplay, match=r"this log was decided under engine 1.*replay it with a release of engine 1"):
        await replay_topic(log.settings)
    whole = await replay_topic(log.settings, any_engine=True, states=True)
    recorded = release_1.document()
    then = plain(release_1.unpacked(value) for _, value in recorded["actions"])
    now = plain(record.value for record in await log.records(log.settings.names.actions))
    topic = log.settings.names.events
    for one in then:
        one["cause"]["topic"] = topic
    assert sorted_by_id([*then, *now]) == sorted_by_id(plain(whole.actions[0]))


def sorted_by_id(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(actions, key=lambda one: one["id"])


@pytest.mark.timeout(120)
async def test_workers_of_the_first_release_must_be_away_and_stay_away(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = await release_1.seed(settings, last=900)
    at, copied = left["clock"], snapshot.write
    async with clients.producer(settings) as producer:

        async def folds_on(offset: int) -> None:
            position = orjson.dumps({**left, "offset": offset})
            await producer.send_and_wait(settings.names.changelog, position, key=b"\0position", partition=0)

        async def with_a_worker(*arguments: Any) -> Any:
            found = await copied(*arguments)
            await folds_on(901)
            return found

        monkeypatch.setattr(snapshot, "write", with_a_worker)
        with pytest.raises(control.Refused, match="has saved a position since the copy"):
            await upgraded(settings, tmp_path / "first", at)
        monkeypatch.setattr(snapshot, "write", copied)
        consumer = AIOKafkaConsumer(settings.names.events, group_id=settings.app, bootstrap_servers=settings.servers)
        await consumer.start()
        with pytest.raises(control.Refused, match=r"has live members.*cannot read an upgrade: stop all workers first"):
            await upgraded(settings, tmp_path / "second", at)
        await consumer.stop()
        await upgraded(settings, tmp_path / "second", at)
        await folds_on(930)
    with Worker(settings, tmp_path) as worker:
        assert await worker.ends() == 78
        assert "release 0.1.0 has folded partition 0 since the upgrade" in worker.said()
    assert not (await upgrade.plan(settings, at=at)).written


@pytest.mark.timeout(120)
async def test_a_copy_is_put_back_byte_for_byte_and_the_upgrade_with_it(settings: Settings, tmp_path: Path) -> None:
    left = await release_1.seed(settings)
    async with clients.producer(settings) as producer:
        log = Log(settings, producer)
        before = await log.states()
        file = tmp_path / "copy"
        await upgraded(settings, file, left["clock"])
        at = await more_events(log, left["clock"])
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            with pytest.raises(rebase.Refused, match="live members"):
                await taking_back.take_back(settings, await taking_back.plan(settings, file))
            await worker.leaves()
        await control.pause(settings, "welcome", at=at)
        sent = len(await log.actions())
        planned = await taking_back.plan(settings, file)
        assert planned.sends == sent > 0
        assert [entry.command.kind for entry in planned.undone] == ["upgrade", "pause"]
        await taking_back.take_back(settings, planned)
        assert await log.states() == before
        position = [record.value for record in await log.records(settings.names.changelog) if record.key == b"\0position"][-1]
        assert orjson.loads(position or b"") == {**left, "epoch": 1}
        past = await history.read(settings)
        assert (past.seq, past.upgrade, max(past.entries)) == (7, None, 7)
        await taking_back.take_back(settings, await taking_back.plan(settings, file))  # after a crash it is done again
        # Once more, and on: the first upgrade in the log is passed, and the pause behind it refused.
        await upgraded(settings, tmp_path / "again", at)
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        found = (await log.positions())[0]
        assert (found.engine, found.last_command, found.paused, found.epoch) == (ENGINE, 8, ["trial"], 2)
        letters = [dict(record.headers)["reason"] for record in await log.records(settings.names.dead_letters)]
        assert letters == [b"passed by an override: an upgrade that was taken back"]


@pytest.mark.timeout(120)
async def test_a_log_that_is_folded_again_from_its_start_is_decided_under_the_terms_of_its_last_upgrade(
    settings: Settings, tmp_path: Path
) -> None:
    """So it needs no older release, and a replay none either."""
    left = await release_1.seed(settings)
    await upgraded(settings, tmp_path / "copy", left["clock"])
    await rebase.rebase(settings, None, "start", "drop")
    async with clients.producer(settings) as producer:
        log = Log(settings, producer)
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        replayed = await replay_topic(settings, states=True)
        assert {user: data for user, data in (await log.states()).items() if data} == replayed.states
        assert (await log.positions())[0] == replayed.positions[0]
        assert replayed.positions[0].last_command == 8


class PowerCut(Exception):  # noqa: N818 - what it says
    """The process ends between two transactions."""


@pytest.mark.timeout(120)
async def test_a_crash_while_a_copy_is_restored_is_repaired_by_a_second_run(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = await release_1.seed(settings)
    file, write = tmp_path / "copy", rebase.send_all
    await upgraded(settings, file, left["clock"])
    async with clients.producer(settings) as producer:
        log = Log(settings, producer)
        before = await log.states()
        await producer.send_and_wait(settings.names.changelog, b"x", key=b"eve", partition=0)
        for transactions in (1, 2, 2):  # the third run finds no user to remove, so it stops before its last transaction
            done = 0

            async def failing(*arguments: Any, limit: int = transactions) -> None:
                nonlocal done
                if done == limit:
                    raise PowerCut
                done += 1
                await write(*arguments)

            monkeypatch.setattr(taking_back, "send_all", failing)
            planned = await taking_back.plan(settings, file)
            with pytest.raises(PowerCut):
                await taking_back.take_back(settings, planned)
            assert (await log.positions())[0].app == rebase.UNDER_WAY, "no worker opens half of the states"
            assert (await history.read(settings)).upgrade is not None
        monkeypatch.setattr(taking_back, "send_all", write)
        await taking_back.take_back(settings, await taking_back.plan(settings, file))
        assert await log.states() == {**before, "eve": b""}, "eve has a tombstone"
        assert (await log.positions())[0].epoch == 4, "each run has begun an epoch, so no id repeats"
        assert (await history.read(settings)).upgrade is None


@pytest.mark.timeout(120)
async def test_the_command_line_shows_what_it_will_do_and_does_it_only_when_it_is_said(settings: Settings, tmp_path: Path) -> None:
    left = await release_1.seed(settings)
    at = ["--at", iso(left["clock"])]

    def cueline(*words: str) -> tuple[int, str]:
        command = [*CUELINE, *words]
        own = environment(settings)
        done = subprocess.run(command, cwd=tmp_path, env=own, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    code, said = await asyncio.to_thread(cueline, "upgrade", "--dry-run", *at)
    assert code == 0, said
    assert "from engine 1, tzdata 2025b" in said
    assert f"to   engine {ENGINE}, tzdata" in said
    assert f"copied to {settings.app}-7.snapshot" in said
    assert "upgrade would be command 8; nothing was written (--dry-run)" in said
    code, said = await asyncio.to_thread(cueline, "replay", "--topic", "--summary")
    assert (code, "replay it with a release of engine 1, or say --engine current" in said) == (1, True), said
    code, said = await asyncio.to_thread(cueline, "replay", "--topic", "--summary", "--engine", "current")
    assert code == 0, said
    code, said = await asyncio.to_thread(cueline, "upgrade", *at)
    assert (code, "there is no terminal to ask on; say --yes" in said) == (1, True)
    assert (await history.read(settings)).seq == 7
    code, said = await asyncio.to_thread(cueline, "upgrade", "--yes", *at)
    assert (code, "upgrade written as command 8; start the workers of this release" in said) == (0, True), said
    code, said = await asyncio.to_thread(cueline, "upgrade", "--yes", *at)
    assert (code, "already; nothing was written" in said) == (0, True), said
    file = f"{settings.app}-7.snapshot"
    code, said = await asyncio.to_thread(cueline, "rebase", "--all", "--from", file, "--state", "keep")
    assert (code, "leave --state out" in said) == (2, True)
    code, said = await asyncio.to_thread(cueline, "rebase", "--all", "--from", file)
    assert (code, "there is no terminal to ask on; say --yes" in said) == (1, True)
    code, said = await asyncio.to_thread(cueline, "rebase", "--all", "--from", file, "--yes")
    assert code == 0, said
    assert "! command 8 (upgrade) is taken back" in said
    assert "now start the workers of before: engine 1" in said
    assert (await history.read(settings)).seq == 7


@pytest.mark.timeout(120)
async def test_other_settings_are_an_upgrade_too_and_both_fleets_hand_over_while_they_run(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """`accept_foreign_keys` is what one build can have in two ways."""
    settings = settings_for(kafka, session_timeout=6)
    after = settings.model_copy(update={"accept_foreign_keys": True})
    async with installed(settings, rules=PROMPT) as log:
        with Worker(settings, tmp_path) as old:
            await old.opens()
            await log.track("ann", "Paid")
            await log.is_saved()
            with Worker(after, tmp_path) as refused:
                assert await refused.ends() == 78
                assert "foreign keys refused, and this worker has" in refused.said()
            await upgraded(after, tmp_path / "copy")
            with Worker(after, tmp_path) as new:
                await log.track("bob", "Paid", partition=1 - (await place_of(log, "bob")))
                assert await old.ends(40) == 0
                assert "are handed over to" in old.said()
                await new.opens()
                await log.is_saved()
                assert await log.actions() == ["receipt ann", "receipt bob"]
                with Worker(settings, tmp_path) as again:
                    assert await again.ends() == 0
                    assert "there is nothing to do" in again.said()
                await new.leaves()
        replayed = await replay_topic(after, states=True)
        assert {number: msgspec.to_builtins(one) for number, one in replayed.positions.items()} == {
            number: msgspec.to_builtins(one) for number, one in (await log.positions()).items()
        }


@pytest.mark.timeout(120)
async def test_new_workers_wait_outside_of_the_group_and_say_for_whom(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Here all old workers have died, and the log holds records that only they may fold. Commands are signed."""
    settings = settings_for(kafka, partitions=1, session_timeout=6, command_key=KEY)
    after = settings.model_copy(update={"accept_foreign_keys": True})
    async with installed(settings) as log:
        with Worker(settings, tmp_path, command_key=KEY) as old:
            await old.opens()
            await log.is_saved()
            await old.leaves()
        await log.track("ann", "Paid")
        await upgraded(after, tmp_path / "copy")
        with pytest.raises(control.Refused, match="is in progress"):
            await upgrade.plan(settings)
        with Worker(after, tmp_path, command_key=KEY) as new:
            await new.says("waiting for upgrade: partition 0 not handed over yet")
            status, text = await new.get("/readyz")
            assert (status, text.startswith("waiting for upgrade: ")) == (200, True)
            assert "before the upgrade" in text
            assert "no worker is handing over: start one of the release with engine" in text
            with pytest.raises(rebase.Refused, match="has not been taken over"):
                await rebase.plan(after, None, "here", "keep")
            with Worker(settings, tmp_path, command_key=KEY) as again:
                assert await again.ends(40) == 0
            await new.opens()
            assert (await new.get("/readyz"))[1] == "ready: 1 partitions\n"
            await log.is_saved()
            assert await log.actions() == ["receipt ann"]
            await new.leaves()
        (plan,) = await rebase.plan(after, None, "here", "keep")
        assert plan.before is not None
        assert (plan.after.offset, plan.after.terms) == (plan.before.offset, plan.before.terms)
        assert (await replay_topic(after, states=True)).states == await log.states()


async def place_of(log: Log, user: str) -> int:
    return partition_of(user.encode(), 2)
