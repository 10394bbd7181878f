"""The reference does what RULES.md says, shown by examples small enough to be worked out by hand."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.reference import cdnow, days
from tests.reference.interpreter import interpret
from tests.reference.log import Command, Entry, Outcome, Said, Tick
from tests.reference.test_cdnow import lines_of
from triggers.causes.event import OnEvent
from triggers.causes.segment import OnSegment
from triggers.definitions.model import (
    And,
    Cause,
    Compare,
    Condition,
    Did,
    EveryDay,
    Journey,
    Late,
    Measure,
    Not,
    Number,
    Property,
    RuleSet,
    Segment,
    Step,
    Text,
    Trait,
)
from triggers.steps.send import Send
from triggers.steps.waits.delay import Delay
from triggers.steps.when import When

HOUR, DAY = days.HOUR, days.DAY
SEND = Send("send", "email")
NEW_YEAR = 20_089 * DAY
"""2025-01-01T00:00Z, a Wednesday."""


def count(event: str, op: Any, times: int, unit: Any = None, length: int | None = None) -> Compare:
    return Compare(op, Measure("count", event, (), unit, length), Number(times * 10**6))


def silent(event: str, length: int | None = None, unit: Any = "day") -> Not:
    return Not(Did(Measure("did", event, unit=unit if length else None, length=length)))


def journey(entry: Cause, *steps: Step, name: str = "j", version: str = "11111111", **how: Any) -> Journey:
    return Journey(name, version, entry, steps or (SEND,), **how)


def rule_set(*journeys: Journey, zone: str = "UTC", named: str = "r", **segments: Condition) -> RuleSet:
    known = {name: Segment(name, condition, "") for name, condition in segments.items()}
    return RuleSet(named, {}, known, {journey.name: journey for journey in journeys}, zone)


class Log:
    """Written as a story; days count from 2025-01-01T00:00Z."""

    def __init__(self, *rule_sets: RuleSet, apply: bool = True, live: bool = True) -> None:
        self.rule_sets = {rules.hash: rules for rules in rule_sets}
        self.entries: list[Entry] = []
        if live:
            self.command(-1, "go-live")
        if apply:
            self.command(-1, "apply", rule_set=rule_sets[0].hash)

    def said(self, day: float, event: str | None = None, *, at: float | None = None, user: str = "u", **rest: Any) -> None:
        stamp, happened = moment(day), moment(day if at is None else at)
        self.entries.append(Said(offset=len(self.entries), timestamp=stamp, user=user, at=happened, event=event, **rest))

    def command(self, day: float, kind: Any, **rest: Any) -> None:
        self.entries.append(Command(offset=len(self.entries), timestamp=moment(day), kind=kind, **rest))

    def until(self, day: float) -> list[Outcome]:
        """All outcomes up to a day, without the ends of runs that ended by themselves."""
        self.entries.append(Tick(offset=len(self.entries), timestamp=moment(day)))
        return [outcome for outcome in interpret(self.rule_sets, self.entries) if outcome.reason != "completed"]

    def heard(self, until: float) -> list[tuple[str, float]]:
        """(kind, day) of each outcome."""
        return [(outcome.kind, day_of(outcome.at)) for outcome in self.until(until)]


def moment(day: float) -> int:
    return NEW_YEAR + round(day * DAY)


def day_of(ms: int) -> float:
    return (ms - NEW_YEAR) / DAY


def test_the_cdnow_rules_give_what_the_cdnow_oracle_says() -> None:
    """Two references that share no idea agree on real customers."""
    order = "Order Completed"
    total = Compare(">=", Measure("sum", order, ("total",), "day", 90), Number(100 * 10**6))
    rules = rule_set(
        journey(OnEvent(order), Delay("wait", 3 * DAY), SEND, name="welcome"),
        journey(OnSegment("lapsed", "enters"), name="win-back", re_entry=0),
        journey(OnSegment("gold", "enters"), name="gold", re_entry=0),
        lapsed=And((count(order, ">=", 2), silent(order, 60))),
        gold=total,
    )
    lines = lines_of("CDNOW_sample.txt")
    users = sorted({order.user for order in cdnow.orders(lines)})[::100]
    for user in users:
        log: list[Entry] = [
            Command(offset=0, timestamp=852_076_800_000 - DAY, kind="apply", rule_set="r"),
            Command(offset=1, timestamp=852_076_800_000 - DAY, kind="go-live"),
        ]
        mine = [line for line in lines if line.split()[0] == user]
        for bought in cdnow.orders(mine):
            properties = {"total": bought.cents / 100}
            log.append(Said(offset=len(log), timestamp=bought.at, user=user, at=bought.at, event=order, properties=properties))
        log.append(Tick(offset=len(log), timestamp=cdnow.END))
        sent = Counter((out.user, out.journey, out.at) for out in interpret({"r": rules}, log) if out.kind == "sent")
        assert sent == cdnow.expected(mine)


# ---- windows ----------------------------------------------------------------------------------------------------------


def test_a_window_of_days_is_today_and_the_days_before_it() -> None:
    """Two events of 2 days: at the second local midnight after the first one it has left."""
    log = Log(rule_set(journey(OnSegment("s", "leaves"), re_entry=0), s=count("a", ">=", 1, "day", 2)))
    log.said(0.9, "a")
    assert log.heard(9) == [("entered", 2), ("sent", 2)]


def test_local_midnight_is_the_users() -> None:
    """In Shanghai the day ends at 16:00 UTC; a zone that does not exist is none."""
    log = Log(rule_set(journey(OnSegment("s", "leaves"), re_entry=0), s=count("a", ">=", 1, "day", 1)))
    log.said(0, "a", traits={"timezone": "Asia/Shanghai"})
    log.said(0, "a", user="v", traits={"timezone": "Mars/Olympus"})
    assert [(out.user, day_of(out.at)) for out in log.until(9) if out.kind == "sent"] == [("u", 16 / 24), ("v", 1)]


def test_a_day_of_25_hours_is_one_day() -> None:
    """2025-10-26 in Berlin begins at 22:00Z the day before and ends at 23:00Z."""
    log = Log(rule_set(journey(OnSegment("s", "leaves"), re_entry=0), s=count("a", ">=", 1, "day", 1), zone="Europe/Berlin"))
    log.said(297 + 22 / 24, "a")
    assert [day_of(out.at) for out in log.until(310) if out.kind == "sent"] == [298 + 23 / 24]


def test_panes_of_hours_and_minutes_are_utc() -> None:
    """An hour's pane leaves at the full hour."""
    log = Log(rule_set(journey(OnSegment("s", "leaves"), re_entry=0), s=count("a", ">=", 1, "hour", 3)))
    log.said(1 + 0.9 / 24, "a")
    assert [out.at for out in log.until(9) if out.kind == "sent"] == [moment(1 + 3 / 24)]


