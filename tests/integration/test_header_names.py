"""Kafka takes header names that are not UTF-8; everything that reads the log takes them too."""

import json
from pathlib import Path
from typing import Any

from aiokafka.record.util import calc_crc32c

from streams.broker import Broker
from streams.browse.replay import replay_topic
from streams.kafka import clients
from streams.settings import Settings
from tests.conftest import SettingsFor
from tests.integration.running import Worker, installed

CRC = slice(17, 21)
"""The place of the checksum in a batch; it covers everything after it."""


async def _send(settings: Settings, topic: str, key: bytes, value: bytes) -> None:
    """Write one record with a header name in Latin 1, as librdkafka and PHP can. aiokafka can't, so its bytes are changed on the way."""
    async with clients.producer(settings, enable_idempotence=False) as producer:
        batch: Any = producer.create_batch()
        batch.append(timestamp=None, key=key, value=value, headers=[("cafe", b"x")])
        data = bytearray(bytes(batch._build()).replace(b"cafe", b"caf\xe9"))
        assert b"caf\xe9" in data
        data[CRC] = calc_crc32c(bytes(data[CRC.stop :])).to_bytes(4, "big")
        batch._buffer = data
        await (await producer.send_batch(batch, topic, partition=0))


async def test_an_event_with_a_header_name_that_is_not_utf_8_is_folded_and_replayed(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    settings = settings_for(kafka, partitions=1)
    async with installed(settings) as log:
        for user in ("ann", "bob"):
            value = json.dumps({"type": "track", "userId": user, "event": "Paid", "properties": {}}).encode()
            await _send(settings, settings.names.events, user.encode(), value)
        await _send(settings, settings.names.rules, b"note:of-somebody", b"{}")
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == ["receipt ann", "receipt bob"]
        replayed = await replay_topic(settings)
        assert len(replayed.actions[0]) == 2
        assert not replayed.dead_letters.get(0)


async def test_a_changelog_record_with_such_a_header_name_does_not_keep_a_partition_from_opening(
    kafka: Broker, settings_for: SettingsFor, tmp_path: Path
) -> None:
    settings = settings_for(kafka, partitions=1)
    async with installed(settings) as log:
        await log.track("ann", "Paid", partition=0)
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        state = (await log.states())["ann"]
        await _send(settings, settings.names.changelog, b"ann", state)
        await log.track("bob", "Paid", partition=0)
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == ["receipt ann", "receipt bob"]
