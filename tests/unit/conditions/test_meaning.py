"""RULES.md, what each decision and action says, and in which order: each sentence a test."""

from tests.unit.journeys.test_runs import WELCOME, kinds, rules
from triggers.base.moments import find_zone, zone
from triggers.engine.partition import Partition
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import Story, documents, run

SEND = "{send: {channel: push, text: hello}}"
AWAY = rules("  other:\n    entry: {event: Other}\n    steps: [{send: {channel: push, text: hello}}]\n")
"""A rule set that knows nothing of the journeys before it."""


def journey(name: str, *, entry: str = "event: Read", re_entry: str = "always", also: str = "", steps: str = SEND) -> str:
    """A journey for `rules`; `also`: a further key with its value."""
    lines = [f"  {name}:", f"entry: {{{entry}}}", f"re_entry: {re_entry}", *([also] if also else []), f"steps: [{steps}]"]
    return "\n    ".join(lines) + "\n"


def told(story: Story, since: str | None = None) -> list[tuple[str, str]]:
    """(journey, kind) of Ann's decisions in their order, from a moment on."""
    return [(d["journey"], d["kind"]) for d in story.decisions("ann") if since is None or d["at"] >= story.moment(since)]


# ---- what an action and a decision say --------------------------------------------------------------------------------


def test_not_after_is_counted_from_the_moment_that_was_meant_also_where_it_is_sent_late() -> None:
    text = WELCOME.replace("re_entry: never", "late: {after: 1h, then: send}").replace("channel: email,", "channel: email, not_after: 24h,")
    story = Story(rules(text))
    story.track("ann", "Signed Up", at="2026-01-05T10:00Z", happened="2026-01-02T00:00Z")
    [action] = story.actions()
    assert (action["due"], action["at"]) == (story.moment("2026-01-05"), story.moment("2026-01-05T10:00Z"))
    assert action["not_after"] == story.moment("2026-01-06")


def test_the_cause_of_all_that_a_run_does_is_the_record_that_entered_it() -> None:
    story = Story(rules(WELCOME))
    entry = story.track("ann", "Signed Up", at="2026-01-02")
    story.track("ann", "Other", at="2026-01-03")
    story.until("2026-01-06")
    cause = {"topic": "events", "partition": 0, "offset": entry.offset}
    assert [action["cause"] for action in story.actions()] == [cause]
    assert [(d["kind"], d["cause"]) for d in story.decisions("ann")] == [
        ("entered", cause),
        ("waiting", cause),
        ("sent", cause),
        ("exited", cause),
    ]


def test_all_that_a_run_does_names_the_rule_set_that_it_entered_under() -> None:
    old = load(rules(WELCOME))
    story = Story(old)
    story.track("ann", "Signed Up", at="2026-01-02")
    new = story.apply(rules(WELCOME.replace("3d", "4d")), "2026-01-03")
    story.track("bob", "Signed Up", at="2026-01-03")
    story.until("2026-01-08")
    assert [(action["user"], action["rule_set"]) for action in story.actions()] == [("ann", old.hash), ("bob", new.hash)]
    assert [(d["kind"], d["rule_set"]) for d in story.decisions("ann")] == [
        ("entered", old.hash),
        ("waiting", old.hash),
        ("sent", old.hash),
        ("exited", old.hash),
    ]


def test_a_run_that_new_rules_end_names_the_rule_set_that_it_entered_under() -> None:
    old = load(rules(WELCOME))
    story = Story(old)
    story.track("ann", "Signed Up", at="2026-01-02")
    story.apply(rules(WELCOME.replace("re_entry: never", "on_change: exit")), "2026-01-03")
    assert [d["rule_set"] for d in story.decisions("ann", "exited")] == [old.hash]


def test_what_starts_nothing_names_the_rule_set_in_force_and_the_record_that_asked() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    new = story.apply(rules(WELCOME.replace("3d", "4d")), "2026-01-03")
    again = story.track("ann", "Signed Up", at="2026-01-04")
    [refused] = story.decisions("ann", "refused")
    assert (refused["rule_set"], refused["cause"]["offset"]) == (new.hash, again.offset)


