"""A journey with a key has one run for each value of a property."""

from typing import Any

import pytest

from triggers.base.model import MAX_RUNS, MAX_RUNS_OF_ONE, Place
from triggers.causes.keys import key_text
from triggers.engine.partition import Partition
from triggers.journeys.runs import enter
from triggers.language.documents import RuleErrors
from triggers.rules.bounds import state_bytes
from triggers.rules.checks import load
from triggers.state.encoding import decode, encode
from triggers.state.moments_of_keys import MOST, MOST_NAMES, MOST_OF_ONE, SIZE, Moments, moment_of, put
from triggers.state.sections.entered_keys import ENTERED_KEYS
from triggers.state.sections.keys import KEYS
from triggers.state.watches import MOST_OF_JOURNEY
from triggers.testing import Story

START = "2026-01-01T00:00Z"
CART = """version: 2
segments: {vip: traits.vip}
journeys:
  cart:
    entry: {event: Updated, key: cart}
    steps: [{wait: 30m}, {send: {channel: push, text: "{{ properties.cart }}"}}]
"""


def story_of(more: str = "", rules: str = CART) -> Story:
    return Story({"r.yaml": rules + (f"    {more}\n" if more else "")}, start=START)


def updated(story: Story, cart: object, at: str = "+1m", event: str = "Updated", **how: Any) -> None:
    story.track("ann", event, {"cart": cart, "total": 5}, at=at if story.decisions("ann") or at != "+1m" else "2026-01-02T00:00Z", **how)


def told(story: Story, *kinds: str) -> list[tuple[str, str | None, str | None]]:
    return [(one["kind"], one.get("key"), one["reason"]) for one in story.decisions("ann") if one["kind"] in kinds]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        ("c1", "c1"),
        (1, "1"),
        ("1", "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (2**63, str(2**63)),
        (10**127, "1" + "0" * 127),
        ("é" * 64, "é" * 64),
        ("é" * 64 + "x", None),
        (10**128, None),
        (1.5, None),
        (2.0**53, None),
        (float("inf"), None),
        (float("nan"), None),
        (True, None),
        ("", None),
        (None, None),
        ([1], None),
        ({}, None),
    ],
)
def test_a_key_is_a_text_of_at_most_128_bytes_or_a_whole_number(value: object, key: str | None) -> None:
    assert key_text(value) == key
    assert key_text(10**5_000) is None, "Python itself refuses to write this one"


def test_there_is_one_run_for_each_key() -> None:
    story = story_of()
    for cart in ("a", 1, "1", "a", "b"):
        updated(story, cart)
    assert told(story, "entered", "refused") == [
        ("entered", "a", None),
        ("entered", "1", None),
        ("refused", "1", "a run of this journey is under way"),
        ("entered", "b", None),
    ], "the second refusal of a day is not reported"
    story.until("+1d")
    assert [(action["key"], action["message"]["text"]) for action in story.actions()] == [("a", "a"), ("1", "1"), ("b", "b")]


@pytest.mark.parametrize("value", [None, "", True, 1.5, ["a"], "x" * 129])
def test_what_is_no_key_enters_nothing(value: object) -> None:
    story = story_of()
    updated(story, value)
    assert told(story, "entered", "refused") == [("refused", None, "no key")]


def test_another_entry_ends_only_the_run_with_its_key() -> None:
    story = story_of("while_running: restart")
    for cart in ("a", "b", "a"):
        updated(story, cart)
    assert told(story, "exited") == [("exited", "a", "entered again")]
    story.until("+1d")
    assert [(action["key"], action["at"]) for action in story.actions()] == [("b", at(31)), ("a", at(32))]


def at(minutes: int) -> int:
    return 1_767_312_000_000 + minutes * 60_000


def test_an_exit_with_a_key_ends_only_its_run_and_one_without_ends_all() -> None:
    story = story_of("exit: [{event: Ordered, key: cart}, {event: Left}, {enters: vip}]")
    for cart in ("a", "b", 3, "d"):
        updated(story, cart)
    updated(story, "b", event="Ordered")
    updated(story, None, event="Ordered")
    updated(story, "3", event="Ordered")
    assert told(story, "exited") == [("exited", "b", "exit event: Ordered"), ("exited", "3", "exit event: Ordered")]
    updated(story, "x", event="Left")
    assert told(story, "exited")[2:] == [("exited", "a", "exit event: Left"), ("exited", "d", "exit event: Left")]
    updated(story, "e")
    story.identify("ann", {"vip": True}, at="+1m")
    assert told(story, "exited")[4:] == [("exited", "e", "exit: enters vip")]


