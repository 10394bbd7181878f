"""One owned partition, without Kafka: it stops before a batch that cannot be read, until that is skipped."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException

from streams.kafka.records import Unreadable
from tests.unit.worker.stand_ins import Begin, batch, until


def _unreadable(first: int, last: int) -> Unreadable:
    return Unreadable(TopicPartition("events", 3), first, first, last, CorruptRecordException("Invalid CRC"))


async def test_before_a_batch_that_cannot_be_read_it_stops_when_all_before_it_is_folded(begin: Begin) -> None:
    owned, host, writer = await begin()
    owned.meet(_unreadable(12, 14), 1)
    await asyncio.sleep(0.02)
    assert owned.stopped is None  # offsets 10 and 11 are on their way
    owned.take(batch(1, 10, end=12))
    await until(lambda: owned.stopped == "unreadable")
    assert (owned.offset, owned.saved) == (11, 11)
    assert not owned.could_go_on  # the watchdog does not take it for one that hangs
    assert owned.tick_due() is None
    host.skips.add((12, 14))
    host.news.set()
    await until(lambda: host.said == ["opened", "feed", "feed"])
    assert (owned.offset, owned.saved, owned.stopped) == (14, 14, None)
    assert writer.offsets[-1] == 14
    assert owned.place(2) == (15, 2)
    owned.take(batch(2, 15))
    await until(lambda: owned.saved == 15)


async def test_what_is_skipped_is_not_folded_where_it_can_be_read_after_all(begin: Begin) -> None:
    owned, host, _ = await begin()
    host.skips.add((11, 12))
    owned.take(batch(1, 10, 11, 12, 13))
    await until(lambda: owned.saved == 13)
    assert b"cueline_events_total 2.0" in host.metrics.page()


async def test_the_records_that_are_skipped_leave_the_queue_with_the_others(begin: Begin) -> None:
    owned, host, _ = await begin(max_poll_records=2)
    host.skips.add((10, 12))
    for offset in range(10, 20, 2):
        owned.take(batch(1, offset, offset + 1))
    await until(lambda: owned.saved == 19)
    assert not host.withheld
    assert owned._inbox._records == 0


async def test_a_batch_that_an_earlier_feeding_could_not_read_is_forgotten(begin: Begin) -> None:
    owned, _, _ = await begin()
    owned.meet(_unreadable(10, 14), 0)
    owned.meet(_unreadable(10, 14), 1)
    await until(lambda: owned.stopped == "unreadable")
    assert owned.place(2) == (10, 2)
    await until(lambda: owned.stopped is None)
    owned.take(batch(2, 10))
    await until(lambda: owned.saved == 10)


async def test_a_rest_does_not_wait_for_a_batch_that_cannot_be_read(begin: Begin) -> None:
    owned, _, _ = await begin()
    owned.meet(_unreadable(10, 14), 1)
    await until(lambda: owned.stopped == "unreadable")
    await asyncio.wait_for(owned.rest(), 1)
    await until(lambda: owned.stopped is None)
