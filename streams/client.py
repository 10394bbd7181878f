"""An installation as another program uses it: it feeds calls, and reads what was decided. Only committed records are read.

Rules are applied, and workers run, by the command `cueline`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from streams.browse import inspect
from streams.ingest.calls import Call, user_key
from streams.ingest.feed import Fed, feed
from streams.ingest.sources import batches
from triggers.base.moments import parse_moment
from triggers.records.events import Unreadable
from triggers.records.lines import value_of

if TYPE_CHECKING:
    from streams.settings import Settings

Document = Mapping[str, Any]


class Client:
    """Feeds calls, and reads actions and decisions. It holds no connection between two calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def feed(self, calls: Iterable[Document], *, until: int | None = None) -> Fed:
        """Put Segment calls into the log, each into its user's partition; return when the brokers have acknowledged all of them.

        Give each call a `messageId`: one that is fed twice counts once then. With `clock=log` each needs a `timestamp`, and `until` (ms)
        ends the log with that moment. Raises `CannotFeed`, `TopicMissing`, `Unreachable`, and `ValueError` for a call without a usable
        `userId`.
        """
        return await feed(self._settings, batches(map(_call, calls)), until=until)

    def actions(self, *, user: str | None = None, since: int | None = None, follow: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """Read what is to be done, in the order of time. `since`: only from this moment on, ms. `follow`: continue with what arrives."""
        return self._read("actions", user, since, follow)

    def decisions(self, *, user: str | None = None, since: int | None = None, follow: bool = False) -> AsyncGenerator[dict[str, Any], None]:
        """Read what was decided, and why, in the same way."""
        return self._read("decisions", user, since, follow)

    async def _read(self, word: str, user: str | None, since: int | None, follow: bool) -> AsyncGenerator[dict[str, Any], None]:
        topic = inspect.topic_of(self._settings, word)
        partition = None if user is None else await inspect.partition_of(self._settings, topic, user)
        part = inspect.Part(partition=partition, since=since)

        def wanted(record: Any) -> bool:  # noqa: ANN401 - aiokafka's record
            return user is None or inspect.is_about(record, user=user, rule=None)

        async with aclosing(inspect.read(self._settings, topic, part, wanted=wanted, follow=follow)) as found:
            async for records in found:
                for record in records:
                    yield value_of(record.value)


def _call(document: Document) -> Call:
    at = document.get("timestamp")
    try:
        key = user_key(str(document.get("userId") or ""))
    except Unreadable as problem:
        raise ValueError(f"{problem}: {document}") from None
    return Call(None if at is None else parse_moment(at), key, orjson.dumps(document))
