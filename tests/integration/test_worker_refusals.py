"""Law 6: a position knows its log. What does not match is refused, with its meaning and its remedy; nothing restarts silently."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import KafkaError

from streams.broker import Broker
from streams.browse.replay import replay_topic
from streams.commands import send as control
from streams.commands import topic_layout, topics
from streams.commands.log_history import CannotReplay
from streams.commands.rebase import rebase
from streams.kafka import clients
from streams.kafka.reading import Ends, reader
from streams.settings import Settings
from streams.worker.opening import Log as LogIdentity
from streams.worker.opening import Refused, _check
from tests.conftest import SettingsFor
from tests.integration.running import PROMPT, Log, Worker, installed
from triggers.rules.checks import load
from triggers.state.position import Position


async def _delete_records(settings: Settings, before: int) -> None:
    """What retention does."""
    admin = AIOKafkaAdminClient(**settings.client())
    await admin.start()
    await admin.delete_records({TopicPartition(settings.names.events, 0): RecordsToDelete(before_offset=before)})
    await admin.close()


async def _make_again(settings: Settings, topic: str) -> None:
    async with clients.Cluster(settings) as cluster:
        await cluster.delete([topic])
        async with asyncio.timeout(20):
            while topic in await cluster.topics([topic]):
                await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        while True:
            try:
                return await topics.create(settings)
            except (topic_layout.TopicsWrong, KafkaError):  # the old one is still going
                await asyncio.sleep(0.3)


async def _work_once(log: Log, folder: Path) -> None:
    for number in range(5):
        await log.track("ann", "Paid", messageId=str(number))
    with Worker(log.settings, folder) as worker:
        await worker.opens()
        await log.is_saved()
        await worker.leaves()


async def _is_refused(log: Log, folder: Path, *words: str) -> None:
    before = await log.records(log.settings.names.changelog)
    with Worker(log.settings, folder) as worker:
        assert await worker.ends() == 78
        said = worker.said()
    for word in (*words, "Nothing was changed", "cueline rebase"):
        assert word in said
    assert await log.records(log.settings.names.changelog) == before


async def test_a_changelog_that_is_gone(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Continuing would send everything again."""
    async with installed(settings_for(broker, partitions=1)) as log:
        await _work_once(log, tmp_path)
        await _make_again(log.settings, log.settings.names.changelog)
        await _is_refused(log, tmp_path, "the changelog is gone")