def test_runs_of_one_journey_come_in_the_order_of_their_entries() -> None:
    """Also where the offsets of their records, as texts, are in another order."""
    story = story_of("exit: {event: Left}")
    for cart in range(12):
        updated(story, cart)
    updated(story, 0, event="Left")
    assert [key for _, key, _ in told(story, "exited")] == [str(cart) for cart in range(12)]


def test_an_entry_that_is_its_own_exit_starts_nothing() -> None:
    story = story_of("exit: {event: Updated, where: total > 1, key: total}")
    updated(story, "a")
    updated(story, 5)
    assert told(story, "entered", "skipped") == [("entered", "a", None), ("skipped", "5", "what would enter it is also an exit")]


def test_an_exit_with_a_key_that_was_read_before_its_entry_counts_for_its_key() -> None:
    story = story_of("exit: {event: Ordered, key: cart}")
    updated(story, "a", event="Ordered", at="2026-01-02T00:00Z")
    updated(story, "a", at="+1m", happened="2026-01-01T23:59Z")
    updated(story, "b", at="+1m", happened="2026-01-01T23:59Z")
    updated(story, "a", event="Ordered", at="+1m", happened="2026-01-01T10:00Z")
    updated(story, "a", at="+1m", happened="2026-01-02T00:00Z")
    assert told(story, "entered", "skipped") == [
        ("skipped", "a", "the exit had happened already"),
        ("entered", "b", None),
        ("entered", "a", None),
    ]
    values = [one["values"] for one in story.decisions("ann") if one["kind"] == "skipped"]
    assert values == [{"the event Ordered with the same cart": "2026-01-02T00:00:00.000Z"}]


def test_other_exits_forget_what_was_read_before() -> None:
    story = story_of("exit: {event: Ordered, key: cart}")
    updated(story, "a", event="Ordered", at="2026-01-02T00:00Z")
    story.apply({"r.yaml": CART + "    exit: {event: Ordered, where: total > 1, key: cart}\n"}, at="+1m")
    updated(story, "a", at="+1m", happened="2026-01-01T23:59Z")
    assert told(story, "entered", "skipped") == [("entered", "a", None)]


@pytest.mark.parametrize(("re_entry", "reason"), [("never", "re-entry: never"), ("{after: 2d}", "re-entry: too soon")])
def test_re_entry_counts_for_each_key(re_entry: str, reason: str) -> None:
    story = story_of(f"re_entry: {re_entry}")
    updated(story, "a")
    story.until("+1d")
    updated(story, "a")
    updated(story, "b")
    assert told(story, "entered", "refused") == [("entered", "a", None), ("refused", "a", reason), ("entered", "b", None)]


def test_a_wait_with_a_key_ends_for_its_run_and_one_without_for_all() -> None:
    steps = "steps: [{wait: {any: [{event: Paid, key: cart}, {event: Left}], timeout: 1d}, came: [{end: came}]}]"
    story = story_of(rules=CART.replace(CART[CART.index("steps:") :], steps + "\n"))
    for cart in ("a", "b", "c"):
        updated(story, cart)
    updated(story, "b", event="Paid")
    updated(story, None, event="Paid")
    assert told(story, "exited") == [("exited", "b", "end: came")]
    updated(story, "b", event="Left")
    assert [key for _, key, _ in told(story, "exited")] == ["b", "a", "c"]


def test_a_goal_with_a_key_is_reached_by_the_entry_with_its_key_also_after_the_run() -> None:
    story = story_of("goal: {event: Paid, key: cart, within: 9d}")
    updated(story, "a")
    updated(story, "b")
    story.until("+1d")
    updated(story, "b", event="Paid")
    updated(story, None, event="Paid")
    assert told(story, "converted") == [("converted", "b", None)]
    assert story.decisions("ann")[-1]["run"].endswith("-o3")
    story.until("+20d")
    updated(story, "b", event="Paid")
    [state] = story.fold()[0].table.states().values()
    assert "keys" not in decode(state).sections, "no goal is watched any more"


def test_a_goal_without_a_key_is_reached_by_all() -> None:
    story = story_of("goal: {event: Paid, within: 9d}")
    for cart in range(MOST_OF_JOURNEY + 1):
        updated(story, cart)
    updated(story, None, event="Paid")
    assert len(told(story, "converted")) == MOST_OF_JOURNEY
    assert told(story, "ended") == [("ended", "0", "too many watches")]


