"""RULES.md, «Entering a segment» and «Complete or not»: each sentence a test."""

from tests.unit.journeys.test_runs import kinds, rules
from triggers.testing import Story

LAPSED = """  lapsed: silent("Order Completed", days=60) and did("Order Completed")
"""
WIN_BACK = """  win-back:
    entry: {enters: lapsed}
    re_entry: always
    steps: [{send: {channel: email, text: "We miss you"}}]
"""
TRIAL = """  trial:
    entry: {enters: likely-payer}
    re_entry: {after: 180d}
    exit: {event: order_paid}
    steps: [{send: {channel: benefit, grant: {plan: member, days: 3}}}]
"""
LIKELY = """  likely-payer: every_day(30, sum("app_used.minutes") > 30) and not did("order_paid")
"""


def test_silence_is_exact_to_the_millisecond() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    story.track("ann", "Order Completed", at="2026-01-02T10:00Z")
    story.until("2026-03-03T09:59:59.999Z")
    assert story.actions() == []
    story.until("2026-03-03T10:00Z")
    [action] = story.actions()
    assert action["at"] == story.moment("2026-03-03T10:00Z")
    assert action["run"].endswith(f":ann:0-t{action['at']}")


def test_a_user_can_leave_and_re_enter_a_segment_and_both_count() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    for day in ("2026-01-02", "2026-03-03", "2026-05-10"):
        story.track("ann", "Order Completed", at=day)
    story.until("2026-12-01")
    assert [at[:10] for _, _, at in story.sent()] == ["2026-03-03", "2026-05-02", "2026-07-09"]


def test_the_likely_payer_gets_a_trial_on_the_day_after_thirty_good_days() -> None:
    story = Story(rules(TRIAL, LIKELY))
    for day in range(30):
        story.track("ann", "app_used", {"minutes": 31}, at=story.moment("2026-01-01T20:00Z") + day * 86_400_000)
        story.track("bob", "app_used", {"minutes": 30 if day == 7 else 31}, at="+0d")
    story.until("2026-02-20")
    assert story.sent() == [("ann", "trial", "2026-01-31T00:00:00.000Z")]
    assert story.actions()[0]["grant"] == {"plan": "member", "days": 3}


def test_days_are_the_user_s_own() -> None:
    story = Story(rules(TRIAL, LIKELY))
    story.identify("ann", {"timezone": "Asia/Shanghai"})
    for day in range(30):
        story.track("ann", "app_used", {"minutes": 31}, at=story.moment("2026-01-01T15:00Z") + day * 86_400_000)
    story.until("2026-02-20")
    assert story.sent() == [("ann", "trial", "2026-01-30T16:00:00.000Z")]


def test_who_has_paid_is_not_a_likely_payer() -> None:
    story = Story(rules(TRIAL, LIKELY))
    story.track("ann", "order_paid")
    for day in range(30):
        story.track("ann", "app_used", {"minutes": 31}, at=story.moment("2026-01-01T20:00Z") + day * 86_400_000)
    story.until("2026-02-20")
    assert story.sent() == []


def test_a_late_event_is_folded_where_it_belongs_and_acts_now() -> None:
    story = Story(rules(TRIAL, LIKELY))
    for day in range(30):
        if day != 11:
            story.track("ann", "app_used", {"minutes": 31}, at=story.moment("2026-01-01T20:00Z") + day * 86_400_000)
    story.track("ann", "app_used", {"minutes": 31}, at="2026-01-31T05:00Z", happened="2026-01-12T23:00Z")
    assert story.sent() == [("ann", "trial", "2026-01-31T05:00:00.000Z")]


def test_who_is_inside_when_a_rule_set_comes_has_not_entered() -> None:
    story = Story(rules(WIN_BACK.replace("lapsed", "buyers"), '  buyers: did("Order Completed")\n'))
    story.track("ann", "Order Completed", at="2026-01-02")
    story.apply(
        rules(WIN_BACK.replace("lapsed", "fans"), '  fans: did("Order Completed")\n  buyers: did("Order Completed")\n'), "2026-01-03"
    )
    story.apply(
        rules(WIN_BACK.replace("lapsed", "fans"), '  fans: count("Order Completed") >= 1 or did("Order Completed")\n'), "2026-01-04"
    )
    story.track("bob", "Order Completed", at="2026-01-05")
    story.until("+90d")
    assert [user for user, _, _ in story.sent()] == ["ann", "bob"]
    assert ("met", "inside fans already") in kinds(story, "ann")


