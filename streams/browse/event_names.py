"""Collect the names of events: those of files, and those of the newest part of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from streams.commands.rule_store import skips_of
from streams.ingest.sources import Source, read
from streams.ingest.tables import Columns
from streams.kafka.clients import consumer, spans
from streams.kafka.skips import SkippingReader
from triggers.base.model import LogRecord
from triggers.records.events import Unreadable, control_kind, read_event

if TYPE_CHECKING:
    from streams.settings import Settings

MIB: Final = 1 << 20
_STEP: Final = 2_000
"""Offsets that are read at a time, from the end of a partition backwards."""


def of_files(files: Iterable[str], columns: Columns) -> set[str]:
    """Collect the names of the events in files as `feed` takes them; unreadable lines are skipped. `columns`: of CSV files."""
    calls = (call for file in files for call in read(Source(file), columns=columns, bad=lambda _: None) if call is not None)
    return set(_names(LogRecord(0, 0, call.key, call.value) for call in calls))


async def of_topic(settings: Settings, most: int) -> set[str]:
    """Count the names of the events in the newest records of the topic of events: about `most` bytes, the same for each partition.

    Raises `TopicMissing`, `Unreachable`, and what `streams.kafka.skips.SkippingReader` raises.
    """
    found = await spans(settings, [settings.names.events])
    names: set[str] = set()
    async with consumer(settings, max_poll_records=_STEP, fetch_max_wait_ms=100) as client:
        client.assign(list(found))
        reading = SkippingReader(client, await skips_of(settings, found))
        for tp, span in found.items():
            left, end = max(most // len(found), 1), span.end
            while left > 0 and end > span.begin:
                start = max(span.begin, end - _STEP)
                async for record in _between(client, reading, tp, start, end):
                    left -= len(record.value or b"")
                    names.update(_names([record]))
                end = start
    return names


async def _between(client: Any, reading: SkippingReader, tp: Any, start: int, end: int) -> Any:  # noqa: ANN401 - aiokafka has no types
    """Yield the records of one partition from `start` up to but not including `end`."""
    client.seek(tp, start)
    while await client.position(tp) < end:
        for record in (await reading.getmany(tp, timeout_ms=500)).get(tp, []):
            if record.offset < end:
                yield record


def _names(records: Iterable[Any]) -> Iterator[str]:
    for record in records:
        if control_kind(record.headers) is None:
            try:
                name = read_event(record)[2]
            except Unreadable:
                continue
            if name is not None:
                yield name
