"""No cap is exceeded: in no window of its length, and on no local date."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import days
from triggers.base.model import HOUR, MINUTE
from triggers.testing import Story

PERS = {"1h": HOUR, "6h": 6 * HOUR, "24h": 24 * HOUR}
gaps = st.sampled_from([0, 1, 20 * MINUTE, HOUR, 5 * HOUR, 6 * HOUR, 6 * HOUR - 1])
records = st.lists(st.tuples(gaps, st.sampled_from("AB")), min_size=5, max_size=30)


def sent(per: str, most: int, then: str, came: list[tuple[int, str]]) -> list[int]:
    """When messages went out."""
    text = f"""version: 2
settings: {{time_zone: Europe/Berlin}}
policies: {{caps: {{n: {{most: {most}, per: {per}, then: {then}}}}}}}
journeys:
  a:
    entry: {{event: A}}
    re_entry: always
    hold_at_most: 9d
    steps: [{{send: {{channel: push, text: Hi}}}}, {{wait: 2h}}, {{send: {{channel: sms, text: Ho}}}}]
  b:
    entry: {{event: B}}
    re_entry: always
    steps: [{{wait: 30m}}, {{send: {{channel: push, text: Hi}}}}]
"""
    story = Story({"r.yaml": text}, start="2026-03-27T00:00Z")
    for gap, event in came:
        story.track("ann", event, at=story.now + gap)
    story.until("+10d")
    return [action["at"] for action in story.actions()]


@settings(deadline=None)
@given(st.sampled_from(sorted(PERS)), st.integers(1, 3), st.sampled_from(["drop", "hold"]), records)
def test_no_window_of_its_length_has_more_messages_than_a_cap_allows(per: str, most: int, then: str, came: list[tuple[int, str]]) -> None:
    at = sent(per, most, then, came)
    assert at
    assert all(len([other for other in at if one <= other < one + PERS[per]]) <= most for one in at)


@settings(deadline=None)
@given(st.integers(1, 3), st.sampled_from(["drop", "hold"]), records)
def test_no_local_date_has_more_messages_than_a_cap_allows(most: int, then: str, came: list[tuple[int, str]]) -> None:
    assert max(Counter(days.day("Europe/Berlin", at) for at in sent("day", most, then, came)).values()) <= most
