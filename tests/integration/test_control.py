"""Commands: whole or not at all, one writer at a time, in every partition, and never a rule set that is wrong (PROTOCOL laws 19 to 21)."""

import asyncio
import time

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.broker import Broker
from streams.commands import history, log_history, rebase, skipping, topic_layout, topics
from streams.commands import send as control
from streams.commands import write as commanding
from streams.kafka import clients
from streams.settings import Settings
from tests.conftest import SettingsFor
from triggers.base.model import ENGINE, Place, Record
from triggers.base.moments import parse_moment
from triggers.engine.driver import run
from triggers.engine.interface import Options
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.language.documents import RuleErrors
from triggers.records.messages import Command
from triggers.rules.checks import load
from triggers.state.position import POSITION_KEY, Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table

RULES = {
    "rules.yaml": """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{wait: 3d}, {send: {channel: push, text: Welcome}}]
  thanks:
    entry: {event: Order Completed}
    steps: [{send: {channel: email, text: Thanks}}]
"""
}
OTHER = {"rules.yaml": RULES["rules.yaml"].replace("wait: 3d", "wait: 2d").replace("  thanks:", "  thank-you:")}


async def _records(settings: Settings, partition: int) -> list[Record]:
    return [record async for records in clients.read(settings, settings.names.events, partition) for record in records]


async def _folded(settings: Settings, partition: int = 0) -> Partition:
    """Fold the records of a partition with the engine itself."""
    library = Library([load(files) for files in (await history.read(settings)).files.values()])
    options = Options(command_key=settings.signing_key)
    fold = Partition(Place(settings.names.events, partition), Table(MemoryStore()), library, options=options)
    run(fold, await _records(settings, partition))
    return fold


@pytest.fixture
async def settings(broker: Broker, settings_for: SettingsFor) -> Settings:
    """Settings whose topics are there."""
    made = settings_for(broker)
    await topics.create(made)
    return made


async def test_a_rule_set_reaches_every_partition_and_its_text_the_rules_topic(settings: Settings) -> None:
    done = await control.apply(settings, RULES)
    assert done.changes == ("+ journey thanks", "+ journey welcome")
    for partition in range(settings.partitions):
        assert (await _folded(settings, partition)).position.rule_set == load(RULES).hash
    past = await history.read(settings)
    assert past.files == {load(RULES).hash: RULES}
    assert past.entries[1].offsets == [0, 0]
    assert past.head == done.command


async def test_commands_follow_each_other_and_the_engine_carries_out_each(settings: Settings) -> None:
    await control.apply(settings, RULES)
    await control.go_live(settings)
    await control.pause(settings, "welcome")
    position = (await _folded(settings)).position
    assert (position.last_command, position.live, position.paused) == (3, True, ["welcome"])
    changed = await control.apply(settings, OTHER)
    assert changed.changes == (
        "+ journey thank-you",
        "- journey thanks: no user enters it any more; running runs continue by their own rules",
        "~ journey welcome: running runs continue by their own rules",
    )
    await control.resume(settings, "welcome")
    position = (await _folded(settings)).position
    assert (position.last_command, position.paused, position.rule_set) == (5, [], load(OTHER).hash)
    standing = (await history.read(settings)).standing()
    assert (standing.seq, standing.applied, standing.live, standing.paused) == (5, 2, True, frozenset())


async def test_a_wrong_rule_set_never_gets_there(settings: Settings) -> None:
    with pytest.raises(RuleErrors):
        await control.apply(settings, {"rules.yaml": "version: 1\njourneys:\n  welcome: {entry: {enters: nobody}, steps: []}\n"})
    assert await _records(settings, 0) == []
    assert (await history.read(settings)).seq == 0