def test_silence_is_exact_to_the_millisecond() -> None:
    """60 x 24 h after the last event, whatever the clocks of the zone do."""
    rules = rule_set(journey(OnSegment("s", "enters"), re_entry=0), s=silent("a", 60), zone="Europe/Berlin")
    log = Log(rules)
    log.said(60.123, "a")
    assert log.heard(200) == [("entered", 120.123), ("sent", 120.123)]


def test_a_user_can_leave_and_enter_in_one_moment() -> None:
    """What time does at a moment sees only records that come before it in the log."""
    log = Log(rule_set(journey(OnSegment("s", "enters"), re_entry=0), s=silent("a", 1)))
    log.said(0, "a")
    log.said(1, "a")
    assert log.heard(2) == [("entered", 1), ("sent", 1), ("entered", 2), ("sent", 2)]


def test_every_day_looks_at_complete_days_and_a_late_event_can_complete_it() -> None:
    """Three days, each with an event; the second day's arrives on the fourth."""
    daily = Compare(">=", Measure("count", "a", (), "day", 3, daily=True), Number(10**6))
    log = Log(rule_set(journey(OnSegment("s", "enters"), re_entry=0), s=EveryDay(3, daily)))
    log.said(0.5, "a")
    log.said(2.5, "a")
    log.said(3.5, "a", at=1.5)
    assert log.heard(4.5) == [("entered", 3.5), ("sent", 3.5)]


# ---- complete or not --------------------------------------------------------------------------------------------------


def since(condition: Condition, **how: Any) -> Log:
    """A log in which the user had a record before the rule set."""
    log = Log(rule_set(journey(OnSegment("s", "enters"), re_entry=0), s=condition), apply=False)
    log.said(0, "other")
    log.command(1.5, "apply", rule_set="r")
    return log


def test_over_an_incomplete_window_a_count_is_a_lower_bound() -> None:
    """Enough is enough; too few is unknown, and an event that makes it known and true is an entering."""
    log = since(count("a", ">=", 2))
    log.said(2, "a")
    log.said(3, "a")
    assert log.heard(4) == [("entered", 3), ("sent", 3)]


def test_what_time_made_known_is_no_entry() -> None:
    """The silence of two days is known two days after the rule set, and then the user is inside already."""
    assert since(silent("a", 2)).heard(9) == []
    log = since(silent("a", 2))
    log.said(3.6, "b")
    log.said(4, "a")
    assert log.heard(9) == [("entered", 6), ("sent", 6)]


