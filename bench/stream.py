"""The named stream of the benchmarks: three months of a reading app, the same bytes for the same seed.

    20,000 users; 90 days from 2026-01-01T00:00Z, in the order of time; Segment `track` calls of 300 bytes
     600 of them read every day for 31 to 90 days (what the journey `trial` looks for; some pay and so leave it)
    4,000 sign up on the way (`signup-welcome`)
    5,000 order, most once or twice (`welcome`, `win-back`, `gold`)
    all of them read in sessions: app_used with minutes, chapter_read, book_opened, search

With the five rules of `rules/five.yaml` one event in about 50 leads to a message. Record timestamps are the moments at which the app sent
the events, so the log's own clock drives 90 days of timers: a live stream of the same rate has fewer timers per event, never more.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from operator import itemgetter
from random import Random
from typing import Any, Final, NamedTuple

import orjson

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND
START: Final = 1_767_225_600_000
"""2026-01-01T00:00Z, ms."""
DAYS: Final = 90
USERS: Final = 20_000
EVENTS: Final = 500_000
SIZE: Final = 300
"""Bytes of one event."""

DAILY_READERS: Final = range(600)
SIGN_UPS: Final = range(16_000, 20_000)
BUYERS: Final = range(5_000, 10_000)

_AGENT: Final = b"Reader/7.2.1 (Android 15; Pixel 9; density 2.75; build 70201) okhttp/4.12.0 locale/en-GB network/wifi battery/0.81 " * 2

Draft = tuple[int, int, str, dict[str, Any]]
"""Moment, user, name, properties."""


class Fed(NamedTuple):
    """An event as it goes into the log."""

    at: int
    """Timestamp of the record, ms."""
    key: bytes
    value: bytes


def stream(events: int = EVENTS, seed: int = 1) -> Iterator[Fed]:
    """Yield exactly this many events in the order of time; fewer events mean fewer reading sessions, not fewer users."""
    random = Random(seed)
    drafts = [*_daily_reading(random), *_sign_ups(random), *_orders(random)]
    if len(drafts) > events:
        drafts = random.sample(drafts, events)
    while len(drafts) < events:
        drafts += _session(random, START + int(random.random() * DAYS * DAY), random.randrange(USERS))
    del drafts[events:]
    drafts.sort(key=itemgetter(0, 1))  # a stable sort: two events of one user and moment keep their order
    for draft in drafts:
        yield _event(random, *draft)


def _daily_reading(random: Random) -> Iterator[Draft]:
    for user in DAILY_READERS:
        days = random.randint(31, DAYS)
        first = random.randint(0, DAYS - days)
        hour = random.uniform(6, 21)
        for day in range(first, first + days):
            at = START + day * DAY + int((hour + random.uniform(-1, 1)) * 60 * MINUTE)
            yield at, user, "app_used", {"minutes": random.randint(31, 90), "screen": "reader"}
        if random.random() < 0.3:
            at = START + (first + random.randrange(days)) * DAY + int(random.random() * DAY)
            yield at, user, "order_paid", {"plan": "member", "total": "9.99"}


def _sign_ups(random: Random) -> Iterator[Draft]:
    for user in SIGN_UPS:
        yield START + int(random.random() * DAYS * DAY), user, "Signed Up", {"method": random.choice(["email", "apple", "google"])}


def _orders(random: Random) -> Iterator[Draft]:
    for user in BUYERS:
        at = START + int(random.random() * DAYS * DAY)
        while at < START + DAYS * DAY:
            total = round(min(5 + random.expovariate(1 / 20), 150), 2)
            yield at, user, "Order Completed", {"order_id": f"o{random.getrandbits(40):010x}", "total": total, "currency": "EUR"}
            if random.random() < 0.35:
                break
            at += int(random.expovariate(1 / 25) * DAY)


def _session(random: Random, at: int, user: int) -> list[Draft]:
    """One session: open the app, perhaps search, open a book, read, leave."""
    drafts: list[Draft] = []
    book = f"book-{int(random.paretovariate(1.1)) % 9_000:04d}"
    if random.random() < 0.4:
        drafts.append(
            (at, user, "search", {"query": random.choice(["space", "a murder", "cats", "rome", "poems"]), "results": random.randrange(60)})
        )
        at += random.randrange(5 * SECOND, MINUTE)
    if random.random() < 0.6:
        drafts.append((at, user, "book_opened", {"book_id": book, "category": random.choice(["fiction", "history", "science"])}))
        at += random.randrange(MINUTE, 20 * MINUTE)
    chapter = random.randrange(40)
    for _ in range(random.choice([0, 1, 1, 2, 3])):
        chapter += 1
        drafts.append((at, user, "chapter_read", {"book_id": book, "chapter": chapter, "category": "fiction"}))
        at += random.randrange(2 * MINUTE, 15 * MINUTE)
    minutes = max(1, (at - drafts[0][0]) // MINUTE) if drafts else random.randint(1, 20)
    drafts.append((at, user, "app_used", {"minutes": minutes, "screen": "reader"}))
    return drafts


def _event(random: Random, at: int, user: int, name: str, properties: dict[str, Any]) -> Fed:
    unique = f"{random.getrandbits(128):032x}"
    sent = at + random.randrange(20, 900)
    user_id = f"user-{user:05d}"
    document = {
        "type": "track",
        "messageId": f"{unique[:8]}-{unique[8:12]}-{unique[12:16]}-{unique[16:20]}-{unique[20:]}",
        "userId": user_id,
        "event": name,
        "timestamp": _iso(at),
        "sentAt": _iso(sent),
        "properties": properties,
    }
    body = orjson.dumps(document)[:-1] + b',"context":{"userAgent":"'
    return Fed(sent, user_id.encode(), body + _AGENT[: max(0, SIZE - len(body) - 3)] + b'"}}')


def _iso(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{ms % SECOND:03d}Z"
