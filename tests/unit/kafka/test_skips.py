"""What is skipped because it cannot be read: when, up to where, and what operators see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

from streams.cli.main import run
from streams.commands.rule_store import RuleStore as RealRuleStore
from streams.kafka import clients
from streams.kafka.records import Unreadable
from streams.kafka.skips import Skip, SkippingReader, last_skipped, remedy, without
from streams.settings import Settings
from streams.worker import exits
from streams.worker import unreadable as module
from streams.worker.clock_guard import TooLate
from streams.worker.unreadable import Skips
from tests.fake_broker import FakeBroker, good
from triggers.base.model import LogRecord, Place
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.state.position import Position
from triggers.state.table import Table

TP = TopicPartition("cueline.events", 3)


class RuleStore:
    """Skips as a worker has them at hand."""

    def __init__(self, *found: Skip) -> None:
        self.found = frozenset(found)

    def skips(self, topic: str, partition: int, topic_id: str) -> frozenset[Skip]:
        assert (topic, partition, topic_id) == ("cueline.events", 3, "t")
        return self.found

    async def news(self) -> None:
        await asyncio.sleep(0.01)


def _fold(offset: int = 9) -> Partition:
    return Partition(Place("cueline.events", 3), Table(), Library(), Position(offset=offset, topic_id="t"), Options())


def _skips(rule_store: Any, saved: int = 9) -> Skips:
    return Skips(Settings(), rule_store, 3, lambda: saved)


def _problem(first: int = 10, last: int | None = 12, at: int | None = None, error: Exception | None = None) -> Unreadable:
    return Unreadable(TP, first if at is None else at, first, last, error or CorruptRecordException("Invalid CRC"))


def _offsets(records: list[LogRecord]) -> list[int]:
    return [record.offset for record in records]


@pytest.mark.parametrize(
    ("skips", "left"),
    [
        ((), [10, 11, 14, 15]),
        (((0, 9), (16, 20)), [10, 11, 14, 15]),
        (((11, 14),), [10, 15]),
        (((0, 10), (12, 13), (15, 99)), [11, 14]),
        (((0, 99),), []),
    ],
)
def test_exactly_the_offsets_that_are_named_are_left_out(skips: tuple[Skip, ...], left: list[int]) -> None:
    records = [LogRecord(offset, 0, b"ann", b"{}") for offset in (10, 11, 14, 15)]
    assert _offsets(without(records, skips)) == left
    assert without([], skips) == []


@pytest.mark.parametrize(
    ("skips", "problem", "last"),
    [
        ((), _problem(), None),
        (((10, 12),), _problem(), 12),
        (((10, 12),), _problem(at=9), 12),  # the offsets between were compacted away
        (((11, 12),), _problem(at=11), 12),  # its first record was folded before it was damaged
        (((11, 12),), _problem(), None),
        (((0, 9), (13, 20)), _problem(), None),
        (((0, 10), (5, 30)), _problem(), 30),
    ],
)
def test_a_batch_is_passed_if_the_first_offset_that_cannot_be_had_is_skipped(
    skips: tuple[Skip, ...], problem: Unreadable, last: int | None
) -> None:
    assert last_skipped(skips, problem) == last


def test_what_can_be_done_is_told_as_a_command_that_can_be_copied() -> None:
    assert "`cueline override 3 10-12 --reason TEXT`" in remedy(_problem(), "cueline.events")
    assert "`cueline rebase --partition 3 --from OFFSET --state keep`" in remedy(_problem(last=None), "cueline.events")
    missing = UnsupportedCodecError("Libraries for zstd compression codec not found")
    assert remedy(_problem(error=missing), "cueline.events").startswith("The package cramjam is missing")
    elsewhere = remedy(_problem(), "other.events")
    assert "override" not in elsewhere
    assert "another replica" in elsewhere


def test_what_is_known_at_the_opening_is_obeyed_from_the_start() -> None:
    skips = _skips(RuleStore((3, 5), (10, 12)))
    assert skips.of(_fold()) == {(3, 5), (10, 12)}


def test_a_skip_of_what_was_folded_and_not_saved_lets_it_be_folded_again() -> None:
    rule_store = RuleStore()
    skips = _skips(rule_store, saved=9)
    fold = _fold(11)
    assert skips.of(fold) == frozenset()
    rule_store.found = frozenset({(10, 12)})
    with pytest.raises(TooLate, match="offsets 10 to 12"):
        skips.of(fold)


def test_a_skip_of_what_a_checkpoint_holds_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    rule_store = RuleStore()
    skips = _skips(rule_store, saved=11)
    assert skips.of(_fold(11)) == frozenset()
    rule_store.found = frozenset({(10, 12)})
    assert skips.of(_fold(11)) == {(10, 12)}
    assert "a replay will decide differently" in caplog.text


async def test_it_waits_for_the_override_and_tells_where_to_go_on(caplog: pytest.LogCaptureFixture) -> None:
    rule_store = RuleStore()
    skips = _skips(rule_store)
    passed = asyncio.create_task(skips.passed(_fold(), _problem()))
    await asyncio.sleep(0.03)
    assert not passed.done()
    assert "cueline.events[3]: stopped before offset 10: offsets 10 to 12: the batch cannot be read" in caplog.text
    rule_store.found = frozenset({(10, 12)})
    assert await passed == 12
    assert skips.of(_fold(12)) == {(10, 12)}  # it does not count as one that comes too late


async def test_after_a_while_it_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN", 0.02)
    assert await _skips(RuleStore()).passed(_fold(), _problem()) is None


# ---- reading around it ----------------------------------------------------------------------------------------------------


ZERO, ONE = TopicPartition("events", 0), TopicPartition("events", 1)


@asynccontextmanager
async def _passing(zero: list[bytes], one: list[bytes], skips: set[Skip]) -> AsyncIterator[SkippingReader]:
    ends = {ZERO: 22, ONE: 6}
    async with FakeBroker({"events": [zero, one]}, ends) as broker, clients.consumer(_settings(broker)) as client:
        client.assign([ZERO, ONE])
        for tp in (ZERO, ONE):
            client.seek(tp, 0)
        yield SkippingReader(client, {ZERO: skips, ONE: set()})


def _settings(broker: FakeBroker) -> Settings:
    return Settings(bootstrap=broker.bootstrap, prefix="")


def _spoilt(first: int) -> bytes:
    return good(first)[:-1] + b"!"


@pytest.mark.parametrize(("skips", "left"), [({(2, 3)}, [0, 1, 4, 5, 20, 21]), ({(0, 0), (2, 9)}, [1, 20, 21])])
async def test_who_reads_several_partitions_passes_what_is_skipped_and_loses_nothing_of_the_others(
    skips: set[Skip], left: list[int]
) -> None:
    got: dict[TopicPartition, list[int]] = {ZERO: [], ONE: []}
    async with _passing([good(0), _spoilt(2), good(4), good(20)], [good(0), good(2), good(4)], skips) as reader:
        while 21 not in got[ZERO] or len(got[ONE]) < 6:
            for tp, records in (await reader.getmany(timeout_ms=100)).items():
                got[tp] += [record.offset for record in records]
    assert got == {ZERO: left, ONE: [0, 1, 2, 3, 4, 5]}


async def test_who_reads_several_partitions_hears_of_the_batch_when_all_else_was_given() -> None:
    got: list[int] = []

    async def read(reader: SkippingReader) -> None:
        while True:
            for records in (await reader.getmany(timeout_ms=100)).values():
                got.extend(record.offset for record in records)

    async with _passing([_spoilt(0)], [good(0), good(2)], set()) as reader:
        with pytest.raises(Unreadable, match=r"events\[0\], offsets 0 to 1"):
            await read(reader)
    assert got == [0, 1, 2, 3]


@pytest.mark.parametrize("offset", ["12-", "-12", "12-x", "x", "12-13-14", "1" * 20])
def test_an_override_of_no_offsets_is_a_wrong_word(offset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["override", "--reason", "a test", "--", "3", offset]) == 2
    assert "write one offset as 184467, a batch as 184467-184502" in capsys.readouterr().err


# ---- the topic of rules -----------------------------------------------------------------------------------------------------


async def test_rules_that_cannot_be_read_keep_a_worker_from_starting_and_end_one_that_follows_them() -> None:
    rules = TopicPartition("rules", 0)
    async with FakeBroker({"rules": [[good(0)]]}, {rules: 2}) as broker:
        rule_store, refused = RealRuleStore(_settings(broker)), asyncio.Queue[str]()
        try:
            await rule_store.start(fail=refused.put_nowait, refuse=lambda problem: refused.put_nowait(f"refused: {problem}"))
            broker.topics["rules"][0].append(_spoilt(2))
            broker.ends[rules] = 4
            problem = await asyncio.wait_for(refused.get(), 10)
        finally:
            await rule_store.stop()
        assert problem.startswith("refused: rules[0], offsets 2 to 3: the batch cannot be read: ")
        assert "let another replica lead" in problem
        with pytest.raises(Unreadable) as told:
            await RealRuleStore(_settings(broker)).start(fail=refused.put_nowait)
        assert exits.code_of(told.value) == exits.REFUSED
        assert "let another replica lead" in exits.describe(told.value)
