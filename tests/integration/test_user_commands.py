"""Commands about single users, from the command line through Kafka into states, decisions and a replay."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from streams.broker import Broker
from streams.browse.replay import replay_topic
from streams.commands import send as control
from streams.commands import to_users, topics
from streams.kafka import clients
from streams.kafka.partitioner import partition_of
from tests.conftest import SettingsFor
from tests.integration.running import Log, Worker, installed
from tests.integration.test_command_line import Cueline, _rules, _runner
from triggers.records.user_commands import user_command, user_command_headers, user_command_value

RULES = """
version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    re_entry: always
    steps: [{send: {channel: push, text: "Hello {{ user }}"}}]
"""
KEY = "0123456789abcdef"


async def _sign_up(log: Log, *users: str, number: int = 0) -> None:
    for user in users:
        place = partition_of(user.encode(), log.settings.partitions)
        await log.track(user, "Signed Up", partition=place, messageId=f"{user}-{number}")


@pytest.fixture
async def log(broker: Broker, settings_for: SettingsFor) -> AsyncIterator[Log]:
    """An installation whose commands are signed."""
    async with installed(settings_for(broker, command_key=KEY), RULES) as made:
        yield made


async def test_a_worker_obeys_each_command_and_a_replay_decides_the_same(log: Log, tmp_path: Path) -> None:
    users = [f"u{number}" for number in range(8)]
    with Worker(log.settings, tmp_path, command_key=KEY) as worker:
        await worker.opens()
        await _sign_up(log, *users)
        suppress = to_users.order("suppress", channel="push", reason="asked", batch="ticket")
        assert await to_users.send(log.settings, suppress, users[:4]) == 4
        assert await to_users.send(log.settings, suppress, users[:4]) == 4  # the whole again, after a failure
        await _sign_up(log, *users[:2], number=1)
        await to_users.send(log.settings, to_users.order("erase"), [users[0], users[5], "unknown"])
        await to_users.send(log.settings, to_users.order("enter", journey="welcome"), [users[6], users[5]])
        await _sign_up(log, users[0], users[5], number=1)
        await log.is_saved()
        assert await worker.leaves() < 12
    decisions = [orjson.loads(record.value or b"") for record in await log.records(log.settings.names.decisions)]
    told = {user: [(d["kind"], d["reason"]) for d in decisions if d["user"] == user] for user in [*users, "unknown"]}
    once = [("entered", None), ("sent", None), ("exited", "completed")]
    blocked = [("entered", None), ("blocked", "suppressed"), ("exited", "completed")]
    assert told[users[0]] == [*once, ("met", "command suppress"), *blocked, ("met", "command erase"), *blocked]
    assert told[users[1]] == [*once, ("met", "command suppress"), *blocked]
    assert told[users[4]] == once
    assert told[users[5]] == [*once, ("met", "command erase"), ("refused", "nothing is known of this user"), *once]
    assert told[users[6]] == [*once, *once]
    assert told["unknown"] == [("refused", "nothing is known of this user")]
    replayed = await replay_topic(log.settings)
    again = [one for decided in replayed.decisions.values() for one in decided]
    assert sorted(again) == sorted(record.value or b"" for record in await log.records(log.settings.names.decisions))
    assert replayed.users == len(users)
    own = {"CUELINE_BOOTSTRAP": log.settings.bootstrap, "CUELINE_APP": log.settings.app, "CUELINE_PREFIX": log.settings.prefix}
    shown = _runner(own, tmp_path)("inspect", "users", "--user", users[1])
    assert re.search(r"suppressed\n    push since \S+Z: asked\n", shown.stdout), shown


async def test_an_erased_user_is_deleted_from_the_changelog_and_stays_away_after_a_restart(log: Log, tmp_path: Path) -> None:
    with Worker(log.settings, tmp_path, command_key=KEY) as worker:
        await worker.opens()
        await _sign_up(log, "ann", "bob")
        await to_users.send(log.settings, to_users.order("suppress", reason="x"), ["bob"])
        await log.is_saved()
        await to_users.send(log.settings, to_users.order("erase"), ["ann", "bob"])
        await log.is_saved()
        assert await worker.leaves() < 12
    of_ann = [record.value for record in await log.records(log.settings.names.changelog) if record.key == b"ann"]
    assert of_ann[-1] is None
    with Worker(log.settings, tmp_path, command_key=KEY) as worker:
        await worker.opens()
        await _sign_up(log, "ann")
        await log.is_saved()
        assert await worker.leaves() < 12
    actions = [orjson.loads(record.value or b"")["user"] for record in await log.records(log.settings.names.actions)]
    assert sorted(actions) == ["ann", "ann", "bob"]


async def test_an_unsigned_command_is_a_dead_letter(log: Log, tmp_path: Path, broker: Broker, settings_for: SettingsFor) -> None:
    stranger = settings_for(broker, app=log.settings.app, prefix=log.settings.prefix)
    with pytest.raises(control.Refused, match="no command_key is set here"):
        await to_users.send(stranger, to_users.order("erase"), ["ann"])
    with Worker(log.settings, tmp_path, command_key=KEY) as worker:
        await worker.opens()
        value = user_command_value(user_command("erase", "ann", "x", to_users.order("erase").at))
        headers = user_command_headers(value, log.settings.names.events, None)
        place = partition_of(b"ann", log.settings.partitions)
        await log.producer.send_and_wait(log.settings.names.events, value, key=b"ann", partition=place, headers=headers)
        await log.is_saved()
        assert await worker.leaves() < 12
    [dead] = await log.records(log.settings.names.dead_letters)
    assert dict(dead.headers)["reason"] == b"a command without a right signature"


async def test_where_foreign_keys_are_accepted_a_command_goes_to_every_partition(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, accept_foreign_keys=True)
    await topics.create(settings)
    assert await to_users.send(settings, to_users.order("suppress"), ["ann"]) == settings.partitions
    spans = await clients.spans(settings, [settings.names.events])
    assert [span.end for span in spans.values()] == [1] * settings.partitions


async def test_what_no_partition_would_obey_is_refused_before_anything_is_written(log: Log) -> None:
    with pytest.raises(control.Refused, match=r"no journey welcom; did you mean welcome\?"):
        await to_users.send(log.settings, to_users.order("enter", journey="welcom"), ["ann"])
    with pytest.raises(control.Refused, match="length <= 200"):
        to_users.order("suppress", reason="x" * 201)
    with pytest.raises(control.Refused, match="control characters"):
        to_users.distinct(["ann", "b\x07b"])
    with pytest.raises(control.Refused, match="no users"):
        to_users.distinct([])
    assert to_users.distinct(["b", "a", "b"]) == ["b", "a"]


def test_the_command_line(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(broker)
    own = {"CUELINE_BOOTSTRAP": settings.bootstrap, "CUELINE_APP": settings.app, "CUELINE_PREFIX": settings.prefix}
    cueline: Cueline = _runner({**own, "CUELINE_PARTITIONS": "2"}, tmp_path)
    cueline("topics", "create")
    cueline("apply", _rules(tmp_path))
    asked = cueline("suppress", "ann", "bob")
    assert asked.returncode == 1
    assert "there is no terminal to ask on; give --yes" in asked.stderr
    assert "suppress 2 users (ann, bob): nothing is sent to them by any channel any more" in asked.stderr
    (tmp_path / "users.txt").write_text("cem\n\nann\n")
    done = cueline("suppress", "ann", "--file", "users.txt", "--channel", "sms", "--id", "t1", "--yes")
    assert (done.stdout, done.returncode) == ("suppress written for 2 users in 2 records, id t1\n", 0), done.stderr
    assert cueline("enter", "ann", "--journey", "nothing", "--yes").returncode == 1
    assert cueline("enter", "ann", "--journey", "welcome", "--yes").returncode == 0
    assert cueline("unsuppress", "ann", "--yes").returncode == 0
    assert cueline("erase", "ann", "--yes").returncode == 0
    shown = cueline("inspect", "events").stdout
    assert "suppress sms" in shown
    assert "enter welcome" in shown
