"""A rebase can make a rule set the active one before all users have met the one before it. Then users come from different rule sets."""

from triggers.base.model import LogRecord
from triggers.engine.partition import Partition
from triggers.state.position import Meeting, Position
from triggers.state.table import Table
from triggers.testing import Story, documents, run

UNPAID = """version: 1
segments:
  unpaid: did("seen") and not did("paid")
journeys:
  remind: {entry: {enters: unpaid}, re_entry: always, steps: [{send: {channel: push, text: "You never paid"}}]}
"""
QUIET = """version: 1
segments:
  quiet: silent("used", hours=1)
journeys:
  back: {entry: {leaves: quiet}, re_entry: always, steps: [{send: {channel: push, text: "Welcome back"}}]}
"""
OTHER = """version: 1
journeys:
  hello: {entry: {event: hello}, steps: [{send: {channel: push, text: "Hello"}}]}
"""


def rebased(story: Story, *, met: str) -> Partition:
    """Fold a log that ends with an apply, until the users up to `met` have met the rules. Then make the first rules active again."""
    partition = Partition(story.place, Table(), story.library, Position())
    partition.advance(story.log)
    while (meeting := partition.position.meeting) is not None and meeting.after < met:
        partition.drain(1)
    assert meeting is not None
    other = partition.position.rule_set
    assert other is not None
    partition.saved(partition.take())
    position = Position.decode(partition.position.encode())
    position.meeting = Meeting(kind="apply", at=position.clock, previous=meeting.previous, cut=[other, *meeting.cut])
    position.rule_set, position.applied = meeting.previous, position.applied + 1
    return Partition(story.place, Table(partition.table.store), story.library, position)


def sent(partition: Partition, log: list[LogRecord]) -> list[tuple[str, str]]:
    run(partition, log)
    return [(action["user"], action["journey"]) for action in documents(partition.take().actions)]


def test_a_window_that_a_user_has_lost_in_between_is_not_taken_for_complete() -> None:
    story = Story({"rules.yaml": UNPAID})
    for user in ("ann", "bob"):
        story.track(user, "paid")
    story.apply({"rules.yaml": OTHER}, "+1d")
    partition = rebased(story, met="ann")
    for user in ("ann", "bob"):
        story.track(user, "seen", at="+1h")
    assert sent(partition, story.log) == []


def test_a_user_who_lost_a_segment_in_between_is_looked_at_again() -> None:
    story = Story({"rules.yaml": QUIET})
    for user in ("ann", "bob"):
        story.track(user, "used")
    story.apply({"rules.yaml": OTHER}, "+1d")
    partition = rebased(story, met="ann")
    story.until("+2h")
    for user in ("ann", "bob"):
        story.track(user, "used")
    assert sent(partition, story.log) == [("ann", "back"), ("bob", "back")]


def test_the_fold_asks_for_the_rule_set_whose_meeting_was_cut_short() -> None:
    story = Story({"rules.yaml": UNPAID})
    for user in ("ann", "bob"):
        story.track(user, "paid")
    other = story.apply({"rules.yaml": OTHER}, "+1d")
    partition = rebased(story, met="ann")
    assert other.hash in partition.needs()
    run(partition, story.log)
    assert other.hash not in partition.needs()


def test_each_user_comes_from_the_rule_set_that_they_have_met() -> None:
    meeting = Meeting(kind="apply", at=0, previous="a", cut=["c", "b"])
    assert [meeting.previous_of(met, 5) for met in (4, 3, 2, 1, 0)] == ["c", "b", "a", "a", "a"]


def test_a_restart_in_the_middle_of_a_meeting_leaves_out_no_user_who_came_shortly_before_it() -> None:
    story = Story({"rules.yaml": OTHER})
    for user in ("zed", "zoe"):
        story.track(user, "seen")
    partition = Partition(story.place, Table(), story.library, Position())
    run(partition, story.log)
    partition.saved(partition.take())
    for user in ("ann", "bob", "cem"):
        story.track(user, "seen")
    story.apply({"rules.yaml": UNPAID.replace('did("seen") and not did("paid")', "not traits.vip == True")})
    partition.advance(story.log)
    met: list[str] = []
    while partition.position.meeting is not None:
        partition.drain(2)
        output = partition.take()
        partition.saved(output)
        met += [decision["user"] for decision in documents(output.decisions) if decision["user"]]
        partition = Partition(story.place, Table(partition.table.store), story.library, Position.decode(partition.position.encode()))
    assert sorted(met) == ["ann", "bob", "cem", "zed", "zoe"]