async def test_what_is_so_already_is_said_and_not_written_unless_forced(settings: Settings) -> None:
    await control.apply(settings, RULES)
    assert (await control.apply(settings, RULES)).command is None
    await control.go_live(settings)
    assert (await control.go_live(settings)).command is None
    await control.pause(settings, "welcome")
    assert (await control.pause(settings, "welcome")).command is None
    assert (await control.resume(settings, "thanks")).command is None
    assert (await history.read(settings)).seq == 3
    assert (await control.apply(settings, RULES, force=True)).command is not None
    assert len(await _records(settings, 1)) == 4


async def test_a_journey_that_is_not_there_is_refused_with_the_nearest_name(settings: Settings) -> None:
    with pytest.raises(control.Refused, match="no rule set has been applied yet"):
        await control.pause(settings, "welcome")
    await control.apply(settings, RULES)
    with pytest.raises(control.Refused, match=r"no journey welcom; did you mean welcome\?"):
        await control.pause(settings, "welcom")


async def test_a_journey_that_left_the_rules_can_still_be_paused_and_resumed(settings: Settings) -> None:
    """Its runs continue (`on_change: finish`), and an operator may have to hold them."""
    await control.apply(settings, RULES)
    await control.apply(settings, OTHER)
    assert (await control.pause(settings, "thanks")).command is not None
    assert (await _folded(settings)).position.paused == ["thanks"]
    assert (await control.resume(settings, "thanks")).command is not None
    with pytest.raises(control.Refused, match="no journey thank;"):
        await control.pause(settings, "thank")


async def test_with_a_command_key_only_signed_commands_are_obeyed(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, command_key="a key of sixteen or more")
    await topics.create(settings)
    await control.apply(settings, RULES)
    stranger = settings_for(broker, app=settings.app, prefix=settings.prefix, command_key="another key of sixteen")
    await control.go_live(stranger, force=True)
    fold = await _folded(settings)
    assert (fold.position.rule_set, fold.position.live) == (load(RULES).hash, False)
    assert [dict(letter.headers)["reason"] for letter in fold.take().dead_letters] == [b"a command without a right signature"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("a key of sixteen or more", "another key of sixteen", "was signed with another command_key"),
        ("a key of sixteen or more", None, "no command_key is set here"),
        (None, "a key of sixteen or more", "was not signed, and this one would be"),
    ],
)
async def test_a_command_under_another_key_than_the_last_one_is_refused_before_it_is_written(
    broker: Broker, settings_for: SettingsFor, first: str | None, second: str | None, words: str
) -> None:
    settings = settings_for(broker, command_key=first)
    await topics.create(settings)
    await control.apply(settings, RULES)
    other = settings_for(broker, app=settings.app, prefix=settings.prefix, command_key=second)
    with pytest.raises(control.Refused, match=words):
        await control.go_live(other)
    assert (await history.read(settings)).seq == 1
    assert len(await _records(settings, 0)) == 1
    assert (await control.go_live(settings)).message == "go-live written as command 2"
    assert set((await log_history.command_keys(settings)).values()) == {log_history.key_id(settings.signing_key)}
    assert (await control.pause(other, "welcome", force=True)).command is not None


async def _stand(settings: Settings, partition: int, offset: int, last_command: int) -> None:
    """Save a position, as a worker's checkpoint does."""
    async with clients.Cluster(settings) as cluster:
        topic = await cluster.need(settings.names.events)
    position = Position(offset=offset, last_command=last_command, topic_id=topic.id, app=settings.app, partitions=topic.partitions)
    async with clients.producer(settings) as producer:
        await producer.send_and_wait(settings.names.changelog, position.encode(), key=POSITION_KEY, partition=partition)


async def test_a_command_that_a_partition_would_refuse_is_not_written(settings: Settings) -> None:
    await control.apply(settings, RULES)
    await control.pause(settings, "welcome")
    second = (await history.read(settings)).entries[2].offsets
    await _stand(settings, 0, second[0], 2)
    await _stand(settings, 1, second[1] - 1, 1)  # has not reached command 2 yet
    await control.pause(settings, "thanks")
    third = (await history.read(settings)).entries[3].offsets
    await _stand(settings, 1, third[1], 1)
    with pytest.raises(control.Refused, match=r"the last command is number 3, but partition 1 at command 1 is past its place"):
        await control.go_live(settings)
    assert (await history.read(settings)).seq == 3
    assert (await control.go_live(settings, force=True)).command is not None


