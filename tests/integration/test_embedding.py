"""Another program uses an installation through the public client: it feeds, a worker decides, it reads."""

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from streams import CannotFeed, Client
from streams.broker import Broker
from streams.commands import send, topics
from streams.settings import Settings
from tests.conftest import SettingsFor
from tests.integration.running import Worker
from tests.unit.house.pages import ROOT, blocks
from triggers.base.moments import parse_moment

RULES = """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{send: {channel: push, text: "Welcome"}}]
"""


async def installed(settings: Settings) -> None:
    await topics.create(settings)
    await send.apply(settings, {"rules.yaml": RULES})
    await send.go_live(settings)


async def test_the_example_of_the_page_on_embedding_feeds_and_reads(
    broker: Broker, settings_for: SettingsFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for(broker)
    await installed(settings)
    for name in ("bootstrap", "app", "prefix"):
        monkeypatch.setenv(f"CUELINE_{name.upper()}", str(getattr(settings, name)))
    (example,) = blocks(ROOT / "docs" / "embedding.md", "python feed")
    with Worker(settings, tmp_path) as worker:
        await worker.opens()
        await asyncio.to_thread(exec, compile(example.text, str(example), "exec"), {})
    first, second = capfd.readouterr().out.splitlines()
    assert first == "1 fed"
    assert second.startswith("welcome@")
    assert second.endswith("{'text': 'Welcome'}")


async def test_actions_and_decisions_of_one_user_are_read(broker: Broker, settings_for: SettingsFor, tmp_path: Path) -> None:
    settings = settings_for(broker)
    await installed(settings)
    client, found = Client(settings), list[dict[str, Any]]()
    with Worker(settings, tmp_path) as worker:
        await worker.opens()
        fed = await client.feed(
            {"type": "track", "userId": user, "event": "Signed Up", "messageId": user} for user in ("ann", "bob", "cem")
        )
        assert fed.records == 3
        async with aclosing(client.actions(user="bob", follow=True)) as actions:
            async for action in actions:
                found.append(action)
                break
    assert [action["user"] for action in found] == ["bob"]
    assert [decision["kind"] async for decision in client.decisions(user="bob")] == ["entered", "sent", "exited"]


async def test_what_cannot_be_fed_is_said_before_anything_is_written(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker)
    await topics.create(settings)
    client = Client(settings)
    with pytest.raises(ValueError, match="no user id"):
        await client.feed([{"type": "track", "event": "Signed Up"}])
    with pytest.raises(CannotFeed, match="with clock=broker"):
        await client.feed([], until=parse_moment("2026-01-01"))
    assert [decision async for decision in client.decisions()] == []