def test_the_51st_run_of_a_journey_is_refused() -> None:
    story = story_of("while_running: restart")
    for cart in range(MAX_RUNS_OF_ONE + 1):
        updated(story, cart, at="2026-01-02T00:00Z" if cart == 0 else "+1s")
    updated(story, 7, at="+1s")
    assert told(story, "refused", "exited") == [("refused", "50", "too many runs"), ("exited", "7", "entered again")]


def test_the_room_of_all_runs_bounds_the_state() -> None:
    """Keys, names and properties are weighed: 50 runs of one journey with big properties do not fit."""
    story = story_of()
    for cart in range(40):
        updated(story, "x" * 120 + str(cart), at="2026-01-02T00:00Z" if cart == 0 else "+1s")
    big = CART.replace("properties.cart", "properties.big")
    full = Story({"r.yaml": big}, start=START)
    for cart in range(40):
        full.track("ann", "Updated", {"cart": cart, "big": "x" * 8_000}, at="2026-01-02T00:00Z" if cart == 0 else "+1s")
    assert not told(story, "refused")
    assert {reason for _, _, reason in told(full, "refused")} == {"no room"}
    [state] = full.fold()[0].table.states().values()
    assert len(state) < MAX_RUNS < state_bytes([], load({"r.yaml": big}).journeys, 0)


def test_an_operator_cannot_enter_a_journey_with_keys() -> None:
    story = story_of()
    story.track("ann", "Other", at="2026-01-02T00:00Z")
    story.user_command("enter", "ann", "+1m", journey="cart")
    assert told(story, "entered", "refused") == [("refused", None, "no key")]


def test_a_run_keeps_its_key_under_newer_rules_and_one_without_a_key_is_none_of_them() -> None:
    plain = CART.replace(", key: cart", "")
    story = story_of(rules=plain)
    updated(story, "a")
    story.apply({"r.yaml": CART + "    exit: {event: Ordered, key: cart}\n"}, at="+1m")
    updated(story, "a")
    updated(story, "a", event="Ordered")
    assert told(story, "entered", "exited") == [("entered", None, None), ("entered", "a", None), ("exited", "a", "exit event: Ordered")]
    updated(story, "b")
    story.apply({"r.yaml": plain}, at="+1m")
    updated(story, "c")
    assert told(story, "refused") == [("refused", None, "a run of this journey is under way")]
    story.until("+1d")
    assert [action.get("key") for action in story.actions()] == [None, "b"]


def test_one_record_enters_a_journey_once() -> None:
    story = story_of("re_entry: always")
    updated(story, "a")
    partition: Partition = story.fold()[0]
    context = partition._context
    context.begin("ann", partition.table.get("ann") or pytest.fail("no user"), partition.position.clock)
    plan = context.plan.journeys["cart"]
    first = enter(context, plan, context.now, 99, {}, {}, key="b")
    assert first is not None
    assert enter(context, plan, context.now, 99, {}, {}, key="c") is None
    assert b"entered at this moment" in (partition.take().decisions[-1].value or b"")
    assert partition.position is not None
    assert Place("events", 0)


# ---- what is remembered ------------------------------------------------------------------------------------------------


def test_the_oldest_moment_goes_first_and_a_known_key_becomes_the_newest() -> None:
    moments: Moments = {}
    for number in range(MOST_OF_ONE):
        put(moments, "j", str(number), number)
    put(moments, "j", "0", 1_000)
    put(moments, "j", "new", 1_001)
    assert moment_of(moments, "j", "1") is None
    assert (moment_of(moments, "j", "0"), moment_of(moments, "j", "2"), moment_of(moments, "j", "new")) == (1_000, 2, 1_001)
    assert len(moments["j"]) == MOST_OF_ONE * SIZE


def test_a_user_remembers_a_bounded_number_of_keys_over_a_bounded_number_of_journeys() -> None:
    moments: Moments = {}
    for number in range(MOST + 50):
        put(moments, f"j{number % 20}", str(number), number)
    assert sum(map(len, moments.values())) == MOST * SIZE
    assert [moment_of(moments, f"j{number % 20}", str(number)) for number in (49, 50)] == [None, 50]
    for number in range(MOST_NAMES + 10):
        put(moments, f"k{number}", "x", 10_000 + number)
    assert len(moments) == MOST_NAMES


def test_a_state_with_keys_reads_as_it_was_written() -> None:
    story = story_of()
    updated(story, "a")
    updated(story, 2)
    [state] = story.fold()[0].table.states().values()
    user = decode(state)
    assert user.value(KEYS) == {"cart:0-o2": "a", "cart:0-o3": "2"}
    assert len(user.value(ENTERED_KEYS)["cart"]) == 2 * SIZE
    assert encode(user) == state


