"""What a worker's log tells a newcomer."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from streams.worker.notices import Announcer
from triggers.state.position import Position

HASH = "ab" * 32
DRY = "rule set abababababab is active, dry: decisions are not sent until `cueline go-live`"


class Group:
    """Partitions with these positions."""

    def __init__(self, *positions: Position) -> None:
        self.positions = positions
        self.generation, self.ready, self.rebalancing = 1, True, False

    def __iter__(self) -> Iterator[Any]:
        return iter([SimpleNamespace(fold=SimpleNamespace(position=position)) for position in self.positions])

    def is_rebalancing(self) -> bool:
        return self.rebalancing


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_each_command_is_told_once_all_partitions_have_met_it(said: pytest.LogCaptureFixture) -> None:
    group = Group(Position(), Position())
    announcer = Announcer(group, 20)
    announcer.look(0)
    announcer.look(1)
    assert said.messages == ["no rules are active, so no user enters a journey: `cueline apply FOLDER` applies some"]
    told = [
        (
            Position(last_command=1, rule_set=HASH),
            "rule set abababababab is active, dry: decisions are not sent until `cueline go-live`",
        ),
        (Position(last_command=2, rule_set=HASH, live=True), "go-live: decisions are sent from here on"),
        (Position(last_command=3, rule_set=HASH, live=True, paused=["welcome"]), "journey welcome is paused"),
        (Position(last_command=4, rule_set=HASH, live=True), "journey welcome continues"),
        (Position(last_command=5, rule_set="cd" * 32, live=True), "rule set cdcdcdcdcdcd is active, live"),
        (Position(last_command=6, rule_set="cd" * 32, live=True), "nothing changes"),
    ]
    for number, (position, words) in enumerate(told, 1):
        said.clear()
        group.positions = (position, group.positions[1])
        announcer.look(2)
        assert said.messages == []
        group.positions = (position, position)
        announcer.look(3)
        assert said.messages == [f"all partitions of this worker have reached command {number}: {words}"]


def test_a_worker_that_begins_on_a_live_log_says_what_is_in_force(said: pytest.LogCaptureFixture) -> None:
    Announcer(Group(Position(last_command=3, rule_set=HASH, live=True, paused=["welcome"])), 20).look(0)
    assert said.messages == ["rule set abababababab is active, live; paused: welcome"]


def test_a_long_wait_for_the_group_is_explained_and_a_short_one_is_not(said: pytest.LogCaptureFixture) -> None:
    group = Group()
    group.generation = -1
    announcer = Announcer(group, 20)
    for now in range(5):
        announcer.look(now)
    assert said.messages == []
    for now in range(5, 40):
        announcer.look(now)
    assert len(said.messages) == 2
    assert "until its session ends (session_timeout, 20 s)" in said.messages[0]
