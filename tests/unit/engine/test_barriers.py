"""Commands are barriers: what was due before them is drained first, in slices, and a restart continues there."""

from tests.property.test_laws import Saved, straight
from tests.unit.journeys.test_runs import WELCOME, kinds, rules
from tests.unit.journeys.test_segment_moments import LAPSED, WIN_BACK
from triggers.engine.draining import MOMENTS
from triggers.testing import Story, documents

USERS = 500


def crowd(at: str = "2026-01-02") -> Story:
    """Many users whose timers are all due at one moment."""
    story = Story(rules(WELCOME))
    for n in range(USERS):
        story.track(f"user-{n}", "Signed Up", at=at)
    return story


def test_a_million_timers_before_a_command_are_drained_in_slices_with_the_position_before_it() -> None:
    story = crowd()
    story.pause("welcome", "2026-01-10")
    saved = Saved()
    partition = saved.restore(story)
    command = len(story.log) - 1
    while partition.position.offset < command - 1:
        partition.advance(story.log, partition.position.offset + 1, 100)
    slices = 0
    while partition.position.offset < command:
        at = partition.advance(story.log, command, 50)
        slices += 1
        saved.checkpoint(partition)
        if at == command:
            assert partition.position.offset == command - 1
        partition = saved.restore(story)  # a crash after each slice
    assert slices > (USERS - 100) // 50
    assert sum(map(len, saved.actions.values())) == USERS


def test_a_meeting_goes_on_where_a_restart_found_it_and_reaches_everybody_once() -> None:
    story = Story(rules(WIN_BACK, '  lapsed: silent("Order Completed", days=600) and did("Order Completed")\n'))
    for n in range(USERS):
        story.track(f"user-{n}", "Order Completed", at="2026-01-02")
    story.apply(rules(WIN_BACK, LAPSED), "2026-02-01")
    saved = Saved()
    partition = saved.restore(story)
    partition.advance(story.log, 0, 10_000)
    while partition.position.offset < len(story.log) - 1:
        partition.advance(story.log, partition.position.offset + 1, 10_000)
    steps = 0
    while partition.drain(37):
        steps += 1
        saved.checkpoint(partition)
        partition = saved.restore(story)
    assert steps >= USERS // 37
    assert partition.position.meeting is None
    assert partition.table.next_due() == story.moment("2026-03-03")
    story.until("2026-04-01")
    partition.advance(story.log, 0, 10_000)
    while partition.drain(100):
        pass
    saved.checkpoint(partition)
    assert sum(map(len, saved.actions.values())) == USERS


def test_a_record_meets_the_rules_before_it_is_applied_whoever_else_has_not() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    for n in range(USERS):
        story.track(f"user-{n}", "Order Completed", at="2026-01-02")
    story.apply(rules(WIN_BACK, '  lapsed: count("Order Completed") >= 2\n'), "2026-02-01")
    story.track("user-7", "Order Completed", at="2026-02-02")
    story.track("user-7", "Order Completed", at="2026-02-02")
    partition = Saved().restore(story)
    at = 0
    while at < len(story.log):
        at = partition.advance(story.log, at, 10_000)
    assert partition.position.meeting is not None
    output = partition.take()
    assert [out.key for out in output.actions] == [b"user-7"]


def test_a_command_waits_for_its_rule_set() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up")
    other = story.apply(rules(WELCOME.replace("3d", "4d")))
    story.library._rule_sets.pop(other.hash)
    partition = Saved().restore(story)
    at = partition.advance(story.log)
    assert at == len(story.log) - 1
    assert partition.blocked == other.hash
    story.library.add(other)
    assert partition.advance(story.log, at) == len(story.log)
    assert partition.blocked is None
    assert partition.position.rule_set == other.hash


def test_what_was_due_before_a_pause_is_sent_however_late_it_is_drained() -> None:
    story = crowd()
    story.pause("welcome", "2026-01-05T00:00:00.001Z")
    story.until("2026-01-06")
    assert len(story.actions()) == USERS
    story = crowd()
    story.pause("welcome", "2026-01-04T23:59:59.999Z")
    story.until("2026-01-06")
    assert story.actions() == []