def test_when_false_tells_the_values_that_mattered() -> None:
    steps = f'{{when: \'traits.country == "CN" and count("Read") >= 2\'}}, {SEND}'
    story = Story(rules(journey("j", steps=steps)))
    story.identify("ann", {"country": "DE"})
    story.track("ann", "Read")
    [ended] = story.decisions("ann", "exited")
    assert (ended["reason"], ended["values"]) == ("when: false", {"traits.country": "DE", 'count("Read")': 1})


def test_an_exit_by_a_segment_tells_the_values_that_mattered() -> None:
    text = journey("j", also="exit: {leaves: new}", steps=f"{{wait: 5d}}, {SEND}")
    story = Story(rules(text, '  new: count("Read") < 2\n'))
    story.track("ann", "Read")
    story.track("ann", "Read")
    ended = story.decisions("ann", "exited")[0]
    assert (ended["reason"], ended["values"]) == ("exit: leaves new", {'count("Read")': 2})


def test_sent_at_corrects_a_timestamp_of_any_zone() -> None:
    """The phone is ahead by as much as it sent the call after that arrived."""
    story = Story(rules(WELCOME))
    happened, sent = "2027-06-01T12:00:00+02:00", "2027-06-03T12:00:00+02:00"
    story.track("ann", "Signed Up", at="2026-01-10T09:00Z", timestamp=happened, sentAt=sent)
    story.until("2026-01-20")
    assert [action["at"] for action in story.actions()] == [story.moment("2026-01-11T09:00Z")]


def test_the_log_s_epoch_stands_in_every_id() -> None:
    story = Story(rules(WELCOME))
    entry = story.track("ann", "Signed Up")
    story.until("+4d")
    partition = Partition(story.place, Table(), story.library, Position(epoch=3))
    run(partition, story.log)
    output = partition.take()
    [action] = documents(output.actions)
    assert action["run"] == f"welcome@{action['version']}:ann:3-o{entry.offset}"
    assert action["id"] == f"{action['run']}:2"
    assert {d["run"] for d in documents(output.decisions, "ann")} == {action["run"]}


def test_the_log_s_epoch_stands_in_the_ids_of_what_time_enters() -> None:
    story = Story(rules(journey("j", entry="enters: gone"), '  gone: silent("Read", days=2) and did("Read")\n'))
    story.track("ann", "Read", at="2026-01-02")
    story.until("2026-01-05")
    partition = Partition(story.place, Table(), story.library, Position(epoch=3))
    run(partition, story.log)
    [action] = documents(partition.take().actions)
    assert action["run"] == f"j@{action['version']}:ann:3-t{story.moment('2026-01-04')}"


def test_unknown_keeps_nobody_out_who_is_inside_already() -> None:
    buyers = journey("j", entry="enters: s")
    story = Story(rules(buyers, '  s: did("Other")\n'))
    story.identify("ann", {"vip": True})
    story.apply(rules(buyers, '  s: traits.vip == True or count("Read", days=7) <= 3\n'))
    story.track("ann", "Read")
    assert kinds(story) == [("met", "inside s already")]
    story.identify("ann", {"vip": None})  # what was read before the rules came is unknown
    story.track("ann", "Read")
    assert kinds(story) == [("met", "inside s already")]


# ---- refusals ---------------------------------------------------------------------------------------------------------


def test_re_entry_is_remembered_while_the_journey_is_gone() -> None:
    text = rules(journey("j", re_entry="never"))
    story = Story(text)
    story.track("ann", "Read", at="2026-01-02")
    story.apply(AWAY, "2026-01-03")
    story.track("ann", "Read", at="2026-01-04")
    story.apply(text, "2026-01-05")
    story.track("ann", "Read", at="2026-01-06")
    assert kinds(story) == [("entered", None), ("sent", None), ("exited", "completed"), ("refused", "re-entry: never")]


