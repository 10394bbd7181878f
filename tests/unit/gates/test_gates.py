"""A gate is one class: here is one more, which holds what would go out at night, registered by a line."""

from collections.abc import Iterator
from typing import ClassVar

import pytest

from triggers.base.model import DAY, HOUR
from triggers.base.moments import iso
from triggers.gates import GATES, arrange
from triggers.gates.gate import Answer, Gate, Hold, Skip
from triggers.state.encoding import decode
from triggers.steps.context import Stage, StepContext
from triggers.steps.kind import Moment
from triggers.testing import Story


class Night(Gate):
    """Holds what would go out before 09:00 UTC."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = ()

    def ask(self, context: StepContext) -> Answer:
        opens = context.now - context.now % DAY + 9 * HOUR
        return Hold(opens, "paused", "it is night") if context.now < opens else None


class NoTexts(Gate):
    """Skips a message once it is made."""

    stage: ClassVar[Stage] = "hand over"
    life: ClassVar[tuple[Moment, ...]] = ()

    def ask(self, context: StepContext) -> Answer:
        return Skip("skipped", "no texts", {"moment": context.run.moment}) if context.view.traits.get("no_texts") else None


@pytest.fixture(autouse=True)
def _more_gates() -> Iterator[None]:
    before = list(GATES)
    GATES[1:1] = [Night()]
    GATES.append(NoTexts())
    arrange()
    yield
    GATES[:] = before
    arrange()


RULES = {
    "rules.yaml": """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    exit: {event: Left}
    steps:
      - send: {channel: push, text: Hello}
        name: hello
      - wait: 1h
      - send: {channel: push, text: Again}
"""
}


def started(at: str) -> Story:
    story = Story(RULES, start="2026-01-01T00:00Z")
    story.track("ann", "Signed Up", at=at)
    return story


def said(story: Story) -> list[tuple[str, str | None, str | None, str]]:
    return [(d["kind"], d["step"], d["reason"], iso(d["at"])[8:16]) for d in story.decisions("ann")]


def test_a_step_that_is_held_is_carried_out_when_the_gate_opens() -> None:
    story = started("2026-01-02T03:00Z")
    [run] = decode(story.fold()[0].table.states()["ann"]).runs
    assert (run.step, run.held, iso(run.due)[8:16]) == ("hello", True, "02T09:00")
    story.until("+1d")
    assert said(story) == [
        ("entered", None, None, "02T03:00"),
        ("paused", "hello", "it is night", "02T03:00"),
        ("sent", "hello", None, "02T09:00"),
        ("sent", "3", None, "02T09:00"),
        ("exited", None, "completed", "02T09:00"),
    ]


def test_an_exit_ends_a_run_that_is_held_at_a_step() -> None:
    story = started("2026-01-02T03:00Z")
    story.track("ann", "Left", at="+1h")
    story.until("+1d")
    assert [kind for kind, *_ in said(story)] == ["entered", "paused", "exited"]
    assert story.actions() == []


def test_a_pause_is_asked_before_a_held_step_is_carried_out() -> None:
    story = started("2026-01-02T03:00Z")
    story.pause("welcome", at="+1h")
    story.until("+1d")
    story.resume("welcome", at="2026-01-03T10:00Z")
    story.until("+1h")
    assert said(story)[1:4] == [
        ("paused", "hello", "it is night", "02T03:00"),
        ("paused", "hello", "the journey is paused", "02T09:00"),
        ("skipped", "hello", "late", "03T10:00"),
    ]


def test_what_a_gate_says_comes_before_what_later_gates_say() -> None:
    """Late is asked after the night, and dry before what takes no texts."""
    story = Story(RULES, start="2026-01-01T00:00Z", live=False)
    story.identify("ann", {"no_texts": True})
    story.track("ann", "Signed Up", at="2026-01-02T10:00Z")
    assert ("dry", "hello", "before go-live", "02T10:00") in said(story)
    story = Story(RULES, start="2026-01-01T00:00Z")
    story.identify("ann", {"no_texts": True})
    story.track("ann", "Signed Up", at="2026-01-02T10:00Z")
    [skipped] = story.decisions("ann", "skipped")
    assert (skipped["reason"], skipped["values"]) == ("no texts", {"moment": story.now})
    assert story.actions() == []
