"""A checkpoint is one transaction, all or nothing; and what it wrote is what a restore reads."""

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation, MessageSizeTooLargeError, ProducerFenced

from streams.broker import Broker
from streams.commands import topics
from streams.kafka import clients
from streams.kafka.reading import Ends, ends, reader
from streams.settings import Settings
from streams.worker.checkpoint import BATCH, Writer
from streams.worker.restore import Restored, restore
from tests.conftest import SettingsFor
from tests.integration.running import Log
from triggers.base.model import Out
from triggers.engine.interface import Output
from triggers.state.position import POSITION_KEY, Position
from triggers.state.store import MemoryStore


@pytest.fixture
async def log(broker: Broker, settings_for: SettingsFor) -> Log:
    settings = settings_for(broker)
    await topics.create(settings)
    return Log(settings, None)


def _output(offset: int, users: Iterable[tuple[str, bytes | None]] = (), actions: Iterable[bytes] = ()) -> Output:
    changelog = [Out(user.encode(), state) for user, state in users]
    changelog.append(Out(POSITION_KEY, Position(offset=offset).encode()))
    return Output(changelog, [Out(b"ann", action, [("id", b"1")]) for action in actions], [], [], offset, [])


async def _restored(settings: Settings) -> tuple[Restored, MemoryStore]:
    store = MemoryStore()
    tp = TopicPartition(settings.names.changelog, 0)
    async with reader(settings) as log_reader:
        extent = (await ends(log_reader, tp))[tp]
    return await restore(settings, 0, extent, store), store


async def test_what_was_written_is_what_a_restore_reads(log: Log) -> None:
    writer = Writer(log.settings, 0)
    await writer.open()
    written = await writer.write(_output(5, [("ann", b"1"), ("bob", b"2")], [b"go"]))
    assert (written.records, writer.since) == (4, None)
    await writer.write(_output(9, [("ann", b"3")]))
    await writer.write(_output(10, [("bob", None)]))
    await writer.close()
    restored, store = await _restored(log.settings)
    assert restored.position is not None
    assert restored.position.offset == 10
    assert dict(store.items()) == {"ann": b"3"}
    (action,) = await log.records(log.settings.names.actions)
    assert (action.key, action.value, action.headers) == (b"ann", b"go", (("id", b"1"),))


async def test_a_big_checkpoint_goes_out_in_many_batches_and_comes_back_whole(log: Log) -> None:
    writer = Writer(log.settings, 0)
    await writer.open()
    users = [(f"user-{number}", bytes([number % 256]) * 1_000) for number in range(4_000)]
    users.append(("giant", b"g" * (BATCH + 10_000)))
    written = await writer.write(_output(1, users, [b"a"] * 50))
    await writer.close()
    assert written.bytes > 4_500_000
    restored, store = await _restored(log.settings)
    assert restored.records == len(users) + 1
    assert dict(store.items()) == dict(users)


async def test_who_opens_fences_and_ends_what_the_one_before_had_under_way(kafka: Broker, settings_for: SettingsFor) -> None:
    """Law 5."""
    settings = settings_for(kafka)
    await topics.create(settings)
    first, second = Writer(settings, 0), Writer(settings, 0)
    await first.open()
    await first.write(_output(1, [("ann", b"1")]))
    await first._producer.begin_transaction()
    await first._producer.send_and_wait(settings.names.changelog, b"2", key=b"ann", partition=0)
    await second.open()
    restored, store = await asyncio.wait_for(_restored(settings), 5)
    assert restored.position is not None
    assert (restored.position.offset, dict(store.items())) == (1, {"ann": b"1"})
    with pytest.raises(ProducerFenced):
        await first._producer.commit_transaction()
    for writer in (first, second):
        await writer.close()
    third = Writer(settings, 0)
    await second.open()
    await third.open()
    with pytest.raises(ProducerFenced):
        await second.write(_output(2))
    for writer in (second, third):
        await writer.close()


async def test_who_is_fenced_between_two_sends_says_that_it_was_fenced(kafka: Broker, settings_for: SettingsFor) -> None:
    """Aiokafka ends its sender with the first send, and says to the second that no transaction is open."""
    settings = settings_for(kafka)
    await topics.create(settings)
    first, second = Writer(settings, 0), Writer(settings, 0)
    await first.open()
    await second.open()
    producer = first._producer
    await producer.begin_transaction()
    with pytest.raises(ProducerFenced):
        await producer.send_and_wait(settings.names.changelog, b"1", key=b"ann", partition=0)
    await asyncio.wait([producer._sender.sender_task])
    with pytest.raises(IllegalOperation) as said:
        await producer.send(settings.names.changelog, b"2", key=b"ann", partition=0)
    assert isinstance(clients.ended_by(producer, said.value), ProducerFenced)
    with pytest.raises(ProducerFenced):
        await first.write(_output(1))
    other = IllegalOperation("something else")
    assert clients.ended_by(second._producer, other) is other
    for writer in (first, second):
        await writer.close()


async def test_a_transaction_of_which_a_batch_failed_is_not_committed(kafka: Broker, settings_for: SettingsFor) -> None:
    """Law 10: aiokafka 0.14 would commit the half of it."""
    settings = settings_for(kafka)
    await topics.create(settings)
    writer = Writer(settings, 0)
    await writer.open()
    await writer.write(_output(1, [("ann", b"1")]))
    with pytest.raises(MessageSizeTooLargeError):
        await writer.write(_output(2, [("ann", b"2"), ("big", b"x" * 2_000_000)], [b"go"]))
    successor = Writer(settings, 0)
    await successor.open()
    restored, store = await _restored(settings)
    assert restored.position is not None
    assert (restored.position.offset, dict(store.items())) == (1, {"ann": b"1"})
    assert await Log(settings, None).records(settings.names.actions) == []
    await successor.close()


async def test_a_producer_is_renewed_before_its_sequence_numbers_wrap(log: Log) -> None:
    """Law 28, with a limit of 5 records instead of 2**30."""
    writer = Writer(log.settings, 0, renew_after=5)
    await writer.open()
    producers = []  # held, so that none gets another's address
    for number in range(6):
        await writer.write(_output(number, [("ann", b"%d" % number), ("bob", b"x")]))
        producers.append(writer._producer)
        assert writer._records <= 6
    await writer.close()
    assert len({id(producer) for producer in producers}) > 1
    restored, store = await _restored(log.settings)
    assert restored.position is not None
    assert (restored.position.offset, store.get("ann")) == (5, b"5")


async def test_an_empty_changelog_is_restored_without_asking(log: Log) -> None:
    restored = await restore(log.settings, 0, Ends(0, 0), MemoryStore())
    assert restored == Restored(None, 0, 0.0)


async def test_a_restore_ends_behind_aborted_records_and_tells_how_far_it_is(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    writer = Writer(settings, 0)
    await writer.open()
    await writer.write(_output(1, [(f"u{number}", b"1") for number in range(5_000)]))
    await writer.close()
    async with clients.producer(settings, transactional_id=f"{settings.app}-0") as other:
        await other.begin_transaction()
        await other.send_and_wait(settings.names.changelog, b"2", key=b"u1", partition=0)
        await other.abort_transaction()
    tp, told = TopicPartition(settings.names.changelog, 0), list[tuple[int, int]]()
    async with reader(settings) as log_reader:
        extent = (await ends(log_reader, tp))[tp]
    store = MemoryStore()
    await asyncio.wait_for(restore(settings, 0, extent, store, lambda done, end: told.append((done, end))), 10)
    assert store.get("u1") == b"1"
    assert told[-1] == (extent.end, extent.end)
    assert len(told) > 2
