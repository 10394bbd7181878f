"""RULES.md, «Runs» and «When things are looked at»: each sentence a test."""

import pytest

from triggers.state.encoding import decode
from triggers.testing import Story

START = "2026-01-01T00:00:00Z"


def rules(journeys: str, segments: str = "", settings: str = "") -> dict[str, str]:
    """A rule file of these journeys (each indented by two)."""
    text = "version: 1\n"
    if settings:
        text += f"settings:\n{settings}"
    if segments:
        text += f"segments:\n{segments}"
    return {"rules.yaml": text + f"journeys:\n{journeys}"}


WELCOME = """  welcome:
    entry: {event: Signed Up}
    re_entry: never
    steps: [{wait: 3d}, {send: {channel: email, text: "Welcome {{ traits.name }}"}}]
"""


def kinds(story: Story, user: str = "ann") -> list[tuple[str, str | None]]:
    return [(d["kind"], d["reason"]) for d in story.decisions(user)]


def test_a_wait_is_counted_from_the_entry_s_event_time() -> None:
    story = Story(rules(WELCOME))
    story.identify("ann", {"name": "Ann"})
    story.track("ann", "Signed Up", at="2026-01-02T10:00Z", happened="2026-01-02T09:00Z")
    story.until("2026-02-01")
    [action] = story.actions()
    assert action["at"] == story.moment("2026-01-05T09:00Z") == action["due"]
    assert action["message"] == {"text": "Welcome Ann"}
    assert action["cause"] == {"topic": "events", "partition": 0, "offset": 3}
    assert action["run"] == f"welcome@{action['version']}:ann:0-o3"
    assert action["id"] == f"{action['run']}:2"


def test_nothing_fires_before_the_log_says_that_it_is_time() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02T09:00Z")
    story.until("2026-01-05T08:59:59.999Z")
    assert story.actions() == []
    story.until("2026-01-05T09:00Z")
    assert len(story.actions()) == 1


def test_re_entry_never_refuses_a_second_entry_with_a_decision() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="+1h")
    story.track("ann", "Signed Up", at="+30d")
    story.until("+30d")
    assert len(story.actions()) == 1
    assert ("refused", "re-entry: never") in kinds(story)


def test_one_run_of_a_journey_per_user_at_a_time() -> None:
    story = Story(rules(WELCOME.replace("re_entry: never", "re_entry: always")))
    story.track("ann", "Signed Up", at="+1h")
    story.track("ann", "Signed Up", at="+1h")
    story.until("+30d")
    assert len(story.actions()) == 1
    assert ("refused", "a run of this journey is under way") in kinds(story)


def test_re_entry_counts_from_the_entry() -> None:
    story = Story(rules(WELCOME.replace("re_entry: never", "re_entry: {after: 10d}")))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.track("ann", "Signed Up", at="2026-01-11T23:59:59.999Z")
    story.track("ann", "Signed Up", at="2026-01-12")
    story.until("+30d")
    assert [at for _, _, at in story.sent()] == ["2026-01-05T00:00:00.000Z", "2026-01-15T00:00:00.000Z"]


def test_dry_runs_count_for_re_entry_and_a_run_that_entered_before_go_live_may_send_after() -> None:
    story = Story(rules(WELCOME), live=False)
    story.track("ann", "Signed Up", at="2026-01-02")
    story.track("bob", "Signed Up", at="2026-01-05")
    story.go_live("2026-01-06")
    story.track("ann", "Signed Up", at="2026-01-07")
    story.until("+30d")
    assert story.sent() == [("bob", "welcome", "2026-01-08T00:00:00.000Z")]
    assert ("dry", "before go-live") in kinds(story, "ann")
    assert ("refused", "re-entry: never") in kinds(story, "ann")


def test_an_entry_event_that_also_satisfies_the_exit_starts_nothing() -> None:
    story = Story(rules(WELCOME.replace("re_entry: never", "exit: {event: Signed Up, where: 'plan == \"paid\"'}")))
    story.track("ann", "Signed Up", {"plan": "paid"}, at="+1h")
    story.track("bob", "Signed Up", {"plan": "free"}, at="+1h")
    story.until("+30d")
    assert [user for user, _, _ in story.sent()] == ["bob"]
    assert kinds(story, "ann") == [("skipped", "what would enter it is also an exit")]


