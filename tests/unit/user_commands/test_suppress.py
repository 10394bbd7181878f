"""A suppressed user gets nothing; runs continue, and what was blocked is not made up for."""

from collections.abc import Iterator
from typing import ClassVar

import pytest

from triggers.base.model import DAY, HOUR
from triggers.base.moments import iso
from triggers.gates import GATES, arrange
from triggers.gates.gate import Answer, Gate, Hold
from triggers.state.encoding import decode
from triggers.state.suppression import suppressed_by, suppressions_of
from triggers.steps.context import Stage, StepContext
from triggers.steps.kind import Moment
from triggers.testing import Story

RULES = {
    "rules.yaml": """version: 1
segments:
  quiet: not did("Signed Up")
journeys:
  welcome:
    entry: {event: Signed Up}
    re_entry: always
    late: {after: 12h, then: drop}
    steps:
      - send: {channel: push, text: Hello}
      - wait: 1d
      - send: {channel: sms, text: Again}
  calm:
    entry: {enters: quiet}
    steps: [{send: {channel: email, text: Calm}}]
"""
}


def begun() -> Story:
    return Story(RULES, start="2026-01-01T00:00Z")


def said(story: Story, user: str = "ann") -> list[tuple[str, str | None, str | None]]:
    return [(d["kind"], d["step"], d["reason"]) for d in story.decisions(user)]


def test_each_send_is_blocked_and_the_run_goes_on() -> None:
    story = begun()
    story.suppress("ann", reason="asked by phone")
    story.track("ann", "Signed Up")
    story.until("+2d")
    assert said(story)[0] == ("met", None, "command suppress")
    assert [one for one in said(story) if one[0] in ("blocked", "exited", "sent")] == [
        ("blocked", "1", "suppressed"),
        ("blocked", "3", "suppressed"),
        ("exited", None, "completed"),
    ]
    [first, _] = story.decisions("ann", "blocked")
    assert first["values"] == {"channel": "all channels", "since": "2026-01-01T00:00:00.000Z"}
    assert story.decisions("ann", "met")[0]["values"] == {"command": "suppress", "id": "c1", "reason": "asked by phone"}
    assert story.actions() == []


def test_one_channel_is_suppressed_and_the_others_are_not() -> None:
    story = begun()
    story.suppress("ann", channel="sms")
    story.track("ann", "Signed Up")
    story.until("+2d")
    assert [action["channel"] for action in story.actions()] == ["push"]
    assert [(d["step"], d["values"]["channel"]) for d in story.decisions("ann", "blocked")] == [("3", "sms")]


def test_messages_go_out_again_after_unsuppress() -> None:
    story = begun()
    story.suppress("ann")
    story.track("ann", "Signed Up")
    story.unsuppress("ann", at="+1h")
    story.until("+2d")
    assert [action["channel"] for action in story.actions()] == ["sms"]


def test_lifting_one_channel_leaves_the_suppression_of_all() -> None:
    story = begun()
    story.suppress("ann")
    story.suppress("ann", channel="sms")
    story.unsuppress("ann", channel="sms")
    story.unsuppress("ann", channel="sms")
    story.track("ann", "Signed Up")
    assert said(story)[3] == ("refused", None, "not suppressed")
    assert story.actions() == []
    story.suppress("ann", channel="push")
    story.unsuppress("ann")
    assert suppressions_of(decode(story.fold()[0].table.states()["ann"])) == {}


def test_who_was_never_suppressed_has_no_state_afterwards() -> None:
    story = begun()
    story.unsuppress("ann")
    assert said(story) == [("refused", None, "not suppressed")]
    assert story.fold()[0].table.states() == {}


def test_suppression_is_asked_before_lateness() -> None:
    story = begun()
    story.track("ann", "Signed Up")
    story.pause("welcome")
    story.until("+2d")
    story.suppress("ann", channel="sms")
    story.resume("welcome")
    story.until("+1d")
    assert said(story)[-2:] == [("blocked", "3", "suppressed"), ("exited", None, "completed")]


def test_a_pause_goes_before_all() -> None:
    """A run that a pause holds stays where it is when its user is suppressed."""
    story = begun()
    story.track("ann", "Signed Up")
    story.pause("welcome")
    story.until("+2d")
    before = said(story)
    story.suppress("ann")
    assert said(story) == [*before, ("met", None, "command suppress")]


def test_a_user_with_only_a_suppression_has_no_record_yet() -> None:
    """The first event is a first record, also after other rules have come; no journey is entered before."""
    story = begun()
    story.suppress("ann")
    story.apply({"rules.yaml": RULES["rules.yaml"].replace("version: 1\n", "version: 1\n# more\n").replace("Calm}", "Calmer}")})
    story.until("+1d")
    [state] = story.fold()[0].table.states().values()
    user = decode(state)
    assert (user.offset, sorted(user.sections)) == (-1, ["seen", "suppressed"])
    assert said(story) == [("met", None, "command suppress")]
    story.identify("ann", {"name": "Ann"})
    assert ("entered", None, None) in said(story)


def test_the_same_command_twice_is_carried_out_once() -> None:
    story = begun()
    story.user_command("suppress", "ann", id_="x")
    story.user_command("unsuppress", "ann", id_="y")
    story.user_command("suppress", "ann", id_="x")
    partition, _ = story.fold()
    assert suppressed_by(decode(partition.table.states()["ann"]), "push") is None
    assert partition.duplicates == 1


def test_an_event_cannot_take_the_id_of_a_command() -> None:
    story = begun()
    story.track("ann", "Other", messageId="x")
    story.user_command("suppress", "ann", id_="x")
    assert said(story)[-1] == ("met", None, "command suppress")


def test_a_user_can_have_only_so_many_suppressions() -> None:
    story = begun()
    for number in range(20):
        story.suppress("ann", channel=f"c{number}")
    story.suppress("ann", channel="c20")
    story.suppress("ann", channel="c0")
    assert [reason for _, _, reason in said(story)[-2:]] == ["too many suppressed channels", "command suppress"]


# ---- holds ----------------------------------------------------------------------------------------------------------


class Night(Gate):
    """Holds what would go out before 09:00 UTC."""

    stage: ClassVar[Stage] = "send"
    life: ClassVar[tuple[Moment, ...]] = ()

    def ask(self, context: StepContext) -> Answer:
        opens = context.now - context.now % DAY + 9 * HOUR
        return Hold(opens, "paused", "it is night") if context.now < opens else None


@pytest.fixture
def _night() -> Iterator[None]:
    before = list(GATES)
    GATES.append(Night())
    arrange()
    yield
    GATES[:] = before
    arrange()


@pytest.mark.usefixtures("_night")
def test_a_held_send_is_blocked_as_soon_as_the_command_is_read() -> None:
    story = begun()
    story.track("ann", "Signed Up", at="2026-01-02T03:00Z")
    story.suppress("ann", at="2026-01-02T04:00Z", channel="push")
    story.until("+1h")
    assert [(d["kind"], iso(d["at"])[11:16]) for d in story.decisions("ann")][-3:] == [
        ("met", "04:00"),
        ("blocked", "04:00"),
        ("waiting", "04:00"),
    ]


@pytest.mark.usefixtures("_night")
def test_a_held_send_by_another_channel_stays_held() -> None:
    story = begun()
    story.track("ann", "Signed Up", at="2026-01-02T03:00Z")
    story.suppress("ann", at="2026-01-02T04:00Z", channel="sms")
    story.until("2026-01-02T10:00Z")
    assert [action["channel"] for action in story.actions("ann")][-1:] == ["push"]
