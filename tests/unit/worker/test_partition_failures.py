"""One owned partition, without Kafka: what becomes of it when it is fenced, and when something breaks."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced

from streams.worker import partition as module
from streams.worker.partition import Owned
from tests.unit.worker.stand_ins import Begin, Host, Record, Writer, batch, until


async def test_fenced_while_it_is_ours_it_is_opened_again(begin: Begin) -> None:
    owned, host, writer = await begin()
    writer.error = ProducerFenced()
    owned.take(batch(1, 10))
    await until(lambda: "fenced" in host.said)
    assert owned.lost
    assert not owned.is_open
    assert owned.place(2) is None


async def test_fenced_in_a_rest_that_ends_after_the_group_has_given_it_to_us_again_it_is_opened_again(begin: Begin) -> None:
    """Otherwise it would continue to fold, and save nothing any more."""
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(batch(1, 10))
    await until(lambda: owned.offset == 10)
    resting = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.01)
    owned.keep(2)
    writer.error = ProducerFenced()
    writer.gate.set()
    await resting
    await until(lambda: "fenced" in host.said)


async def test_fenced_while_it_is_taken_away_is_no_error(begin: Begin) -> None:
    owned, host, writer = await begin()
    writer.error = ProducerFenced()
    host.rebalancing = True
    owned.take(event := batch(1, 10))
    await owned.rest()
    await asyncio.sleep(0.05)
    assert host.said == ["opened", "feed"]
    assert event.acks == 1


async def test_a_fenced_producer_is_not_touched_again(begin: Begin) -> None:
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(batch(1, 10))
    await until(lambda: owned.offset == 10)
    await asyncio.sleep(0.03)
    host.rebalancing = True
    resting = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.01)
    writer.error = ProducerFenced()
    writer.gate.set()
    await resting
    writer.error = AssertionError("touched")
    await owned._saving.checkpoint()
    assert not [said for said in host.said if said.startswith("fail")]


async def test_any_other_failure_of_a_checkpoint_ends_the_process(begin: Begin) -> None:
    """Law 10."""
    owned, host, writer = await begin()
    writer.error = OSError("disk")
    owned.take(batch(1, 10))
    await until(lambda: len(host.said) > 2)
    assert host.said[-1] == "fail events[3]: OSError('disk')"


async def test_after_a_checkpoint_that_failed_nothing_more_is_saved(begin: Begin) -> None:
    """Else a good-bye could save what came after an output that is lost (laws 2 and 10)."""
    owned, host, writer = await begin()
    writer.gate.clear()
    owned.take(batch(1, 10))
    await until(lambda: owned.offset == 10)
    await asyncio.sleep(0.05)  # it waits at the gate
    owned.take(batch(1, 11))
    await until(lambda: owned.offset == 11)
    writer.error = OSError("disk")
    writer.gate.set()
    await until(lambda: len(host.said) > 2)
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
    owned.take(batch(1, 10, of=Broken))
    await until(lambda: len(host.said) > 2)
    assert "ZeroDivisionError" in host.said[-1]
    assert writer.outputs == []


async def test_it_could_go_on_while_it_is_fed_and_neither_stopped_nor_saving(begin: Begin) -> None:
    owned, _, writer = await begin()
    assert owned.could_go_on
    writer.since = 1.0
    assert not owned.could_go_on
    writer.since = None
    owned.take(batch(1, 10, ahead=10_000))
    await until(lambda: owned.stopped == "ahead")
    assert not owned.could_go_on
    await owned.rest()
    await until(lambda: owned.stopped is None)
    assert not owned.could_go_on
    assert owned.place(2) == (10, 2)
    assert owned.could_go_on


async def test_a_cancellation_of_the_open_that_nobody_asked_for_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is stopped after a broken connection raises one; the partition would silently never open."""

    async def open_partition(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(module, "Writer", Writer)
    monkeypatch.setattr(module, "open_partition", open_partition)
    host = Host()
    owned = Owned(host, 3, 1, None)
    await until(lambda: host.said)
    assert "was cancelled without a request" in host.said[0]
    await owned.close()


async def test_a_cancellation_of_the_fold_that_nobody_asked_for_ends_the_process(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task group takes it for a task that has done its work."""
    owned, host, _ = await begin()

    async def apply(*_: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(owned._slices, "_apply", apply)
    owned.take(batch(1, 10))
    await until(lambda: len(host.said) > 2)
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
    await until(lambda: owned.lost)
    assert not host.said
    await owned.close()


async def test_events_of_a_batch_that_a_rebalance_interrupts_are_counted(begin: Begin) -> None:
    owned, host, _ = await begin()
    ahead = Record(12, ahead=10_000)
    event = batch(1, 10, 11, end=13)
    event.value.append(ahead)
    owned.take(event)
    await until(lambda: owned.stopped == "ahead")
    await owned.rest()
    await until(lambda: event.acks)
    assert owned.offset == 11
    page = host.metrics.page()
    assert b"cueline_events_total 2.0" in page
    assert b'cueline_events_by_name_total{event="' in page
