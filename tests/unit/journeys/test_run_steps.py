"""A run names the step at which it rests; a run of release 0.1.0 names an index, which its own rule set resolves."""

import pytest

from triggers.base.model import Place
from triggers.engine.partition import Partition
from triggers.state.encoding import decode, encode
from triggers.state.runs import Run, at_index
from triggers.state.store import MemoryStore
from triggers.state.table import Table
from triggers.testing import Story, documents, run

RULES = {
    "rules.yaml": """version: 1
journeys:
  tour:
    entry: {event: Signed Up}
    exit: {event: Left}
    steps:
      - send: {channel: push, text: "Hello"}
      - {wait: 3d, name: rest}
      - {wait: 1d}
      - send: {channel: push, text: "Still here?"}
        name: question
      - {wait: 2d, name: last}
"""
}


def rest_of(story: Story) -> Run:
    [found] = decode(story.fold()[0].table.states()["ann"]).runs
    return found


def test_a_run_names_the_wait_at_which_it_rests() -> None:
    story = Story(RULES)
    story.track("ann", "Signed Up", at="2026-01-01T09:00Z")
    assert rest_of(story).step == "rest"
    story.until("+3d")
    assert rest_of(story).step == "3"
    story.until("+1d")
    assert rest_of(story).step == "last"


def test_a_held_run_names_the_wait_that_has_ended() -> None:
    story = Story(RULES)
    story.track("ann", "Signed Up", at="2026-01-01T09:00Z")
    story.pause("tour", at="+1h")
    story.until("+4d")
    assert (rest_of(story).step, rest_of(story).held) == ("rest", True)
    assert [d["step"] for d in story.decisions("ann", "paused")] == ["rest"]


@pytest.mark.parametrize(("days", "index"), [(1, 2), (3.5, 3), (5, 5)])
def test_a_run_that_names_an_index_goes_on_as_one_that_names_its_step(days: float, index: int) -> None:
    """The index of 0.1.0 is that of the step after the wait."""
    story = Story(RULES)
    story.track("ann", "Signed Up", at="2026-01-01T09:00Z")
    story.until(story.now + int(days * 86_400_000))
    partition, output = story.fold()
    folded = len(story.log)
    story.pause("tour", at="+1h")
    story.until("+10d")
    story.resume("tour", at="+1h")
    story.until("+10d")

    def rest(step: str | None) -> list[tuple[str, str, int]]:
        """What comes after, from the stored states; of the runs with this step."""
        store = MemoryStore()
        for user_id, data in output.users:
            user = decode(data or b"")
            for found in user.runs:
                found.step = found.step if step is None else step
            store.apply([(user_id, encode(user))])
        position = partition.position.decode(partition.position.encode())
        later = Partition(Place("events", 0), Table(store), story.library, position)
        run(later, story.log[folded:])
        return [(d["kind"], d["step"], d["at"]) for d in documents(later.take().decisions, "ann")]

    assert rest(at_index(index)) == rest(None)
    assert next(kind for kind, _, _ in rest(None)) == "paused"


def test_long_names_of_steps_count_as_room_of_a_run() -> None:
    def entered(name: str) -> int:
        steps = f"[{{wait: 3d, name: {name}}}, {{send: {{channel: push, text: '{{{{ properties.p }}}}'}}}}]"
        journeys = "".join(f"  j{n:03}: {{entry: {{event: Read}}, steps: {steps}}}\n" for n in range(200))
        story = Story({"rules.yaml": f"version: 1\njourneys:\n{journeys}"})
        story.track("ann", "Read", {"p": "x" * 600})
        assert len(story.fold()[0].table.states()["ann"]) < 160 * 1024
        return len(story.decisions("ann", "entered"))

    assert entered("n" * 64) < entered("n" * 32) == entered("n")