async def test_a_changelog_that_is_made_again_under_a_running_worker(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Its next checkpoint puts a position into the new one, but no states."""
    async with installed(settings_for(kafka, partitions=1, heartbeat=1)) as log:
        await log.track("ann", "Paid")
        with Worker(log.settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await _make_again(log.settings, log.settings.names.changelog)
            await log.track("ann", "Paid")
            assert await worker.ends(60) == 70
            assert "its changelog is another one now" in worker.said() or "does not exist" in worker.said()
        await _is_refused(log, tmp_path, "the changelog")


async def test_a_topic_that_was_made_again(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    async with installed(settings_for(kafka, partitions=1)) as log:
        await _work_once(log, tmp_path)
        await _make_again(log.settings, log.settings.names.events)
        await _is_refused(log, tmp_path, "it was deleted and made again")


async def test_a_log_of_which_retention_has_eaten_input(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    async with installed(settings_for(kafka, partitions=1)) as log:
        await _work_once(log, tmp_path)
        for number in range(5):
            await log.track("ann", "Paid", messageId=f"more-{number}")
        end = await log.end()
        await _delete_records(log.settings, end - 2)
        await _is_refused(log, tmp_path, f"the log begins at offset {end - 2}, after the position {end - 6}")


async def test_a_text_that_somebodys_run_is_pinned_to_and_that_cannot_be_used(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    """Law 21. With it the next event of that user would end the worker, again and again."""
    pinned = {"rules.yaml": PROMPT.replace("wait: 1s", "wait: 1h")}
    async with installed(settings_for(kafka, partitions=1), rules=pinned["rules.yaml"]) as log:
        await log.track("ann", "Signed Up")
        await control.apply(log.settings, {"rules.yaml": "version: 1"})
        await _work_once(log, tmp_path)
        rule_set, rules = load(pinned).hash, log.settings.names.rules
        kept = {record.key: record.value for record in await log.records(rules)} | {f"rule-set:{rule_set}".encode(): b"spoilt"}
        await _make_again(log.settings, rules)  # the right text comes before the damaged one until the topic is compacted
        for key, value in kept.items():
            await log.producer.send_and_wait(rules, value, key=key)
        with Worker(log.settings, tmp_path) as worker:
            assert await worker.ends() == 78
            assert f"rule set {rule_set}: it cannot be used by this release" in worker.said()
            assert "user 'ann' is in a journey of it" in worker.said()
            assert "`cueline apply --force`" in worker.said()
            assert "Traceback" not in worker.said()
        await control.apply(log.settings, pinned, force=True)
        await _work_once(log, tmp_path)


async def test_a_key_in_the_changelog_that_no_worker_has_written(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    async with installed(settings_for(kafka, partitions=1)) as log:
        await _work_once(log, tmp_path)
        await log.producer.send_and_wait(log.settings.names.changelog, b"x" * 40, key=b"\xff", partition=0)
        await _is_refused(log, tmp_path, r"a record with the key b'\xff', which no worker has written")
        await rebase(log.settings, None, "end", "drop", force=True)
        with Worker(log.settings, tmp_path) as worker:
            await worker.opens()
            await worker.leaves()


async def test_input_that_retention_eats_under_a_running_worker(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """A fetch that is out of range is never reset by itself."""
    async with installed(settings_for(kafka, partitions=1)) as log:
        with Worker(log.settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            worker.process.send_signal(signal.SIGSTOP)
            for number in range(5):
                await log.track("ann", "Paid", messageId=str(number))
            await _delete_records(log.settings, await log.end())
            await log.track("ann", "Paid", messageId="after")
            # It has not asked for these yet, or it has asked and will be answered; both are right.
            worker.process.send_signal(signal.SIGCONT)
            code = await worker.ends()
            assert code == 70
            assert "is outside the log" in worker.said()
            assert "cueline rebase" in worker.said()
        # A fetch that was open at the broker may have been answered by the first of the five; what comes after the hole is not folded.
        assert len(await log.actions()) < 5


async def test_a_log_that_begins_late_is_where_a_new_installation_begins(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    async with installed(settings_for(kafka, partitions=1), rules=None) as log:
        for _ in range(5):
            await log.track("ann", "Paid")
        await _delete_records(log.settings, 3)
        with Worker(log.settings, tmp_path) as worker:
            await log.is_saved()
            assert await worker.metric("cueline_events") == 2
            await worker.leaves()


async def test_a_log_that_began_late_is_replayed_from_where_its_worker_began_and_no_later(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    async with installed(settings_for(kafka, partitions=1), rules=None) as log:
        for number in range(5):
            await log.track("ann", "Paid", messageId=f"early-{number}")
        await _delete_records(log.settings, 3)
        with pytest.raises(CannotReplay, match="has lost its beginning"):
            await replay_topic(log.settings)
        await control.apply(log.settings, {"rules.yaml": PROMPT})
        await control.go_live(log.settings)
        await _work_once(log, tmp_path)
        assert [position.begun for position in (await log.positions()).values()] == [3]
        actions = sorted(record.value or b"" for record in await log.records(log.settings.names.actions))
        replayed = await replay_topic(log.settings, states=True)
        assert (replayed.events, sorted(replayed.actions[0])) == (7, actions)
        assert replayed.states["ann"] == next(r.value for r in reversed(await log.records(log.settings.names.changelog)) if r.key == b"ann")
        assert (await replay_topic(log.settings, rules=load({"rules.yaml": PROMPT}))).counts["sent", "receipt"] == 7
        await _delete_records(log.settings, 4)
        for rules in (None, load({"rules.yaml": PROMPT})):
            with pytest.raises(CannotReplay, match="has lost its beginning"):
                await replay_topic(log.settings, rules=rules)


async def test_a_new_installation_that_has_read_nothing_is_taken_up_again(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    """Within a heartbeat, by itself or by a second worker: the group's offset must not speak of what no position holds."""
    async with installed(settings_for(kafka, partitions=1), rules=None) as log:
        for _ in range(5):
            await log.track("ann", "Paid")
        await _delete_records(log.settings, 5)
        for _ in range(2):
            with Worker(log.settings, tmp_path) as worker:
                await worker.opens()
                await asyncio.sleep(1.5)  # Faust commits offsets once a second
                await worker.leaves()
        assert [position.offset for position in (await log.positions()).values()] == [4]


async def test_what_retention_eats_before_anything_was_read_is_missed(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    async with installed(settings_for(kafka, partitions=1), rules=None) as log:
        with Worker(log.settings, tmp_path) as worker:
            await worker.opens()
            await worker.leaves()
        for _ in range(5):
            await log.track("ann", "Paid")
        await _delete_records(log.settings, 3)
        await _is_refused(log, tmp_path, "the log begins at offset 3, after the position -1")


async def test_it_goes_at_once_while_it_looks_for_a_topic_that_is_absent(
    embedded: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    with Worker(settings_for(embedded), tmp_path) as worker:
        await worker.says("looking again")
        assert await worker.leaves() < 3


def _changed(change: Callable[[Position], None]) -> Position:
    position = Position(offset=41, app="a", cluster="c", topic_id="t", changelog_id="l", partitions=4)
    change(position)
    return position


@pytest.mark.parametrize(
    ("position", "extent", "words"),
    [
        (_changed(lambda p: setattr(p, "app", "b")), Ends(0, 50), "the app is a, the position was saved for b"),
        (_changed(lambda p: setattr(p, "cluster", "d")), Ends(0, 50), "the cluster id is c"),
        (_changed(lambda p: setattr(p, "topic_id", "u")), Ends(0, 50), "deleted and made again"),
        (_changed(lambda p: setattr(p, "changelog_id", "m")), Ends(0, 50), "and the states with it"),
        (_changed(lambda p: setattr(p, "partitions", 8)), Ends(0, 50), "users live elsewhere now"),
        (_changed(lambda p: setattr(p, "state_schema", 99)), Ends(0, 50), "states have schema 99"),
        (_changed(lambda _: None), Ends(43, 50), "begins at offset 43, after the position 41"),
    ],
)
async def test_every_difference_is_named(settings_for: SettingsFor, kafka: Broker, position: Position, extent: Ends, words: str) -> None:
    settings = settings_for(kafka)
    with pytest.raises(Refused, match=words):
        await _check(settings, LogIdentity("a", "c", "t", "l", 4), 0, position, extent, log_reader=None)


async def test_a_log_that_ends_before_the_position_is_refused_after_a_moments_patience(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    async with reader(settings) as log_reader:
        with pytest.raises(Refused, match="the log ends at offset 0, before the position 41"):
            await _check(settings, LogIdentity("a", "c", "t", "l", 4), 0, _changed(lambda _: None), Ends(0, 0), log_reader)


async def test_a_position_at_the_very_end_and_one_before_the_very_beginning_fit(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    log = LogIdentity("a", "c", "t", "l", 4)
    await _check(settings, log, 0, _changed(lambda _: None), Ends(0, 42), log_reader=None)
    await _check(settings, log, 0, _changed(lambda _: None), Ends(42, 50), log_reader=None)
