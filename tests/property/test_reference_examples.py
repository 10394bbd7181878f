"""Engine and reference agree on cases that random logs rarely contain: each was once a disagreement, or could become one."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from tests.property.test_reference import compare
from tests.reference.days import DAY
from tests.reference.log import Command, Entry, Said, Tick
from tests.reference.strategies import Case, Files

SEND = {"send": {"channel": "email", "text": "x"}}
LONG = {"entry": {"event": "b"}, "steps": [{"wait": "9d"}, SEND]}
"""A run that is running while other things happen."""


def folder(zone: str = "UTC", segments: dict[str, str] | None = None, **journeys: Any) -> Files:
    document = {"version": 1, "settings": {"time_zone": zone}, "segments": segments or {}, "journeys": journeys}
    return {"rules.yaml": json.dumps(document)}


class Log:
    """A story in days since a beginning; live from there, with the first folder."""

    def __init__(self, start: str = "2025-03-27T00:00:00+00:00") -> None:
        self.start = round(datetime.fromisoformat(start).timestamp()) * 1000
        self.entries: list[Entry] = []
        self.command(0, "go-live")
        self.command(0, "apply", rule_set="0")

    def place(self, day: float) -> dict[str, Any]:
        return {"offset": len(self.entries), "timestamp": self.start + round(day * DAY)}

    def command(self, day: float, kind: Any, **rest: Any) -> None:
        self.entries.append(Command(**self.place(day), kind=kind, **rest))

    def said(self, day: float, event: str, message_id: str | None = None, properties: Mapping[str, Any] | None = None) -> None:
        place = self.place(day)
        message_id = message_id or f"m{place['offset']}"
        self.entries.append(Said(**place, user="u", at=place["timestamp"], event=event, properties=properties or {}, message_id=message_id))

    def traits(self, day: float, traits: dict[str, Any]) -> None:
        place = self.place(day)
        self.entries.append(Said(**place, user="u", at=place["timestamp"], traits=traits, message_id=f"m{place['offset']}"))

    def agree(self, until: float, *folders: Files) -> None:
        self.entries.append(Tick(**self.place(until)))
        compare(Case(folders, tuple(self.entries)))


def test_a_run_of_older_rules_leaves_no_timer_behind() -> None:
    """The event that ends the run is one that its watched segment reads; no condition would answer that segment's timer any more."""
    log = Log()
    log.said(0.1, "b")
    log.command(0.2, "apply", rule_set="1")
    log.said(0.3, "a")
    log.said(0.35, "x")
    old = folder("UTC", {"s": 'count("x", days=1) >= 9 or count("a", days=1) >= 1'}, j={**LONG, "exit": [{"event": "x"}, {"leaves": "s"}]})
    log.agree(3, old, folder("UTC", {"t": 'count("a", days=1) >= 1'}, k={"entry": {"leaves": "t"}, "steps": [SEND]}))


def test_another_default_zone_moves_the_midnights_of_what_a_run_watches() -> None:
    """The same rules in UTC, then in Kolkata: the day ends at 18:30 UTC."""
    log = Log()
    log.said(10 / 24, "a")
    log.said(10.1 / 24, "b")
    log.command(11 / 24, "apply", rule_set="1")
    rules: dict[str, Any] = {"segments": {"s": 'count("a", days=1) >= 1'}, "j": {**LONG, "exit": {"leaves": "s"}}}
    log.agree(3, folder("UTC", **rules), folder("Asia/Kolkata", **rules))


COUNTS = {"entry": {"event": "b"}, "steps": [{"wait": "5d"}, {"when": 'count("a") >= 2'}, SEND]}
OTHER = folder("UTC", k={"entry": {"event": "c"}, "steps": [SEND]})
AGAIN = {"entry": {"enters": "s"}, "steps": [SEND], "re_entry": "always", "on_change": "exit"}


@pytest.mark.parametrize(
    "last",
    [folder("UTC", j=COUNTS), folder("UTC", {"s": 'count("a") >= 3'}, j=AGAIN)],
    ids=["its own rules come back", "new rules end it and need its window"],
)
def test_a_window_that_only_a_run_needed_keeps_its_history(last: Files) -> None:
    """Rules without the window come between; the run needs it all the time."""
    log = Log()
    for day, event in ((0.1, "a"), (0.2, "a"), (0.3, "b")):
        log.said(day, event)
    log.command(1, "apply", rule_set="1")
    log.command(2, "apply", rule_set="2")
    log.said(3, "a")
    log.agree(9, folder("UTC", j=COUNTS), OTHER, last)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Pacific/Apia", "2011-12-28T10:00:00+00:00"),
        ("Pacific/Kwajalein", "1993-08-19T10:00:00+00:00"),
        ("America/Sao_Paulo", "2018-02-16T10:00:00+00:00"),
        ("America/Sao_Paulo", "2018-11-02T10:00:00+00:00"),
        ("Africa/Cairo", "2010-09-08T10:00:00+00:00"),
        ("America/Scoresbysund", "2024-03-30T10:00:00+00:00"),
    ],
    ids=str,
)
def test_days_that_are_skipped_doubled_or_without_a_midnight(zone: str, start: str) -> None:
    """A date that never was, a midnight that does not exist, an hour before midnight that comes twice."""
    segments = {"s": 'count("a", days=1) >= 1', "t": 'every_day(2, count("a") >= 1)', "v": 'every_day(1, not did("a"))'}
    causes = {"j": {"leaves": "s"}, "k": {"enters": "t"}, "l": {"leaves": "t"}, "m": {"enters": "v"}}
    journeys = {name: {"entry": cause, "re_entry": "always", "steps": [SEND]} for name, cause in causes.items()}
    for minute in range(30, 3_000, 133):
        log = Log(start)
        log.said(0.01, "b")
        log.said(minute / 1440, "a")
        log.said(minute / 1440 + 0.7, "a")
        log.agree(6, folder(zone, segments, **journeys))