def test_what_was_logged_before_the_rule_set_is_not_in_its_windows() -> None:
    """Two before and one after: the all-time count stays unknown."""
    log = Log(rule_set(journey(OnSegment("s", "enters"), re_entry=0), s=count("a", ">=", 2)), apply=False)
    log.said(0, "a")
    log.said(0, "a")
    log.command(1, "apply", rule_set="r")
    log.said(2, "a")
    assert log.heard(9) == []


def test_an_unchanged_window_keeps_its_history_over_rule_sets() -> None:
    """The new rule set asks for more of the same window."""
    one = rule_set(s=count("a", ">=", 9))
    two = rule_set(journey(OnSegment("s", "enters")), s=count("a", ">=", 2), named="two")
    log = Log(one, two)
    log.said(0, "a")
    log.command(1, "apply", rule_set="two")
    log.said(2, "a")
    assert log.heard(3) == [("entered", 2), ("sent", 2)]


def test_who_is_inside_when_a_rule_set_meets_them_has_not_entered() -> None:
    """They can leave, though, and then enter."""
    is_chinese = Compare("==", Trait(("country",)), Text("CN"))
    log = Log(rule_set(journey(OnSegment("s", "enters"), re_entry=0), s=is_chinese), apply=False)
    log.said(0, traits={"country": "CN"})
    log.command(1, "apply", rule_set="r")
    log.said(2, traits={"country": None})
    log.said(3, traits={"country": "CN"})
    assert log.heard(3) == [("entered", 3), ("sent", 3)]


# ---- runs -------------------------------------------------------------------------------------------------------------


def test_a_wait_counts_from_the_event_and_time_is_the_logs() -> None:
    """Nothing happens until a record moves the clock; then it has happened at its own moment."""
    log = Log(rule_set(journey(OnEvent("a"), Delay("wait", 3 * DAY), SEND)))
    log.said(1.5, "a", at=1)
    outcomes = log.until(9)
    assert [(out.kind, day_of(out.at), out.due and day_of(out.due)) for out in outcomes] == [
        ("entered", 1.5, 1),
        ("waiting", 1.5, 4),
        ("sent", 4, 4),
    ]
    assert outcomes[0].run == "j@11111111:u:0-o2"


@pytest.mark.parametrize(("then", "kind"), [("drop", "skipped"), ("send", "sent")])
def test_the_late_policy_is_for_moments_past_when_armed(then: Any, kind: str) -> None:
    """The first wait ended two days before the record; the second one ends after it."""
    steps = (Delay("1", DAY), SEND, Delay("3", 4 * DAY), SEND)
    log = Log(rule_set(journey(OnEvent("a"), *steps, late=Late(DAY, then))))
    log.said(3, "a", at=0)
    assert log.heard(9) == [("entered", 3), (kind, 3), ("waiting", 3), ("sent", 5)]


def test_an_exit_comes_before_the_step_of_the_same_moment() -> None:
    """Segment changes, then exits, then steps."""
    exits = (OnSegment("s", "enters"),)
    log = Log(rule_set(journey(OnEvent("a"), Delay("wait", DAY), SEND, exits=exits), s=silent("a", 1)))
    log.said(0, "a")
    assert log.heard(9) == [("entered", 0), ("waiting", 0), ("exited", 1)]


def test_an_entry_event_that_satisfies_the_exit_starts_nothing() -> None:
    """It is skipped, and does not count for re-entry."""
    log = Log(rule_set(journey(OnEvent("a"), exits=(OnEvent("a", where=None),))))
    log.said(0, "a")
    assert log.heard(9) == [("skipped", 0)]


def test_one_run_at_a_time_and_re_entry_from_the_entry() -> None:
    """While it waits; then too soon; then again."""
    log = Log(rule_set(journey(OnEvent("a"), Delay("wait", DAY), re_entry=2 * DAY)))
    for day in (0, 0.5, 1.5, 2):
        log.said(day, "a")
    assert [(out.kind, out.reason) for out in log.until(9)] == [
        ("entered", ""),
        ("waiting", ""),
        ("refused", "running"),
        ("refused", "too soon"),
        ("entered", ""),
        ("waiting", ""),
    ]


def test_entries_come_by_name_and_then_each_run_goes_on_until_it_waits() -> None:
    """A wait that is past when it is reached is none."""
    steps = (SEND, Delay("past", HOUR), SEND, Delay("wait", 9 * DAY))
    log = Log(rule_set(journey(OnEvent("a"), name="k"), journey(OnEvent("a"), *steps, late=Late(DAY, "send"))))
    log.said(2, "a", at=0)
    told = [(out.journey, out.kind) for out in log.until(3)]
    assert told == [("j", "entered"), ("k", "entered"), ("j", "sent"), ("j", "sent"), ("j", "waiting"), ("k", "sent")]


