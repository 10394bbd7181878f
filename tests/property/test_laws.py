"""The laws that every promise rests on: a user's decisions depend on the log, and on nothing else."""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.programmes import LOGS
from tests.property.some_logs import USERS
from triggers.base.model import LogRecord, Out
from triggers.engine import commands, draining
from triggers.engine import partition as folding
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.records.control import TICK
from triggers.state import due, store, table
from triggers.state.position import POSITION_KEY, Position
from triggers.state.store import MemoryStore
from triggers.state.table import Table
from triggers.testing import Story, documents, run

BOUNDS = [
    (commands, "USERS"),
    (draining, "STALE"),
    (folding, "MOMENTS"),
    (due, "STALE"),
    (store, "STALE"),
    (store, "LOOKS"),
    (table, "PULL"),
    (table, "PULLS"),
]
"""How much one call does. They change no decision, and are far above nine users. (The compiled engine has them built in.)"""


@contextmanager
def bounds(random: Random) -> Iterator[None]:
    """Make the bounds so small that nine users reach all of them."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in BOUNDS:
            patch.setattr(module, name, random.choice([1, 2, 3, 1_000]))
        yield


Told = tuple[dict[bytes, list[bytes]], dict[bytes, list[bytes]], dict[str, bytes]]
"""Actions and decisions by user, and the states with the position."""


class Saved:
    """What a broker holds after the checkpoints: outputs by user, and the changelog."""

    def __init__(self) -> None:
        self.actions: dict[bytes, list[bytes]] = defaultdict(list)
        self.decisions: dict[bytes, list[bytes]] = defaultdict(list)
        self.changelog: dict[bytes, bytes] = {}

    def checkpoint(self, partition: Partition, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Save. `meanwhile`: what the fold does before the commit is known."""
        output = partition.take()
        meanwhile()
        for outs, into in ((output.actions, self.actions), (output.decisions, self.decisions)):
            for out in outs:
                into[out.key or b""].append(_value(out))
        for out in output.changelog:
            if out.value is None:  # erased
                self.changelog.pop(out.key or b"", None)
            else:
                self.changelog[out.key or b""] = out.value
        partition.saved(output)

    def restore(self, story: Story, new_table: Callable[[MemoryStore], Table] = Table) -> Partition:
        states = MemoryStore()
        states.apply((key.decode(), value) for key, value in self.changelog.items() if key != POSITION_KEY)
        data = self.changelog.get(POSITION_KEY)
        return Partition(story.place, new_table(states), story.library, None if data is None else Position.decode(data), story.options)

    def told(self) -> Told:
        return dict(self.actions), dict(self.decisions), {key.decode(): value for key, value in self.changelog.items()}

    def states(self) -> dict[str, bytes]:
        """By user."""
        return {key.decode(): value for key, value in self.changelog.items() if key != POSITION_KEY}


def _value(out: Out) -> bytes:
    assert out.value is not None
    return out.value


def straight(story: Story) -> Told:
    return saved_at_once(story).told()


def saved_at_once(story: Story) -> Saved:
    saved = Saved()
    partition = saved.restore(story)
    run(partition, story.log)
    saved.checkpoint(partition)
    return saved


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


def crooked(story: Story, seed: int, crashes: bool, new_table: Callable[[MemoryStore], Table] = Table, saved: Saved | None = None) -> Told:
    """The same log in random batches, slices and drains, with checkpoints between, and now and then a crash that forgets the unsaved."""
    random = Random(seed)
    with bounds(random):
        return _crooked(story, random, crashes, new_table, Saved() if saved is None else saved)


def _crooked(story: Story, random: Random, crashes: bool, new_table: Callable[[MemoryStore], Table], saved: Saved) -> Told:
    partition = saved.restore(story, new_table)
    log = story.log
    end = len(log) - 1
    while partition.position.offset < end or partition.drain(1):
        _some(partition, log, random)
        if random.random() < 0.3:
            saved.checkpoint(partition, partial(_some, partition, log, random) if random.random() < 0.5 else lambda: None)
        if crashes and random.random() < 0.15:
            partition = saved.restore(story, new_table)
    saved.checkpoint(partition)
    return saved.told()


