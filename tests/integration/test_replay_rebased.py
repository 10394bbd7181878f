"""A replay of a log that an operator has rebased."""

import orjson
import pytest

from streams.broker import Broker
from streams.browse.replay import replay_topic
from streams.commands import send as control
from streams.commands import topics
from streams.commands.log_history import CannotReplay
from streams.commands.rebase import rebase
from streams.ingest.calls import Call
from streams.ingest.feed import feed
from streams.ingest.sources import batches
from streams.settings import Settings
from tests.conftest import SettingsFor
from triggers.base.moments import parse_moment

START = parse_moment("2026-01-01T00:00:00Z")
RULES = {
    "rules.yaml": """version: 1
journeys:
  thanks:
    entry: {event: Order}
    re_entry: always
    steps: [{send: {channel: email, text: Thanks}}]
"""
}
ORDERS = [
    Call(START + n, b"ann", orjson.dumps({"type": "track", "userId": "ann", "event": "Order", "messageId": f"m{n}"})) for n in range(20)
]


async def log_of(broker: Broker, settings_for: SettingsFor) -> Settings:
    settings = settings_for(broker, clock="log", partitions=1)
    await topics.create(settings)
    await control.apply(settings, RULES, at=START)
    await control.go_live(settings, at=START)
    await feed(settings, batches(ORDERS))
    return settings


async def runs(settings: Settings) -> list[str]:
    return [orjson.loads(action)["run"].rpartition(":")[2] for action in (await replay_topic(settings)).actions[0]]


async def test_after_a_rebase_that_drops_the_states_it_begins_where_that_begins_and_in_its_epoch(
    kafka: Broker, settings_for: SettingsFor
) -> None:
    settings = await log_of(kafka, settings_for)
    before = await runs(settings)
    await rebase(settings, None, "start", "drop")
    assert [run.replace("1-o", "0-o") for run in await runs(settings)] == before
    tenth = int(before[10].removeprefix("0-o"))
    await rebase(settings, None, tenth, "drop")
    assert await runs(settings) == [run.replace("0-o", "2-o") for run in before[10:]]


async def test_after_a_rebase_that_keeps_the_states_it_is_refused(kafka: Broker, settings_for: SettingsFor) -> None:
    settings = await log_of(kafka, settings_for)
    await rebase(settings, None, "start", "drop")
    await rebase(settings, None, "end", "keep")
    with pytest.raises(CannotReplay, match="rebased with its states kept"):
        await replay_topic(settings)