def test_the_order_of_runs_is_open_where_one_event_ends_them() -> None:
    """A tie is between runs: nothing else shares its number."""
    waits = Delay("wait", 9 * DAY)
    exits = (OnEvent("b"),)
    log = Log(rule_set(journey(OnEvent("a"), waits, exits=exits), journey(OnEvent("a"), waits, name="k", exits=exits)))
    log.said(0, "a")
    log.said(1, "b")
    assert [(out.kind, bool(out.tie)) for out in log.until(3)[-3:]] == [("waiting", False), ("exited", True), ("exited", True)]


def test_when_ends_the_run_unless_it_is_true() -> None:
    """Asked at the moment of the step."""
    steps = (Delay("wait", DAY), When("when", count("a", ">=", 2)), SEND)
    log = Log(rule_set(journey(OnEvent("a"), *steps, re_entry=0)))
    log.said(0, "a")
    log.said(1.5, "a")
    kinds = ["entered", "waiting", "exited", "entered", "waiting", "sent"]
    assert [out.kind for out in log.until(9)] == kinds


@pytest.mark.parametrize(("on_change", "kinds"), [("finish", ["sent"]), ("exit", ["exited"])])
def test_a_run_is_pinned_or_ends(on_change: Any, kinds: list[str]) -> None:
    """The new version decides about running runs; who finishes, finishes as they entered."""
    old = rule_set(journey(OnEvent("a"), Delay("wait", DAY), SEND))
    new = rule_set(journey(OnEvent("a"), Delay("wait", 9 * DAY), version="2" * 8, on_change=on_change), named="new")
    log = Log(old, new)
    log.said(0, "a")
    log.command(0.5, "apply", rule_set="new")
    assert [out.kind for out in log.until(5)][2:] == kinds


def test_a_pause_holds_and_a_resume_lets_go_by_the_late_policy() -> None:
    """One was held for half a day, the other for two."""
    log = Log(rule_set(journey(OnEvent("a"), Delay("wait", 2 * DAY), SEND)))
    log.said(0, "a")
    log.said(1.5, "a", user="v")
    log.command(1.9, "pause", journey="j")
    log.said(3, "a", user="w")
    log.command(4, "resume", journey="j")
    told = [(out.user, out.kind, day_of(out.at)) for out in log.until(9) if out.kind not in {"entered", "waiting"}]
    assert told == [("u", "paused", 2), ("w", "refused", 3), ("v", "paused", 3.5), ("u", "skipped", 4), ("v", "sent", 4)]


def test_before_go_live_runs_are_dry() -> None:
    """A run that entered before may send after; dry runs count for re-entry."""
    log = Log(rule_set(journey(OnEvent("a"), SEND, Delay("wait", DAY), SEND)), live=False)
    log.said(0, "a")
    log.command(0.5, "go-live")
    log.said(2, "a")
    assert [out.kind for out in log.until(5)] == ["entered", "dry", "waiting", "sent", "refused"]


def test_a_duplicate_moves_only_the_clock_and_is_remembered_for_64_messages() -> None:
    """The 65th message pushes the first one out."""
    log = Log(rule_set(journey(OnEvent("a"), re_entry=0)))
    log.said(0, "a", message_id="m")
    log.said(1, "a", message_id="m")
    for n in range(64):
        log.said(2, message_id=f"other {n}")
    log.said(3, "a", message_id="m")
    assert [day_of(out.at) for out in log.until(5) if out.kind == "sent"] == [0, 3]


def test_a_record_moves_a_user_through_1_000_steps_over_all_runs() -> None:
    """Then the current run is cut with a decision."""
    log = Log(rule_set(*(journey(OnEvent("a"), *[SEND] * 300, name=name) for name in "abcd")))
    log.said(0, "a")
    assert Counter(log.heard(1)) == {("entered", 0): 4, ("sent", 0): 1_000, ("failed", 0): 1}


def test_where_filters_by_properties_and_null_is_false() -> None:
    """An event without the property is not meant."""
    where = Compare("!=", Property(("genre",)), Text("poetry"))
    log = Log(rule_set(journey(OnEvent("a", where), re_entry=0)))
    properties: list[Mapping[str, Any]] = [{}, {"genre": "poetry"}, {"genre": "fiction"}]
    for day, given in enumerate(properties):
        log.said(day, "a", properties=given)
    assert log.heard(9) == [("entered", 2), ("sent", 2)]