def test_a_pause_is_told_before_a_run_under_way_and_that_before_re_entry() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.track("ann", "Signed Up", at="2026-01-02")
    story.pause("welcome")
    story.track("ann", "Signed Up", at="2026-01-02")
    assert [d["reason"] for d in story.decisions("ann", "refused")] == [
        "a run of this journey is under way",
        "the journey is paused",
    ]


# ---- order at one record ----------------------------------------------------------------------------------------------


def test_entries_come_by_journey_name_and_then_the_steps_of_each() -> None:
    story = Story(rules(journey("b") + journey("a")))
    story.track("ann", "Read")
    assert told(story) == [("a", "entered"), ("b", "entered"), ("a", "sent"), ("a", "exited"), ("b", "sent"), ("b", "exited")]


def test_entries_by_events_and_by_segments_come_together_by_journey_name() -> None:
    text = journey("c") + journey("b", entry="enters: s") + journey("a", also="exit: {event: Read}")
    story = Story(rules(text, '  s: did("Read")\n'))
    story.track("ann", "Other")
    story.track("ann", "Read")
    assert told(story)[:3] == [("a", "skipped"), ("b", "entered"), ("c", "entered")]


def test_a_run_goes_on_until_it_waits_before_the_next_one_moves() -> None:
    """A wait that is past when it is reached is not waited for."""
    late = journey("a", also="late: {after: 1h, then: send}", steps=f"{SEND}, {{wait: 1d}}, {SEND}, {{wait: 9d}}, {SEND}")
    story = Story(rules(late + journey("b")))
    story.track("ann", "Read", at="2026-01-09", happened="2026-01-05")
    assert told(story) == [
        ("a", "entered"),
        ("b", "entered"),
        ("a", "sent"),
        ("a", "sent"),
        ("a", "waiting"),
        ("b", "sent"),
        ("b", "exited"),
    ]


def test_exits_come_before_entries_at_a_record_so_an_old_run_makes_room_for_a_new_one() -> None:
    segment = '  s: not did("Bought")\n'
    story = Story(rules(journey("j", also="exit: {leaves: s}", steps=f"{{wait: 9d}}, {SEND}"), segment))
    story.track("ann", "Read", at="2026-01-02")
    story.apply(rules(journey("j", entry="leaves: s"), segment), "2026-01-03")
    story.track("ann", "Bought", at="2026-01-04")
    assert told(story, "2026-01-04") == [("j", "exited"), ("j", "entered"), ("j", "sent"), ("j", "exited")]


def test_exits_by_events_come_before_those_by_segments() -> None:
    """Also where the journey's name is later."""
    waits = f"{{wait: 9d}}, {SEND}"
    text = journey("a", also="exit: {leaves: s}", steps=waits) + journey("b", also="exit: {event: Bought}", steps=waits)
    story = Story(rules(text, '  s: not did("Bought")\n'))
    story.track("ann", "Read", at="2026-01-02")
    story.track("ann", "Bought", at="2026-01-03")
    assert told(story, "2026-01-03") == [("b", "exited"), ("a", "exited")]


def test_exits_by_events_come_by_journey_name_whichever_run_is_older() -> None:
    waits = f"{{wait: 9d}}, {SEND}"
    text = journey("b", also="exit: {event: Bought}", steps=waits)
    text += journey("a", entry="event: Opened", also="exit: {event: Bought}", steps=waits)
    story = Story(rules(text))
    for day, event in enumerate(("Read", "Opened", "Bought"), 2):
        story.track("ann", event, at=f"2026-01-0{day}")
    assert told(story, "2026-01-04") == [("a", "exited"), ("b", "exited")]


def test_exits_by_segments_come_by_journey_name_whichever_run_is_older() -> None:
    waits = f"{{wait: 9d}}, {SEND}"
    text = journey("b", also="exit: {leaves: s}", steps=waits)
    text += journey("a", entry="event: Opened", also="exit: {leaves: s}", steps=waits)
    story = Story(rules(text, '  s: not did("Bought")\n'))
    for day, event in enumerate(("Read", "Opened", "Bought"), 2):
        story.track("ann", event, at=f"2026-01-0{day}")
    assert told(story, "2026-01-04") == [("a", "exited"), ("b", "exited")]


