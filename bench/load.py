"""Puts the named stream where it is measured: into a topic, and into a file."""

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from bench.stream import DAY, START, Fed, stream
from streams.commands import send as control
from streams.commands import topics
from streams.ingest.calls import Call
from streams.ingest.feed import feed
from streams.settings import Settings

RULES: Final[Mapping[str, str]] = {path.name: path.read_text("utf-8") for path in sorted(Path(__file__).with_name("rules").glob("*.yaml"))}
BEFORE: Final = START - DAY
"""When the rules are applied, and live: before the first event, ms."""
CHUNK: Final = 5_000


async def fill(settings: Settings, events: int, seed: int, first: int | None = None) -> int:
    """Make the topics, apply the rules, go live, and write the stream, or the first so many of it. Returns how many records there are."""
    await topics.create(settings)
    await control.apply(settings, RULES, at=BEFORE)
    await control.go_live(settings, at=BEFORE)
    fed = await feed(settings, _chunks(islice(stream(events, seed), first)))
    return fed.records


def _chunks(fed: Iterator[Fed]) -> Iterator[list[Call]]:
    while chunk := [Call(*item) for item in islice(fed, CHUNK)]:
        yield chunk


def write_file(path: Path, events: int, seed: int, first: int | None = None) -> None:
    """The stream as JSON lines, or the first so many of it."""
    with path.open("wb") as file:
        file.writelines(item.value + b"\n" for item in islice(stream(events, seed), first))
