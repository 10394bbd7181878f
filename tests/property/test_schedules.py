"""Schedules agree with `zoneinfo` asked directly: in any zone, over both changes of its clock, each occurrence enters exactly once."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_local_times import changes, first, shown, zones
from triggers.base.model import DAY, MINUTE
from triggers.testing import Story

RULES = """version: 2
settings: {time_zone: ZONE}
segments: {s: traits.vip}
journeys:
  j:
    entry: {ENTRY, at: "AT", inside: s}
    steps: [{send: {channel: push, text: x}}]
"""


def entered(entry: str, at: str, name: str, begin: int, end: int) -> list[int]:
    story = Story({"r.yaml": RULES.replace("ENTRY", entry).replace("AT", at).replace("ZONE", name)}, start=begin)
    story.identify("ann", {"vip": True})
    story.until(end)
    return [int(action["at"]) for action in story.actions()]


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_every_occurrence_enters_exactly_once(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in zones() if changes(name, 2026)]))
    change = data.draw(st.sampled_from(changes(name, 2026)))
    begin = change - data.draw(st.integers(0, 20 * 24 * 60)) * MINUTE
    end = begin + 40 * DAY
    minutes = data.draw(st.one_of(st.integers(0, 24 * 60 - 1), st.integers(0, 12).map(lambda quarter: quarter * 15)))
    at = f"{minutes // 60:02}:{minutes % 60:02}"
    day_name = data.draw(st.sampled_from(["monday", "sunday"]))
    entry, wanted = data.draw(
        st.sampled_from(
            [
                ("every: day", lambda _: True),
                (f"every: week, on: [{day_name}]", lambda day: day.strftime("%A").lower() == day_name),
                ("every: month, on: last", lambda day: (day + timedelta(days=1)).month != day.month),
            ]
        )
    )
    found = entered(entry, at, name, begin, end)
    midnight = shown(name, begin).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [midnight + timedelta(days=number) for number in range(-1, 43)]
    expected: list[int] = []
    for local in [day + timedelta(minutes=minutes) for day in days if wanted(day)]:
        moment = first(name, local)
        if moment is None:  # the first moment after the gap
            moment = next(one for one in (first(name, local + timedelta(minutes=later)) for later in range(1, 24 * 60)) if one is not None)
        if begin < moment <= end:
            expected.append(moment)
    assert found == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 30 * 60), st.sampled_from(zones())), min_size=1, max_size=6), st.integers(0, 23))
def test_a_date_enters_at_most_once_however_the_user_travels(journeys: list[tuple[int, str]], hour: int) -> None:
    begin = 1_774_600_000_000  # 2026-03-27
    story = Story({"r.yaml": RULES.replace("ENTRY", "every: day").replace("AT", f"{hour:02}:00").replace("ZONE", "UTC")}, start=begin)
    story.identify("ann", {"vip": True})
    now = begin
    for minutes, name in journeys:
        now += minutes * MINUTE
        story.identify("ann", {"timezone": name}, at=now)
    story.until(now + 3 * DAY)
    moments = [int(action["at"]) for action in story.actions()]
    assert moments == sorted(set(moments))
    days = (now + 3 * DAY - begin) / DAY
    assert days - 3 <= len(moments) <= days + 2
