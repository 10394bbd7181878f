"""One owned partition, without Kafka: what is folded, saved and acked, and what every interruption does to it.

The fold is the real one; the transaction and the consumer group are stand-ins that can be held up and made to fail at will.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, ProducerFenced

from streams.kafka.records import Unreadable
from streams.settings import Settings
from streams.worker import partition as module
from streams.worker.batches import Batch
from streams.worker.checkpoint import Written
from streams.worker.opening import Log
from streams.worker.partition import Owned
from streams.worker.restore import Restored
from streams.worker.telemetry.metrics import Metrics
from triggers.base.model import CONTROL_HEADER, Place
from triggers.engine.partition import Options, Output, Partition
from triggers.journeys.plan import Library
from triggers.state.position import Meeting, Position
from triggers.state.table import Table


class Record:
    """As much of aiokafka's as is looked at."""

    def __init__(self, offset: int, value: bytes = b'{"type":"track","userId":"ann","event":"Paid"}', ahead: float = 0) -> None:
        self.offset, self.value, self.key, self.headers = offset, value, b"ann", ()
        self.timestamp = int((time.time() + ahead) * 1000)
        self.serialized_value_size = len(value)


class Event:
    """A batch as the agent gets it."""

    def __init__(self, value: Batch) -> None:
        self.value, self.acks = value, 0

    def ack(self) -> bool:
        self.acks += 1
        return True


class Writer:
    """Commits when it is let to."""

    def __init__(self, *_: Any) -> None:
        self.outputs: list[Output] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.since: float | None = None
        self.opened = self.closed = False

    async def open(self) -> None:
        self.opened = True

    async def close(self) -> None:
        self.closed = True

    async def write(self, output: Output) -> Written:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.outputs.append(output)
        return Written(1, 1, 0.0)

    @property
    def offsets(self) -> list[int]:
        return [output.offset for output in self.outputs]


class Host:
    """The process around the partition."""

    def __init__(self, **settings: Any) -> None:
        self.settings = Settings(prefix="", checkpoint_interval=0.01, **settings)
        self.log = Log("cueline", "c", "t", "l", 4)
        self.metrics = Metrics()
        self.restoring = asyncio.Semaphore(1)
        self.looker = None
        self.news = asyncio.Event()
        self.skips: set[tuple[int, int]] = set()
        self.shelf: Any = SimpleNamespace(
            fetch=self._fetch, overrides=lambda *_: frozenset(), skips=lambda *_: frozenset(self.skips), news=self.news.wait
        )
        self.rebalancing = False
        self.may_fence = asyncio.Event()
        self.may_fence.set()
        self.withheld: set[int] = set()
        self.said: list[str] = []
        self.owned: Owned | None = None

    async def _fetch(self, _: str) -> None:
        await self.news.wait()

    async def stable(self, _: Owned) -> None:
        await self.may_fence.wait()

    async def feed(self, partition: int) -> None:
        self.said.append("feed")

    def withhold(self, partition: int) -> None:
        self.withheld.add(partition)

    def release(self, partition: int) -> None:
        self.withheld.discard(partition)

    def is_rebalancing(self) -> bool:
        return self.rebalancing

    def opened(self) -> None:
        self.said.append("opened")

    def fenced(self, _: Owned) -> None:
        self.said.append("fenced")

    def refuse(self, problem: str) -> None:
        self.said.append(f"refuse {problem}")

    def fail(self, problem: str) -> None:
        self.said.append(f"fail {problem}")


def _batch(
    epoch: int,
    *offsets: int,
    start: int | None = None,
    end: int | None = None,
    log_end: int | None = None,
    of: type[Record] = Record,
    **more: Any,
) -> Event:
    batch = Batch(of(offset, **more) for offset in offsets)
    batch.partition, batch.epoch = 3, epoch
    batch.start = offsets[0] if start is None else start
    batch.next = offsets[-1] + 1 if end is None else end
    batch.end = batch.next if log_end is None else log_end
    return Event(batch)


