"""Which partitions are kept over a rebalance, which are opened again, and when a fence is no accident (PROTOCOL laws 7 and 9)."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from streams.settings import Settings
from streams.worker import ownership as module
from streams.worker.opening import Log
from streams.worker.ownership import Ownership
from streams.worker.telemetry.gauges import Gauges
from streams.worker.telemetry.metrics import Metrics


class Owned:
    """A partition that writes down what is done to it."""

    def __init__(self, host: Any, partition: int, generation: int, after: Any) -> None:
        self.partition, self.generation, self.after = partition, generation, after
        self.lost = False
        self.is_open = self.could_go_on = True
        self.offset = 41
        self.done: list[str] = []
        self.counts = {("sent", "welcome"): 2}
        self.saved = 41
        self.stirred, self.patient = time.monotonic(), False
        self.writer = SimpleNamespace(since=None)

    def keep(self, generation: int) -> None:
        self.generation = generation
        self.done.append("keep")

    async def rest(self) -> None:
        self.done.append("rest")

    def let_go(self) -> None:
        self.done.append("dropped")

    async def close(self) -> None:
        self.done.append("close")

    def place(self, epoch: int) -> tuple[int, int]:
        return (42, epoch)

    def take(self, event: Any) -> None:
        self.done.append("take")


@pytest.fixture
def ownership(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(module, "Owned", Owned)
    failed: list[str] = []
    made = Ownership(Settings(), Log("cueline", "c", "t", "l", 4), Any, Metrics(), None, fail=failed.append, refuse=failed.append)  # type: ignore[arg-type]
    batches = SimpleNamespace(starve=lambda: None)
    made.attach(SimpleNamespace(consumer=SimpleNamespace(batches=batches, rebalancing=False)))  # type: ignore[arg-type]
    made.failed = failed  # type: ignore[attr-defined]
    return made


def _owned(ownership: Ownership) -> dict[int, Any]:
    return {owned.partition: owned for owned in ownership}


async def test_the_next_generation_of_the_same_member_keeps_what_stays(ownership: Ownership) -> None:
    ownership.assigned({0, 1, 2}, 5, "me")
    before = _owned(ownership)
    ownership.assigned({1, 2, 3}, 6, "me")
    after = _owned(ownership)
    assert sorted(after) == [1, 2, 3]
    assert after[1] is before[1]
    assert (after[1].done, after[1].generation) == (["keep"], 6)
    await asyncio.sleep(0)
    assert before[0].done == ["close"]
    assert ownership.retired == {("sent", "welcome"): 2}


async def test_it_says_once_a_generation_that_all_partitions_are_open(ownership: Ownership, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for generation in (5, 6):
        ownership.assigned({0, 1, 2}, generation, "me")
        for _ in range(3):
            ownership.opened()
    assert caplog.messages.count("all 3 partitions are open") == 2


@pytest.mark.parametrize(("generation", "member"), [(7, "me"), (5, "me"), (1, "me"), (6, "another")])
async def test_after_a_missed_generation_or_under_another_name_everything_is_opened_anew(
    ownership: Ownership, generation: int, member: str
) -> None:
    """Another worker may have owned it in between."""
    ownership.assigned({0, 1}, 5, "me")
    before = _owned(ownership)
    ownership.assigned({0, 1}, generation, member)
    after = _owned(ownership)
    assert all(after[partition] is not before[partition] for partition in (0, 1))
    assert after[0].after is not None
    await asyncio.sleep(0)
    assert before[0].done == ["close"]


async def test_what_was_fenced_is_not_kept(ownership: Ownership) -> None:
    ownership.assigned({0, 1}, 5, "me")
    before = _owned(ownership)
    before[0].lost = True
    ownership.assigned({0, 1}, 6, "me")
    after = _owned(ownership)
    assert after[0] is not before[0]
    assert after[1] is before[1]


async def test_epochs_rise_over_all_feeds(ownership: Ownership) -> None:
    ownership.assigned({0, 1}, 5, "me")
    first, second = ownership.places(frozenset()), ownership.places(frozenset({1}))
    assert sorted(first) == [0, 1]
    assert sorted(second) == [1]
    assert second[1][1] > max(place[1] for place in first.values())


async def test_the_group_is_told_what_checkpoints_hold(ownership: Ownership) -> None:
    """Law 4."""
    ownership.assigned({0, 1}, 5, "me")
    _owned(ownership)[1].saved = -1
    assert [ownership.saved(partition) for partition in (0, 1, 2)] == [42, None, None]


async def test_a_batch_of_somebody_elses_partition_is_acked_and_dropped(ownership: Ownership) -> None:
    ownership.assigned({0}, 5, "me")
    acked: list[int] = []
    for partition in (0, 1):
        event: Any = SimpleNamespace(value=SimpleNamespace(partition=partition), ack=lambda partition=partition: acked.append(partition))
        ownership.take(event)
    assert acked == [1]
    assert _owned(ownership)[0].done == ["take"]


async def test_a_rebalance_does_not_wait_for_ever(ownership: Ownership, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLE", 0.05)
    ownership.assigned({0, 1}, 5, "me")
    hanging = _owned(ownership)[0]
    hanging.rest = asyncio.Event().wait
    await asyncio.wait_for(ownership.settle(), 1)
    assert hanging.done == ["dropped"]


async def test_nothing_is_opened_or_fed_once_the_end_has_begun(ownership: Ownership) -> None:
    ownership.assigned({0}, 5, "me")
    owned = _owned(ownership)[0]
    await ownership.close()
    assert owned.done == ["rest", "close"]
    assert ownership.closed
    ownership.assigned({0, 1}, 6, "me")
    assert list(_owned(ownership)) == [0]
    assert ownership.places(frozenset()) == {}
    assert ownership.saved(0) == 42


async def test_what_was_counted_is_told_once_also_between_the_last_checkpoint_and_the_end(ownership: Ownership) -> None:
    """A counter that jumps and falls again would be taken for as many decisions."""
    ownership.assigned({0, 1, 2}, 5, "me")
    ownership.assigned({0, 1}, 6, "me")
    assert ownership.counts == {("sent", "welcome"): 6}
    ownership.fenced(_owned(ownership)[1])
    before = ownership.counts
    page = [line for line in _page(ownership) if line.startswith("cueline_decided_total")]
    await ownership.close()
    assert ownership.counts == before
    assert [line for line in _page(ownership) if line.startswith("cueline_decided_total")] == page
    assert ownership.saved(0) == 42, "the group's offsets are committed after that"


def _page(ownership: Ownership) -> list[str]:
    """The counters of what was decided, as they are scraped."""
    return [f"{sample.name}{sample.labels} {sample.value}" for metric in Gauges(ownership, None)._counts() for sample in metric.samples]


async def test_it_does_not_say_that_all_is_saved_when_a_checkpoint_did_not_end(
    ownership: Ownership, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE", 0.05)
    ownership.assigned({0, 1}, 5, "me")
    _owned(ownership)[0].rest = asyncio.Event().wait
    await asyncio.wait_for(ownership.close(), 1)
    assert not ownership.closed


async def test_who_is_fenced_again_and_again_gives_up(ownership: Ownership) -> None:
    ownership.assigned({0}, 5, "me")
    for _ in range(module.FENCES):
        (owned,) = ownership
        ownership.fenced(owned)
        assert next(iter(ownership)) is not owned
    assert not ownership.failed  # type: ignore[attr-defined]
    ownership.fenced(next(iter(ownership)))
    assert "seem to share the app name cueline" in ownership.failed[0]  # type: ignore[attr-defined]


class _Ends:
    """A client that knows where partitions end."""

    def __init__(self, end: int) -> None:
        self.end = end

    async def end_offsets(self, tps: list[Any]) -> dict[Any, int]:
        return dict.fromkeys(tps, self.end)


async def test_a_partition_that_stands_before_committed_records_is_named(ownership: Ownership, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the brokers can distinguish a fetch that hangs from a quiet log."""
    ownership.assigned({0, 1}, 5, "me")
    first, second = _owned(ownership).values()
    ownership.log_reader = _Ends(60)
    monkeypatch.setattr(ownership.consumer.batches, "log_ends", lambda _: (45, 44), raising=False)
    committed = _Ends(50)
    first.offset, second.offset = 41, 49
    await ownership.look_at_ends(committed)
    assert ownership.log_ends(0) == (60, 50)
    assert ownership.waiting() is None
    await ownership.look_at_ends(committed)
    assert str(ownership.waiting()).endswith("has not moved from offset 41, although records come after it,")
    first.could_go_on = False
    assert ownership.waiting() is None
    first.could_go_on = True
    first.offset = 42
    assert ownership.waiting() is None
    await ownership.look_at_ends(committed)
    assert ownership.waiting() is None
    first.offset = 49
    for _ in range(2):
        await ownership.look_at_ends(committed)
    assert ownership.waiting() is None


async def test_a_partition_that_neither_opens_nor_makes_progress_is_named(ownership: Ownership, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROGRESS", 0.01)
    ownership.assigned({0, 1}, 5, "me")
    first, _ = _owned(ownership).values()
    first.is_open, first.stirred = False, time.monotonic() - 1
    assert "it has made no progress" in str(ownership.opening())
    first.patient = True
    assert ownership.opening() is None
    first.patient, first.stirred = False, time.monotonic() + 1
    assert ownership.opening() is None


async def test_partitions_that_were_added_under_a_running_worker_are_named_at_the_assignment(ownership: Ownership) -> None:
    ownership.assigned({0, 5}, 5, "me")
    (said,) = ownership.failed  # type: ignore[attr-defined]
    assert "partitions [5], but the topic had 4" in said
    assert "nothing must be deleted" in said
    assert not _owned(ownership)