def test_an_exit_event_ends_the_run_at_once() -> None:
    story = Story(rules(WELCOME.replace("re_entry: never", "exit: {event: Closed Account}")))
    story.track("ann", "Signed Up", at="+1h")
    story.track("ann", "Closed Account", at="+1d")
    story.until("+30d")
    assert story.actions() == []
    assert kinds(story)[-1] == ("exited", "exit event: Closed Account")


def test_a_timer_fires_before_the_record_that_moved_the_clock_to_it() -> None:
    story = Story(rules(WELCOME.replace("re_entry: never", "exit: {event: Closed Account}")))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.track("ann", "Closed Account", at="2026-01-05")
    assert [at for _, _, at in story.sent()] == ["2026-01-05T00:00:00.000Z"]


def test_a_moment_long_past_when_it_was_armed_is_dropped_with_a_reason() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-10", happened="2026-01-02")
    story.track("bob", "Signed Up", at="2026-01-10", happened="2026-01-06T00:00Z")
    story.until("+30d")
    assert story.sent() == [("bob", "welcome", "2026-01-10T00:00:00.000Z")]
    assert ("skipped", "late") in kinds(story)


def test_the_late_policy_can_let_it_go() -> None:
    story = Story(rules(WELCOME.replace("re_entry: never", "late: {after: 1h, then: send}")))
    story.track("ann", "Signed Up", at="2026-01-20", happened="2026-01-02")
    assert [at for _, _, at in story.sent()] == ["2026-01-20T00:00:00.000Z"]


def test_downtime_is_not_lateness() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.until("2026-03-01")
    [action] = story.actions()
    assert action["at"] == story.moment("2026-01-05")


def test_when_false_or_unknown_ends_the_run_with_the_reason() -> None:
    text = """  premium:
    entry: {event: Signed Up}
    steps: [{wait: 1d}, {when: 'traits.country == "CN"'}, {send: {channel: push, text: hello}}]
"""
    story = Story(rules(text))
    story.identify("ann", {"country": "CN"})
    for user in ("ann", "bob"):
        story.track(user, "Signed Up", at="+1h")
    story.until("+9d")
    assert [user for user, _, _ in story.sent()] == ["ann"]
    assert kinds(story, "bob")[-1] == ("exited", "when: false")


def test_pause_refuses_entries_and_holds_steps_and_resume_lets_them_go() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.pause("welcome", "2026-01-03")
    story.track("bob", "Signed Up", at="2026-01-04")
    story.until("2026-01-05T10:00Z")
    assert story.actions() == []
    story.resume("welcome", "2026-01-05T12:00Z")
    story.until("+30d")
    assert story.sent() == [("ann", "welcome", "2026-01-05T12:00:00.000Z")]
    assert ("paused", "the journey is paused") in kinds(story)
    assert kinds(story, "bob") == [("refused", "the journey is paused")]


def test_pause_holds_the_runs_of_a_journey_that_is_gone_from_the_rules() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.apply(rules(WELCOME.replace("welcome:", "hello:")), "2026-01-03")
    story.pause("welcome", "2026-01-04")
    story.until("2026-01-05T10:00Z")
    assert story.actions() == []
    story.resume("welcome", "2026-01-05T12:00Z")
    story.until("+30d")
    assert story.sent() == [("ann", "welcome", "2026-01-05T12:00:00.000Z")]


def test_runs_that_one_event_ends_end_by_journey_also_those_of_older_rules() -> None:
    journeys = """  {name}:
    entry: {{event: Signed Up}}
    exit: {{event: Paid}}
    steps: [{{wait: {wait}}}, {{send: {{channel: push, text: hello}}}}]
"""
    story = Story(rules(journeys.format(name="j", wait="5d")))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.apply(rules(journeys.format(name="k", wait="5d")), "2026-01-03")
    story.track("ann", "Signed Up", at="2026-01-03")
    story.track("ann", "Paid", at="2026-01-04")
    assert [d["journey"] for d in story.decisions("ann") if d["kind"] == "exited"] == ["j", "k"]