async def _until(look: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not look():
            await asyncio.sleep(0.001)


Begin = Callable[..., Awaitable[tuple[Owned, Host, Writer]]]


@pytest.fixture
async def begin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begin]:
    """Open a partition whose position is 9, fed at epoch 1 from offset 10."""
    begun: list[Owned] = []

    new = False

    async def open_partition(settings: Settings, log: Log, partition: int, **given: Any) -> tuple[Partition, Restored]:
        await given["fence"](given["writer"].open)
        fold = Partition(Place("events", partition), Table(), Library(), Position(offset=9), Options())
        return fold, Restored(None if new else fold.position, 0, 0.0)

    monkeypatch.setattr(module, "Writer", Writer)
    monkeypatch.setattr(module, "open_partition", open_partition)

    async def start(*, fed: bool = True, first: bool = False, **settings: Any) -> tuple[Owned, Host, Writer]:
        nonlocal new
        new, host = first, Host(**settings)
        owned = Owned(host, 3, 1, None)
        host.owned = owned
        begun.append(owned)
        writer: Any = owned.writer
        if fed:
            await _until(lambda: "feed" in host.said)
            assert owned.place(1) == (10, 1)
        return owned, host, writer

    yield start
    for owned in begun:
        writer: Any = owned.writer
        writer.gate.set()
        await owned.close()


# ---- folding and saving -------------------------------------------------------------------------------------------------


