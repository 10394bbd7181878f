"""After an erase nothing of the user is left but a suppression, and the next event is a first record."""

from triggers.engine.partition import Partition
from triggers.records.control import TICK
from triggers.state.encoding import decode
from triggers.state.position import POSITION_KEY
from triggers.state.suppression import suppressions_of
from triggers.state.table import Table
from triggers.testing import Story, run

RULES = {
    "rules.yaml": """version: 1
segments:
  buyer: count("Paid") >= 2
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{wait: 1d}, {send: {channel: push, text: "Hello {{ properties.name }}"}}]
  thanks:
    entry: {enters: buyer}
    steps: [{send: {channel: email, text: Thanks}}]
"""
}


def begun() -> Story:
    story = Story(RULES, start="2026-01-01T00:00Z")
    story.identify("ann", {"name": "Ann Smith"})
    story.track("ann", "Signed Up", {"name": "Ann Smith"})
    story.track("ann", "Paid")
    story.track("bob", "Signed Up", {"name": "Bob"})
    return story


def test_nothing_is_left_and_one_decision_says_so_without_a_value() -> None:
    story = begun()
    before = len(story.decisions("ann"))
    story.erase("ann", at="+1h")
    story.until("+3d")
    partition, output = story.fold()
    assert list(partition.table.states()) == ["bob"]
    assert {out.key: out.value for out in output.changelog}[b"ann"] is None
    [decision] = story.decisions("ann")[before:]
    assert (decision["kind"], decision["reason"], decision["values"]) == ("met", "command erase", {"command": "erase", "id": "c1"})
    assert decision["journey"] is decision["run"] is None
    assert [action["user"] for action in story.actions()] == ["bob"]
    assert partition.position.users == 1


def test_the_next_event_is_a_first_record() -> None:
    """Re-entry is forgotten, windows begin again, and a run of the same journey has another id."""
    story = begun()
    story.erase("ann", at="+1h")
    story.track("ann", "Signed Up", {"name": "Ann"}, at="+1h")
    story.track("ann", "Paid")
    story.until("+2d")
    entered = [d["run"] for d in story.decisions("ann", "entered")]
    assert len(set(entered)) == len(entered) == 2
    assert [action["message"]["text"] for action in story.actions("ann")] == ["Hello Ann"]


def test_an_erase_and_a_first_record_in_one_checkpoint_leave_the_new_state() -> None:
    story = begun()
    partition = story._partition()
    run(partition, story.log)
    output = partition.take()
    partition.saved(output)
    story.erase("ann", at="+1h")
    story.track("ann", "Paid")
    run(partition, story.log)
    output = partition.take()
    assert [user_id for user_id, _ in output.users] == ["ann"]
    partition.saved(output)
    assert partition.table.states() == story.fold()[0].table.states()


def test_a_new_record_while_the_checkpoint_of_the_erase_is_written() -> None:
    story = begun()
    partition = story._partition()
    run(partition, story.log)
    partition.saved(partition.take())
    story.erase("ann", at="+1h")
    run(partition, story.log)
    erased = partition.take()
    assert erased.users == [("ann", None)]
    story.track("ann", "Paid")
    run(partition, story.log)
    partition.saved(erased)
    assert partition.table.store.get("ann") is None
    partition.saved(partition.take())
    assert partition.table.states() == story.fold()[0].table.states()
    assert partition.table.get("ann") is not None


def test_a_timer_of_an_erased_user_stops_no_other_timer() -> None:
    story = begun()
    partition = story._partition()
    run(partition, story.log)
    partition.saved(partition.take())
    story.erase("ann", at="+1h")
    story.record(None, b"", "+3d", TICK)
    run(partition, story.log)
    assert [out.key for out in partition.take().actions] == [b"bob"]


def test_an_erased_user_meets_no_rules() -> None:
    story = begun()
    story.erase("ann", at="+1h")
    story.apply({"rules.yaml": RULES["rules.yaml"].replace("wait: 1d", "wait: 2d")})
    partition, _ = story.fold()
    assert list(partition.table.states()) == ["bob"]


def test_a_suppression_is_the_only_record_that_stays() -> None:
    story = begun()
    story.suppress("ann", channel="sms", reason="asked")
    story.erase("ann", at="+1h")
    partition, _ = story.fold()
    user = decode(partition.table.states()["ann"])
    assert suppressions_of(user) == {"sms": (story.moment("2026-01-01T00:00Z"), "asked")}
    assert list(user.sections) == ["suppressed"]
    assert (user.offset, partition.position.users) == (-1, 2)
    story.track("ann", "Paid")
    story.track("ann", "Paid")
    assert [d["kind"] for d in story.decisions("ann") if d["journey"] == "thanks"] == ["entered", "sent", "exited"]


def test_an_unknown_user_is_not_erased() -> None:
    story = begun()
    story.erase("cem")
    assert [(d["kind"], d["reason"]) for d in story.decisions("cem")] == [("refused", "nothing is known of this user")]


def test_a_restart_after_each_record_makes_the_same_states() -> None:
    story = begun()
    story.suppress("bob")
    story.erase("ann", at="+1h")
    story.erase("bob")
    story.track("ann", "Paid")
    states: dict[str, bytes] = {}
    position = None
    for record in story.log:
        table = Table()
        table.store.apply(states.items())
        partition = Partition(story.place, table, story.library, position)
        run(partition, [record])
        output = partition.take()
        for out in output.changelog:
            if out.key == POSITION_KEY:
                position = partition.position.decode(out.value or b"")
            elif out.value is None:
                states.pop((out.key or b"").decode(), None)
            else:
                states[(out.key or b"").decode()] = out.value
    assert states == story.fold()[0].table.states()
    assert position is not None
    assert position.users == len(states) == 2
