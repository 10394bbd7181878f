"""One owned partition, without Kafka: what is folded, saved and acked."""

import asyncio

import pytest

from streams.worker import saving
from tests.unit.worker.stand_ins import Begin, batch, until


async def test_a_partition_that_is_behind_saves_less_often_until_it_has_caught_up(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "BEHIND", 1e9)
    owned, _, writer = await begin()
    owned.take(batch(1, 10, log_end=13))
    await until(lambda: writer.offsets == [10])
    owned.take(batch(1, 11, log_end=13))
    await until(lambda: owned.offset == 11)
    await asyncio.sleep(0.05)  # five times the interval
    assert writer.offsets == [10]
    owned.take(batch(1, 12, log_end=13))
    await until(lambda: writer.offsets == [10, 12])


async def test_a_batch_is_folded_saved_and_only_then_acked(begin: Begin) -> None:
    owned, _, writer = await begin()
    writer.gate.clear()
    event = batch(1, 10, 11, 12)
    owned.take(event)
    await until(lambda: owned.offset == 12)
    await asyncio.sleep(0.03)
    assert (event.acks, owned.saved) == (0, 9)
    writer.gate.set()
    await until(lambda: event.acks)
    assert (event.acks, owned.saved, writer.offsets) == (1, 12, [12])


async def test_control_records_move_the_position_too(begin: Begin) -> None:
    owned, _, writer = await begin()
    owned.take(batch(1, 10, end=12))
    owned.take(batch(1, start=12, end=15))
    await until(lambda: owned.saved == 14)
    assert owned.offset == 14
    assert writer.offsets[-1] == 14


async def test_a_repetition_is_skipped_up_to_the_position(begin: Begin) -> None:
    owned, host, _ = await begin()
    owned.take(batch(1, 10, 11))
    await until(lambda: owned.offset == 11)
    owned.take(batch(1, 10, 11, 12, 13))
    await until(lambda: owned.saved == 13)
    assert owned.fold is not None
    assert owned.fold.events == 4
    assert not [said for said in host.said if said.startswith("fail")]


async def test_a_gap_between_batches_ends_the_process(begin: Begin) -> None:
    owned, host, _ = await begin()
    owned.take(batch(1, 12, start=12))
    await until(lambda: len(host.said) > 2)
    assert "begins at offset 12, the position is 9" in host.said[-1]
    assert host.said[-1].startswith("fail")


async def test_a_gap_within_a_batch_is_nothing(begin: Begin) -> None:
    owned, _, _ = await begin()
    owned.take(batch(1, 14, 20, start=10, end=30))
    await until(lambda: owned.saved == 29)


async def test_checkpoints_gather_what_comes_while_one_is_under_way(begin: Begin) -> None:
    owned, _, writer = await begin()
    writer.gate.clear()
    for offset in range(10, 30):
        owned.take(batch(1, offset))
        await asyncio.sleep(0)
    await until(lambda: owned.offset == 29)
    writer.gate.set()
    await until(lambda: owned.saved == 29)
    assert len(writer.outputs) <= 3


async def test_the_fold_waits_when_too_much_is_waiting_to_be_saved(begin: Begin) -> None:
    """Law 11."""
    owned, _, writer = await begin(checkpoint_bytes=1 << 18)
    writer.gate.clear()
    junk = b"x" * 5_000
    owned.take(batch(1, *range(10, 500), value=junk))
    await asyncio.sleep(0.2)
    assert owned.offset < 200
    assert owned.fold is not None
    assert owned.fold.pending < (1 << 18) + 8 * 6_000
    writer.gate.set()
    await until(lambda: owned.saved == 499)
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
        owned.take(batch(1, *range(first, first + 10), value=b"x" * 60_000))
        if host.withheld:
            break
    assert host.withheld == {3}
    await asyncio.sleep(0.1)
    writer.gate.set()
    await until(lambda: not host.withheld)


async def test_a_new_one_has_a_position_before_anything_else(begin: Begin) -> None:
    """Law 6: without it, a lost changelog, or a log that was cut short, would look like a new installation."""
    owned, host, writer = await begin(first=True)
    assert (writer.offsets, owned.saved) == ([9], 9)
    assert host.said == ["opened", "feed"]
    owned.take(batch(1, 10))
    await until(lambda: owned.saved == 10)