async def test_a_partition_that_is_ahead_of_the_history_of_commands_is_told(settings: Settings) -> None:
    """The topic `rules` was created again: its numbers begin at 1 again."""
    await _stand(settings, 0, 9, 5)
    with pytest.raises(control.Refused, match="the last command is number 0, but partition 0 at command 5"):
        await control.apply(settings, RULES)


async def test_where_the_log_has_its_own_clock_a_command_carries_its_moment(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, clock="log")
    await topics.create(settings)
    with pytest.raises(control.Refused, match="--at"):
        await control.apply(settings, RULES)
    with pytest.raises(control.Refused, match="is later than now"):
        await control.apply(settings, RULES, at=parse_moment("2999-01-01"))
    await control.apply(settings, RULES, at=parse_moment("1996-12-31T00:00Z"))
    assert (await _folded(settings)).position.clock == parse_moment("1996-12-31T00:00Z")


async def test_where_the_broker_says_when_no_other_moment_is_taken(settings: Settings) -> None:
    with pytest.raises(control.Refused, match="leave --at out"):
        await control.apply(settings, RULES, at=0)
    before = int(time.time() * 1000) - 60_000
    await control.apply(settings, RULES)
    assert (await _records(settings, 0))[0].timestamp > before


async def test_of_two_writers_at_once_the_later_one_wins_and_the_other_has_written_nothing(settings: Settings) -> None:
    await control.apply(settings, RULES)
    async with commanding.session(settings, None) as early:
        async with commanding.session(settings, None) as late:
            await late.write("go-live")
        with pytest.raises(control.Refused, match="another program wrote a command"):
            await early.write("pause", journey="welcome")
    fold = await _folded(settings)
    assert (fold.position.live, fold.position.paused, fold.position.last_command) == (True, [], 2)


async def test_many_commands_at_once_leave_one_unbroken_row(settings: Settings) -> None:
    await control.apply(settings, RULES)
    outcomes = await asyncio.gather(*(control.go_live(settings, force=True) for _ in range(4)), return_exceptions=True)
    written = [outcome for outcome in outcomes if isinstance(outcome, control.Done)]
    assert all(isinstance(outcome, control.Done | control.Refused) for outcome in outcomes), outcomes
    assert written
    assert (await _folded(settings)).position.last_command == 1 + len(written)


async def test_a_command_that_hung_is_undone_by_the_next_one(settings: Settings) -> None:
    async with commanding.session(settings, None) as hung:
        await hung._producer.begin_transaction()
        await hung._send_everywhere(b'{"kind":"go-live","seq":1,"previous":0}')
        await control.apply(settings, RULES)
    fold = await _folded(settings)
    assert (fold.position.live, fold.position.last_command) == (False, 1)