async def test_a_partition_that_is_behind_saves_less_often_until_it_has_caught_up(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEHIND", 1e9)
    owned, _, writer = await begin()
    owned.take(_batch(1, 10, log_end=13))
    await _until(lambda: writer.offsets == [10])
    owned.take(_batch(1, 11, log_end=13))
    await _until(lambda: owned.offset == 11)
    await asyncio.sleep(0.05)  # five times the interval
    assert writer.offsets == [10]
    owned.take(_batch(1, 12, log_end=13))
    await _until(lambda: writer.offsets == [10, 12])


async def test_a_batch_is_folded_saved_and_only_then_acked(begin: Begin) -> None:
    owned, _, writer = await begin()
    writer.gate.clear()
    event = _batch(1, 10, 11, 12)
    owned.take(event)
    await _until(lambda: owned.offset == 12)
    await asyncio.sleep(0.03)
    assert (event.acks, owned.saved) == (0, 9)
    writer.gate.set()
    await _until(lambda: event.acks)
    assert (event.acks, owned.saved, writer.offsets) == (1, 12, [12])


async def test_control_records_move_the_position_too(begin: Begin) -> None:
    owned, _, writer = await begin()
    owned.take(_batch(1, 10, end=12))
    owned.take(_batch(1, start=12, end=15))
    await _until(lambda: owned.saved == 14)
    assert owned.offset == 14
    assert writer.offsets[-1] == 14


async def test_a_repetition_is_skipped_up_to_the_position(begin: Begin) -> None:
    owned, host, _ = await begin()
    owned.take(_batch(1, 10, 11))
    await _until(lambda: owned.offset == 11)
    owned.take(_batch(1, 10, 11, 12, 13))
    await _until(lambda: owned.saved == 13)
    assert owned.fold is not None
    assert owned.fold.events == 4
    assert not [said for said in host.said if said.startswith("fail")]


async def test_a_gap_between_batches_ends_the_process(begin: Begin) -> None:
    owned, host, _ = await begin()
    owned.take(_batch(1, 12, start=12))
    await _until(lambda: len(host.said) > 2)
    assert "begins at offset 12, the position is 9" in host.said[-1]
    assert host.said[-1].startswith("fail")


async def test_a_gap_within_a_batch_is_nothing(begin: Begin) -> None:
    owned, _, _ = await begin()
    owned.take(_batch(1, 14, 20, start=10, end=30))
    await _until(lambda: owned.saved == 29)


async def test_checkpoints_gather_what_comes_while_one_is_under_way(begin: Begin) -> None:
    owned, _, writer = await begin()
    writer.gate.clear()
    for offset in range(10, 30):
        owned.take(_batch(1, offset))
        await asyncio.sleep(0)
    await _until(lambda: owned.offset == 29)
    writer.gate.set()
    await _until(lambda: owned.saved == 29)
    assert len(writer.outputs) <= 3


async def test_the_fold_waits_when_too_much_is_waiting_to_be_saved(begin: Begin) -> None:
    """Law 11."""
    owned, _, writer = await begin(checkpoint_bytes=1 << 18)
    writer.gate.clear()
    junk = b"x" * 5_000
    owned.take(_batch(1, *range(10, 500), value=junk))
    await asyncio.sleep(0.2)
    assert owned.offset < 200
    assert owned.fold is not None
    assert owned.fold.pending < (1 << 18) + 8 * 6_000
    writer.gate.set()
    await _until(lambda: owned.saved == 499)
    sizes = [sum(len(out.value or b"") for out in output.dead_letters) for output in writer.outputs]
    assert max(sizes) < (1 << 18) + 8 * 6_000


async def test_an_idle_partition_saves_its_position_now_and_then(begin: Begin) -> None:
    """Law 8."""
    owned, _, writer = await begin(heartbeat=1)
    await asyncio.sleep(2.3)
    assert writer.offsets == [9, 9]
    assert owned.saved == 9


async def test_a_full_queue_is_withheld_and_released(begin: Begin) -> None:
    owned, host, writer = await begin(max_poll_records=10, checkpoint_bytes=1 << 18)
    writer.gate.clear()
    for first in range(10, 110, 10):
        owned.take(_batch(1, *range(first, first + 10), value=b"x" * 60_000))
        if host.withheld:
            break
    assert host.withheld == {3}
    await asyncio.sleep(0.1)
    writer.gate.set()
    await _until(lambda: not host.withheld)


async def test_a_new_one_has_a_position_before_anything_else(begin: Begin) -> None:
    """Law 6: without it nothing would tell a lost changelog, or a log that was cut short meanwhile, from a new installation."""
    owned, host, writer = await begin(first=True)
    assert (writer.offsets, owned.saved) == ([9], 9)
    assert host.said == ["opened", "feed"]
    owned.take(_batch(1, 10))
    await _until(lambda: owned.saved == 10)


# ---- rebalances ---------------------------------------------------------------------------------------------------------


async def test_rest_saves_what_was_folded_and_acks_what_was_not(begin: Begin) -> None:
    owned, _, writer = await begin()
    writer.gate.clear()
    first, second = _batch(1, 10, 11), _batch(1, 12, 13)
    owned.take(first)
    await _until(lambda: owned.offset == 11)
    resting = asyncio.create_task(owned.rest())
    owned.take(second)
    await asyncio.sleep(0)
    owned.take(late := _batch(1, 14))
    writer.gate.set()
    await resting
    assert (first.acks, second.acks, late.acks) == (1, 1, 1)
    assert (owned.offset, owned.saved) == (11, 11)


async def test_nothing_is_folded_or_ticked_between_rest_and_feed(begin: Begin) -> None:
    owned, _, _ = await begin()
    await owned.rest()
    assert owned.tick_due() is None
    owned.take(dropped := _batch(1, 10))
    assert dropped.acks == 1
    owned.keep(2)
    assert owned.place(7) == (10, 7)
    owned.take(stale := _batch(1, 10))
    owned.take(_batch(7, 10))
    await _until(lambda: owned.saved == 10)
    assert stale.acks == 1


async def test_being_fed_again_voids_what_is_waiting(begin: Begin) -> None:
    owned, host, _ = await begin()
    owned.take(void := _batch(1, 10, 11))
    assert owned.place(2) == (10, 2)
    assert void.acks == 1
    owned.take(_batch(2, 10))
    await _until(lambda: owned.saved == 10)
    assert not [said for said in host.said if said.startswith("fail")]


async def test_rest_does_not_wait_for_a_record_that_is_too_far_ahead(begin: Begin) -> None:
    """Nor does Faust, which waits for the ack."""
    owned, _, _ = await begin()
    owned.take(event := _batch(1, 10, ahead=10_000))
    await _until(lambda: owned.stopped == "ahead")
    await owned.rest()
    await _until(lambda: event.acks)
    assert owned.stopped is None
    assert (owned.offset, owned.place(2)) == (9, (10, 2))


@pytest.mark.parametrize("why", ["ahead", "newer-release"])
async def test_what_is_due_does_not_wait_for_what_an_operator_does_about_the_next_record(begin: Begin, why: str) -> None:
    owned, _, _ = await begin()
    assert owned.fold is not None
    event = _batch(1, 10, ahead=10_000 if why == "ahead" else 0)
    if why == "newer-release":
        record: Any = event.value[0]
        record.headers, record.key = ((CONTROL_HEADER, b"new"),), None
    owned.fold.position.meeting = Meeting(kind="resume", at=0, journey="welcome")
    owned.take(event)
    await _until(lambda: owned.stopped == why)
    assert owned.fold.position.meeting is None


async def test_what_was_folded_behind_the_checkpoint_of_a_rest_is_saved_when_it_is_fed_again(begin: Begin) -> None:
    """Not a heartbeat later: a slice may have been at work when the rest's checkpoint took what there was."""
    owned, _, writer = await begin()
    await owned.rest()
    assert owned.fold is not None
    owned.fold.reach(20)
    await asyncio.sleep(0.05)
    owned.keep(2)
    assert owned.place(2) == (21, 2)
    await _until(lambda: owned.saved == 20)
    assert writer.offsets == [20]


async def test_a_rest_that_ends_late_leaves_alone_what_was_fed_since(begin: Begin) -> None:
    """Else the next batch would be a gap, or the partition, full and withheld, would stand for ever."""
    owned, host, writer = await begin(max_poll_records=10)
    writer.gate.clear()
    owned.take(_batch(1, 10))
    await _until(lambda: owned.offset == 10)
    late = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.01)
    owned.let_go()  # the rebalance does not wait for ever
    owned.keep(2)
    assert owned.place(2) == (11, 2)
    owned.take(fed := _batch(2, *range(11, 31)))
    owned.take(waiting := _batch(2, *range(31, 41)))
    assert host.withheld == {3}
    writer.gate.set()
    await late
    owned.take(_batch(2, 41))
    await _until(lambda: owned.saved == 41)
    assert (fed.acks, waiting.acks, host.withheld) == (1, 1, set())
    assert not [said for said in host.said if said.startswith("fail")]


