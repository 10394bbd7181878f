"""Topics: `create` makes them right, and `verify` reports every deviation with its remedy (PROTOCOL law 27)."""

import asyncio
from typing import Literal

import pytest
from aiokafka import TopicPartition

from streams.broker import Broker
from streams.commands import topic_layout, topics
from streams.kafka import clients
from streams.settings import Settings
from tests.conftest import SettingsFor


async def _problems(settings: Settings) -> dict[str, str]:
    return {deviation.topic.removeprefix(settings.prefix): str(deviation) for deviation in await topic_layout.verify(settings)}


async def test_created_topics_are_as_they_must_be_and_creating_again_changes_nothing(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, partitions=3)
    said: list[str] = []
    await topics.create(settings, said.append)
    assert len(said) == len(settings.names)
    assert await topic_layout.verify(settings) == []
    said.clear()
    await topics.create(settings, said.append)
    assert said == []
    found = await topic_layout.require(settings)
    assert {name.removeprefix(settings.prefix): topic.partitions for name, topic in found.items()} == {
        "events": 3,
        "actions": 3,
        "decisions": 3,
        "receipts": 3,
        "dead-letters": 3,
        "rules": 1,
        f"{settings.app}-users-changelog": 3,
    }


async def test_a_log_with_its_own_clock_keeps_the_records_times_and_its_records(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    async with clients.Cluster(settings) as cluster:
        configs = (await cluster.configs([settings.names.events]))[settings.names.events]
    assert (configs["message.timestamp.type"], configs["retention.ms"]) == ("CreateTime", "-1")
    assert (
        "set CUELINE_CLOCK=log if the records"
        in (await _problems(settings_for(broker, app=settings.app, prefix=settings.prefix)))["events"]
    )


async def test_missing_topics_are_all_named(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    problems = await _problems(settings)
    assert len(problems) == len(settings.names)
    assert all("`cueline topics create` makes it" in problem for problem in problems.values())


async def test_topics_that_a_broker_made_by_itself_are_refused_and_what_can_be_mended_is(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    names = settings.names
    async with clients.Cluster(settings) as cluster:
        for name in names:
            await cluster.create(name, 2 if name == names.changelog else 1, 1, {})
        await cluster.alter(names.actions, {"max.message.bytes": "1000"})
    problems = await _problems(settings)
    assert "message.timestamp.type is CreateTime, must be LogAppendTime" in problems["events"]
    assert "cleanup.policy is delete, must be compact" in problems["rules"]
    assert "max.message.bytes is 1000, must be at least 1048588" in problems["actions"]
    with pytest.raises(topic_layout.TopicsWrong) as caught:
        await topics.create(settings)
    assert [deviation.topic for deviation in caught.value.deviations] == [names.changelog]
    assert "has 2 partitions, must have 1" in str(caught.value)
    with pytest.raises(topic_layout.TopicsWrong):
        await topic_layout.require(settings)


async def test_topics_of_others_are_named_and_changed_only_on_demand(broker: Broker, settings_for: SettingsFor) -> None:
    """Another team's topic holds records, and `create` has not made it."""
    settings = settings_for(broker, partitions=4)
    names = settings.names
    async with clients.Cluster(settings) as cluster:
        await cluster.create(names.events, 3, 1, {"message.timestamp.type": "CreateTime"})
        await cluster.create(names.rules, 1, 1, {"cleanup.policy": "delete"})
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(names.events, b"{}", key=b"u", partition=0)
        await producer.send_and_wait(names.rules, b"theirs", partition=0)
    said: list[str] = []
    with pytest.raises(topic_layout.TopicsWrong) as caught:
        await topics.create(settings, said.append)
    assert sorted(one.topic for one in caught.value.deviations if "did not make it" in one.remedy) == sorted([names.events, names.rules])
    assert "`--reconfigure` sets message.timestamp.type to LogAppendTime" in str(caught.value)
    async with clients.Cluster(settings) as cluster:
        configs = await cluster.configs([names.events, names.rules])
        found = await cluster.topics(names)
    assert configs[names.events]["message.timestamp.type"] == "CreateTime"
    assert configs[names.rules]["cleanup.policy"] == "delete"
    assert found[names.actions].partitions == 3, "as the events that are there"
    assert f"{names.events}: has 3 partitions and keeps them; 4 is for a topic that is made" in said
    assert (await clients.spans(settings, [names.rules]))[TopicPartition(names.rules, 0)].end == 1, "nothing was written into theirs"
    await topics.create(settings, reconfigure=True)
    assert await topic_layout.verify(settings) == []


@pytest.mark.parametrize("clock", ["log", "broker"])
async def test_create_with_the_wrong_clock_leaves_a_log_with_records_as_it_is(
    broker: Broker, settings_for: SettingsFor, clock: Literal["log", "broker"]
) -> None:
    """Today's records would move a historic log's clock to today, for good."""
    settings = settings_for(broker, clock=clock)
    await topics.create(settings)
    other = settings_for(broker, app=settings.app, prefix=settings.prefix, clock="broker" if clock == "log" else "log")
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(settings.names.events, b"{}", key=b"u", partition=0)
    said: list[str] = []
    with pytest.raises(topic_layout.TopicsWrong, match=f"so it was not changed: set CUELINE_CLOCK={clock}"):
        await topics.create(other, said.append)
    assert said == []
    assert await topic_layout.verify(settings) == []
    await topics.create(other, said.append, reconfigure=True)
    assert await topic_layout.verify(other) == []


async def test_what_create_has_made_is_recorded_and_taken_away_and_nothing_else(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    names = settings.names
    async with clients.Cluster(settings) as cluster:
        await cluster.create(names.receipts, 1, 1, {})
    await topics.create(settings)
    removal = await topics.removal(settings)
    assert removal.left == [names.receipts]
    assert sorted(removal.gone) == sorted(set(names) - {names.receipts})
    assert removal.gone[-1] == names.rules, "it says what is to be deleted, so it goes last"
    await topics.delete(settings, removal.gone)
    async with asyncio.timeout(20):
        while True:
            async with clients.Cluster(settings) as cluster:
                left = await cluster.topics(names)
            if set(left) == {names.receipts}:
                break
            await asyncio.sleep(0.1)
    assert (await topics.removal(settings)).gone == []


async def test_profile_prod_asks_for_replicas_that_one_broker_cannot_have(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    prod = settings_for(kafka, app=settings.app, prefix=settings.prefix, profile="prod")
    text = "\n".join(str(deviation) for deviation in await topic_layout.verify(prod))
    assert "has 1 replica, profile prod needs 3" in text
    assert "min.insync.replicas is 1, must be at least 2, and it has 1 replica" in text
    with pytest.raises(topic_layout.TopicsWrong, match="first reassign its partitions"):
        await topics.create(prod)
    assert await topic_layout.verify(settings) == [], "nothing was made worse: workers of dev still start"


async def test_the_survey_shows_partitions_settings_sizes_and_lag(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    await topics.create(settings)
    async with clients.producer(settings) as producer:
        for number in range(5):
            await producer.send_and_wait(settings.names.events, b"x" * 100, key=b"u", partition=number % 2)
    rows = {row.topic.name.removeprefix(settings.prefix): row for row in await topics.survey(settings)}
    assert rows["events"].offsets == 5
    assert rows["events"].lag == {0: 3, 1: 2}
    assert (rows["events"].bytes or 0) > 500
    assert rows["actions"].lag is None
    assert rows["rules"].configs["cleanup.policy"] == "compact"


async def test_a_topic_that_nothing_can_be_written_to_is_found_and_mended(broker: Broker, settings_for: SettingsFor) -> None:
    """One replica, and two of them in sync wanted: Kafka takes that, and refuses each write later."""
    settings = settings_for(broker)
    await topics.create(settings)
    async with clients.Cluster(settings) as cluster:
        await cluster.alter(settings.names.actions, {"min.insync.replicas": "2"})
        await cluster.alter(settings.names.events, {"retention.ms": "3600000"})
    async with asyncio.timeout(10):  # a broker hears of it a little later than the controller
        while sorted(problems := await _problems(settings)) != ["actions", "events"]:
            await asyncio.sleep(0.1)
    assert "min.insync.replicas is 2 and it has 1 replica: nothing can be written to it" in problems["actions"]
    assert "retention.ms is 3600000" in problems["events"]
    said: list[str] = []
    await topics.create(settings, said.append)
    assert sorted(line.split(":")[0] for line in said) == [settings.names.actions, "warning"]


async def test_profile_prod_looks_at_kafkas_own_topics(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    async with clients.producer(settings, transactional_id=f"{settings.app}-0"):
        prod = settings_for(kafka, app=settings.app, prefix=settings.prefix, profile="prod")
        warned = [deviation.topic for deviation in await topic_layout.verify(prod) if deviation.warning]
    assert "__transaction_state" in warned
