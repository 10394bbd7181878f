"""A wait for a cause ends exactly once, at a moment that its rules allow, however the log is cut into pieces."""

from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.engine.driver import PLACE, Engine
from triggers.engine.partition import Partition
from triggers.journeys.library import Library
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import Story, documents

HOUR = 3_600_000
RULES = load(
    {
        "r.yaml": """version: 2
segments: {vip: traits.vip}
journeys:
  j:
    entry: {event: A}
    re_entry: always
    late: {after: 1h, then: send}
    steps:
      - wait: {any: [{event: B, where: n > 1}, {enters: vip}], timeout: 5h}
        came: [{send: {channel: push, text: "came {{ event.n }}"}}]
        timed_out: [{send: {channel: push, text: out}}]
      - wait: {outside: vip, timeout: 2h}
      - send: {channel: push, text: "end {{ event.n }}"}
"""
    }
)
calls = st.sampled_from(["A", "B1", "B2", "B3", "vip", "plain", "pause", "resume", "nothing"])
logs = st.lists(st.tuples(st.sampled_from([0, 1, HOUR, 2 * HOUR, 5 * HOUR]), st.sampled_from([0, 0, HOUR, 9 * HOUR]), calls), max_size=25)


def told(log: list[tuple[int, int, str]]) -> Story:
    """Make a log of one user."""
    story = Story(RULES)
    for gap, late, call in log:
        at = story.now + gap
        if call in ("pause", "resume"):
            story.command("pause" if call == "pause" else "resume", at, journey="j")
        elif call in ("vip", "plain"):
            story.identify("ann", {"vip": call == "vip"}, at=at)
        else:
            story.track("ann", call[0], {"n": int(call[1:] or 0) if call[0] == "B" else 0}, at=at, happened=at - late)
    story.until(story.now + 40 * HOUR)
    return story


@settings(deadline=None, max_examples=150)
@given(logs)
def test_a_wait_ends_once_and_within_its_time(log: list[tuple[int, int, str]]) -> None:
    story = told(log)
    for run in {document["run"] for document in story.decisions("ann") if document["run"]}:
        mine = [document for document in story.decisions("ann") if document["run"] == run]
        taken = [taken for document in mine for taken in document.get("path", ())]
        assert [one["step"] for one in taken] in ([], ["1"], ["1", "2"])
        first = [document for document in mine if document["step"] in ("1.came.1", "1.timed_out.1")]
        assert len(first) <= 1
        for document in first:
            began = next(entered["due"] for entered in mine if entered["kind"] == "entered")
            limit = began + 5 * HOUR if document["step"] == "1.timed_out.1" else None
            assert document["due"] >= began
            assert limit is None or document["due"] == limit


@settings(deadline=None, max_examples=100)
@given(logs, st.integers(0, 30))
def test_a_restart_changes_no_decision_and_no_byte(log: list[tuple[int, int, str]], cut: int) -> None:
    """Also while a pause holds a run whose cause has come."""
    story = told(log)
    whole = Engine(Partition(PLACE, Table(), Library([RULES]), Position()))
    whole.fold(story.log)
    whole.settle()
    first = Engine(Partition(PLACE, Table(), Library([RULES]), Position()))
    first.fold(story.log[:cut])
    first.settle()
    decisions = documents(first.take().decisions)
    second = Engine.restore(first.save(), [RULES], place=PLACE)
    second.fold(story.log[cut:])
    second.settle()
    decisions += documents(second.take().decisions)
    assert decisions == documents(whole.take().decisions)
    assert second.save() == whole.save()
