"""The laws that every promise rests on: a user's decisions depend on the log, and on nothing else."""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triggers.base.model import DAY, HOUR, Out
from triggers.engine import commands, draining
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import TICK
from triggers.state import due, store, table
from triggers.state.position import POSITION_KEY, Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table
from triggers.testing import Story, documents, run

RULES = """version: 1
settings: {time_zone: Europe/Berlin}
segments:
  regular: every_day(3, sum("used.minutes") > 30) and not did("paid")
  lapsed: count("used") >= 2 and silent("used", days=4)
  gold: sum("paid.total", days=5) >= 100
  reader: distinct("used.book", days=3) >= 2 and traits.country == "CN"
journeys:
  welcome:
    entry: {event: signed_up}
    steps: [{wait: 3d}, {send: {channel: push, text: "Welcome {{ traits.name }}"}}, {wait: 2d}, {send: {channel: email, text: again}}]
  trial:
    entry: {enters: regular}
    re_entry: {after: 6d}
    exit: {event: paid}
    steps: [{wait: 6h}, {send: {channel: benefit, grant: {plan: member, days: 3}}}]
  win-back:
    entry: {enters: lapsed}
    re_entry: always
    exit: {leaves: lapsed}
    steps:
      - send: {channel: email, text: "We miss you"}
      - wait: 1d
      - when: not did("paid", days=1)
      - send: {channel: sms, text: still}
  gold:
    entry: {enters: gold}
    re_entry: always
    late: {after: 1h, then: drop}
    steps: [{send: {channel: email, text: "You are gold"}}]
  readers:
    entry: {leaves: reader}
    re_entry: always
    on_change: exit
    steps: [{wait: 1h}, {send: {channel: in_app, text: "{{ run.id }}"}}]
"""
CHANGED = (
    RULES.replace("days=5", "days=6")
    .replace('silent("used", days=4)', 'silent("used", days=2)')
    .replace("text: again", "text: changed")
    .replace("wait: 6h", "wait: 7h")
    .replace("wait: 1h}", "wait: 2h}")
)
USERS = ["ann", "bob", "cem", "dee", "eva", "fay", "gil", "hob", "ida"]


BOUNDS = [(commands, "USERS"), (draining, "STALE"), (due, "STALE"), (store, "STALE"), (store, "LOOKS"), (table, "PULL"), (table, "PULLS")]
"""How much one call does. They change no decision, and are far above nine users. (The compiled engine has them built in.)"""


