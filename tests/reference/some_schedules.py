"""Entries by the clock, and how a later rule set changes them."""

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]
DATES: list[Any] = [
    "1999-03-30",
    "2000-04-01",
    "2025-03-31",
    "2025-04-02T23:30:00Z",
    "2024-10-27T00:30:00+02:00",
    "10-29",
    "02-29",
    "2025-11-03",
    1743464000,
    "2025-10-27T04:00:00Z",
    "2000-12-31T23:30:00Z",
    "never",
    None,
]
SCHEDULES: list[Any] = [
    {"every": "day", "at": "00:00"},
    {"every": "day", "at": "02:30"},
    {"every": "day", "at": "09:00"},
    {"every": "week", "on": ["sunday"], "at": "02:15"},
    {"every": "week", "on": ["monday", "saturday"], "at": "23:00"},
    {"every": "month", "on": [1, 31], "at": "03:00"},
    {"every": "month", "on": "last", "at": "12:00"},
    {"every": "year", "on": ["03-30", "10-26"], "at": "02:30"},
    {"date": "traits.day", "every": "year", "at": "09:00"},
    {"date": "traits.day", "every": "year", "offset": "-3d", "at": "02:30"},
    {"date": "traits.day", "offset": "1w", "at": "00:00"},
    {"date": "traits.day", "at": "02:30"},
    {"date": "traits.day", "at": "12:00"},
    {"on": "2025-03-30", "at": "10:00"},
    {"on": "2025-11-02", "at": "01:30"},
]


@st.composite
def scheduled(draw: st.DrawFn, segments: list[str]) -> Document:
    schedule = draw(st.sampled_from(SCHEDULES))
    return (
        {**schedule, "inside": draw(st.sampled_from(segments))}
        if segments and draw(st.sampled_from([True, True, False]))
        else dict(schedule)
    )


@st.composite
def edited(draw: st.DrawFn, journey: Document, segments: list[str]) -> Document:
    """The journey with another entry in its list, without one, or with another time of one; or with other bounds."""
    how = draw(st.sampled_from(["", "", "add", "remove", "time", "bounds"]))
    made = {name: value for name, value in journey.items() if how != "bounds" or name not in {"from", "until", "spread"}}
    listed = [dict(one) for one in (journey["entry"] if isinstance(journey["entry"], list) else [journey["entry"]])]
    by_clock = [one for one in listed if "at" in one]
    if how == "add":
        listed.insert(draw(st.integers(0, len(listed))), draw(scheduled(segments)))
    elif how == "remove" and len(listed) > 1 and ("spread" not in journey or len(by_clock) > 1):
        listed.remove(draw(st.sampled_from(listed)))
    elif how == "time" and by_clock:
        draw(st.sampled_from(by_clock))["at"] = draw(st.sampled_from(["00:00", "09:00", "13:00", "23:00"]))
    elif how == "bounds":
        made |= draw(st.sampled_from([{}, {}, {"from": "2025-03-29"}, {"from": "2025-03-31"}, {"until": "2025-10-27"}]))
        made |= draw(st.sampled_from([{}, {"spread": "5h"}])) if by_clock else {}
    return {**made, "entry": listed}