# ---- what check refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("{event: Updated, key: cart}", "{enters: vip, key: cart}", "key with enters; a key is a property of an event"),
        ("{event: Updated, key: cart}", "[{event: Updated, key: cart}, {event: B}]", "causes with a key and causes without"),
        ("{event: Updated, key: cart}", "[{event: Updated, key: cart}, {enters: vip}]", "causes with a key and causes without"),
        ("{event: Updated, key: cart}", "{event: Updated, key: }", "entry: key is"),
        ("{event: Updated, key: cart}", "{event: Updated, key: a..b}", 'entry: key cannot be "a..b"'),
        ("{event: Updated, key: cart}", "{event: Updated}\n    exit: {event: B, key: cart}", "exit: key, but the entry has none"),
        ("{event: Updated, key: cart}", "{event: Updated}\n    goal: {event: B, key: c, within: 1d}", "goal: key, but the entry has none"),
        ("{wait: 30m}", "{wait: {leaves: vip, key: c, timeout: 1d}}", "key with leaves; a key is a property of an event"),
        ("key: cart}", "key: flag}\nschema: {events: {Updated: {cart: text, flag: flag}}}\njourneys2:", 'key "flag" is a flag'),
        ("version: 2", "version: 1", 'entry: key; needs "version: 2"'),
    ],
)
def test_keys_that_cannot_work_are_refused(before: str, after: str, message: str) -> None:
    text = CART.replace(before, after)
    if "journeys2" in after:
        text = CART.replace("key: cart", "key: flag") + "schema: {events: {Updated: {cart: text, flag: flag}}}\n"
    with pytest.raises(RuleErrors) as refused:
        load({"r.yaml": text})
    assert message in str(refused.value)


def test_a_wait_with_a_key_needs_an_entry_with_one() -> None:
    text = CART.replace("{event: Updated, key: cart}", "{event: Updated}").replace("{wait: 30m}", "{wait: {event: B, key: c, timeout: 1d}}")
    with pytest.raises(RuleErrors, match="wait: key, but the entry has none; as in entry"):
        load({"r.yaml": text})


def test_a_schema_knows_the_properties_that_can_be_keys() -> None:
    with pytest.raises(RuleErrors, match='unknown property "cart" of "Updated"; did you mean "carts"'):
        load({"r.yaml": CART.replace("{{ properties.cart }}", "Hi") + "schema: {events: {Updated: {carts: text}}}\n"})


def test_an_entry_without_a_key_counts_for_no_key() -> None:
    without = CART.replace(", key: cart", "")
    story = story_of("re_entry: never", without)
    updated(story, "c1")
    story.apply({"r.yaml": CART + "    re_entry: never\n"}, "+1d")
    for key in ("c1", "c2", "c1"):
        updated(story, key, "+1d")
    assert [one["kind"] for one in story.decisions("ann") if one["kind"] in ("entered", "refused")] == ["entered"] * 3 + ["refused"]
    story.apply({"r.yaml": without + "    re_entry: never\n"}, "+1d")
    updated(story, "c3")
    assert told(story, "refused")[-1] == ("refused", None, "re-entry: never")


def test_exits_that_were_read_before_are_remembered_when_the_list_of_exits_changes() -> None:
    rules = """version: 2
journeys:
  cart:
    entry: {event: cart, key: id}
    exit: [{event: ordered, key: id}]
    steps: [{wait: 1h}, {send: {channel: push, text: Hi}}]
"""
    story = Story({"r.yaml": rules}, start="2026-01-01T00:00Z")
    story.track("ann", "ordered", {"id": "a"}, at="2026-01-02T12:00Z")
    story.apply({"r.yaml": rules.replace("[{event: ordered", "[{event: gone, key: id}, {event: ordered")}, at="+1h")
    story.track("ann", "cart", {"id": "a"}, at="+1h", happened="2026-01-02T11:00Z")
    [skipped] = story.decisions("ann", "skipped")
    assert (skipped["reason"], list(skipped["values"])) == ("the exit had happened already", ["the event ordered with the same id"])
    story.apply({"r.yaml": rules.replace("ordered", "gone")}, at="+1h")
    story.track("ann", "cart", {"id": "a"}, at="+1h", happened="2026-01-02T11:00Z")
    assert len(story.decisions("ann", "skipped")) == 1, "exits of the active rules count"
