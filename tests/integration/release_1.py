"""An installation as release 0.1.0 has left it: its recorded log, states and commands, put into the topics as it wrote them."""

import gzip
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import orjson

from streams.commands import topics
from streams.kafka import clients
from streams.settings import Settings
from triggers.rules.checks import load
from triggers.state.position import POSITION_KEY

RECORDED = Path(__file__).parents[1] / "recorded" / "engine-1.json.gz"


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress(RECORDED.read_bytes()))
    return found


def unpacked(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


async def seed(settings: Settings, *, last: int | None = None) -> dict[str, Any]:
    """Make the topics and fill them; returns the position. `settings` have one partition and clock=log.

    `last`: where the position is to be, instead of at the end of the recorded log; the states are still those of the end.
    """
    recorded = document()
    await topics.create(settings)
    async with clients.Cluster(settings) as cluster:
        identity = await cluster.identity()
        events, changelog = await cluster.need(settings.names.events), await cluster.need(settings.names.changelog)
    position: dict[str, Any] = {}
    offsets: list[int] = []
    async with clients.producer(settings) as producer:
        for text in recorded["rules"]:
            files = {"rules.yaml": text}
            rule_set = load(files, applied=True).hash
            value = orjson.dumps({"schema": 1, "hash": rule_set, "files": files}, option=orjson.OPT_SORT_KEYS)
            await producer.send_and_wait(settings.names.rules, value, key=f"rule-set:{rule_set}".encode())
        for offset, at, key, value, headers in recorded["log"]:
            sent = await producer.send_and_wait(
                settings.names.events,
                unpacked(value),
                key=unpacked(key),
                partition=0,
                timestamp_ms=at,
                headers=[(name, unpacked(content)) for name, content in headers],
            )
            offsets.append(sent.offset)
            command = {name: unpacked(content) for name, content in headers}.get("cueline-control") == b"command"
            if command:
                await _remember(settings, producer, events.id, offset, unpacked(value) or b"")
        assert offsets == [offset for offset, *_ in recorded["log"]]
        for key, value in recorded["changelog"]:
            written = unpacked(value) or b""
            if unpacked(key) == POSITION_KEY:
                own = {"app": settings.app, "cluster": identity, "topic_id": events.id, "changelog_id": changelog.id, "partitions": 1}
                position = {**orjson.loads(written), **own, "tzdata": "2025b"}
                if last is not None:
                    position["offset"] = last
                written = orjson.dumps(position)
            await producer.send_and_wait(settings.names.changelog, written, key=unpacked(key), partition=0)
    return position


async def _remember(settings: Settings, producer: Any, topic_id: str, offset: int, value: bytes) -> None:
    """The command's entry in `rules`, as release 0.1.0 writes it."""
    command = orjson.loads(value)
    entry = {"command": command, "topic_id": topic_id, "offsets": [offset], "at": 0, "by": "somebody", "schema": 1}
    await producer.send_and_wait(settings.names.rules, orjson.dumps(entry), key=f"command:{command['seq']}".encode(), partition=0)
    await producer.send_and_wait(settings.names.rules, value, key=b"command:head", partition=0)