def test_a_window_is_incomplete_only_for_users_with_records_before_the_rule_set() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    story.track("ann", "Opened", at="2026-01-02")
    busy = '  lapsed: count("Opened", days=7) <= 1\n'
    story.apply(rules(WIN_BACK, busy), "2026-01-03")
    story.track("ann", "Other", at="2026-01-04")
    story.track("bob", "Other", at="2026-01-04")
    story.until("2026-02-01")
    assert [(user, at[:10]) for user, _, at in story.sent()] == [("bob", "2026-01-04")]
    story.track("ann", "Opened", at="2026-02-02")
    story.track("ann", "Opened", at="2026-02-02")
    story.until("2026-03-01")
    assert [(user, at[:10]) for user, _, at in story.sent("ann")] == [("ann", "2026-02-09")]


def test_over_an_incomplete_window_counts_are_lower_bounds() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    story.track("ann", "Opened", at="2026-01-02")
    story.apply(rules(WIN_BACK, '  lapsed: count("Opened", days=7) >= 2\n'), "2026-01-03")
    story.track("ann", "Opened", at="2026-01-04")
    assert story.sent() == []
    story.track("ann", "Opened", at="2026-01-04")
    assert [user for user, _, _ in story.sent()] == ["ann"]


def test_an_unchanged_window_keeps_its_history_over_rule_sets() -> None:
    first = rules(WIN_BACK, LAPSED)
    story = Story(first)
    story.track("ann", "Order Completed", at="2026-01-02")
    story.apply(rules(WIN_BACK, LAPSED + '  more: did("Other")\n'), "2026-02-01")
    story.until("2026-04-01")
    assert [at[:10] for _, _, at in story.sent()] == ["2026-03-03"]


def test_a_new_rule_set_meets_the_silent_too() -> None:
    story = Story(rules(WIN_BACK, '  lapsed: silent("Order Completed", days=600) and did("Order Completed")\n'))
    story.track("ann", "Order Completed", at="2026-01-02")
    story.apply(rules(WIN_BACK, LAPSED), "2026-02-01")
    story.until("2026-04-01")
    assert [at[:10] for _, _, at in story.sent()] == ["2026-03-03"]


def test_leaving_the_entry_segment_ends_a_run_only_when_the_exit_says_so() -> None:
    slow = WIN_BACK.replace("steps: [", "steps: [{wait: 5d}, ")
    for exit_rule, expected in (("", 1), ("    exit: {leaves: lapsed}\n", 0)):
        story = Story(rules(slow.replace("    re_entry", exit_rule + "    re_entry"), LAPSED))
        story.track("ann", "Order Completed", at="2026-01-02")
        story.track("ann", "Order Completed", at="2026-03-05")
        story.until("2026-04-01")
        assert len(story.actions()) == expected


def test_traits_move_segments() -> None:
    text = WIN_BACK.replace("lapsed", "chinese")
    story = Story(rules(text, '  chinese: traits.country == "CN"\n'))
    story.identify("ann", {"country": "DE"})
    story.identify("ann", {"country": "CN"})
    story.identify("ann", {"country": None})
    story.identify("ann", {"country": "CN"})
    assert len(story.sent("ann")) == 2


def test_back_to_an_earlier_rule_set_keeps_the_windows_of_runs_under_way() -> None:
    journey = """  j:
    entry: {event: b}
    steps: [{wait: 5d}, {when: 'count("a") >= 2'}, {send: {channel: push, text: hello}}]
"""
    other = """  other:
    entry: {event: c}
    steps: [{send: {channel: push, text: hello}}]
"""
    story = Story(rules(journey))
    for name in ("a", "a", "b"):
        story.track("ann", name, at="+1h")
    story.apply(rules(other), "+1h")
    story.apply(rules(journey), "+1h")
    story.until("+9d")
    assert [name for _, name, _ in story.sent()] == ["j"]


def test_a_standing_that_only_an_ended_run_needed_is_forgotten() -> None:
    first = rules(
        "  j:\n    entry: {event: b}\n    exit: [{event: x}, {leaves: s}]\n    steps: [{wait: 9d}, {send: {channel: push, text: hello}}]\n",
        '  s: count("x", days=1) >= 9 or count("a", days=1) >= 1\n',
    )
    second = rules(
        "  k:\n    entry: {leaves: s}\n    steps: [{send: {channel: push, text: gone}}]\n",
        '  s: count("a", days=1) >= 1\n',
    )
    story = Story(first)
    story.track("ann", "b", at="+1h")
    story.apply(second, "+1h")
    story.track("ann", "a", at="+1h")
    story.track("ann", "x", at="+1h")
    story.until("+3d")
    assert [name for _, name, _ in story.sent()] == ["k"]


