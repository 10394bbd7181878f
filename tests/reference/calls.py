"""The records of a log, read from their bytes as docs/compatibility.md says, without a line of the engine: what the reference folds.

It reads what real producers write and what tests write as poison. What it cannot read only moves the clock. It does not judge sizes,
depths and signatures; a test that writes such records says so (`unreadable`).
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.reference.days import EPOCH, known
from tests.reference.log import Command, Entry, Said, Tick, UserCommand
from triggers.base.model import Record

NOTHING: Mapping[str, Any] = {}


def entries(log: Iterable[Record], unreadable: Collection[int] = ()) -> list[Entry]:
    """Read the records of a partition; `unreadable`: the offsets of those that only move the clock."""
    return [Tick(offset=one.offset, timestamp=one.timestamp) if one.offset in unreadable else entry(one) for one in log]


def entry(record: Record) -> Entry:
    """Read one record."""
    place: dict[str, Any] = {"offset": record.offset, "timestamp": record.timestamp}
    kind = dict(record.headers).get("cueline-control")
    try:
        document = json.loads(record.value or b"")
    except ValueError:
        document = None
    if kind is None and isinstance(document, dict) and document.get("userId") == (record.key or b"").decode():
        return said(place, document)
    if kind == b"command" and isinstance(document, dict) and not record.key:
        return Command(**place, kind=document["kind"], rule_set=document.get("rule_set"), journey=document.get("journey"))
    if kind == b"user-command" and isinstance(document, dict):
        named: dict[str, Any] = {name: document.get(name) for name in ("kind", "user", "id", "channel", "journey")}
        return UserCommand(**place, **named)
    return Tick(**place)


def said(place: Mapping[str, Any], document: Mapping[str, Any]) -> Entry:
    """Read a Segment call."""
    kind = document.get("type", "track")
    context = document.get("context") or NOTHING
    traits = dict(context.get("traits") or NOTHING)
    if isinstance(context.get("timezone"), str) and known(context["timezone"]) is not None:
        traits = {"timezone": context["timezone"], **traits}
    if kind == "identify":
        traits |= document.get("traits") or NOTHING
    if kind not in ("track", "identify", "page", "screen", "group"):
        return Tick(**place)
    event = document.get("event") if kind == "track" else kind if kind in ("page", "screen") else None
    return Said(
        **place,
        user=document["userId"],
        at=happened(document, place["timestamp"]),
        event=event,
        properties=document.get("properties") or {},
        traits=traits,
        context=context,
        message_id=document.get("messageId"),
    )


def happened(document: Mapping[str, Any], arrived: int) -> int:
    """When it happened: with `sentAt` and `receivedAt` the device's clock is corrected; with `sentAt` alone only an impossible delay."""
    stamp, sent, received = (moment(document.get(name)) for name in ("timestamp", "sentAt", "receivedAt"))
    if stamp is None or stamp < 0:
        return received if received is not None and 0 <= received <= arrived else arrived
    at = stamp
    if sent is not None and sent >= 0:
        if received is not None and 0 <= received <= arrived:
            at = received - (sent - stamp)
        elif sent > arrived:
            at = stamp - (sent - arrived)
    return min(at if at >= 0 else stamp, arrived)


def moment(text: Any) -> int | None:
    """An ISO 8601 time, ms; None: not one."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (found - EPOCH) // timedelta(milliseconds=1)
