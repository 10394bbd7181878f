"""Features that people expect and that the language does not have yet, with a message for each."""

from __future__ import annotations

from typing import Final

_TIMES: Final = 'a step at a time of day or on a day is a wait, as in wait: {days: 3, at: "09:00"} and wait: {at: "09:00", on: [monday]}'
_SCHEDULES: Final = 'a schedule is an entry, as in entry: {every: week, on: [monday], at: "10:00", inside: S}'
_BRANCHES: Final = "a branch is a step if: with then: and else:, or choose:, or split: with arms:"
_POLICY: Final = "it belongs to policies, a section of its own, at the left edge"
_CHOICES: Final = "several ways are one step: choose: [{if: condition, steps: [...]}, {steps: [...]}]"
_ENDS: Final = "a run ends at a step end:, as in end: has bought already"
_WAITS: Final = "a step that waits is wait:, as in wait: 3d"
_SENDS: Final = 'a step that sends is send:, as in send: {channel: push, text: "Welcome"}'
_SPLITS: Final = "users are divided by split:, as in split: offer-test with arms: {plain: {weight: 50}, offer: {weight: 50, steps: [...]}}"
_TRAITS: Final = "traits are set by the step set:, as in set: {traits: {plan: trial}}"
_ROUNDS: Final = "rounds are not in the language yet: write the steps out, or let users enter again, with re_entry:"
_LISTS: Final = "several causes are a list, as in [{event: A}, {enters: S}]"
_WHERE: Final = "an event is filtered by where:, as in {event: Order Completed, where: total > 20}"
_EVENT: Final = "an event is named by event:, as in {event: Signed Up}"
_SEGMENT: Final = "a segment is named by enters: or leaves:, as in {enters: S}"
_STARTS: Final = "a journey starts by entry:, as in entry: {event: Signed Up}"
_IN_SEGMENT: Final = 'whether a user is inside a segment is segment("S"), in files of version 2'
_OF_TRAIT: Final = 'the date of a trait is date:, as in {date: traits.birthday, every: year, at: "09:00"}'
_OFFSET: Final = 'so long before or after a date is offset:, as in {date: traits.trial_ends, offset: -3d, at: "09:00"}'
FUNCTIONS: Final = dict.fromkeys(
    ("weekday", "hour", "now", "today", "time", "date", "day", "month", "year", "days_since"),
    "the local time is local.hour, local.weekday, local.day and local.month, in where= and in steps, in files of version 2",
)
"""Names in conditions, called or not."""
ROOTS: Final = {
    **dict.fromkeys(("segments", "segment"), _IN_SEGMENT),
    "value": "a named value is values.x, in files of version 2",
    "user": "what is known of a user is traits.x, as in traits.country",
    "event": 'the properties of an event are in where=, as in did("Order Completed", where=total > 10)',
    "run": "a condition cannot ask for the run; texts show run.entered",
}
"""Names that a dot follows, in conditions about a user."""
CALLS: Final = FUNCTIONS | {
    **dict.fromkeys(("in_segment", "is_in_segment", "inside", "outside", "is_in", "member_of", "segments"), _IN_SEGMENT),
    "days_since": 'a time without an event is silent, as in silent("A", days=30)',
    "len": "conditions cannot ask how long a text or list is yet",
    "age": "conditions cannot ask how long ago a date is yet",
    **dict.fromkeys(("avg", "average", "mean"), 'an average is a sum by a count, as in sum("A.b", days=7) / count("A", days=7)'),
    **dict.fromkeys(
        ("exists", "has", "is_set", "defined"), 'to ask whether a trait is there, write traits.x == traits.x; an event, did("A")'
    ),
}
"""Functions of other languages."""
ARGUMENTS: Final = {
    **dict.fromkeys(("since", "after", "from", "before", "until", "start"), "a window ends now: it has a length, as in days=30"),
    **dict.fromkeys(("last", "within", "window", "period", "past"), "a length is minutes=, hours= or days=, as in days=30"),
    **dict.fromkeys(("filter", "having", "if", "when", "condition"), 'events are filtered by where=, as in where=category == "book"'),
}
"""Arguments of functions."""
TEXTS: Final = {
    **dict.fromkeys(("segments", "segment"), 'texts show no segments; a branch asks, as in if: segment("S")'),
    **dict.fromkeys(("profile", "customer"), "a trait is shown as {{ traits.name }}"),
    **dict.fromkeys(("context", "local"), "texts do not show it; a branch or where= can ask for it"),
}
"""Roots of names in texts."""
STEPS: Final = {
    **dict.fromkeys(("at", "on", "until", "wait_until", "time", "day", "weekday", "date"), _TIMES),
    **dict.fromkeys(("branch", "goto"), _BRANCHES),
    **dict.fromkeys(("elif", "elseif", "else if", "switch", "case", "unless", "otherwise"), _CHOICES),
    **dict.fromkeys(("exit", "stop", "return", "break", "quit", "finish"), _ENDS),
    **dict.fromkeys(("delay", "sleep", "wait_for"), _WAITS),
    **dict.fromkeys(("push", "sms", "email", "in_app", "webhook", "message", "action", "notify", "benefit", "grant"), _SENDS),
    **dict.fromkeys(("ab_test", "experiment", "random", "variants"), _SPLITS),
    **dict.fromkeys(("repeat", "loop", "while", "for"), _ROUNDS),
    **dict.fromkeys(("skip_if", "skip_when", "only_if"), 'one message is skipped by skip_unless:, as in skip_unless: not did("A", days=1)'),
    **dict.fromkeys(
        ("update", "update_trait", "update_traits", "update_profile", "trait", "traits", "identify", "tag", "attributes"), _TRAITS
    ),
    "timeout": "it belongs inside wait, as in wait: {event: E, timeout: 3d}",
    "steps": "steps inside a step are under then:, else:, came: or timed_out:, or in choose: and arms:",
    "goal": "a goal belongs to the journey, next to its steps",
    **dict.fromkeys(("consent", "quiet_hours", "cap", "caps", "frequency_cap"), _POLICY),
}
"""Keys of a step."""
CLOCK: Final = ("every", "on", "at", "inside", "date", "offset")
"""Keys of an entry by the clock."""
ENTRIES: Final = {
    **dict.fromkeys(("schedule", "cron", "daily", "weekly", "time"), _SCHEDULES),
    "any": _LISTS,
    **dict.fromkeys(("if", "when", "filter", "condition"), _WHERE),
    **dict.fromkeys(("events", "trigger", "name"), _EVENT),
    **dict.fromkeys(("segment", "enter", "exits", "leave"), _SEGMENT),
    "outside": 'name the users outside as a segment, as in others: not segment("S"), with inside: others; who leaves it is {leaves: S}',
    **dict.fromkeys(("trait", "birthday", "anniversary"), _OF_TRAIT),
    **dict.fromkeys(("before", "days_before", "days_after"), _OFFSET),
    "goal": "the goal is written by itself, as in exit: goal",
    **dict.fromkeys(("after", "within", "delay", "timeout"), "a time is a step of the journey, as in wait: 3d and end: too late"),
    "once": "re_entry: never belongs to the journey, and is the default",
}
"""Keys of an entry or exit."""
JOURNEYS: Final = {
    **dict.fromkeys(("where", "key"), "it belongs inside entry, as in entry: {event: E, where: total > 20, key: cart_id}"),
    **dict.fromkeys(("inside", "on", "at", "date", "offset"), f"it belongs inside entry: {_SCHEDULES}"),
    "goals": "a journey has one goal, as in goal: {event: E, within: 14d}",
    "repeat": _ROUNDS,
    "existing": "it is not in the language yet: only users who enter from now on; a single user enters by the command cueline enter",
    **dict.fromkeys(("trigger", "triggers", "event", "starts"), _STARTS),
    **dict.fromkeys(("wait_until", "wait", "delay", "send"), "it is a step, under steps:"),
    **dict.fromkeys(("description", "comment", "title"), "write a comment, after #"),
    "name": "the key above is its name",
    **dict.fromkeys(
        ("enabled", "active", "paused", "status"), "cueline pause JOURNEY stops a journey, cueline resume JOURNEY continues it"
    ),
    **dict.fromkeys(("time_zone", "timezone", "channels"), "it belongs to settings, a section of its own, at the left edge"),
    **dict.fromkeys(("limit", "frequency"), _POLICY),
    "holdouts": "a journey has one holdout, as in holdout: 10%",
    **dict.fromkeys(("consent", "quiet_hours", "cap", "caps", "frequency_cap"), _POLICY),
    **dict.fromkeys(("every", "schedule", "cron"), _SCHEDULES),
}
"""Keys of a journey."""
FILES: Final = {
    **dict.fromkeys(("consent", "quiet_hours", "caps", "cap"), "it belongs inside policies:"),
    "scenarios": "scenarios are in files named *.scenarios.yaml, which cueline test runs",
    **dict.fromkeys(("time_zone", "timezone", "channels", "categories", "late"), "it belongs inside settings:"),
}
"""Sections of a file."""
POLICIES: Final = {
    **dict.fromkeys(
        ("frequency_caps", "frequency", "limits", "frequency_cap"), "it is called caps:, as in caps: {weekly: {most: 5, per: 7d}}"
    ),
    **dict.fromkeys(("control_group", "holdout", "global_control"), "it is called control:, as in control: {percent: 5}"),
}
"""Keys of the policies."""
CAPS: Final = {
    **dict.fromkeys(("max", "limit", "count", "at_most", "number"), "it is called most:, as in weekly: {most: 5, per: 7d}"),
    **dict.fromkeys(("days", "hours", "within", "period", "every", "window"), "it is called per:, as in weekly: {most: 5, per: 7d}"),
}
"""Keys of a cap."""
QUIET_HOURS: Final = {
    **dict.fromkeys(("start", "begin", "after", "since"), 'it is called from:, as in night: {from: "22:00", to: "08:00"}'),
    **dict.fromkeys(("end", "until", "before", "till"), 'it is called to:, as in night: {from: "22:00", to: "08:00"}'),
    **dict.fromkeys(("time_zone", "timezone", "zone"), "the user's own clock counts; a default is in settings: time_zone"),
    **dict.fromkeys(("days", "weekdays"), "it is called on:, as in on: [friday, saturday]"),
}
"""Keys of quiet hours."""
CONSENT: Final = dict.fromkeys(
    ("when", "where", "condition", "unless"), "the condition is if:, as in sms: {channels: [sms], if: traits.sms_opt_in}"
)
"""Keys of a consent."""
GOALS: Final = dict.fromkeys(("days", "after", "timeout", "until", "window"), "how long it counts is within:, as in within: 14d")
"""Keys of a goal."""
RE_ENTRY: Final = dict.fromkeys(("every", "within", "days", "in", "wait"), "it is called after:, as in re_entry: {after: 30d}")
"""Keys of `re_entry`."""
PERIODS: Final = {
    **{word: f"every: {word.removesuffix('ly')} is meant" for word in ("weekly", "monthly", "yearly")},
    "daily": "every: day is meant",
    **dict.fromkeys(("hour", "hourly", "minute"), "a schedule comes at most once a day; for more, name several entries in a list"),
}
"""Words after `every`."""
DAYS: Final = {
    **dict.fromkeys(("weekdays", "weekday", "workdays"), "as in on: [monday, tuesday, wednesday, thursday, friday]"),
    **dict.fromkeys(("weekend", "weekends"), "as in on: [saturday, sunday]"),
    **dict.fromkeys(("everyday", "daily", "all"), "leave on: out, or take every: day"),
}
"""Words for days of the week."""
SETTINGS: Final = dict.fromkeys(("consent", "quiet_hours", "caps", "cap"), _POLICY)
"""Keys of the settings."""
CHOICES: Final = {
    "then": "the steps of a choice are under steps:",
    **dict.fromkeys(("else", "default", "otherwise"), "the last choice has only steps:, as in {steps: [...]}"),
    **dict.fromkeys(("when", "where", "condition", "case"), "the condition of a choice is if:"),
}
"""Keys of a choice."""
WAITS: Final = {
    **dict.fromkeys(("day", "week", "month"), "as in wait: {days: 3}, {weeks: 1} or {months: 1}"),
    **dict.fromkeys(("hours", "hour", "minutes", "minute", "seconds", "for", "duration", "time", "delay"), "as in wait: 3h or wait: 30m"),
    **dict.fromkeys(("until", "time_of_day", "clock"), 'as in wait: {at: "09:00"} or {at: "09:00", on: [monday]}'),
    **dict.fromkeys(("segment", "enter", "leave", "in", "out"), "as in wait: {inside: S, timeout: 3d} or {enters: S, timeout: 3d}"),
    **dict.fromkeys(("events", "all", "or", "first"), "as in wait: {any: [{event: A}, {event: B}], timeout: 3d}"),
    "timeout": "as in wait: {event: E, timeout: 3d}",
    "between": 'it is not in the language yet: wait for the beginning, as in wait: {at: "09:00"}',
}
"""Keys of a wait."""
