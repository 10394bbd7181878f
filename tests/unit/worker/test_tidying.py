"""Parsed rule sets go when no user is under them any more, and come back when they are needed."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import orjson

from streams.commands.rule_store import RuleStore
from streams.settings import Settings
from streams.worker.tidying import Tidier
from triggers.engine.partition import Partition
from triggers.state.table import Table
from triggers.testing import Story, run

RULES = """version: 1
journeys:
  slow:
    entry: {event: Signed Up}
    steps: [{wait: %dd}, {send: {channel: push, text: Hello}}]
"""


class Group:
    """One partition."""

    def __init__(self, fold: Partition) -> None:
        self.owned: list[Any] = [SimpleNamespace(fold=fold)]
        self.ready, self.generation = True, 1

    def is_rebalancing(self) -> bool:
        return False

    def __iter__(self) -> Iterator[Any]:
        return iter(self.owned)


async def test_a_rule_set_goes_when_no_run_is_pinned_to_it_and_comes_back_when_it_is_applied_again() -> None:
    first, second, third = ({"rules.yaml": RULES % days} for days in (10, 20, 30))
    story = Story(first, start="2026-01-01T00:00Z")
    story.track("ann", "Signed Up")
    story.apply(second, "+1h")
    story.apply(third, "+1h")
    rule_store = RuleStore(Settings())
    for rules in story.library.rule_sets():
        rule_store._keep_text(rules.hash, orjson.dumps({"files": dict(rules.files)}))
        await rule_store.hold(rules.hash)
    hashes = [rules.hash for rules in story.library.rule_sets()]
    fold = Partition(story.place, Table(), rule_store.library)
    run(fold, story.log)
    group = Group(fold)
    assert Tidier(group, rule_store).tidy() == 1
    assert [rule_store.library.get(rule_set) is not None for rule_set in hashes] == [True, False, True], "ann waits under the first"
    fold.saved(fold.take())
    assert Tidier(group, rule_store).tidy() == 0
    await rule_store.hold(hashes[1])
    assert rule_store.library.get(hashes[1]) is not None
    story.until("2026-01-20")
    run(fold, story.log)
    output = fold.take()
    assert [out.key for out in output.actions] == [b"ann"]
    fold.saved(output)
    assert Tidier(group, rule_store).tidy() == 2, "no user waits under the first any more"


def test_none_goes_while_a_partition_is_opened() -> None:
    story = Story({"rules.yaml": RULES % 1}, start="2026-01-01T00:00Z")
    story.apply({"rules.yaml": RULES % 2}, "+1h")
    rule_store = RuleStore(Settings())
    rule_store.library = story.library
    group = Group(story.fold()[0])
    group.ready = False
    assert Tidier(group, rule_store).tidy() == 0
    assert len(rule_store.library) == 2