def test_a_new_default_zone_moves_the_midnights_of_everything_that_is_watched() -> None:
    text = rules(
        "  j:\n    entry: {event: b}\n    exit: {leaves: s}\n    steps: [{wait: 9d}, {send: {channel: push, text: hello}}]\n",
        '  s: count("a", days=1) >= 1\n',
    )
    story = Story(text)
    story.track("ann", "a", at="2026-01-02T10:00Z")
    story.track("ann", "b", at="2026-01-02T10:00Z")
    story.apply({**text, "zone.yaml": "version: 1\nsettings: {time_zone: Asia/Kolkata}\n"}, "2026-01-02T11:00Z")
    story.until("+3d")
    [ended] = [d for d in story.decisions("ann") if d["kind"] == "exited"]
    assert ended["at"] == story.moment("2026-01-02T18:30Z")


def test_who_is_moved_out_of_a_segment_by_a_new_default_zone_leaves_and_who_is_moved_in_enters_nothing() -> None:
    """Leaving is from true to false, whatever the reason; a rule set causes no entry."""
    text = rules(
        "  j:\n    entry: {event: a}\n    exit: {leaves: s}\n    steps: [{wait: 9d}, {send: {channel: push, text: hello}}]\n"
        "  k:\n    entry: {enters: t}\n    re_entry: always\n    steps: [{send: {channel: push, text: hello}}]\n",
        '  s: count("a", days=1) >= 1\n  t: did("a") and count("a", days=1) == 0\n',
    )
    story = Story(text)
    story.track("ann", "a", at="2026-01-02T23:30Z")
    story.apply({**text, "zone.yaml": "version: 1\nsettings: {time_zone: Pacific/Kiritimati}\n"}, "2026-01-03T11:00Z")
    story.apply({**text, "zone.yaml": "version: 1\nsettings: {time_zone: America/Los_Angeles}\n"}, "2026-01-03T12:00Z")
    story.until("+20d")
    assert [(d["reason"], d["at"]) for d in story.decisions("ann") if d["kind"] == "exited" and d["journey"] == "j"] == [
        ("exit: leaves s", story.moment("2026-01-03T00:00Z"))
    ]

    east = Story(text)
    east.track("ann", "a", at="2026-01-02T23:30Z")
    east.apply({**text, "zone.yaml": "version: 1\nsettings: {time_zone: Asia/Tokyo}\n"}, "2026-01-02T23:31Z")
    east.track("bob", "a", at="2026-01-02T23:32Z")
    [left] = [d for d in east.decisions("ann") if d["kind"] == "exited"]
    assert (left["reason"], left["at"]) == ("exit: leaves s", east.moment("2026-01-02T23:31Z"))
    assert [user for user, journey, _ in east.sent() if journey == "k"] == []


def test_unknown_is_reported_once_when_it_kept_someone_out_of_an_entry_that_an_event_asked_for() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    story.track("ann", "Opened", at="2026-01-02")
    story.apply(rules(WIN_BACK, '  lapsed: count("Opened", days=7) <= 3\n'), "2026-01-03")
    assert "refused" not in [kind for kind, _ in kinds(story)]
    story.track("ann", "Opened", at="2026-01-04")
    story.track("ann", "Opened", at="2026-01-04")
    assert [reason for kind, reason in kinds(story) if kind == "refused"] == ["unknown"]


def test_who_is_inside_by_time_when_it_becomes_known_is_told_and_does_not_enter() -> None:
    story = Story(rules(WIN_BACK, LAPSED))
    story.track("ann", "Opened", at="2026-01-02")
    story.apply(rules(WIN_BACK, '  lapsed: silent("Other", days=7)\n'), "2026-01-03")
    story.until("2026-02-01")
    assert story.sent() == []
    assert ("met", "inside lapsed already: time made it known") in kinds(story)


def test_a_new_journey_on_an_old_segment_tells_who_is_inside() -> None:
    segment = '  buyers: did("Order Completed")\n'
    first = WIN_BACK.replace("lapsed", "buyers")
    story = Story(rules(first, segment))
    story.track("ann", "Order Completed", at="2026-01-02")
    story.apply(rules(first + first.replace("win-back", "thanks"), segment), "2026-01-03")
    met = [d["journey"] for d in story.decisions("ann", "met")]
    assert met == ["thanks"]