@pytest.mark.parametrize("others", [63, 64])
def test_the_last_64_messages_are_remembered(others: int) -> None:
    """The 65th pushes the first one out."""
    log = Log()
    log.said(0.1, "a", "again")
    for _ in range(others):
        log.said(0.2, "b")
    log.said(0.3, "a", "again")
    log.agree(1, folder("UTC", j={"entry": {"event": "a"}, "re_entry": "always", "steps": [SEND]}))


@pytest.mark.parametrize("size", [6_000, 7_000, 8_000])
def test_an_entry_that_finds_no_room_is_refused(size: int) -> None:
    """Until a run ends: then one more finds room."""
    journeys = {
        f"j{n:02}": {
            "entry": {"event": "b"},
            "re_entry": "always",
            "steps": [{"wait": f"{n + 1}d"}, {"send": {"channel": "sms", "text": "{{ properties.p }}"}}],
        }
        for n in range(25)
    }
    log = Log()
    for day in (0.1, 5.5, 5.6, 12.5):
        log.said(day, "b", properties={"p": "x" * size, "q": "y" * size, "r": {"s": [1, None, -40, 1e9]}})
    log.agree(40, folder("UTC", None, **journeys))


@pytest.mark.parametrize("hour", range(0, 24, 3))
def test_a_user_who_flies_west_gets_a_day_back(hour: int) -> None:
    """From UTC+14 to UTC-11 the date goes back by one or two; what had left the window is in it again."""
    log = Log()
    log.traits(0, {"timezone": "Pacific/Kiritimati"})
    log.said(0.1 + hour / 24, "a")
    log.said(2.1 + hour / 24, "a")
    log.traits(2.2 + hour / 24, {"timezone": "Pacific/Pago_Pago"})
    journeys = {name: {"entry": {name: "s"}, "re_entry": "always", "steps": [SEND]} for name in ("enters", "leaves")}
    log.agree(9, folder("UTC", {"s": 'count("a", days=2) >= 2'}, **journeys))


# ---- the order of several journeys -------------------------------------------------------------------------------------