async def test_a_command_that_died_halfway_is_ended_by_the_broker_within_its_time_limit(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(kafka)
    await topics.create(settings)
    producer = AIOKafkaProducer(
        **settings.client(), transactional_id=f"{settings.app}-control", transaction_timeout_ms=commanding.TRANSACTION_TIMEOUT
    )
    await producer.start()
    await producer.begin_transaction()
    await producer.send_and_wait(settings.names.events, b"half", partition=0)
    await producer.client.close()  # as if killed: no abort is sent
    async with clients.producer(settings) as other:
        await other.send_and_wait(settings.names.events, b"later", partition=0)
    began = time.monotonic()
    while [record.value for record in await _records(settings, 0)] != [b"later"]:
        assert time.monotonic() - began < 15, "the hung transaction still holds up the partition"
        await asyncio.sleep(0.1)
    await producer.stop()


async def test_an_override_names_a_place_in_the_log_and_its_reason(settings: Settings) -> None:
    await control.apply(settings, RULES)
    with pytest.raises(control.Refused, match="no partition 7"):
        await control.override(settings, 7, 0, "a clock accident")
    with pytest.raises(control.Refused, match="holds offsets 0 to"):
        await control.override(settings, 0, 99, "a clock accident")
    with pytest.raises(control.Refused, match="needs a reason"):
        await control.override(settings, 0, 0, " ")
    await control.override(settings, 0, 0, "a clock accident")
    found = {}
    async for records in clients.read(settings, settings.names.rules, 0):
        found.update({record.key: record.value for record in records})
    assert orjson.loads(found[f"override:{settings.names.events}:0:0".encode()] or b"")["reason"] == "a clock accident"


async def test_an_override_of_a_record_that_is_folded_already_is_refused(settings: Settings) -> None:
    """The workers' clock has moved; a replay that obeyed it would decide otherwise."""
    await control.apply(settings, RULES)
    await control.pause(settings, "welcome")
    first, second = [(await history.read(settings)).entries[seq].offsets[0] for seq in (1, 2)]
    await _stand(settings, 0, first, 1)
    with pytest.raises(control.Refused, match=rf"is folded up to offset {first}"):
        await control.override(settings, 0, first, "a clock accident")
    await control.override(settings, 0, second, "a clock accident")
    found = {record.key: record.value async for records in clients.read(settings, settings.names.rules, 0) for record in records}
    async with clients.Cluster(settings) as cluster:
        topic = await cluster.need(settings.names.events)
    assert f"override:{topic.name}:0:{first}".encode() not in found
    assert orjson.loads(found[f"override:{topic.name}:0:{second}".encode()] or b"")["topic_id"] == topic.id


async def test_an_override_of_a_record_that_stops_nobody_is_refused_beside_live_workers(settings: Settings) -> None:
    """One may be folding it at this moment; afterwards it would be unknown whether it has followed the override."""
    await control.apply(settings, RULES)
    async with clients.consumer(settings, group_id=settings.app, auto_offset_reset="earliest") as member:
        member.subscribe([settings.names.events])
        await member.getmany(timeout_ms=1_000)
        with pytest.raises(control.Refused, match=r"is not far ahead of the clock \(.*\), so workers may be folding it"):
            await control.override(settings, 0, 0, "a clock accident")
    assert (await control.override(settings, 0, 0, "a clock accident")).command is None


async def test_a_replay_ignores_the_overrides_of_a_topic_that_was_there_before(settings: Settings) -> None:
    """As a worker does: a topic that is created again has other records at the same offsets."""
    await control.apply(settings, RULES)
    await control.override(settings, 0, 0, "a clock accident")
    async with clients.producer(settings) as producer:
        value = orjson.dumps({"schema": 1, "reason": "long ago", "topic_id": "the-one-before"})
        await producer.send_and_wait(settings.names.rules, value, key=f"override:{settings.names.events}:1:0".encode())
    log = await log_history.Log.look(settings)
    overrides = [log.parts(partition)[-1].overrides for partition in (0, 1)]
    assert overrides == [{0}, frozenset()]


def test_standing_knows_what_was_in_force_at_any_place_of_any_log() -> None:
    past = history.History()
    for seq, (kind, journey, topic) in enumerate([("apply", None, "old"), ("go-live", None, "old"), ("pause", "welcome", "new")], 1):
        command = Command(kind=kind, seq=seq, previous=seq - 1, rule_set="r" if kind == "apply" else None, journey=journey)  # type: ignore[arg-type]
        past.entries[seq] = history.Entry(command=command, topic_id=topic, offsets=[seq * 10], at=0, by="test")
    assert past.standing_before(("new", 0, 0)) == history.Standing(seq=2, rule_set="r", applied=1, live=True)
    assert past.standing_before(("old", 0, 11)).seq == 3, "a command in another log is never come past"
    assert past.standing_before(("new", 0, 31)).paused == {"welcome"}


async def test_a_command_over_topics_that_every_worker_refuses_is_not_written(broker: Broker, settings_for: SettingsFor) -> None:
    """A rules topic of two partitions, which ended in a traceback once."""
    settings = settings_for(broker)
    async with clients.Cluster(settings) as cluster:
        await cluster.create(settings.names.rules, 2, 1, {"cleanup.policy": "compact"})
    with pytest.raises(topic_layout.TopicsWrong):
        await topics.create(settings)
    with pytest.raises(control.Refused, match="has 2 partitions, must have 1"):
        await control.apply(settings, RULES)
    assert await _records(settings, 0) == []


@pytest.mark.parametrize(("theirs", "ours", "told"), [("log", "broker", "must be LogAppendTime"), ("broker", "log", "must be CreateTime")])
async def test_a_command_with_another_clock_than_the_logs_is_not_written(
    broker: Broker, settings_for: SettingsFor, theirs: str, ours: str, told: str
) -> None:
    """One forgotten CUELINE_CLOCK=log would move a historic log's clock to today, for good."""
    settings = settings_for(broker, clock=theirs)
    await topics.create(settings)
    other = settings_for(broker, app=settings.app, prefix=settings.prefix, clock=ours)
    at = 852_076_800_000 if ours == "log" else None
    with pytest.raises(control.Refused, match=told):
        await control.apply(other, RULES, at=at, force=True)
    assert await _records(settings, 0) == []


async def test_a_command_of_another_app_than_the_logs_is_not_written(settings: Settings, broker: Broker, settings_for: SettingsFor) -> None:
    done = await control.apply(settings, RULES)
    assert done.command is not None
    assert (done.command.app, done.command.engine) == (settings.app, ENGINE)
    other = settings_for(broker, prefix=settings.prefix)
    async with clients.Cluster(other) as cluster:
        await cluster.create(other.names.changelog, 2, 1, {"cleanup.policy": "compact"})
    with pytest.raises(control.Refused, match=f"commanded by the app {settings.app}.*set CUELINE_APP"):
        await control.go_live(other, force=True)
    assert (await history.read(settings)).seq == 1


async def test_an_apply_that_somebody_agreed_to_is_refused_once_another_command_has_come(settings: Settings) -> None:
    await control.apply(settings, RULES)
    seen = await control.preview(settings, OTHER)
    assert (seen.last, seen.changes.gone, seen.written) == (1, ("thanks",), True)
    await control.pause(settings, "welcome")
    with pytest.raises(control.Refused, match="command 2 has been written since"):
        await control.apply(settings, OTHER, after=seen.last)
    assert (await control.apply(settings, OTHER, after=2)).command is not None


async def test_a_preview_leaves_another_writer_alone(settings: Settings) -> None:
    async with commanding.session(settings, None) as writing:
        await control.preview(settings, RULES)
        assert (await writing.write("go-live")).seq == 1


async def test_overrides_and_rebases_of_another_apps_log_are_refused(kafka: Broker, settings_for: SettingsFor) -> None:
    """Its positions are in another changelog, so the check would find none."""
    settings = settings_for(kafka)
    await topics.create(settings)
    await control.apply(settings, RULES)
    other = settings_for(kafka, app=f"{settings.app}-b", prefix=settings.prefix)
    await topics.create(other)
    with pytest.raises(control.Refused, match=f"is commanded by the app {settings.app}, and the app here is {other.app}: set CUELINE_APP"):
        await control.override(other, 0, 0, "a test")
    with pytest.raises(control.Refused, match="is commanded by the app"):
        await skipping.look(other, 0, 0, 0)
    with pytest.raises(rebase.Refused, match="is commanded by the app"):
        await rebase.plan(other, [0], "end", "keep")
    with pytest.raises(topics.Refused, match="is commanded by the app"):
        await topics.removal(other)
    wrong = settings_for(kafka, app=settings.app, prefix=settings.prefix, clock="log")
    with pytest.raises(control.Refused, match="LogAppendTime"):
        await control.override(wrong, 0, 0, "a test")
