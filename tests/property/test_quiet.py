"""No marketing goes out in quiet hours, in any time zone, also where clocks are set."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import days
from tests.reference.policies import is_quiet, quiet_end
from triggers.base.model import DAY, HOUR, MINUTE
from triggers.base.moments import parse_moment, zone, zone_names
from triggers.definitions.policies import QuietHours, Scope
from triggers.policies.quiet import quiet_until
from triggers.testing import Story

TIMES = st.integers(0, 24 * 60 - 1).map(lambda minute: minute * MINUTE)
YEAR = parse_moment("2025-01-01")


@st.composite
def rules(draw: st.DrawFn) -> QuietHours:
    begin, end = draw(st.lists(TIMES, min_size=2, max_size=2, unique=True))
    weekdays = draw(st.none() | st.frozensets(st.integers(0, 6), min_size=1))
    return QuietHours("night", begin, end, Scope(("push",)), weekdays)


def clock_changes(name: str) -> list[int]:
    """The moments of 2025 near which a clock is set, to the hour."""
    found, before = [], days.local(name, YEAR).utcoffset()
    for moment in range(YEAR, YEAR + 365 * DAY, DAY):
        offset = days.local(name, moment).utcoffset()
        if offset != before:
            found.append(moment - DAY)
        before = offset
    return found


SET = {name: changes for name in sorted(zone_names()) if (changes := clock_changes(name))}


@given(rules(), st.sampled_from(sorted(SET)), st.data())
def test_quiet_hours_end_where_a_minute_by_minute_look_at_the_clock_ends_them(rule: QuietHours, name: str, data: st.DataObject) -> None:
    change = data.draw(st.sampled_from(SET[name]))
    now = change + data.draw(st.integers(-DAY // MINUTE, 2 * DAY // MINUTE)) * MINUTE + data.draw(st.sampled_from([0, 1, 59_999]))
    if is_quiet(rule, name, now):
        assert quiet_until(rule, zone(name), now) == quiet_end(rule, name, now)
    else:
        assert quiet_until(rule, zone(name), now) == now


@pytest.mark.parametrize("around", ["2025-03-30T01:00Z", "2025-10-26T01:00Z"])
def test_nothing_marketing_goes_out_in_quiet_hours_in_any_zone(around: str) -> None:
    """Users in all zones, an event every few hours over three days, both times that the clocks of Europe are set."""
    text = """version: 2
policies: {quiet_hours: {night: {from: "22:00", to: "08:00", spread: 45m}, noon: {from: "12:00", to: "13:30", on: [sunday, monday]}}}
journeys:
  j: {entry: {event: A}, re_entry: always, steps: [{send: {channel: push, text: Hi}}, {wait: 7h}, {send: {channel: email, text: Ho}}]}
"""
    begin = datetime.fromisoformat(around).astimezone(UTC) - timedelta(days=1)
    start = int(begin.timestamp() * 1000)
    story = Story({"r.yaml": text}, start=start)
    for name in sorted(zone_names()):
        story.identify(name, {"timezone": name})
    for step in range(1, 8):
        for name in sorted(zone_names())[step % 3 :: 3]:
            story.track(name, "A", at=start + step * 9 * HOUR)
    story.until("+4d")
    actions = story.actions()
    assert len(actions) > 2 * len(zone_names())
    for action in actions:
        clock = days.local(action["user"], action["at"])
        assert 8 <= clock.hour < 22, action
        assert clock.weekday() not in (6, 0) or not (12, 0) <= (clock.hour, clock.minute) < (13, 30), action
    assert any(action["at"] != action["due"] for action in actions)