def reads(*steps: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """A journey that an `a` enters, again and again."""
    return {"entry": {"event": "a"}, "steps": [*steps, SEND], "re_entry": "always", **rest}


def test_several_runs_at_one_record_and_at_one_moment() -> None:
    """They enter together, one of them long late, and one of their waits ends when the user leaves what others watch."""
    past = {"late": {"after": "9d", "then": "send"}}
    one_day, two_days = {"wait": "1d"}, {"wait": "2d"}
    watching = {"exit": {"leaves": "s"}}
    journeys = {
        "a": reads({"wait": "30m"}, SEND, two_days, **past),
        "b": reads(SEND, one_day),
        "c": reads({"wait": "5d"}, **watching),
        "d": {"entry": {"leaves": "s"}, "steps": [SEND], "re_entry": "always"},
        "e": {"entry": {"enters": "s"}, "steps": [{"wait": "5d"}, SEND], "re_entry": "always", **watching},
        "f": reads(two_days, {"when": 'count("a") >= 9'}),
    }
    log = Log()
    for day in (0, 1, 1, 1.5, 3.5, 3.5):
        log.said(day, "a")
    log.agree(9, folder("UTC", {"s": 'count("a", days=1) >= 1'}, **journeys))
    log.entries.pop()
    log.agree(9, folder("UTC", {"s": 'did("a", days=2)'}, **journeys))


def test_an_event_ends_its_runs_before_the_segment_that_it_changes_ends_others() -> None:
    """`j` ends by the segment, `k` by the event itself."""
    log = Log()
    log.said(0, "a")
    log.said(1, "b")
    wait = {"wait": "5d"}
    log.agree(9, folder("UTC", {"s": 'count("b") < 1'}, j=reads(wait, exit={"leaves": "s"}), k=reads(wait, exit={"event": "b"})))


def test_an_entry_is_remembered_while_its_journey_is_gone() -> None:
    """The journey goes and comes back; it was for once only."""
    log = Log()
    log.said(0, "a")
    log.command(1, "apply", rule_set="1")
    log.said(1, "a")
    log.command(2, "apply", rule_set="0")
    log.said(2, "a")
    log.agree(3, folder("UTC", j=reads(re_entry="never")), OTHER)


@pytest.mark.parametrize("older", ["j", "k"])
def test_runs_of_two_rule_sets_end_and_go_on_together(older: str) -> None:
    """Each is the older one once: by a segment and by a wait they come by name, by one event in any order."""
    younger = "k" if older == "j" else "j"
    segments = {"s": 'count("x") < 1'}
    last = {"x": {"exit": {"leaves": "s"}}, "y": {"exit": {"event": "y"}}, "": {}}
    for event, how in last.items():
        log = Log()
        log.said(0, "a")
        log.command(1, "apply", rule_set="1")
        log.said(1, "a")
        log.said(1.5, event or "b")
        old = folder("UTC", segments, **{older: reads({"wait": "5d"}, **how)})
        log.agree(9, old, folder("UTC", segments, **{younger: reads({"wait": "4d"}, **how)}))


def test_a_new_run_s_steps_and_those_that_are_due_at_its_moment() -> None:
    """Two days of silence enter `b` and `j`, and end the waits of `a` and `k`."""
    log = Log()
    log.said(0, "a")
    enters = {"entry": {"enters": "s"}, "steps": [SEND, SEND], "re_entry": "always"}
    waits = reads({"wait": "2d"}, SEND)
    log.agree(9, folder("UTC", {"s": 'silent("a", days=2) and did("a")'}, a=waits, b=enters, j=enters, k=waits))


def programs(**journeys: Any) -> Files:
    return {f"{name}.yaml": json.dumps({"version": 2, "journeys": {name: journey}}) for name, journey in journeys.items()}


def test_the_arms_that_runs_can_keep_take_room() -> None:
    """Each of 80 runs could keep nearly 2 KiB."""
    log = Log()
    arms = {f"{'a' * 55}{arm}": {"weight": 1} for arm in range(2)}
    splits = [{"split": f"s{number}{'x' * 60}", "arms": arms} for number in range(15)]
    log.said(0.1, "b")
    log.said(1, "b")
    log.agree(11, programs(**{f"j{number}": {**LONG, "re_entry": "always", "steps": [*splits, *LONG["steps"]]} for number in range(80)}))


def test_many_branches_at_one_moment_are_too_many_moves() -> None:
    """Each branch is a step."""
    log = Log()
    step: dict[str, Any] = {"if": "traits.x == traits.x", "else": [{"choose": [{"if": "traits.x", "steps": [SEND]}]}]}
    log.said(0.1, "b")
    log.agree(1, programs(**{f"j{number}": {"entry": {"event": "b"}, "steps": [*[step] * 60, SEND]} for number in range(12)}))


def test_a_run_keeps_its_arms_under_other_rules() -> None:
    def split(first: int, second: int) -> Any:
        arms = {"a": {"weight": first, "steps": [SEND]}, "b": {"weight": second, "steps": [{"wait": "1d"}, {"end": "enough"}]}}
        return {"entry": {"event": "b"}, "re_entry": "always", "steps": [{"split": "s", "arms": arms}, {"wait": "3d"}, SEND]}

    log = Log()
    log.said(0.1, "b")
    log.command(1, "apply", rule_set="1")
    log.said(2, "b")
    log.said(5, "b")
    log.agree(20, programs(j=split(1, 0), k=split(0, 1)), programs(j=split(0, 1), k=split(1, 0)))


def document(**parts: Any) -> Files:
    return {"rules.yaml": json.dumps({"version": 2, **parts})}


def test_goals_of_one_moment_come_by_journey_not_by_segment() -> None:
    """By the event, and by the rules: another default zone moves the event into the days that count."""
    segments = {"a": 'count("x", days=1) >= 1', "b": 'count("x", days=1) + 0 >= 1'}
    watching = {
        name: {"entry": {"event": "b"}, "goal": {"enters": segment, "within": "9d"}, "steps": [{"wait": "1d"}, SEND]}
        for name, segment in (("y", "b"), ("z", "a"))
    }
    log = Log()
    log.said(0.1, "b")
    log.said(0.2, "x")
    log.said(1.1, "b")
    log.command(1.2, "apply", rule_set="1")
    far = "America/Los_Angeles"
    log.agree(
        9, document(segments=segments, journeys=watching), document(settings={"time_zone": far}, segments=segments, journeys=watching)
    )


def test_arms_of_runs_that_have_ended_take_room() -> None:
    """Watches outlive runs, and their arms with them; the last entries find no room."""
    long = [f"{number}{'x' * 55}" for number in range(10, 25)]
    splits = [{"split": name, "arms": {f"{name}1": {"weight": 1}, f"{name}2": {"weight": 1}}} for name in long]
    journeys = {
        f"j{number}": {
            "entry": {"event": "b", "key": "k"},
            "re_entry": "always",
            "holdout": "50%",
            "goal": {"event": "never", "within": "90d"},
            "steps": [*splits, SEND],
        }
        for number in range(5)
    }
    log = Log()
    for number in range(60):
        log.said(0.1 + number / 100, "b", properties={"k": f"{number}"})
    log.agree(9, document(journeys=journeys))