def test_dry_is_said_of_what_could_have_been_sent() -> None:
    huge = WELCOME.replace("Welcome {{ traits.name }}", "{% for n in traits.names %}{{ n }}{{ n }}{{ n }}{{ n }}{{ n }}{{ n }}{% endfor %}")
    for live, expected in ((False, "dry"), (True, "sent")):
        story = Story(rules(huge), live=live)
        story.identify("ann", {"names": ["x" * 100]})
        story.identify("bob", {"names": ["x" * 10_000]})
        for user in ("ann", "bob"):
            story.track(user, "Signed Up")
        story.until("+9d")
        assert [kinds(story, user)[-2][0] for user in ("ann", "bob")] == [expected, "failed"]


def test_held_steps_obey_the_late_policy() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.pause("welcome", "2026-01-03")
    story.resume("welcome", "2026-01-06T00:00:00.001Z")
    story.until("+30d")
    assert story.actions() == []
    assert ("skipped", "late") in kinds(story)


def test_a_template_error_is_a_decision_with_a_reason() -> None:
    story = Story(rules(WELCOME.replace("traits.name", "traits.name|fixed")))
    story.identify("ann", {"name": "Ann"})
    story.track("ann", "Signed Up", at="+1h")
    story.until("+30d")
    assert story.actions() == []
    assert "failed" in [kind for kind, _ in kinds(story)]


def test_a_template_that_runs_for_ever_runs_out_of_fuel() -> None:
    loop = "{% for a in traits.x %}{% for b in traits.x %}{% for c in traits.x %}{{ c }}{% endfor %}{% endfor %}{% endfor %}"
    story = Story(rules(WELCOME.replace("Welcome {{ traits.name }}", loop)))
    story.identify("ann", {"x": list(range(1000))})
    story.track("ann", "Signed Up", at="+1h")
    story.until("+30d")
    assert story.actions() == []
    assert "failed" in [kind for kind, _ in kinds(story)]


def test_not_after_is_counted_from_the_due_moment() -> None:
    story = Story(rules(WELCOME.replace("channel: email,", "channel: email, not_after: 24h,")))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.until("+30d")
    assert story.actions()[0]["not_after"] == story.moment("2026-01-06")


EACH = """  each:
    entry: {event: Read}
    re_entry: always
    steps: [{send: {channel: push, text: hello}}]
"""


def test_a_retry_within_a_day_is_a_duplicate_whatever_came_between() -> None:
    story = Story(rules(EACH))
    story.track("ann", "Read", messageId="first")
    for n in range(200):
        story.track("ann", "Read", messageId=f"x{n}")
    story.track("ann", "Read", messageId="first", at="+23h")
    assert len(story.actions()) == 201
    story.track("ann", "Read", messageId="first", at="+2h")
    assert len(story.actions()) == 202


@pytest.mark.parametrize(("known", "hours"), [("1h", 1), ("24h", 24), ("7d", 168)])
def test_a_rule_set_says_how_long_a_message_id_is_known(known: str, hours: int) -> None:
    story = Story(rules(EACH, settings=f"  duplicates: {known}\n"), start="2026-01-05T00:00Z")
    story.track("ann", "Read", messageId="first", at="2026-01-05T08:30Z")
    story.track("ann", "Read", messageId="first", at=f"+{hours}h")
    assert len(story.actions()) == 1
    story.track("ann", "Read", messageId="first", at="+1h")
    assert len(story.actions()) == 2


def test_calls_that_no_rule_reads_do_not_push_out_ids_of_those_that_one_reads() -> None:
    story = Story(rules(EACH))
    story.track("ann", "Read", messageId="first")
    for n in range(1_000):
        story.track("ann", "Scrolled", messageId=f"x{n}")
    story.track("ann", "Read", messageId="first")
    assert len(story.actions()) == 1


def test_calls_that_no_rule_reads_do_not_push_out_ids_though_each_brings_context() -> None:
    for context in ({"timezone": "Europe/Berlin"}, {"traits": {"email": "ann@example.org"}}):
        story = Story(rules(EACH))
        story.track("ann", "Read", messageId="order-1")
        for _ in range(300):
            story.call("ann", "+1s", type="screen", name="Home", context=context)
        story.track("ann", "Read", at="+1s", messageId="order-1")
        assert len(story.actions()) == 1


