"""Features that people expect and that the language does not have yet, with a message for each."""

from __future__ import annotations

from typing import Final

_TIMES: Final = 'a step at a time of day or on a day is a wait, as in wait: {days: 3, at: "09:00"} and wait: {at: "09:00", on: [monday]}'
_SCHEDULES: Final = 'a schedule is an entry, as in entry: {every: week, on: [monday], at: "10:00", inside: S}'
_BRANCHES: Final = "a branch is a step if: with then: and else:, or choose:, or split: with arms:"
_POLICY: Final = "it belongs to policies, a section of its own, at the left edge"
_HOLDOUTS: Final = "holdouts are not in the language yet"
FUNCTIONS: Final = dict.fromkeys(
    ("weekday", "hour", "now", "today", "time", "date", "day", "month", "year", "days_since"),
    "conditions cannot ask for the day or the time yet",
)
"""Names in conditions, called or not."""
CALLS: Final = FUNCTIONS | {
    "len": "conditions cannot ask how long a text or list is yet",
    "age": "conditions cannot ask how long ago a date is yet",
    **dict.fromkeys(("avg", "average", "mean"), 'an average is a sum by a count, as in sum("A.b", days=7) / count("A", days=7)'),
    **dict.fromkeys(
        ("exists", "has", "is_set", "defined"), 'to ask whether a trait is there, write traits.x == traits.x; an event, did("A")'
    ),
}
"""Functions of other languages."""
STEPS: Final = {
    **dict.fromkeys(("at", "on", "until", "wait_until", "time", "day", "weekday", "date"), _TIMES),
    **dict.fromkeys(("branch", "goto"), _BRANCHES),
    **dict.fromkeys(("consent", "quiet_hours", "cap", "caps", "frequency_cap"), _POLICY),
}
"""Keys of a step."""
CLOCK: Final = ("every", "on", "at", "inside", "date", "offset")
"""Keys of an entry by the clock."""
ENTRIES: Final = {
    **dict.fromkeys(("schedule", "cron", "daily", "weekly", "time"), _SCHEDULES),
}
"""Keys of an entry or exit."""
JOURNEYS: Final = {
    "goals": "a journey has one goal",
    "holdout": _HOLDOUTS,
    **dict.fromkeys(("consent", "quiet_hours", "cap", "caps", "frequency_cap"), _POLICY),
    **dict.fromkeys(("every", "schedule", "cron"), _SCHEDULES),
}
"""Keys of a journey."""
