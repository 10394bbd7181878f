"""Workers as processes of their own, and a look at what they have written. Used by the `test_worker_*` files."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
from aiokafka import TopicPartition

from streams.commands import send as control
from streams.commands import topics
from streams.kafka import clients
from streams.settings import Settings
from triggers.base.model import Record
from triggers.state.position import POSITION_KEY, Position

T = TypeVar("T")

ROOT = Path(__file__).parent.parent.parent
START = "from streams.settings import load; from streams.worker.app import run; raise SystemExit(run(load()))"

PROMPT = """
version: 1
journeys:
  prompt:
    entry: {event: Signed Up}
    re_entry: always
    steps: [{wait: 1s}, {send: {channel: push, text: "Hello {{ user }}"}}]
  receipt:
    entry: {event: Paid}
    re_entry: always
    steps: [{send: {channel: email, text: "Thanks"}}]
"""
"""Rules of these tests: one message a second after signing up, one at once after paying."""


class Worker:
    """One worker process; its log is kept in a file."""

    def __init__(self, settings: Settings, folder: Path, **changes: object) -> None:
        self._settings = settings
        given = {name: value for name, value in settings.model_dump(exclude_unset=True, mode="json").items() if value is not None}
        given |= {"http_port": 0, **changes}
        environment = {name: value for name, value in os.environ.items() if not name.upper().startswith("CUELINE_")}
        environment |= {f"CUELINE_{name.upper()}": str(value) for name, value in given.items()}
        self.log = folder / f"worker-{time.monotonic_ns()}.log"
        self._file = self.log.open("wb")
        self.process = subprocess.Popen([sys.executable, "-c", START], cwd=ROOT, env=environment, stdout=self._file, stderr=self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._file.close()
        if value is not None:
            print(f"---- {self.log.name} ----\n{self.said()[-6_000:]}")

    def said(self) -> str:
        """Everything it has logged so far."""
        return self.log.read_text("utf-8", "replace")

    async def says(self, pattern: str, seconds: float = 30) -> re.Match[str]:
        """Wait until its log matches. Fails at once if it ends before."""

        def look() -> re.Match[str] | None:
            over = self.process.poll() is not None
            found = re.search(pattern, self.said())
            assert found or not over, f"the worker ended with {self.process.returncode} before it said {pattern!r}"
            return found

        return await until(look, seconds, f"the worker does not say {pattern!r}")

    async def opens(self) -> None:
        """Wait until all its partitions are open."""
        await self.says("all [0-9]+ partitions are open")

    async def ends(self, seconds: float = 30) -> int:
        """Wait for its end; the exit code."""
        await until(lambda: None if self.process.poll() is None else True, seconds, "the worker does not end")
        assert self.process.returncode is not None
        return self.process.returncode

    async def leaves(self) -> float:
        """Ask it to stop; how long that took, s. Fails unless it ends well."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        assert await self.ends(12) == 0, self.said()[-3_000:]
        return time.monotonic() - begun

    async def get(self, path: str) -> tuple[int, str]:
        """Ask its HTTP server: status and text."""
        address = (await self.says(r"(http://\S+:[0-9]+)/healthz"))[1]
        async with aiohttp.ClientSession() as session, session.get(address + path) as answer:
            return answer.status, await answer.text()

    async def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        page = (await self.get("/metrics"))[1]
        return sum(float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if re.match(rf"{name}(?:_total)?[ {{]", line))


async def until(look: Callable[[], T | None], seconds: float, failure: str) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None:
        assert time.monotonic() < deadline, f"{failure} within {seconds} s"
        await asyncio.sleep(0.05)
    return found


async def eventually(ask: Callable[[], Awaitable[bool]], seconds: float, failure: str) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not await ask():
        assert time.monotonic() < deadline, f"{failure} within {seconds} s"
        await asyncio.sleep(0.2)


class Log:
    """One installation's topics: writes events, reads what came of them."""

    def __init__(self, settings: Settings, producer: Any) -> None:
        self.settings = settings
        self.producer = producer

    async def track(self, user: str, event: str, *, partition: int | None = None, **more: object) -> Any:
        """Write one event; its place."""
        value = json.dumps({"type": "track", "userId": user, "event": event, **more}).encode()
        return await self.producer.send_and_wait(self.settings.names.events, value, key=user.encode(), partition=partition)

    async def records(self, topic: str) -> list[Record]:
        """All committed records of a topic."""
        found: list[Record] = []
        for tp in sorted(await clients.spans(self.settings, [topic])):
            async for batch in clients.read(self.settings, topic, tp.partition):
                found += batch
        return found

    async def actions(self) -> list[str]:
        """(journey, user) of every action, sorted, as text."""
        found = [json.loads(record.value or b"") for record in await self.records(self.settings.names.actions)]
        return sorted(f"{action['journey']} {action['user']}" for action in found)

    async def positions(self) -> dict[int, Position]:
        """The latest position of each partition."""
        found = {}
        for record in await self.records(self.settings.names.changelog):
            if record.key == POSITION_KEY:
                found[record.partition] = Position.decode(record.value or b"")  # type: ignore[attr-defined]
        return found

    async def states(self) -> dict[str, bytes]:
        """The latest state of each user."""
        changelog = await self.records(self.settings.names.changelog)
        return {record.key.decode(): record.value or b"" for record in changelog if record.key is not None and record.key != POSITION_KEY}

    async def saved(self) -> bool:
        """Return whether checkpoints hold the whole log."""
        spans = await clients.spans(self.settings, [self.settings.names.events])
        positions = await self.positions()
        return all(
            positions[tp.partition].offset == span.end - 1 if tp.partition in positions else span.end == 0 for tp, span in spans.items()
        )

    async def is_saved(self, seconds: float = 40) -> None:
        """Wait until it is."""
        await eventually(self.saved, seconds, "not everything is saved")

    async def end(self, partition: int = 0) -> int:
        """The offset after the last record of a partition of `events`."""
        return (await clients.spans(self.settings, [self.settings.names.events]))[TopicPartition(self.settings.names.events, partition)].end


@asynccontextmanager
async def installed(settings: Settings, rules: str | None = PROMPT) -> AsyncIterator[Log]:
    """Topics, the rules applied and live, and a producer."""
    await topics.create(settings)
    if rules is not None:
        await control.apply(settings, {"rules.yaml": rules})
        await control.go_live(settings)
    async with clients.producer(settings) as producer:
        yield Log(settings, producer)


def lines(text: str, pattern: str) -> Iterator[str]:
    """The lines of a log that match."""
    return (line for line in text.splitlines() if re.search(pattern, line))