def test_an_older_identify_only_fills_what_is_missing() -> None:
    story = Story(rules(EACH))
    story.identify("ann", {"city": "Rome", "plan": None}, at="2026-01-05", happened="2026-01-05")
    story.identify("ann", {"city": "Oslo", "plan": "old", "age": 3}, at="2026-01-06", happened="2026-01-02")
    state = decode(story.fold()[0].table.states()["ann"])
    assert state.traits == {"city": "Rome", "age": 3}
    story.identify("ann", {"plan": "new"}, at="2026-01-07", happened="2026-01-06")
    assert decode(story.fold()[0].table.states()["ann"]).traits["plan"] == "new"


def test_a_device_that_repeats_its_zone_renews_the_time_of_the_trait() -> None:
    story = Story(rules(EACH))
    for day in ("2026-01-02", "2026-01-05"):
        story.track("ann", "Scrolled", at=day, happened=day, context={"timezone": "Europe/Rome"})
    story.identify("ann", {"timezone": "Asia/Tokyo"}, at="2026-01-06", happened="2026-01-03")
    assert decode(story.fold()[0].table.states()["ann"]).traits == {"timezone": "Europe/Rome"}


def test_an_entry_that_finds_no_room_is_refused_and_the_state_stays_small() -> None:
    journeys = "".join(
        f"  j{n:02}:\n    entry: {{event: Read}}\n    steps: [{{wait: 3d}}, {{send: {{channel: push, text: '{{{{ properties.p }}}}'}}}}]\n"
        for n in range(40)
    )
    story = Story(rules(journeys))
    story.track("ann", "Read", {"p": "x" * 8_000})
    refused = [decision["reason"] for decision in story.decisions("ann", "refused")]
    assert set(refused) == {"no room"}
    assert len(refused) + len(story.decisions("ann", "entered")) == 40
    assert len(story.fold()[0].table.states()["ann"]) < 160 * 1024


def test_a_run_keeps_the_steps_that_it_entered_under() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.apply(rules(WELCOME.replace("Welcome", "Good morning").replace("3d", "1d")), "2026-01-03")
    story.track("bob", "Signed Up", at="2026-01-03")
    story.until("+30d")
    sent = [(a["user"], a["message"]["text"], a["at"]) for a in story.actions()]
    assert sent == [("bob", "Good morning ", story.moment("2026-01-04")), ("ann", "Welcome ", story.moment("2026-01-05"))]


def test_on_change_exit_ends_runs_under_way_with_a_decision() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.apply(rules(WELCOME.replace("re_entry: never", "on_change: exit")), "2026-01-03")
    story.until("+30d")
    assert story.actions() == []
    assert kinds(story)[-1] == ("exited", "on_change: exit")


def test_a_journey_that_is_gone_lets_its_runs_finish() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="2026-01-02")
    story.apply(rules(WELCOME.replace("welcome:", "another:")), "2026-01-03")
    story.until("+30d")
    assert story.sent() == [("ann", "welcome", "2026-01-05T00:00:00.000Z")]


CART = """  cart:
    entry: {event: Checkout Started}
    exit: {event: Order Completed}
    re_entry: always
    steps: [{wait: 1h}, {send: {channel: email, text: Your cart}}]
"""


def test_an_exit_that_happened_before_the_entry_was_read_keeps_the_journey_from_starting() -> None:
    story = Story(rules(CART))
    story.track("ann", "Order Completed", at="2026-01-02T09:05Z", happened="2026-01-02T09:04:58Z")
    story.track("ann", "Checkout Started", at="2026-01-02T09:06Z", happened="2026-01-02T09:00Z")
    story.until("+1d")
    assert story.actions() == []
    [skipped] = [d for d in story.decisions("ann") if d["kind"] == "skipped"]
    assert skipped["reason"] == "the exit had happened already"
    assert skipped["values"] == {'last("Order Completed")': "2026-01-02T09:04:58.000Z"}