def test_the_due_index_does_not_grow_with_timers_that_have_fired() -> None:
    soon = """  soon:
    entry: {event: Read}
    re_entry: always
    steps: [{wait: 1h}, {send: {channel: push, text: hello}}]
"""
    story = Story(rules(WELCOME.replace("3d", "300d") + soon))
    story.track("ann", "Signed Up")
    for _ in range(3_000):
        story.track("ann", "Read", at="+2h")
    partition, _ = story.fold()
    assert len(partition.table._index) < 1_100


def test_resuming_nobody_keeps_nobody_in_memory_and_is_saved() -> None:
    story = crowd()
    story.pause("welcome", "2026-01-03")
    saved = Saved()
    partition = saved.restore(story)
    partition.advance(story.log)
    saved.checkpoint(partition)
    story.resume("welcome", "2026-01-04")
    partition = saved.restore(story)
    partition.advance(story.log)
    saved.checkpoint(partition)
    while partition.drain(100):
        pass
    assert partition.changed
    assert len(partition.table._users) == 0


def test_what_waits_to_be_saved_is_reckoned_with_the_sizes_of_the_states() -> None:
    story = Story(rules(WELCOME))
    for n in range(50):
        story.identify(f"user-{n}", {"bio": "x" * 15_000})
    partition, output = story.fold()
    size = sum(len(data or b"") for _, data in output.users)
    partition.saved(output)
    assert partition.pending < 10_000
    for n in range(50):
        story.track(f"user-{n}", "Other")
    partition.advance(story.log)
    assert size * 0.9 < partition.pending < size * 1.2


def test_one_user_s_cascade_of_timers_is_drained_in_slices() -> None:
    story = Story(rules(WIN_BACK.replace("win-back:", "often:"), '  lapsed: count("E", minutes=30) == 1\n'))
    story.track("ann", "E")
    for _ in range(20):
        story.track("ann", "E", at="+1m")
    story.until("+2d")
    assert [kind for kind, _ in kinds(story)].count("sent") == 2
    straight = story.decisions("ann")
    partition = Saved().restore(story)
    partition.advance(story.log)
    slices = []
    while done := partition.drain(1):
        slices.append(done)
    assert max(slices) == 2
    assert documents(partition.take().decisions, "ann") == straight


def test_a_slice_is_bounded_in_bytes() -> None:
    text = "x" * 15_000
    steps = ", ".join([f"{{send: {{channel: push, text: {text}}}}}"] * 10)
    story = Story(rules(f"  loud:\n    entry: {{event: Read}}\n    re_entry: always\n    steps: [{steps}]\n"))
    for _ in range(100):
        story.track("ann", "Read")
    partition = Saved().restore(story)
    partition.advance(story.log[:2])
    at = partition.advance(story.log, 2)
    assert 2 < at < 20


DAILY = """version: 2
journeys:
  daily:
    entry: {every: day, at: "09:00"}
    steps: [{send: {channel: push, text: x}}]
"""


def far_ahead() -> Story:
    """Records before which ten years of a daily schedule are due."""
    story = Story({"r.yaml": DAILY})
    for user in ("ann", "bob", "cid"):
        story.identify(user, {"vip": True})
    story.track("ann", "E", at="2036-01-01")
    story.suppress("bob")
    story.track("cid", "E")
    story.track("ann", "E")
    return story


def test_what_is_due_before_the_record_of_a_user_is_drained_in_slices() -> None:
    story = far_ahead()
    saved = Saved()
    partition = saved.restore(story)
    at, most, slices = 0, 0, 0
    while at < len(story.log):
        partition = saved.restore(story)  # a crash after each slice
        at = partition.advance(story.log, at)
        slices += 1
        before = sum(map(len, saved.actions.values()))
        saved.checkpoint(partition)
        most = max(most, sum(map(len, saved.actions.values())) - before)
    assert most <= MOMENTS + len(story.log)
    assert slices > 3 * 10 * 365 // (MOMENTS + 1)
    assert saved.told() == straight(story)
    assert [len(saved.actions[user]) for user in (b"ann", b"bob", b"cid")] == [10 * 365 + 2] * 3


def test_many_users_that_are_due_before_their_records_share_a_slice() -> None:
    story = Story({"r.yaml": DAILY})
    for number in range(100):
        story.identify(f"user-{number}", {"vip": True})
    for number in range(100):
        story.track(f"user-{number}", "E", at="2026-03-01")
    partition = Saved().restore(story)
    at, most = 0, 0
    while at < len(story.log):
        before = partition.pending
        at = partition.advance(story.log, at)
        most = max(most, partition.pending - before)
    assert most < partition.pending / 10