async def test_what_is_dropped_is_no_longer_withheld(begin: Begin) -> None:
    owned, host, _ = await begin(max_poll_records=10)
    owned.take(_batch(1, *range(10, 30)))
    assert host.withheld == {3}
    owned.let_go()
    assert not host.withheld


async def test_rest_waits_for_a_fence_that_is_under_way(begin: Begin) -> None:
    """Sent late, it would hit the next owner."""
    owned, _, writer = await begin(fed=False)
    held = asyncio.Event()

    async def slow() -> None:
        await held.wait()
        writer.opened = True

    writer.open = slow  # type: ignore[method-assign]
    await asyncio.sleep(0)
    resting = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.05)
    assert not resting.done()
    held.set()
    await asyncio.wait_for(resting, 1)


async def test_an_open_waits_until_the_group_says_that_the_partition_is_ours(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = asyncio.Event()

    async def stable(self: Host, _: Owned) -> None:
        await ours.wait()

    monkeypatch.setattr(Host, "stable", stable)
    owned, host, writer = await begin(fed=False)
    await asyncio.sleep(0.05)
    assert not writer.opened
    await owned.rest()
    ours.set()
    await _until(lambda: "feed" in host.said)
    assert writer.opened


async def test_a_close_during_the_open_ends_it(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stable(self: Host, _: Owned) -> None:
        await asyncio.sleep(100)

    monkeypatch.setattr(Host, "stable", stable)
    owned, host, writer = await begin(fed=False)
    await asyncio.sleep(0)
    await asyncio.wait_for(owned.close(), 1)
    assert (owned.is_open, writer.closed, host.said) == (False, True, [])


async def test_a_close_waits_for_the_checkpoint_under_way_but_not_for_ever(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law 9."""
    monkeypatch.setattr(module, "CLOSE_TIMEOUT", 0.2)
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(event := _batch(1, 10))
    await _until(lambda: owned.offset == 10)
    await asyncio.sleep(0.03)
    begun = time.monotonic()
    await owned.close()
    assert 0.15 < time.monotonic() - begun < 2
    assert (event.acks, writer.closed) == (1, True)
    assert not [said for said in host.said if said.startswith("fail")]


# ---- fences -------------------------------------------------------------------------------------------------------------


async def test_fenced_while_it_is_ours_it_is_opened_again(begin: Begin) -> None:
    owned, host, writer = await begin()
    writer.error = ProducerFenced()
    owned.take(_batch(1, 10))
    await _until(lambda: "fenced" in host.said)
    assert owned.lost
    assert not owned.is_open
    assert owned.place(2) is None


async def test_fenced_in_a_rest_that_ends_after_the_group_has_given_it_to_us_again_it_is_opened_again(begin: Begin) -> None:
    """Else it would go on folding, and save nothing any more."""
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(_batch(1, 10))
    await _until(lambda: owned.offset == 10)
    resting = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.01)
    owned.keep(2)
    writer.error = ProducerFenced()
    writer.gate.set()
    await resting
    await _until(lambda: "fenced" in host.said)


async def test_fenced_while_it_is_taken_away_is_no_error(begin: Begin) -> None:
    owned, host, writer = await begin()
    writer.error = ProducerFenced()
    host.rebalancing = True
    owned.take(event := _batch(1, 10))
    await owned.rest()
    await asyncio.sleep(0.05)
    assert host.said == ["opened", "feed"]
    assert event.acks == 1


async def test_a_fenced_producer_is_not_touched_again(begin: Begin) -> None:
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(_batch(1, 10))
    await _until(lambda: owned.offset == 10)
    await asyncio.sleep(0.03)
    host.rebalancing = True
    resting = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.01)
    writer.error = ProducerFenced()
    writer.gate.set()
    await resting
    writer.error = AssertionError("touched")
    await owned.checkpoint()
    assert not [said for said in host.said if said.startswith("fail")]


async def test_any_other_failure_of_a_checkpoint_ends_the_process(begin: Begin) -> None:
    """Law 10."""
    owned, host, writer = await begin()
    writer.error = OSError("disk")
    owned.take(_batch(1, 10))
    await _until(lambda: len(host.said) > 2)
    assert host.said[-1] == "fail events[3]: OSError('disk')"


async def test_after_a_checkpoint_that_failed_nothing_more_is_saved(begin: Begin) -> None:
    """Else a good-bye could save what came after an output that is lost (laws 2 and 10)."""
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(_batch(1, 10))
    await _until(lambda: owned.offset == 10)
    await asyncio.sleep(0.05)  # it waits at the gate
    owned.take(_batch(1, 11))
    await _until(lambda: owned.offset == 11)
    writer.error = OSError("disk")
    writer.gate.set()
    await _until(lambda: len(host.said) > 2)
    writer.error = None
    await owned.rest()
    assert writer.outputs == []


async def test_a_value_that_breaks_the_fold_ends_the_process_and_is_not_skipped(begin: Begin) -> None:
    weighed: set[int] = set()

    class Broken(Record):
        """It can be weighed when it comes in; the fold, which asks for its headers again, breaks."""

        def __getattribute__(self, name: str) -> object:
            if name == "headers" and id(self) in weighed:
                raise ZeroDivisionError
            if name == "headers":
                weighed.add(id(self))
            return super().__getattribute__(name)

    owned, host, writer = await begin()
    owned.take(_batch(1, 10, of=Broken))
    await _until(lambda: len(host.said) > 2)
    assert "ZeroDivisionError" in host.said[-1]
    assert writer.outputs == []


async def test_it_could_go_on_while_it_is_fed_and_neither_stopped_nor_saving(begin: Begin) -> None:
    owned, _, writer = await begin()
    assert owned.could_go_on
    writer.since = 1.0
    assert not owned.could_go_on
    writer.since = None
    owned.take(_batch(1, 10, ahead=10_000))
    await _until(lambda: owned.stopped == "ahead")
    assert not owned.could_go_on
    await owned.rest()
    await _until(lambda: owned.stopped is None)
    assert not owned.could_go_on
    assert owned.place(2) == (10, 2)
    assert owned.could_go_on


async def test_a_cancellation_of_the_open_that_nobody_asked_for_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is stopped after a broken connection raises one; the partition would never open, in silence."""

    async def open_partition(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(module, "Writer", Writer)
    monkeypatch.setattr(module, "open_partition", open_partition)
    host = Host()
    owned = Owned(host, 3, 1, None)
    await _until(lambda: host.said)
    assert "was cancelled without a request" in host.said[0]
    await owned.close()


async def test_a_cancellation_of_the_fold_that_nobody_asked_for_ends_the_process(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task group takes it for a task that has done its work."""
    owned, host, _ = await begin()

    async def apply(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(owned, "_apply", apply)
    owned.take(_batch(1, 10))
    await _until(lambda: len(host.said) > 2)
    assert "its fold was cancelled without a request" in host.said[-1]


async def test_a_partition_that_is_closed_says_nothing_of_its_task(begin: Begin) -> None:
    owned, host, _ = await begin()
    await owned.close()
    assert host.said == ["opened", "feed"]


async def test_who_is_fenced_while_it_opens_is_not_kept_over_the_rebalance(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no task any more, so it would never open."""

    async def open_partition(*_: Any, **__: Any) -> None:
        raise ProducerFenced

    monkeypatch.setattr(module, "Writer", Writer)
    monkeypatch.setattr(module, "open_partition", open_partition)
    host = Host()
    host.rebalancing = True
    owned = Owned(host, 3, 1, None)
    await _until(lambda: owned.lost)
    assert not host.said
    await owned.close()


async def test_events_of_a_batch_that_a_rebalance_interrupts_are_counted(begin: Begin) -> None:
    owned, host, _ = await begin()
    ahead = Record(12, ahead=10_000)
    event = _batch(1, 10, 11, end=13)
    event.value.append(ahead)
    owned.take(event)
    await _until(lambda: owned.stopped == "ahead")
    await owned.rest()
    await _until(lambda: event.acks)
    assert owned.offset == 11
    page = host.metrics.page()
    assert b"cueline_events_total 2.0" in page
    assert b'cueline_events_by_name_total{event="' in page


# ---- a batch that cannot be read -----------------------------------------------------------------------------------------


def _unreadable(first: int, last: int) -> Unreadable:
    return Unreadable(TopicPartition("events", 3), first, first, last, CorruptRecordException("Invalid CRC"))


async def test_before_a_batch_that_cannot_be_read_it_stops_when_all_before_it_is_folded(begin: Begin) -> None:
    owned, host, writer = await begin()
    owned.meet(_unreadable(12, 14), 1)
    await asyncio.sleep(0.02)
    assert owned.stopped is None  # offsets 10 and 11 are on their way
    owned.take(_batch(1, 10, end=12))
    await _until(lambda: owned.stopped == "unreadable")
    assert (owned.offset, owned.saved) == (11, 11)
    assert not owned.could_go_on  # the watchdog does not take it for one that hangs
    assert owned.tick_due() is None
    host.skips.add((12, 14))
    host.news.set()
    await _until(lambda: host.said == ["opened", "feed", "feed"])
    assert (owned.offset, owned.saved, owned.stopped) == (14, 14, None)
    assert writer.offsets[-1] == 14
    assert owned.place(2) == (15, 2)
    owned.take(_batch(2, 15))
    await _until(lambda: owned.saved == 15)


async def test_what_is_skipped_is_not_folded_where_it_can_be_read_after_all(begin: Begin) -> None:
    owned, host, _ = await begin()
    host.skips.add((11, 12))
    owned.take(_batch(1, 10, 11, 12, 13))
    await _until(lambda: owned.saved == 13)
    assert b"cueline_events_total 2.0" in host.metrics.page()


async def test_the_records_that_are_skipped_leave_the_queue_with_the_others(begin: Begin) -> None:
    owned, host, _ = await begin(max_poll_records=2)
    host.skips.add((10, 12))
    for offset in range(10, 20, 2):
        owned.take(_batch(1, offset, offset + 1))
    await _until(lambda: owned.saved == 19)
    assert not host.withheld
    assert owned._inbox._records == 0


async def test_a_batch_that_an_earlier_feeding_could_not_read_is_forgotten(begin: Begin) -> None:
    owned, _, _ = await begin()
    owned.meet(_unreadable(10, 14), 0)
    owned.meet(_unreadable(10, 14), 1)
    await _until(lambda: owned.stopped == "unreadable")
    assert owned.place(2) == (10, 2)
    await _until(lambda: owned.stopped is None)
    owned.take(_batch(2, 10))
    await _until(lambda: owned.saved == 10)


async def test_a_rest_does_not_wait_for_a_batch_that_cannot_be_read(begin: Begin) -> None:
    owned, _, _ = await begin()
    owned.meet(_unreadable(10, 14), 1)
    await _until(lambda: owned.stopped == "unreadable")
    await asyncio.wait_for(owned.rest(), 1)
    await _until(lambda: owned.stopped is None)