# ---- order at one moment ----------------------------------------------------------------------------------------------


def test_exits_come_before_entries_at_a_moment_so_an_old_run_makes_room_for_a_new_one() -> None:
    segment = '  s: did("Read", days=2)\n'
    story = Story(rules(journey("j", also="exit: {leaves: s}", steps=f"{{wait: 9d}}, {SEND}"), segment))
    story.track("ann", "Read", at="2026-01-02")
    story.apply(rules(journey("j", entry="leaves: s"), segment), "2026-01-03")
    story.until("2026-01-05")
    assert told(story, "2026-01-04") == [("j", "exited"), ("j", "entered"), ("j", "sent"), ("j", "exited")]


def test_an_exit_at_the_moment_of_a_step_comes_before_it() -> None:
    text = journey("j", also="exit: {leaves: s}", steps=f"{{wait: 2d}}, {SEND}")
    story = Story(rules(text, '  s: did("Read", days=2)\n'))
    story.track("ann", "Read", at="2026-01-02")
    story.until("2026-01-05")
    assert story.actions() == []
    assert kinds(story)[-1] == ("exited", "exit: leaves s")


def test_segments_change_before_the_steps_of_a_moment_so_a_run_that_ends_now_still_refuses_an_entry() -> None:
    """The last step is due at the very moment at which the user lapses."""
    segment = '  gone: silent("Read", days=2) and did("Read")\n'
    story = Story(rules(journey("j", steps=f"{{wait: 2d}}, {SEND}"), segment))
    story.track("ann", "Read", at="2026-01-02")
    story.apply(rules(journey("j", entry="enters: gone"), segment), "2026-01-03")
    story.until("2026-01-05")
    assert told(story, "2026-01-04") == [("j", "refused"), ("j", "sent"), ("j", "exited")]


def test_waits_that_end_in_one_millisecond_go_on_by_journey_name_whichever_run_is_older() -> None:
    text = journey("b", steps=f"{{wait: 2d}}, {SEND}") + journey("a", entry="event: Opened", steps=f"{{wait: 1d}}, {SEND}")
    story = Story(rules(text))
    story.track("ann", "Read", at="2026-01-02")
    story.track("ann", "Opened", at="2026-01-03")
    story.until("2026-01-05")
    assert told(story, "2026-01-04") == [("a", "sent"), ("a", "exited"), ("b", "sent"), ("b", "exited")]
    assert [name for _, name, _ in story.sent()] == ["a", "b"]


EARLY = """version: 1
settings: {time_zone: Europe/Berlin}
segments: {early: 'first("Signed Up") < "2026-02-01"'}
journeys:
  early: {entry: {enters: early}, steps: [{send: {channel: email, text: Early}}]}
"""


def test_a_date_in_a_rule_is_midnight_in_the_zone_of_the_rule_set() -> None:
    story = Story({"rules.yaml": EARLY})
    story.track("ann", "Signed Up", at="2026-01-31T22:59:59.999Z")
    story.track("bob", "Signed Up", at="2026-01-31T23:00Z")
    assert [user for user, _, _ in story.sent()] == ["ann"]


def test_a_date_in_another_zone_is_another_condition_and_a_condition_without_dates_is_the_same_in_all_zones() -> None:
    def key(zone: str, condition: str) -> str:
        text = f"version: 1\nsettings: {{time_zone: {zone}}}\nsegments: {{early: '{condition}'}}\n"
        return load({"rules.yaml": text}).segments["early"].key

    date, moment, none = 'first("A") < "2026-02-01"', 'first("A") < "2026-02-01T00:00Z"', 'count("A", days=2) > 1'
    assert len({key(zone, date) for zone in ("UTC", "Europe/Berlin", "Asia/Tokyo")}) == 3
    assert key("UTC", moment) == key("Asia/Tokyo", moment)
    assert key("UTC", none) == key("Asia/Tokyo", none)


