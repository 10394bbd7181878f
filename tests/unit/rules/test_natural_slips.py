"""What new users type, from other tools or by guessing: each is refused once, and the message says what is meant."""

import pytest

from triggers.language.documents import RuleErrors
from triggers.rules.checks import load

SENDS = '[{send: {channel: push, text: "x"}}]'
BEFORE = """version: 2
segments: {fic: did("A"), fan-a: did("A"), fan-b: did("B")}
tiers: {care: {keep: 9d, levels: [{silver: did("C")}, {gold: did("D")}]}}
values: {spent: traits.spent}
"""


def problems(entry: str = "{event: A}", steps: str = SENDS, more: str = "", before: str = "") -> list[str]:
    text = f"{BEFORE}{before}journeys:\n  j:\n    entry: {entry}\n    steps: {steps}\n{more}"
    with pytest.raises(RuleErrors) as caught:
        load({"a.yaml": text})
    return [str(problem).split(": ", 1)[1] for problem in caught.value.problems]


def clock(**changes: str) -> str:
    parts = {"every": "week", "on": "[monday]", "at": '"10:00"', "inside": "fic"} | changes
    return f"{{{', '.join(f'{key}: {value}' for key, value in parts.items() if value)}}}"


SEGMENT = 'whether a user is inside a segment is segment("S"), in files of version 2'
OUTER = "it belongs to the journey, next to entry and steps"
OUTSIDE = 'name the users outside as a segment, as in others: not segment("S"), with inside: others; who leaves it is {leaves: S}'
BEFORE_A_DATE = 'so long before or after a date is offset:, as in {date: traits.trial_ends, offset: -3d, at: "09:00"}'
WITH = "{enters: fic} enters with the segment; inside belongs to an entry by the clock"
INSIDE = "it belongs inside entry, as in entry: {event: E, where: total > 20, key: cart_id}"
CLOCKED = 'it belongs inside entry: a schedule is an entry, as in entry: {every: week, on: [monday], at: "10:00", inside: S}'
RHYTHM = "a schedule has no other rhythm than day, week, month and year; a length from an entry on is re_entry: or a wait"
ARMS = "arms: {plain: {weight: 50}, offer: {weight: 50, steps: [...]}}"
COMMA = "invalid syntax. Perhaps you forgot a comma?"
UNIT = "a unit belongs behind it, as in"
SEVERAL = "several causes are a list, as in [{event: A}, {event: B}]; in a wait, any: [{event: A}, {event: B}]"
BY_NUMBER = "a month has days by number, 1 to 31 or last; a day of the week needs every: week"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (clock(on="weekdays"), 'entry: on cannot be "weekdays"; as in on: [monday, tuesday, wednesday, thursday, friday]'),
        (clock(on="[weekend]"), 'entry: on cannot be "weekend"; as in on: [saturday, sunday]'),
        (clock(on="mon"), 'entry: on cannot be "mon"; did you mean "monday"?'),
        (clock(every="month", on="first monday"), f'entry: on is "first monday"; {BY_NUMBER}'),
        (clock(every="month", on="[monday]"), f'entry: on is "monday"; {BY_NUMBER}'),
        (clock(every="monday", on=""), 'entry: every cannot be "monday"; as in every: week, on: [monday]'),
        (clock(every="2w", on=""), f'entry: every cannot be "2w"; {RHYTHM}'),
        (clock(every="2 weeks"), f'entry: every cannot be "2 weeks"; {RHYTHM}'),
        (clock(every="daily", on=""), 'entry: every cannot be "daily"; every: day is meant'),
        (clock(every="weekly"), 'entry: every cannot be "weekly"; every: week is meant'),
        (
            clock(every="hour", on="", at=""),
            'entry: every cannot be "hour"; a schedule comes at most once a day; for more, name several entries in a list',
        ),
        (
            clock(every="year", on="2026-12-24"),
            'entry: on is "2026-12-24"; for each year 12-24; for this date alone {on: 2026-12-24, at: "10:00"} without every',
        ),
        (clock(at="9:00"), 'entry: at is "9:00", which is no time of day; "09:00" is meant'),
        (clock(at="9am"), 'entry: at is "9am", which is no time of day; "09:00" is meant'),
        (clock(at="12 am"), 'entry: at is "12 am", which is no time of day; "00:00" is meant'),
        (clock(at="21.30"), 'entry: at is "21.30", which is no time of day; "21:30" is meant'),
        (clock(at="25:00"), 'entry: at is "25:00", which is no time of day; for example "09:00" or "21:30"'),
        (clock(at="13pm"), 'entry: at is "13pm", which is no time of day; for example "09:00" or "21:30"'),
        (clock(spread="2h"), f'unknown key "spread" in entry; {OUTER}'),
        (clock(**{"from": "2026-01-01"}), f'unknown key "from" in entry; {OUTER}'),
        ("{event: A, re_entry: always}", f'unknown key "re_entry" in entry; {OUTER}'),
        ("{event: A, priority: 80}", f'unknown key "priority" in entry; {OUTER}'),
        (
            "{inside: fic}",
            f"inside without every, on or date; {WITH}",
        ),
        (clock(inside="", outside="fic"), f'unknown key "outside" in entry; {OUTSIDE}'),
        ("{enters: fan}", 'unknown segment "fan"; did you mean one of these: fan-a, fan-b?'),
        ("{enters: gold}", 'unknown segment "gold"; a level of a tier is reached, as in reaches: care.gold'),
        ("{enters: care.gold}", 'unknown segment "care.gold"; a level of a tier is reached, as in reaches: care.gold'),
        ("{enters: not fic}", 'unknown segment "not fic"; leaves: fic is meant'),
        (clock(every="month", on="1st"), 'entry: on is "1st"; on: [1] is meant'),
        (clock(every="month", on="first"), 'entry: on is "first"; on: [1] is meant'),
        (clock(at='["09:00", "18:00"]'), "entry: at is a list; each time is an entry of its own, in a list of entries"),
        (
            '{date: traits.b - 3d, at: "09:00"}',
            'entry: date is "traits.b - 3d"; date: traits.b, offset: -3d is meant',
        ),
        ("{event: [A, B]}", f"entry: event is a list; {SEVERAL}"),
        ("{reaches: gold}", 'unknown tier "gold"; as in reaches: care.gold'),
        (
            '{trait: birthday, at: "09:00"}',
            'unknown key "trait" in entry; the date of a trait is date:, as in {date: traits.birthday, every: year, at: "09:00"}',
        ),
        ('{date: traits.b, before: 3d, at: "09:00"}', f'unknown key "before" in entry; {BEFORE_A_DATE}'),
    ],
)
def test_a_slip_in_an_entry(entry: str, problem: str) -> None:
    assert problems(entry) == [problem]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("inside: fic", f'unknown key "inside" in the journey "j"; {CLOCKED}'),
        ("where: total > 3", f'unknown key "where" in the journey "j"; {INSIDE}'),
        ("key: cart_id", f'unknown key "key" in the journey "j"; {INSIDE}'),
        ("holdout: 10", "holdout is 10; holdout: 10% is meant"),
        ("holdout: 0.1", "holdout is 0.1; holdout: 10% is meant"),
        ("holdout: a lot", "holdout is a lot; 0.01% to 99.99% belongs here, as in holdout: 10%"),
        ("re_entry: after 30d", 're_entry cannot be "after 30d"; re_entry: {after: 30d} is meant'),
        ("re_entry: {every: 30d}", 'unknown key "every" in re_entry; it is called after:, as in re_entry: {after: 30d}'),
        ("name: x", 'unknown key "name" in the journey "j"; the key above is its name'),
        ("re_entry: 30 days", 're_entry cannot be "30 days"; re_entry: {after: 30d} is meant'),
        ("goal: {event: A, days: 3}", '"days" in goal; how long it counts is within:, as in within: 14d'),
    ],
)
def test_a_slip_in_a_journey(more: str, problem: str) -> None:
    assert problems(more=f"    {more}\n") == [problem]


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("control: 5%", "control is a text; as in control: {percent: 5}"),
        ("control: {percent: 5%}", "percent is 5%; percent: 5 is meant"),
        ("control: {percent: 0.05}", None),
        ("caps: {w: {max: 5, per: day}}", 'unknown key "max" in the cap "w"; it is called most:, as in weekly: {most: 5, per: 7d}'),
        ("caps: {w: {most: 5, days: 7}}", 'unknown key "days" in the cap "w"; it is called per:, as in weekly: {most: 5, per: 7d}'),
        (
            'quiet_hours: {n: {start: "22:00", to: "08:00"}}',
            'unknown key "start" in the quiet hours "n"; it is called from:, as in night: {from: "22:00", to: "08:00"}',
        ),
        (
            'quiet_hours: {n: {from: "22:00", to: "08:00", time_zone: UTC}}',
            'unknown key "time_zone" in the quiet hours "n"; the user\'s own clock counts; a default is in settings: time_zone',
        ),
        ('quiet_hours: {n: {from: "22:00", to: "24:00"}}', 'to is "24:00", which is no time of day; "00:00" is meant'),
        (
            'quiet_hours: {n: {from: "22:00", to: "08:00", on: [weekend]}}',
            'unknown weekday "weekend"; as in on: [saturday, sunday]',
        ),
        ("frequency_caps: {}", 'unknown key "frequency_caps" in policies; it is called caps:, as in caps: {weekly: {most: 5, per: 7d}}'),
        (
            "caps: {w: {most: 1, per: 7}}",
            f'per is "7", which is no duration; {UNIT} 7d for days (ms, s, m, h, d, w)',
        ),
        ('quiet_hours: {n: {from: "22:00", to: 8}}', 'to is "8", which is no time of day; "08:00" is meant'),
        (
            "consent: {c: {when: traits.x}}",
            'unknown key "when" in the consent "c"; the condition is if:, as in sms: {channels: [sms], if: traits.sms_opt_in}',
        ),
    ],
)
def test_a_slip_in_a_policy(policy: str, problem: str | None) -> None:
    if problem is None:
        load({"a.yaml": f"{BEFORE}policies: {{{policy}}}\n"})
    else:
        assert problems(before=f"policies: {{{policy}}}\n") == [problem]


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("{wait: $nd}", 'wait is "$nd", which is no duration; only a definition with each gives it a value, as in each: {nd: [1d, 3d]}'),
        ("{wait: 3}", 'wait is "3", which is no duration; a unit belongs behind it, as in 3d for days (ms, s, m, h, d, w)'),
        ("{wait: 1.5h}", 'wait is "1.5h", which is no duration; as in wait: 90m'),
        ("{wait: 1h30m}", 'wait is "1h30m", which is no duration; as in wait: 90m'),
        ("{wait: tomorrow}", 'wait is "tomorrow", which is no duration; as in wait: {days: 1, at: "09:00"}'),
        ("{wait: fic}", 'wait is "fic", which is a segment; as in wait: {inside: fic, timeout: 3d}'),
        ("{send: Hello}", 'send is a text; as in send: {channel: push, text: "Welcome"}'),
        ("{send: {channel: push, message: {text: x}}}", '"message" around a message; its parts are next to channel:, as in text: Welcome'),
        ("{split: 50%}", f'split is "50%"; a name belongs here, as in split: offer-test, with {ARMS}'),
        ("{split: {a: 50}}", f"split is a mapping; a name belongs here, as in split: offer-test, with {ARMS}"),
        ("{wait: until 9am}", 'wait is "until 9am", which is no duration; as in wait: {at: "09:00"}'),
        ("{wait: {days: 3d}}", 'days is "3d"; days: 3 is meant'),
        ("{wait: {on: monday}}", 'wait has no "at"; as in wait: {at: "09:00", on: [monday]}'),
        ('{wait: {at: "09:00", on: weekdays}}', 'on cannot be "weekdays"; as in on: [monday, tuesday, wednesday, thursday, friday]'),
        (
            "{if: traits.x, send: {channel: push, text: x}}",
            "a step that sends and branches; make two steps of it: - send: ... and - if: ..., or put the one under then:",
        ),
        ("end", "a step is a text; as in - wait: 3d, - end: no interest or - send: {channel: push, text: Hi}"),
        ("{split: s, arms: [{a: 50}]}", "arms is a list; as in arms: {plain: {weight: 50}, offer: {weight: 50, steps: [...]}}"),
        ("{split: s, arms: {a: {weight: 50%}, b: {weight: 1}}}", 'weight is "50%"; weight: 50 is meant'),
        ("{send: [push]}", 'send is a list; a send is for one channel: make a step of each, as in - send: {channel: push, text: "Hi"}'),
        ("{send: {channel: benefit, grant: {c: x}, budget: 5}}", "budget is a number (5); as in budget: {name: spring, most: 10000}"),
        (
            "{send: {channel: push, text: x}, skip_if: traits.x}",
            'unknown key "skip_if" in a step; one message is skipped by skip_unless:, as in skip_unless: not did("A", days=1)',
        ),
        (
            '{send: {channel: push, text: "{{ name }}"}}',
            'unknown variable "name"; a trait is traits.name, a property of the event properties.name, a named value values.name',
        ),
        (
            '{send: {channel: push, text: "{{ segments.fic }}"}}',
            'unknown variable "segments"; texts show no segments; a branch asks, as in if: segment("S")',
        ),
    ],
)
def test_a_slip_in_a_step(step: str, problem: str) -> None:
    assert problems(steps=f"[{step}, {SENDS[1:]}") == [problem]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ("segments.fic", 'unknown name "segments"; write segment("fic")'),
        ("segment.fic", 'unknown name "segment"; write segment("fic")'),
        ("segments.fik", f'unknown name "segments"; {SEGMENT}; did you mean "fic"?'),
        ('in_segment("fic")', f'unknown function "in_segment"; {SEGMENT}'),
        ('inside("fic")', f'unknown function "inside"; {SEGMENT}'),
        ("value.spent > 3", 'unknown name "value"; write values.spent'),
        ("user.country == 5", 'unknown name "user"; write traits.country'),
        (
            "event.total > 5",
            'unknown name "event"; the properties of an event are in where=, as in did("Order Completed", where=total > 10)',
        ),
        (
            "count(Order Completed) > 3",
            f'not an expression: {COMMA}; the name of an event is in quotes, as in count("Order Completed")',
        ),
        ("run.entered > 5", 'unknown name "run"; a condition cannot ask for the run; texts show run.entered'),
        ('days_since(last("A")) > 3', 'unknown function "days_since"; a time without an event is silent, as in silent("A", days=30)'),
        ('count("A", since="2026-01-01") > 3', 'unknown argument "since"; a window ends now: it has a length, as in days=30'),
        ('count("A", last=7) > 3', 'unknown argument "last"; a length is minutes=, hours= or days=, as in days=30'),
        ('count("A") between 3 and 5', 'not an expression: invalid syntax; write 3 <= count("A") <= 5'),
        ("sent(hours=24) < 1", 'unknown argument "hours"; a day of the user is days=1, the last seven are days=7'),
    ],
)
def test_a_slip_in_a_condition(condition: str, problem: str) -> None:
    assert problems(steps=f"[{{when: '{condition}'}}, {SENDS[1:]}") == [problem]