def test_an_exit_at_or_before_the_time_of_the_entry_keeps_nobody_out() -> None:
    story = Story(rules(CART))
    story.track("ann", "Order Completed", at="2026-01-02T09:00Z")
    story.track("ann", "Checkout Started", at="2026-01-02T09:06Z", happened="2026-01-02T09:00Z")
    story.track("bob", "Order Completed", at="2026-01-02T09:07Z", happened="2026-01-02T08:59Z")
    story.track("bob", "Checkout Started", at="2026-01-02T09:08Z", happened="2026-01-02T09:00Z")
    story.until("+1d")
    assert sorted(user for user, _, _ in story.sent()) == ["ann", "bob"]


def test_an_exit_before_the_rules_that_ask_for_it_counts_as_not_happened() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Order Completed", at="2026-01-02T09:05Z")
    story.apply(rules(CART), at="2026-01-02T09:06Z")
    story.track("ann", "Checkout Started", at="2026-01-02T09:07Z", happened="2026-01-02T09:00Z")
    story.until("+1d")
    assert len(story.actions()) == 1


NOTE = """  note:
    entry: {event: Order Completed}
    re_entry: always
    steps: [{send: {channel: email, text: Thanks}}, {wait: 3d}, {send: {channel: email, text: Again}}]
"""


def test_a_late_policy_of_the_journey_holds_for_sends_without_a_wait() -> None:
    story = Story(rules(NOTE + "    late: {after: 24h, then: drop}\n"))
    story.track("ann", "Order Completed", at="2026-01-05", happened="2026-01-03T23:59Z")
    story.track("bob", "Order Completed", at="2026-01-05", happened="2026-01-04")
    story.until("+10d")
    assert ("skipped", "late") in kinds(story)
    assert [(user, at) for user, _, at in story.sent()] == [
        ("bob", "2026-01-05T00:00:00.000Z"),
        ("ann", "2026-01-06T23:59:00.000Z"),
        ("bob", "2026-01-07T00:00:00.000Z"),
    ]


def test_the_late_policy_of_the_settings_does_not_hold_for_sends_without_a_wait() -> None:
    story = Story(rules(NOTE, settings="  late: {after: 1h, then: drop}\n"))
    story.track("ann", "Order Completed", at="2026-01-05", happened="2026-01-01T12:00Z")
    assert len(story.actions()) == 1


def test_that_a_late_policy_is_written_out_makes_no_other_version_of_the_journey() -> None:
    written = Story(rules(WELCOME + "    late: {after: 24h, then: drop}\n"))
    written.track("ann", "Signed Up", at="+1h")
    plain = Story(rules(WELCOME))
    plain.track("ann", "Signed Up", at="+1h")
    assert written.decisions("ann")[0]["version"] == plain.decisions("ann")[0]["version"]


def test_a_refusal_is_told_once_a_local_day_and_the_next_one_says_how_many_were_not_told() -> None:
    story = Story(rules(WELCOME))
    for _ in range(1000):
        story.track("ann", "Signed Up", at="+1m")
    story.track("ann", "Signed Up", at="+1d")
    refused = [d for d in story.decisions("ann") if d["kind"] == "refused"]
    assert [d["values"] for d in refused] == [{}, {"not_told": 998}]


def test_a_local_day_that_comes_again_tells_no_refusal_a_second_time() -> None:
    story = Story(rules(WELCOME))
    story.identify("ann", {"timezone": "Pacific/Kiritimati"})
    story.track("ann", "Signed Up", at="2026-01-02T11:00Z")
    story.track("ann", "Signed Up", at="2026-01-02T12:00Z")
    story.identify("ann", {"timezone": "Pacific/Pago_Pago"}, at="2026-01-02T12:30Z")
    story.track("ann", "Signed Up", at="2026-01-02T13:00Z")
    story.identify("ann", {"timezone": "Pacific/Kiritimati"}, at="2026-01-02T13:30Z")
    story.track("ann", "Signed Up", at="2026-01-02T14:00Z")
    assert len([d for d in story.decisions("ann") if d["kind"] == "refused"]) == 1


def test_refusals_of_another_reason_are_told_by_themselves() -> None:
    story = Story(rules(WELCOME))
    story.track("ann", "Signed Up", at="+1h")
    story.track("ann", "Signed Up", at="+1m")
    story.pause("welcome")
    story.track("ann", "Signed Up", at="+1m")
    assert [reason for kind, reason in kinds(story) if kind == "refused"] == [
        "a run of this journey is under way",
        "the journey is paused",
    ]
