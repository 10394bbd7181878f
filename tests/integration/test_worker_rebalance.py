"""Workers come and go, gracefully or not; every event is folded once, and every state is current."""

import asyncio
import random
import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path

from aiokafka.partitioner import murmur2

from streams.broker import Broker
from streams.kafka import clients
from tests.conftest import SettingsFor
from tests.integration.running import Log, Worker, eventually, installed, lines


def _user_in(partition: int, partitions: int, number: int = 0) -> str:
    """A user whose key belongs to this partition."""
    found = (name for i in range(1_000_000) if (murmur2((name := f"user-{i}").encode()) & 0x7FFFFFFF) % partitions == partition)
    for _ in range(number):
        next(found)
    return next(found)


async def _paid(log: Log, users: list[str], folder: Path) -> None:
    """Fails unless each of these payments has its action, once."""
    await log.is_saved()
    assert await log.actions() == sorted(f"receipt {user}" for user in users)


async def test_first_events_of_fresh_partitions_while_workers_join_and_leave(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Laws 2 and 3: a group without committed offsets, and Faust throwing fetched records away. The first prototype lost 16 events here."""
    partitions = 24
    settings = settings_for(kafka, partitions=partitions)
    async with installed(settings) as log:
        fresh, paid = list(range(partitions)), list[str]()
        with Worker(settings, tmp_path) as first:
            await first.opens()
            for round_ in range(3):
                with Worker(settings, tmp_path) as second:
                    for leaving in (False, True):
                        before = len(list(lines(first.said(), "settled after")))
                        if leaving:
                            second.process.send_signal(signal.SIGTERM)

                        async def begun(before: int = before) -> bool:
                            return len(list(lines(first.said(), "settled after"))) > before

                        await eventually(begun, 30, "no rebalance")
                        for partition in (fresh.pop() for _ in range(partitions // 6)):
                            user = _user_in(partition, partitions, round_)
                            await log.track(user, "Paid")
                            paid.append(user)
                        if not leaving:
                            await second.opens()
                    assert await second.ends() == 0
            await _paid(log, paid, tmp_path)
            await first.leaves()


async def test_a_worker_that_joins_takes_its_share_and_the_others_keep_theirs(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Law 7, and no restore where none is needed; one that leaves hands over in seconds, not after its session."""
    settings = settings_for(kafka, partitions=8, session_timeout=60, watchdog=90)
    async with installed(settings) as log:
        users = [_user_in(partition, 8) for partition in range(8)]
        with Worker(settings, tmp_path) as first:
            await first.opens()
            for user in users:
                await log.track(user, "Paid")
            with Worker(settings, tmp_path) as second:
                await second.opens()
                assert (await first.says(r"generation [0-9]+: partitions \[[0-9, ]+\], ([1-9]) kept"))[1] == "4"
                for user in users:
                    await log.track(user, "Paid")
                await log.is_saved()
                await first.leaves()
                left = time.monotonic()
                await second.says(r"generation [0-9]+: partitions \[0, 1, 2, 3, 4, 5, 6, 7\], 4 kept")
                for user in users:
                    await log.track(user, "Paid")
                await _paid(log, users * 3, tmp_path)
                assert time.monotonic() - left < 15
                assert await second.metric("cueline_restore_seconds_count") == 8
                await second.leaves()


async def test_killed_workers_are_taken_over_from(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka, partitions=4, session_timeout=6)
    async with installed(settings) as log:
        paid: list[str] = []

        async def pay(count: int) -> None:
            for _ in range(count):
                user = _user_in(random.randrange(4), 4, random.randrange(5))
                await log.track(user, "Paid")
                paid.append(user)

        with Worker(settings, tmp_path) as survivor, Worker(settings, tmp_path) as victim:
            await survivor.opens()
            await victim.opens()
            await pay(50)
            victim.process.kill()
            await pay(50)
            await _paid(log, paid, tmp_path)
            await survivor.leaves()


async def test_a_worker_that_slept_through_its_session_does_no_harm(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """A stale owner cannot write, finds that it is out of the group, fences no other worker, and joins again."""
    settings = settings_for(kafka, partitions=4, session_timeout=6, heartbeat=3)
    async with installed(settings) as log:
        users = [_user_in(partition, 4) for partition in range(4)]
        with Worker(settings, tmp_path) as sleeper, Worker(settings, tmp_path) as other:
            await sleeper.opens()
            await other.opens()
            sleeper.process.send_signal(signal.SIGSTOP)
            await other.says(r"generation [0-9]+: partitions \[0, 1, 2, 3\]")
            await other.opens()
            for user in users:
                await log.track(user, "Signed Up")
            await log.is_saved()
            sleeper.process.send_signal(signal.SIGCONT)
            for user in users:
                await log.track(user, "Paid")

            async def all_sent() -> bool:
                return len(await log.actions()) >= 8

            await eventually(all_sent, 30, "not everything is sent")
            await asyncio.sleep(4)
            await log.is_saved()
            assert await log.actions() == sorted([f"prompt {user}" for user in users] + [f"receipt {user}" for user in users])
            assert "opening it again" not in other.said()
            await sleeper.leaves()
            await other.leaves()


async def test_more_workers_than_partitions(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """One is idle, healthy, and takes over."""
    settings = settings_for(kafka, partitions=1, session_timeout=6, watchdog=16)
    async with installed(settings) as log:
        with Worker(settings, tmp_path) as first:
            await first.opens()
            with Worker(settings, tmp_path) as second:
                await second.says("generation [0-9]+: partitions none|all 1 partitions")
                idle, busy = (second, first) if "partitions none" in second.said() else (first, second)
                await asyncio.sleep(18)
                assert (await idle.get("/readyz")) == (200, "ready: 0 partitions\n")
                await log.track("ann", "Paid")
                await busy.leaves()
                await idle.opens()
                await log.track("bob", "Paid")
                await _paid(log, ["ann", "bob"], tmp_path)
                await idle.leaves()


async def test_a_member_that_the_group_leaves_without_partitions_stands_by(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Faust's assignor has nothing for the last of three that join four partitions; only a partition without an owner is wrong."""
    settings = settings_for(kafka, partitions=4, session_timeout=6, watchdog=16)
    async with installed(settings), AsyncExitStack() as stack:
        workers = []
        for _ in range(3):
            workers.append(stack.enter_context(Worker(settings, tmp_path)))
            await workers[-1].says("generation [0-9]+: partitions")
        await workers[-1].says("generation [0-9]+: partitions none")
        await asyncio.sleep(25)
        assert [worker.process.poll() for worker in workers] == [None] * 3
        async with clients.Cluster(settings) as cluster:
            shares = await cluster.shares(settings.app, settings.names.events)
        if shares is not None:  # the embedded broker need not say
            assert sorted(map(len, shares.values())) == [0, 2, 2]
            assert set().union(*shares.values()) == {0, 1, 2, 3}
        for worker in workers:
            await worker.leaves()
