"""A journey with keys decides for each key what the same journey without keys decides for a user of its own."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.base.model import MINUTE
from triggers.testing import Story

RULES = """version: 2
journeys:
  cart:
    entry: {event: Updated, key: cart}
    while_running: WHILE
    re_entry: AGAIN
    exit: [{event: Ordered, key: cart}, {event: Updated, where: items == 0, key: cart}]
    goal: {event: Paid, key: cart, within: 3h}
    steps:
      - wait: 30m
      - wait: {event: Opened, key: cart, timeout: 1h}
        came: [{send: {channel: push, text: "came {{ properties.items }}"}}]
      - send: {channel: push, text: "{{ properties.items }}"}
"""
START = 1_767_225_600_000
CARTS: list[Any] = ["a", "b", 3]
calls = st.tuples(
    st.sampled_from(["Updated", "Updated", "Updated", "Ordered", "Opened", "Paid"]),
    st.sampled_from(CARTS),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 5, 30, 61]),
    st.sampled_from([0, 0, 0, 10, 90]),
)


@settings(deadline=None)
@given(st.lists(calls, max_size=20), st.sampled_from(["refuse", "restart"]), st.sampled_from(["always", "never", "{after: 1h}"]))
def test_each_key_is_decided_for_as_a_user_would_be(log: list[tuple[str, Any, int, int, int]], running: str, again: str) -> None:
    rules = RULES.replace("WHILE", running).replace("AGAIN", again)
    keyed = Story({"r.yaml": rules}, start=START)
    plain = Story({"r.yaml": rules.replace(", key: cart", "")}, start=START)
    now = START
    for event, cart, items, later, late in log:
        now += later * MINUTE
        when: dict[str, Any] = {"at": now, "happened": max(START, now - late * MINUTE)}
        keyed.track("ann", event, {"cart": cart, "items": items}, **when)
        plain.track(f"user {cart}", event, {"cart": cart, "items": items}, **when)
    for story in (keyed, plain):
        story.until(now + 300 * MINUTE)
    for cart in CARTS:
        theirs = [decided(one) for one in plain.decisions(f"user {cart}") if one["kind"] != "refused"]
        assert [decided(one) for one in keyed.decisions("ann") if one.get("key") == str(cart) and one["kind"] != "refused"] == theirs
        sent = [action["message"] for action in plain.actions() if action["user"] == f"user {cart}"]
        assert [action["message"] for action in keyed.actions() if action["key"] == str(cart)] == sent


def decided(document: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(document[name] for name in ("kind", "reason", "step", "at", "due"))