@contextmanager
def bounds(random: Random) -> Iterator[None]:
    """Make the bounds so small that nine users reach all of them."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in BOUNDS:
            patch.setattr(module, name, random.choice([1, 2, 3, 1_000]))
        yield


def tell(seed: int, length: int = 120, duplicates: bool = False) -> Story:
    """A random log of a few users over some weeks, with commands, late events and ties."""
    random = Random(seed)
    story = Story({"rules.yaml": RULES}, start="2026-03-20T00:00Z", live=random.random() < 0.8)
    at = story.now
    changes: list[Any] = [
        lambda: story.apply({"rules.yaml": CHANGED}, at),
        lambda: story.apply({"rules.yaml": RULES}, at),
        lambda: story.go_live(at),
        lambda: story.pause("welcome", at),
        lambda: story.resume("welcome", at),
    ]
    for n in range(length):
        at += random.choice([0, 0, 1, HOUR, 5 * HOUR, 9 * HOUR, DAY])
        user = random.choice(USERS)
        happened = at - random.choice([0, 0, 0, HOUR, 3 * DAY])
        kind = random.random()
        if kind < 0.04:
            random.choice(changes)()
        elif kind < 0.1:
            story.until(at)
        elif kind < 0.2:
            story.identify(user, {"country": random.choice(["CN", "DE"]), "name": random.choice(["A", None])}, at=at)
        else:
            name = random.choice(["used", "used", "used", "used", "paid", "signed_up"])
            properties = {"minutes": random.choice([10, 31, 40.5]), "total": random.choice([20, 60, 100]), "book": random.choice("xyz")}
            story.track(user, name, properties, at=at, happened=happened, messageId=f"m{n}")
            if duplicates and random.random() < 0.5:
                story.track(user, name, properties, at=at, happened=happened, messageId=f"m{n}")
    story.until(at + random.choice([0, DAY, 30 * DAY]))
    return story


Told = tuple[dict[bytes, list[bytes]], dict[bytes, list[bytes]], dict[str, bytes]]


class Saved:
    """What a broker holds after the checkpoints: outputs by user, and the changelog."""

    def __init__(self) -> None:
        self.actions: dict[bytes, list[bytes]] = defaultdict(list)
        self.decisions: dict[bytes, list[bytes]] = defaultdict(list)
        self.changelog: dict[bytes, bytes] = {}

    def checkpoint(self, partition: Partition) -> None:
        output = partition.take()
        for outs, into in ((output.actions, self.actions), (output.decisions, self.decisions)):
            for out in outs:
                into[out.key or b""].append(_value(out))
        for out in output.changelog:
            self.changelog[out.key or b""] = _value(out)
        partition.saved(output)

    def restore(self, story: Story, new_table: Callable[[MemoryStore], Table] = Table) -> Partition:
        states = MemoryStore()
        states.apply((key.decode(), value) for key, value in self.changelog.items() if key != POSITION_KEY)
        data = self.changelog.get(POSITION_KEY)
        return Partition(story.place, new_table(states), story.library, None if data is None else Position.decode(data), story.options)

    def told(self) -> Told:
        states = {key.decode(): value for key, value in self.changelog.items() if key != POSITION_KEY}
        return dict(self.actions), dict(self.decisions), states


def _value(out: Out) -> bytes:
    assert out.value is not None
    return out.value


def straight(story: Story) -> Told:
    saved = Saved()
    partition = saved.restore(story)
    run(partition, story.log)
    saved.checkpoint(partition)
    return saved.told()


def tidied(story: Story, seed: int) -> Told:
    """The same log while unneeded rule sets are released at any moment."""
    random = Random(seed)
    story.library, whole = Library(story.library.rule_sets()), story.library
    saved = Saved()
    partition, log = saved.restore(story), story.log
    while partition.position.offset < len(log) - 1 or partition.drain(1):
        at = partition.position.offset + 1
        partition.advance(log[at : at + random.choice([1, 5, 30])], 0, random.choice([1, 3, 1000]))
        if partition.blocked is not None:
            rules = whole.get(partition.blocked)
            assert rules is not None
            story.library.add(rules)
        partition.drain(random.choice([1, 2, 5]))
        if random.random() < 0.3:
            saved.checkpoint(partition)
        if random.random() < 0.7:
            story.library.keep(partition.needs())
    saved.checkpoint(partition)
    return saved.told()


def crooked(story: Story, seed: int, crashes: bool, new_table: Callable[[MemoryStore], Table] = Table) -> Told:
    """The same log in random batches, slices and drains, with checkpoints between, and now and then a crash that forgets the unsaved."""
    random = Random(seed)
    with bounds(random):
        return _crooked(story, random, crashes, new_table)


def _crooked(story: Story, random: Random, crashes: bool, new_table: Callable[[MemoryStore], Table]) -> Told:
    saved = Saved()
    partition = saved.restore(story, new_table)
    log = story.log
    end = len(log) - 1
    while partition.position.offset < end or partition.drain(1):
        at = partition.position.offset + 1
        batch = log[max(0, at - random.choice([0, 0, 3])) : at + random.choice([1, 2, 7, 50])]
        partition.advance(batch, 0, random.choice([1, 2, 1000]))
        for _ in range(random.choice([0, 0, 1, 3])):
            partition.drain(random.choice([1, 2, 5]))
        if random.random() < 0.3:
            saved.checkpoint(partition)
        if crashes and random.random() < 0.15:
            partition = saved.restore(story, new_table)
    saved.checkpoint(partition)
    return saved.told()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_rule_sets_that_nobody_needs_can_be_let_go_at_any_moment(seed: int, how: int) -> None:
    story = tell(seed)
    assert tidied(story, how) == straight(tell(seed))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), how=st.integers(0, 10**6))
def test_any_splitting_and_any_drain_order_give_each_user_the_same_decisions(seed: int, how: int) -> None:
    story = tell(seed)
    assert crooked(story, how, crashes=False) == straight(story)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), how=st.integers(0, 10**6))
def test_any_restart_at_a_checkpoint_gives_each_user_the_same_decisions(seed: int, how: int) -> None:
    story = tell(seed)
    assert crooked(story, how, crashes=True) == straight(story)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6))
def test_a_user_alone_gets_the_same_decisions_as_among_others(seed: int) -> None:
    """Users are independent; only the clock is common, so others' records become ticks."""
    story = tell(seed)
    whole = straight(story)
    for user in USERS[:2]:
        log = list(story.log)
        story.log = [r if r.key in (None, user.encode()) else r._replace(key=None, value=b"", headers=TICK) for r in log]
        alone = straight(story)
        story.log = log
        for told, expected in zip(alone[:2], whole[:2], strict=True):
            assert told.get(user.encode()) == expected.get(user.encode())
        assert alone[2].get(user) == whole[2].get(user)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6))
def test_duplicates_change_nothing(seed: int) -> None:
    story = tell(seed, duplicates=True)
    partition = Saved().restore(story)
    run(partition, story.log)
    if not partition.duplicates:
        return
    seen: set[bytes] = set()
    log = []
    for record in story.log:
        again = record.value is not None and b'"track"' in record.value and (record.value in seen)
        seen.add(record.value or b"")
        log.append(record._replace(key=None, value=b"", headers=TICK) if again else record)
    with_duplicates = straight(story)
    story.log = log
    assert straight(story) == with_duplicates


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6), size=st.integers(1, 60))
def test_a_story_that_is_asked_in_between_says_the_same(seed: int, size: int) -> None:
    """It folds only what is new, and fires what is due at each question."""
    story = tell(seed)
    output = story.fold()[1]
    log, story.log = story.log, []
    for start in range(0, len(log), size):
        story.log += log[start : start + size]
        story.actions()
    for user in USERS:
        assert story.actions(user) == documents(output.actions, user)
        assert story.decisions(user) == documents(output.decisions, user)


def digest(seeds: range) -> str:
    """Everything that a few logs lead to, as one hash."""
    told = [straight(tell(seed)) for seed in seeds]
    return sha256(repr([[sorted(part.items()) for part in parts] for parts in told]).encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", ["1", "2", "random"])
def test_the_hash_seed_changes_nothing(hash_seed: str) -> None:
    code = "from tests.property.test_laws import digest; print(digest(range(8)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(range(8))