LAPSED = """version: 1
settings: {SETTING}
segments: {free: 'not did("order_paid")'}
journeys:
  offer: {entry: {event: Opened}, re_entry: always, steps: [{when: 'not did("order_paid")'}, {send: {channel: email, text: Offer}}]}
"""


def test_what_happened_before_the_rules_is_unknown_unless_the_settings_declare_that_it_is_nothing() -> None:
    for setting, sent in (("time_zone: UTC", 0), ("before_rules: unknown", 0), ("before_rules: nothing", 1)):
        story = Story({"rules.yaml": "version: 1\n"})
        story.track("ann", "Opened", at="+1h")
        story.apply({"rules.yaml": LAPSED.replace("SETTING", setting)}, at="+1h")
        story.track("ann", "Opened", at="+1h")
        assert len(story.actions()) == sent, setting


def test_taking_back_that_nothing_was_before_the_rules_makes_it_unknown_again() -> None:
    nothing, unknown = ({"rules.yaml": LAPSED.replace("SETTING", f"before_rules: {word}")} for word in ("nothing", "unknown"))
    story = Story({"rules.yaml": "version: 1\n"})
    story.track("ann", "Opened", at="+1h")
    story.apply(nothing, at="+1h")
    story.track("ann", "Opened", at="+1h")
    story.apply(unknown, at="+1h")
    story.track("ann", "Opened", at="+1h")
    assert len(story.actions()) == 1


def test_the_case_and_spaces_of_a_time_zone_do_not_matter() -> None:
    for name in ("europe/berlin", " EUROPE / Berlin ", "Europe/Berlin"):
        assert find_zone(name) is zone("Europe/Berlin")
    assert find_zone("america/new york") is zone("America/New_York")
    for wrong in ("Berlin/Europe", "", 7, None, "x" * 1000):
        assert find_zone(wrong) is None


def test_an_unknown_time_zone_is_told_once_for_each_name() -> None:
    story = Story({"rules.yaml": LAPSED.replace("SETTING", "time_zone: UTC")})
    for name in ("Mars/One", "Mars/One", "Europe/Berlin", "Mars/One", "Mars/Two"):
        story.identify("ann", {"timezone": name}, at="+1h")
    told = [d["values"]["timezone"] for d in story.decisions("ann") if d["reason"] == "unknown time zone"]
    assert told == ["Mars/One", "Mars/Two"]
    partition, _ = story.fold()
    assert partition.counts["unknown zone", ""] == 2


def test_a_decision_about_the_unknown_says_which_window_does_not_know_all_and_until_when() -> None:
    story = Story({"rules.yaml": "version: 1\n"})
    story.track("ann", "Opened", at="2026-01-02T12:00Z")
    steps = '{when: \'not did("paid") and not did("read", hours=5)\'}, {send: {channel: email, text: Offer}}'
    story.apply(rules(journey("offer", entry="event: Opened", steps=steps)), at="2026-01-02T13:00Z")
    story.track("ann", "Opened", at="2026-01-02T14:00Z")
    [told] = [d["values"] for d in story.decisions("ann") if d["reason"] == "when: unknown"]
    assert told["incomplete"] == {'did("paid")': "for ever", 'did("read", hours=5)': "2026-01-02T18:00:00.000Z"}


def test_a_number_that_does_not_fit_leaves_a_sum_incomplete_also_where_nothing_happened_before_the_rules() -> None:
    text = """version: 1
settings: {before_rules: nothing}
segments: {s: sum("b.n") < 3}
journeys: {j: {entry: {enters: s}, steps: [{send: {channel: push, text: x}}]}}
"""
    story = Story({"rules.yaml": text})
    story.track("ann", "b", {"n": 1e300})
    assert story.actions() == []
    story.track("bob", "b", {"n": 1})
    assert [action["user"] for action in story.actions()] == ["bob"]
