"""Producers compress as they like: a worker reads all that Kafka has."""

import json
from pathlib import Path

from streams.broker import Broker
from streams.kafka import clients
from tests.conftest import SettingsFor
from tests.integration.running import Worker, installed

CODECS = ("gzip", "lz4", "snappy", "zstd")


async def test_batches_of_every_compression_are_read(kafka: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(kafka, partitions=1)
    async with installed(settings) as log:
        for codec in CODECS:
            async with clients.producer(settings, compression_type=codec) as producer:
                value = json.dumps({"type": "track", "userId": codec, "event": "Paid", "properties": {"note": "x" * 2_000}}).encode()
                await producer.send_and_wait(settings.names.events, value, key=codec.encode(), partition=0)
        with Worker(settings, tmp_path) as worker:
            await worker.opens()
            await log.is_saved()
            await worker.leaves()
        assert await log.actions() == [f"receipt {codec}" for codec in CODECS]
