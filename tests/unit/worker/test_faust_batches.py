"""The owner of the partitions gets the error of a fetch, in words that say what to do."""

import asyncio
import re
from importlib.metadata import requires
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition, codec
from aiokafka.errors import OffsetOutOfRangeError, TopicAuthorizationFailedError
from faust.transport.drivers import aiokafka as driver

from streams.worker.faust_thread import BatchThread


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (OffsetOutOfRangeError({TopicPartition("events", 3): 17}), r"events\[3\] at offset 17 is outside the log"),
        (TopicAuthorizationFailedError("events"), "the events cannot be read: .*TopicAuthorizationFailed"),
    ],
)
async def test_what_no_further_fetch_would_mend_ends_the_process(monkeypatch: pytest.MonkeyPatch, error: Exception, part: str) -> None:
    async def fetch(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    told: list[str] = []
    thread: Any = BatchThread.__new__(BatchThread)
    thread.transport = SimpleNamespace(owner=SimpleNamespace(fail=told.append))
    thread.parent_loop = asyncio.get_running_loop()
    thread._fed, thread._withheld = {}, set()
    assert await thread._fetch_records(None, set()) == {}
    await asyncio.sleep(0)
    (problem,) = told
    assert re.search(part, problem), problem


def test_every_codec_of_kafka_is_here() -> None:
    """They come with the extras of aiokafka that pyproject.toml asks for."""
    assert codec.has_gzip()
    assert codec.has_snappy()
    assert codec.has_lz4()
    assert codec.has_zstd()
    assert {"lz4", "snappy", "zstd"} <= {line.split('"')[1] for line in requires("aiokafka") or () if "extra ==" in line}
