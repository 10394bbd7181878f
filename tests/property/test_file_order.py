"""The order of a file's lines, and one line from the future, change nothing of what is sent."""

from collections.abc import Iterable
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from streams.browse.folding import Replayed
from streams.browse.replay import replay_calls
from streams.ingest.calls import BadLine, Call
from streams.ingest.ordering import Order, Present
from triggers.base.model import DAY, HOUR
from triggers.base.moments import iso, parse_moment
from triggers.rules.checks import load

START = parse_moment("2026-01-01T00:00:00Z")
NOW = START + 30 * DAY
RULES = load(
    {
        "rules.yaml": """version: 1
segments:
  buyer: sum("Paid.total", days=3) > 20
journeys:
  welcome:
    entry: {event: Seen}
    exit: {event: Paid}
    re_entry: {after: 5d}
    steps: [{wait: 2d}, {send: {channel: push, text: "{{ properties.total or 'none' }}"}}]
  thanks:
    entry: {enters: buyer}
    re_entry: always
    steps: [{send: {channel: push, text: Thanks}}]
"""
    }
)
EVENTS = st.tuples(st.sampled_from(["ann", "bob", "cy"]), st.sampled_from(["Seen", "Paid"]), st.integers(0, 20 * 24), st.integers(0, 30))


def calls(drawn: Iterable[tuple[str, str, int, int]]) -> list[Call]:
    """A call for each; no two of one moment, because of those the order in the file decides."""
    found = []
    for number, (user, event, hour, total) in enumerate(drawn):
        at = START + hour * HOUR + number
        document = {"type": "track", "userId": user, "event": event, "timestamp": iso(at), "properties": {"total": total}}
        found.append(Call(at, user.encode(), orjson.dumps(document), "e.jsonl", number + 1))
    return found


def sends(replayed: Replayed) -> list[Any]:
    return [orjson.loads(action) for action in replayed.actions[0]]


def tried(lines: Iterable[Call], run: int, bad: list[BadLine]) -> Replayed:
    return replay_calls(Order(run).sort(Present(NOW).until_now(lines, bad.append)), RULES, until=NOW, states=True)


@given(drawn=st.lists(EVENTS, min_size=1, max_size=30), chance=st.randoms(use_true_random=False), run=st.integers(1, 5_000))
def test_a_file_in_any_order_sends_what_it_sends_in_order(drawn: list[tuple[str, str, int, int]], chance: Any, run: int) -> None:
    lines = sorted(calls(drawn), key=lambda call: call.at or 0)
    expected = replay_calls(lines, RULES, until=NOW, states=True)
    mixed = list(lines)
    chance.shuffle(mixed)
    bad: list[BadLine] = []
    for other in (lines, lines[::-1], mixed):
        found = tried(other, run, bad)
        assert (sends(found), found.decisions, found.states) == (sends(expected), expected.decisions, expected.states)
    assert bad == []


@given(drawn=st.lists(EVENTS, min_size=1, max_size=30), place=st.integers(0, 30), future=st.integers(NOW + 1, NOW + 80 * 365 * DAY))
def test_a_line_from_the_future_changes_nothing_but_is_told(drawn: list[tuple[str, str, int, int]], place: int, future: int) -> None:
    lines, bad = calls(drawn), list[BadLine]()
    expected = tried(lines, 5_000, [])
    [late] = calls([("ann", "Paid", 0, 5)])
    found = tried([*lines[:place], late._replace(at=future, line=99), *lines[place:]], 5_000, bad)
    assert (sends(found), found.decisions, found.states) == (sends(expected), expected.decisions, expected.states)
    assert [str(line).partition(": ")[0] for line in bad] == ["e.jsonl:99"]
