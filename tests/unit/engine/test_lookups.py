"""What an event, a timer or an entry does not name costs it nothing, with 1,000 journeys and 200 segments."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from triggers.definitions.model import RuleSet
from triggers.engine.partition import Partition
from triggers.journeys.plan import Plan
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import Story, run

SEGMENTS = 200
JOURNEYS = 1_000


@cache
def rules(days: int = 40) -> RuleSet:
    """Each segment reads events and a trait of its own; a third of the journeys are entered by segments."""
    lines = ["version: 1", "segments:"]
    lines += [f'  s{n:03}: count("e{n}", hours=24) >= 1 and not did("e{n}", hours=1) and traits.t{n} == 1' for n in range(SEGMENTS)]
    lines.append("journeys:")
    for n in range(JOURNEYS):
        entry = f"{{enters: s{n % SEGMENTS:03}}}" if n % 3 == 0 else f"{{event: f{n}}}"
        lines.append(f"  j{n:04}: {{entry: {entry}, re_entry: always, exit: {{event: g{n}}}, steps: [{{wait: 2h}}, {{wait: {days}d}}]}}")
    return load({"rules.yaml": "\n".join(lines)})


class Walks:
    """Counts how often code iterates over all items of a collection."""

    def __init__(self) -> None:
        self.count = 0
        self.looks = 0

    def of(self, whole: dict[str, Any] | list[Any]) -> Any:
        walks = self

        class Dict(dict[str, Any]):
            def __iter__(self) -> Iterator[str]:
                walks.count += 1
                return super().__iter__()

            def keys(self) -> Any:
                walks.count += 1
                return super().keys()

            def values(self) -> Any:
                walks.count += 1
                return super().values()

            def items(self) -> Any:
                walks.count += 1
                return super().items()

        class List(list[Any]):
            def __iter__(self) -> Iterator[Any]:
                walks.count += 1
                return super().__iter__()

        return Dict(whole) if isinstance(whole, dict) else List(whole)

    def watch(self, plan: Plan) -> None:
        for segment in plan.segments:
            segment.look = self._counted(segment.look)
        for name in ("journeys", "segments", "measures", "by_key", "order", "by_trait", "by_event", "entered_by"):
            setattr(plan, name, self.of(getattr(plan, name)))

    def _counted(self, look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def counted(view: Any) -> Any:
            self.looks += 1
            return look(view)

        return counted


class Fold:
    """A story that is folded step by step."""

    def __init__(self, users: int = 1) -> None:
        self.story = Story(rules())
        for n in range(users):
            self.story.track(f"u{n}", "unknown")  # a first record looks at everything
        self.partition = Partition(self.story.place, Table(), self.story.library, Position())
        self.folded = 0
        self.go_on()
        self.walks = Walks()
        self.walks.watch(self.story.library.plan(self.partition.position.rule_set or ""))

    def go_on(self) -> list[str]:
        """The kinds of the decisions that come."""
        before = dict(self.partition.counts)
        run(self.partition, self.story.log[self.folded :])
        self.folded = len(self.story.log)
        return sorted({what[0] for what, count in self.partition.counts.items() if count > before.get(what, 0)})


@pytest.fixture(scope="module")
def fold() -> Fold:
    return Fold()


def costs(fold: Fold, kinds: list[str], looks: int) -> None:
    """What came, how many segments were looked at, and that nothing went through all of them or all journeys."""
    fold.walks.count = fold.walks.looks = 0
    assert fold.go_on() == kinds
    assert (fold.walks.count, fold.walks.looks) == (0, looks)


def test_events_traits_timers_entries_and_exits_look_only_at_what_they_name(fold: Fold) -> None:
    story = fold.story
    story.track("u0", "f1", at="+1h")
    costs(fold, ["entered", "waiting"], 0)
    story.track("u0", "e3", at="+1m")
    costs(fold, [], 1)
    story.identify("u0", {"t3": 1, "other": 1}, at="+1m")
    costs(fold, [], 1)
    story.until("+70m")  # an hour after e3 the user enters s003, and so each journey that it enters
    costs(fold, ["entered", "waiting"], 1)
    story.track("u0", "g1", at="+1m")
    costs(fold, ["exited"], 0)
    story.until("+24h")  # the waits end, and the user leaves s003
    costs(fold, ["waiting"], 1)


def test_a_run_of_an_older_version_costs_what_it_names() -> None:
    fold = Fold()
    story = fold.story
    story.track("u0", "f1", at="+1h")
    fold.go_on()
    plan = story.library.plan(story.apply(rules(days=41), at="+1m").hash)
    fold.go_on()
    fold.walks.watch(plan)
    story.track("u0", "e3", at="+1m")
    costs(fold, [], 1)
    story.track("u0", "g1", at="+1m")
    costs(fold, ["exited"], 0)


def test_a_meeting_walks_once_for_all_users() -> None:
    counts = []
    for users in (2, 20):
        fold = Fold(users)
        plan = fold.story.library.plan(fold.story.apply(rules(days=41), at="+1h").hash)
        fold.walks.watch(plan)
        fold.walks.count = fold.walks.looks = 0
        fold.go_on()
        counts.append((fold.walks.count, fold.walks.looks))
    assert counts[0] == counts[1]
    assert counts[0][1] == 0