def _some(partition: Partition, log: list[LogRecord], random: Random) -> None:
    """Fold some records, some of them again, and drain a little."""
    at = partition.position.offset + 1
    batch = log[max(0, at - random.choice([0, 0, 3])) : at + random.choice([1, 2, 7, 50])]
    partition.advance(batch, 0, random.choice([1, 2, 1000]))
    for _ in range(random.choice([0, 0, 1, 3])):
        partition.drain(random.choice([1, 2, 5]))


EXAMPLES = {"version 1": 60, "version 2": 12}
"""Logs of the second kind take longer."""
seeds = st.integers(0, 1 << 32)
each_kind_of_log = pytest.mark.parametrize("kind", LOGS)


def holds(law: Callable[..., None], kind: str, *drawn: st.SearchStrategy[Any]) -> None:
    """Try a law of random logs, and of what else it draws."""
    settings(max_examples=EXAMPLES[kind], deadline=None, suppress_health_check=list(HealthCheck))(given(*drawn)(law))()


@each_kind_of_log
def test_rule_sets_that_nobody_needs_can_be_let_go_at_any_moment(kind: str) -> None:
    def law(seed: int, how: int) -> None:
        assert tidied(LOGS[kind](seed), how) == straight(LOGS[kind](seed))

    holds(law, kind, seeds, seeds)


@each_kind_of_log
def test_any_splitting_and_any_drain_order_give_each_user_the_same_decisions(kind: str) -> None:
    def law(seed: int, how: int) -> None:
        story = LOGS[kind](seed)
        assert crooked(story, how, crashes=False) == straight(story)

    holds(law, kind, seeds, seeds)


@each_kind_of_log
def test_any_restart_at_a_checkpoint_gives_each_user_the_same_decisions(kind: str) -> None:
    def law(seed: int, how: int) -> None:
        story = LOGS[kind](seed)
        assert crooked(story, how, crashes=True) == straight(story)

    holds(law, kind, seeds, seeds)


@each_kind_of_log
def test_a_user_alone_gets_the_same_decisions_as_among_others(kind: str) -> None:
    """Users are independent; only the clock is common, so others' records become ticks."""

    def law(seed: int) -> None:
        story = LOGS[kind](seed)
        whole = straight(story)
        for user in USERS[:2]:
            log = list(story.log)
            story.log = [r if r.key in (None, user.encode()) else r._replace(key=None, value=b"", headers=TICK) for r in log]
            alone = straight(story)
            story.log = log
            for told, expected in zip(alone[:2], whole[:2], strict=True):
                assert told.get(user.encode()) == expected.get(user.encode())
            assert alone[2].get(user) == whole[2].get(user)

    holds(law, kind, seeds)


@each_kind_of_log
def test_duplicates_change_nothing(kind: str) -> None:
    def law(seed: int) -> None:
        story = LOGS[kind](seed, duplicates=True)
        partition = Saved().restore(story)
        run(partition, story.log)
        if not partition.duplicates:
            return
        log: list[LogRecord] = []
        for record in story.log:
            again = bool(log) and bool(record.value) and record.value == log[-1].value
            log.append(record._replace(key=None, value=b"", headers=TICK) if again else record)
        with_duplicates = straight(story)
        story.log = log
        assert straight(story) == with_duplicates

    holds(law, kind, seeds)


@each_kind_of_log
def test_a_story_that_is_asked_in_between_says_the_same(kind: str) -> None:
    """It folds only what is new, and fires what is due at each question."""

    def law(seed: int, size: int) -> None:
        story = LOGS[kind](seed)
        output = story.fold()[1]
        log, story.log = story.log, []
        for start in range(0, len(log), size):
            story.log += log[start : start + size]
            story.actions()
        for user in USERS:
            assert story.actions(user) == documents(output.actions, user)
            assert story.decisions(user) == documents(output.decisions, user)

    holds(law, kind, seeds, st.integers(1, 60))


def digest(seeds: range) -> str:
    """Everything that a few logs of each kind lead to, as one hash."""
    told = [straight(tell(seed)) for tell in LOGS.values() for seed in seeds]
    return sha256(repr([[sorted(part.items()) for part in parts] for parts in told]).encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", ["1", "2", "random"])
def test_the_hash_seed_changes_nothing(hash_seed: str) -> None:
    code = "from tests.property.test_laws import digest; print(digest(range(8)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == digest(range(8))