def test_two_budgets_of_one_name_have_one_number() -> None:
    def step(most: int) -> str:
        return f"{{send: {{channel: benefit, grant: {{c: x}}, budget: {{name: back, most: {most}}}}}}}"

    assert problems(steps=f"[{step(5)}, {{if: traits.a, then: [{step(6)}]}}]") == [
        'the budget "back" has most: 6 here and most: 5 elsewhere; the other is at a.yaml:8; one budget has one number, two have two names'
    ]
    load({"a.yaml": f"version: 2\njourneys: {{j: {{entry: {{event: A}}, steps: [{step(5)}, {step(5)}]}}}}\n"})


def test_each_without_a_mapping_shows_one() -> None:
    assert problems(more="    each: [a, b]\n") == ["each is a list; as in each: {category: [fiction, history]}"]


def test_levels_and_a_segment_are_shown_as_they_are_written() -> None:
    def first(before: str) -> str:
        with pytest.raises(RuleErrors) as caught:
            load({"a.yaml": f"version: 2\n{before}"})
        return str(caught.value.problems[0]).split(": ", 1)[1]

    levels = 'as in levels: [{silver: count("Order") >= 3}, {gold: count("Order") >= 10}]'
    assert first("tiers: {m: {keep: 9d, levels: {a: did('A')}}}\n") == (
        f"levels is a mapping; a list belongs here, the lowest level first, {levels}"
    )
    assert first("tiers: {m: {levels: [{a: did('A')}]}}\n").startswith('the tier "m" has no "keep"; as in member: {keep: 90d, levels: [')
    assert first("segments: {s: {if: did('A')}}\n") == (
        'the segment "s" is a mapping; a condition alone belongs here, as in did("A", days=7)'
    )
