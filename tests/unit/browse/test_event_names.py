"""The metric of events by name: every name that the rules have, and of the others only so many."""

import re

import pytest

from streams.worker.telemetry.metrics import LONGEST, Metrics
from tests.unit.journeys.test_runs import WELCOME, rules
from triggers.engine.partition import NAMES, OTHER, Partition
from triggers.state.table import Table
from triggers.testing import Story, run


def folded(story: Story) -> Partition:
    partition = Partition(story.place, Table(), story.library)
    run(partition, story.log)
    return partition


def counted(metrics: Metrics) -> dict[str, float]:
    found = re.findall(r'^cueline_events_by_name_total\{event="(.*)"\} (\S+)$', metrics.page().decode(), re.MULTILINE)
    return {name: float(count) for name, count in found}


def test_events_are_counted_by_name_without_duplicates_and_dead_letters() -> None:
    story = Story(rules(WELCOME))
    for user in ("ann", "bob"):
        story.track(user, "Signed Up")
        story.track(user, "signed up", messageId="1")
        story.track(user, "signed up", messageId="1")
    story.record(b"ann", b'{"type": "page", "userId": "ann", "name": "Home"}')
    story.record(b"ann", b'{"type": "identify", "userId": "ann", "traits": {"a": 1}}')
    story.record(b"ann", b'{"type": "track", "userId": "ann", "event": "Read", "properties": 5}')
    partition = folded(story)
    assert partition.take_names() == {"Signed Up": 2, "signed up": 2, "page": 1}
    assert partition.take_names() == {}


def test_whoever_invents_names_does_not_grow_a_fold_that_nobody_asks_nor_hide_names_of_rules() -> None:
    story = Story(rules(WELCOME))
    for number in range(NAMES + 50):
        story.track("ann", f"name {number}")
    story.track("ann", "Signed Up")
    names = folded(story).take_names()
    assert len(names) == NAMES + 2
    assert (names[OTHER], names["Signed Up"], names["name 199"]) == (50, 1, 1)


def test_the_page_has_every_name_of_the_rules_and_so_many_others() -> None:
    metrics = Metrics()
    for first in range(0, 500, 10):
        metrics.named({f"name {number}": 2 for number in range(first, first + 10)}, lambda _: False)
    metrics.named({"name 7": 1, "Signed Up": 3, OTHER: 4}, lambda name: name == "Signed Up")
    counts = counted(metrics)
    assert len(counts) == NAMES + 2
    assert (counts["name 7"], counts["Signed Up"], counts[OTHER]) == (3, 3, 300 * 2 + 4)


@pytest.mark.parametrize("name", ['a "quoted" \\ name', "two\nlines", "\ud800", "x" * 5_000])
def test_any_name_leaves_the_page_whole(name: str) -> None:
    metrics = Metrics()
    metrics.named({name: 1}, lambda _: False)
    [(label, count)] = counted(metrics).items()
    assert (count, len(label) <= LONGEST) == (1, True)
