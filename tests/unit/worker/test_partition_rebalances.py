"""One owned partition, without Kafka: what a rebalance and a close do to it, whatever is under way."""

import asyncio
import time
from typing import Any

import pytest

from streams.worker import partition as module
from streams.worker.partition import Owned
from tests.unit.worker.stand_ins import Begin, Host, batch, until
from triggers.base.model import CONTROL_HEADER
from triggers.state.position import Meeting


async def test_rest_saves_what_was_folded_and_acks_what_was_not(begin: Begin) -> None:
    owned, _, writer = await begin()
    writer.gate.clear()
    first, second = batch(1, 10, 11), batch(1, 12, 13)
    owned.take(first)
    await until(lambda: owned.offset == 11)
    resting = asyncio.create_task(owned.rest())
    owned.take(second)
    await asyncio.sleep(0)
    owned.take(late := batch(1, 14))
    writer.gate.set()
    await resting
    assert (first.acks, second.acks, late.acks) == (1, 1, 1)
    assert (owned.offset, owned.saved) == (11, 11)


async def test_nothing_is_folded_or_ticked_between_rest_and_feed(begin: Begin) -> None:
    owned, _, _ = await begin()
    await owned.rest()
    assert owned.tick_due() is None
    owned.take(dropped := batch(1, 10))
    assert dropped.acks == 1
    owned.keep(2)
    assert owned.place(7) == (10, 7)
    owned.take(stale := batch(1, 10))
    owned.take(batch(7, 10))
    await until(lambda: owned.saved == 10)
    assert stale.acks == 1


async def test_being_fed_again_voids_what_is_waiting(begin: Begin) -> None:
    owned, host, _ = await begin()
    owned.take(void := batch(1, 10, 11))
    assert owned.place(2) == (10, 2)
    assert void.acks == 1
    owned.take(batch(2, 10))
    await until(lambda: owned.saved == 10)
    assert not [said for said in host.said if said.startswith("fail")]


async def test_rest_does_not_wait_for_a_record_that_is_too_far_ahead(begin: Begin) -> None:
    """Nor does Faust, which waits for the ack."""
    owned, _, _ = await begin()
    owned.take(event := batch(1, 10, ahead=10_000))
    await until(lambda: owned.stopped == "ahead")
    await owned.rest()
    await until(lambda: event.acks)
    assert owned.stopped is None
    assert (owned.offset, owned.place(2)) == (9, (10, 2))


@pytest.mark.parametrize("why", ["ahead", "newer-release"])
async def test_what_is_due_does_not_wait_for_what_an_operator_does_about_the_next_record(begin: Begin, why: str) -> None:
    owned, _, _ = await begin()
    assert owned.fold is not None
    event = batch(1, 10, ahead=10_000 if why == "ahead" else 0)
    if why == "newer-release":
        record: Any = event.value[0]
        record.headers, record.key = ((CONTROL_HEADER, b"new"),), None
    owned.fold.position.meeting = Meeting(kind="resume", at=0, journey="welcome")
    owned.take(event)
    await until(lambda: owned.stopped == why)
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
    await until(lambda: owned.saved == 20)
    assert writer.offsets == [20]


async def test_a_rest_that_ends_late_leaves_alone_what_was_fed_since(begin: Begin) -> None:
    """Else the next batch would be a gap, or the partition, full and withheld, would stand for ever."""
    owned, host, writer = await begin(max_poll_records=10)
    writer.gate.clear()
    owned.take(batch(1, 10))
    await until(lambda: owned.offset == 10)
    late = asyncio.create_task(owned.rest())
    await asyncio.sleep(0.01)
    owned.let_go()  # the rebalance does not wait for ever
    owned.keep(2)
    assert owned.place(2) == (11, 2)
    owned.take(fed := batch(2, *range(11, 31)))
    owned.take(waiting := batch(2, *range(31, 41)))
    assert host.withheld == {3}
    writer.gate.set()
    await late
    owned.take(batch(2, 41))
    await until(lambda: owned.saved == 41)
    assert (fed.acks, waiting.acks, host.withheld) == (1, 1, set())
    assert not [said for said in host.said if said.startswith("fail")]


async def test_what_is_dropped_is_no_longer_withheld(begin: Begin) -> None:
    owned, host, _ = await begin(max_poll_records=10)
    owned.take(batch(1, *range(10, 30)))
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
    await until(lambda: "feed" in host.said)
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
    owned.take(event := batch(1, 10))
    await until(lambda: owned.offset == 10)
    await asyncio.sleep(0.03)
    begun = time.monotonic()
    await owned.close()
    assert 0.15 < time.monotonic() - begun < 2
    assert (event.acks, writer.closed) == (1, True)
    assert not [said for said in host.said if said.startswith("fail")]
