"""What a rebase makes of a position whose users are still being brought to a rule set."""

import pytest

from streams.commands.history import Entry, History, Standing
from streams.commands.rebase import _Ground, _kept
from streams.kafka.clients import Span, Topic
from triggers.records.messages import Command
from triggers.state.position import Meeting, Position


@pytest.mark.parametrize(("cut", "expected"), [([], ["b"]), (["y"], ["b", "y"])])
def test_users_come_from_the_rule_set_that_they_have_met_where_a_meeting_is_cut_short(cut: list[str], expected: list[str]) -> None:
    meeting = Meeting(kind="apply", at=5, previous="a", cut=cut, after="ann")
    before = Position(offset=10, clock=7, rule_set="b", applied=3, kept=3, last_command=2, topic_id="t", meeting=meeting)
    command = Command(kind="apply", seq=3, previous=2, rule_set="c")
    past = History(head=command, entries={3: Entry(command=command, topic_id="t", offsets=[20], at=0, by="x")})
    ground = _Ground("", Topic("events", "t", 1, 1), Topic("changelog", "u", 1, 1), past, frozenset(), Span(0, 30), {})
    after = _kept(0, before, 25, Standing(seq=3, rule_set="c", applied=4), ground, [])
    assert after.meeting == Meeting(kind="apply", at=7, previous="a", cut=expected)
    assert (after.rule_set, after.applied) == ("c", 4)
