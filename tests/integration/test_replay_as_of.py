"""New rules tried on a log as of a moment decide what they decide where they were really applied at that moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
import pytest

from streams.broker import Broker
from streams.browse.folding import Replayed
from streams.browse.replay import replay_topic
from streams.cli.trial import Counter as Shown
from streams.cli.trial import Summary
from streams.commands import send as control
from streams.commands import topics
from streams.ingest.calls import Call
from streams.ingest.feed import feed
from streams.ingest.sources import batches
from streams.settings import Settings
from tests.conftest import SettingsFor
from triggers.base.model import DAY, HOUR, SECOND
from triggers.base.moments import iso, parse_moment
from triggers.rules.checks import load

START: Final = parse_moment("2026-01-01T00:00:00Z")
AT: Final = START + 9 * DAY + HOUR
END: Final = START + 40 * DAY
OLD: Final = {
    "rules.yaml": """version: 1
segments:
  buyer: sum("Order.total", days=3) >= 40
journeys:
  welcome:
    entry: {event: Order}
    re_entry: {after: 6d}
    steps: [{wait: 3d}, {send: {channel: email, text: Welcome}}]
  buyer:
    entry: {enters: buyer}
    re_entry: always
    steps: [{wait: 1d}, {send: {channel: push, text: Thanks}}]
"""
}
NEW: Final = {
    "rules.yaml": """version: 1
segments:
  buyer: sum("Order.total", days=3) >= 60
  regular: count("Order", days=2) >= 3 and not did("Refund", days=3)
journeys:
  buyer:
    entry: {enters: buyer}
    re_entry: always
    on_change: exit
    steps: [{wait: 2d}, {send: {channel: push, text: "Thanks again"}}]
  regular:
    entry: {enters: regular}
    re_entry: {after: 3d}
    steps: [{send: {channel: push, text: Regular}}]
"""
}
OTHER: Final = {"rules.yaml": OLD["rules.yaml"].replace("Welcome", "Hello")}


def order(number: int) -> Call:
    at = START + number * DAY // 12
    document: dict[str, Any] = {"type": "track", "userId": f"u{number // 9 % 7}", "event": "Order", "timestamp": iso(at)}
    document |= {"messageId": f"m{number}", "properties": {"total": number * 7 % 23}}
    return Call(at, document["userId"].encode(), orjson.dumps(document))


ORDERS: Final = [order(number) for number in range(250)]


async def write(settings: Settings, second: dict[str, str], at: int) -> None:
    """A log in which a second rule set is applied at a moment, and a journey is paused and resumed after that."""
    await topics.create(settings)
    await control.apply(settings, OLD, at=START - SECOND)
    await control.go_live(settings, at=START - SECOND)
    told = START - SECOND
    second_apply: Callable[[], Awaitable[object]] = lambda: control.apply(settings, second, at=at)  # noqa: E731
    pause: Callable[[], Awaitable[object]] = lambda: control.pause(settings, "buyer", at=AT + 3 * DAY)  # noqa: E731
    resume: Callable[[], Awaitable[object]] = lambda: control.resume(settings, "buyer", at=AT + 5 * DAY)  # noqa: E731
    for moment, command in ((at, second_apply), (AT + 3 * DAY, pause), (AT + 5 * DAY, resume)):
        await feed(settings, batches(call for call in ORDERS if told < (call.at or 0) <= moment))
        await command()
        told = moment
    await feed(settings, batches(call for call in ORDERS if told < (call.at or 0)))


def came(replayed: Replayed) -> Counter[str]:
    """Actions and decisions, without what depends on the place of a record in the log."""
    found: Counter[str] = Counter()
    for outs in (*replayed.actions.values(), *replayed.decisions.values()):
        for out in outs:
            document = orjson.loads(out)
            for name in ("id", "run", "cause"):
                document.pop(name, None)
            found[orjson.dumps(document, option=orjson.OPT_SORT_KEYS).decode()] += 1
    return found


@pytest.mark.parametrize("key", [None, "0123456789abcdef"])
async def test_rules_as_of_a_moment_decide_what_an_apply_at_that_moment_does(
    broker: Broker, settings_for: SettingsFor, key: str | None
) -> None:
    tried = settings_for(broker, clock="log", partitions=2, command_key=key)
    real = settings_for(broker, clock="log", partitions=2, command_key=key)
    await write(tried, OTHER, AT + DAY)
    await write(real, NEW, AT)
    replayed = await replay_topic(tried, rules=load(NEW), as_of=AT, until=END)
    before = came(await replay_topic(tried, until=AT))
    whole = came(await replay_topic(real, until=END))
    assert came(replayed) == whole - before
    assert not before - whole
    assert (replayed.counts["sent", "regular"], replayed.counts["sent", "buyer"]) > (3, 3)
    assert replayed.counts["exited", "buyer"] > 0
    assert (replayed.as_of, replayed.events, replayed.applies_left_out) == (AT, len(ORDERS), 1)
    assert replayed.events_before == sum(1 for call in ORDERS if (call.at or 0) <= AT)
    assert replayed.incomplete == [
        f'! count("Order", days=2) starts incomplete for 7 users, until {iso(START + 11 * DAY)}',
        f'! did("Refund", days=3) starts incomplete for 7 users, until {iso(AT + 3 * DAY)}',
    ]
    said = list(Summary(replayed, Shown(), 0).lines())
    assert f"as if the rules had been applied at {iso(AT)}; {replayed.events_before} events came before" in said
    assert "  1 later apply of the log left out" in said
    assert f"  {replayed.incomplete[0]}" in said
    assert "  in the rules, and never seen here: Refund" in said


async def test_rules_from_the_start_say_so_and_that_an_apply_now_would_be_another_thing(broker: Broker, settings_for: SettingsFor) -> None:
    """A worker must have folded the log before the number of users is known; here the test sets it."""
    settings = settings_for(broker, clock="log", partitions=2)
    await write(settings, OTHER, AT)
    replayed = await replay_topic(settings, rules=load(NEW), until=END)
    assert (replayed.since, replayed.as_of, replayed.incomplete) == (START - SECOND, None, [])
    said = f"as if the rules had been active since {iso(START - SECOND)}: every window is complete here"
    assert said in list(Summary(replayed, Shown(), 0).lines())
    replayed.incomplete = ["! x", "! y"]
    assert f"{said}; an apply now would begin with 2 incomplete windows: see --as-of" in list(Summary(replayed, Shown(), 0).lines())


async def test_as_of_now_is_where_a_log_with_its_own_clock_ends(broker: Broker, settings_for: SettingsFor) -> None:
    settings = settings_for(broker, clock="log", partitions=1)
    await write(settings, OTHER, AT)
    last = max(call.at or 0 for call in ORDERS)
    replayed = await replay_topic(settings, rules=load(NEW), as_of="now", until=END)
    assert (replayed.as_of, replayed.events_before, replayed.clock) == (last, len(ORDERS), END)
    assert {orjson.loads(decision)["at"] >= last for decision in replayed.decisions[0]} == {True}
    assert replayed.counts["met", ""] == 1
