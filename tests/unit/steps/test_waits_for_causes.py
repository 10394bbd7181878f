"""`wait: {event: E, timeout: 3d}` and its relatives: each sentence of docs/rules.md is a test."""

from typing import Any

import pytest

from tests.unit.rules.loading import problems
from triggers.rules.checks import load
from triggers.state.encoding import decode
from triggers.testing import Story

START = "2026-01-02T00:00Z"
BOTH = """
        came: [{send: {channel: push, text: "came {{ event.book or '-' }}"}}]
        timed_out: [{send: {channel: push, text: "no {{ event.book or '-' }}"}}]
"""


def rules(wait: str, more: str = "", after: str = "") -> dict[str, str]:
    segments = "segments: {vip: traits.vip, quiet: 'silent(\"Read\", days=2)'}\n"
    head = "version: 2\n" + segments + "journeys:\n  j:\n    entry: {event: Trial}\n    re_entry: always\n" + more
    both = BOTH if "event:" in wait else BOTH.replace("{{ event.book or '-' }}", "-")
    return {"r.yaml": f"{head}    steps:\n      - wait: {wait}{both}{after}"}


def story(wait: str, more: str = "", after: str = "") -> Story:
    made = Story(rules(wait, more, after))
    made.track("ann", "Trial", at=START)
    return made


def sent(made: Story) -> list[tuple[str, str]]:
    """Texts, with the moment at which they went out."""
    texts = [action["message"]["text"] for action in made.actions()]
    return [(text, at.removesuffix(":00.000Z")) for text, (_, _, at) in zip(texts, made.sent(), strict=True)]


def reasons(made: Story) -> list[tuple[Any, ...]]:
    return [(document["kind"], document["step"], document["reason"]) for document in made.decisions("ann")]


READ = "{event: Read, where: pages > 9, timeout: 3d}"


def test_the_event_ends_the_wait_and_texts_show_it() -> None:
    made = story(READ)
    made.track("ann", "Read", {"pages": 5, "book": "no"}, at="+1h")
    made.track("ann", "Read", {"pages": 12, "book": "Dune"}, at="+1h")
    made.track("ann", "Read", {"pages": 12, "book": "late"}, at="+1h")
    made.until("+9d")
    assert sent(made) == [("came Dune", "2026-01-02T02:00")]
    [path] = [document["path"] for document in made.decisions("ann") if "path" in document]
    assert path == [{"step": "1", "branch": "came", "values": {}}]


def test_without_it_the_time_is_out() -> None:
    made = story(READ)
    made.until("+9d")
    assert sent(made) == [("no -", "2026-01-05T00:00")]
    [waiting] = made.decisions("ann", kind="waiting")
    assert waiting["due"] == made.moment("2026-01-05T00:00Z")


def test_an_event_before_the_wait_does_not_count() -> None:
    """Not even the one that entered the run, nor one that is read later in the log but came before... the wait has not begun."""
    made = Story(rules("{event: Trial, timeout: 3d}", "    while_running: refuse\n"))
    made.track("ann", "Trial", at=START)
    made.until("+9d")
    assert sent(made) == [("no -", "2026-01-05T00:00")]


def test_a_record_at_the_moment_of_the_time_out_is_too_late() -> None:
    made = story(READ)
    made.track("ann", "Read", {"pages": 12}, at="+3d")
    made.until("+9d")
    assert sent(made) == [("no -", "2026-01-05T00:00")]


@pytest.mark.parametrize(
    ("happened", "next_"),
    [("2026-01-03T10:00Z", "2026-01-06T10:00Z"), ("2026-01-01T10:00Z", "2026-01-05T00:00Z")],
)
def test_the_next_moment_is_the_events_own_but_not_before_the_wait_began(happened: str, next_: str) -> None:
    made = story(READ, after="      - wait: 3d\n")
    made.track("ann", "Read", {"pages": 12}, at="2026-01-03T12:00Z", happened=happened)
    made.until("+9d")
    assert made.decisions("ann", kind="waiting")[-1]["due"] == made.moment(next_)


def test_a_send_after_an_event_that_comes_very_late_is_skipped_as_late() -> None:
    made = story(READ)
    made.track("ann", "Read", {"pages": 12}, at="2026-01-04T12:00Z", happened="2026-01-02T10:00Z")
    made.until("+9d")
    assert ("skipped", "1.came.1", "late") in reasons(made)


def test_a_time_that_is_out_when_the_wait_is_reached_is_judged_by_the_late_policy() -> None:
    made = Story(rules(READ))
    made.track("ann", "Trial", at="2026-01-09T00:00Z", happened="2026-01-01T00:00Z")
    made.until("+9d")
    assert reasons(made)[1:] == [("skipped", "1.timed_out.1", "late"), ("exited", None, "completed")]


def test_of_a_list_the_first_cause_that_comes_ends_the_wait() -> None:
    made = story("{any: [{event: Paid}, {enters: vip}, {leaves: vip}], timeout: 3d}")
    made.identify("ann", {"vip": True}, at="+1h")
    made.until("+9d")
    assert sent(made) == [("came -", "2026-01-02T01:00")]
    [path] = [document["path"] for document in made.decisions("ann") if "path" in document]
    assert path[0]["values"] == {"cause": "enters vip", "traits.vip": True}


def test_a_wait_for_a_side_of_a_segment_continues_at_once_if_the_user_is_there() -> None:
    made = Story(rules("{outside: vip, timeout: 3d}"))
    made.track("ann", "Trial", at=START)
    made.until("+9d")
    assert sent(made) == [("came -", "2026-01-02T00:00")]
    assert not made.decisions("ann", kind="waiting")


def test_or_when_the_user_comes_there() -> None:
    made = story("{inside: vip, timeout: 3d}")
    made.identify("ann", {"vip": True}, at="+1h")
    made.until("+9d")
    assert sent(made) == [("came -", "2026-01-02T01:00")]


def test_also_by_time_or_when_the_value_becomes_known() -> None:
    """A silence that time made known enters nothing, but the user is inside."""
    files = rules("{inside: quiet, timeout: 9d}")
    made = Story({"r.yaml": "version: 2\nsegments: {}\njourneys: {}\n"})
    made.identify("ann", {"name": "Ann"}, at="2026-01-01T10:00Z")
    made.apply(files, at="2026-01-02T00:00Z")
    made.track("ann", "Trial", at="2026-01-02T12:00Z")
    made.until("+9d")
    assert sent(made) == [("came -", "2026-01-04T00:00")]


def test_a_pause_holds_what_has_come_and_a_later_time_out_does_not_count() -> None:
    made = story(READ)
    made.pause("j", at="+1h")
    made.track("ann", "Read", {"pages": 12, "book": "Dune"}, at="+1h")
    made.track("ann", "Read", {"pages": 12, "book": "other"}, at="+1h")
    made.resume("j", at="+5h")
    made.until("+9d")
    assert sent(made) == [("came Dune", "2026-01-02T08:00")]
    assert ("paused", "1", "the journey is paused") in reasons(made)


def test_a_pause_over_the_time_out_holds_that() -> None:
    made = story(READ)
    made.pause("j", at="+1h")
    made.track("ann", "Other", at="+4d")
    made.track("ann", "Read", {"pages": 12, "book": "Dune"}, at="+1h")
    made.resume("j", at="+1h")
    made.until("+9d")
    assert ("skipped", "1.timed_out.1", "late") in reasons(made), "held for more than a day"


def test_an_exit_comes_before_what_a_run_waits_for() -> None:
    made = story(READ, "    exit: {event: Read}\n")
    made.track("ann", "Read", {"pages": 12}, at="+1h")
    made.until("+9d")
    assert reasons(made)[-1] == ("exited", None, "exit event: Read")
    assert sent(made) == []


def test_a_pinned_run_finds_its_event_though_no_current_rule_names_it() -> None:
    made = story(READ)
    made.apply({"r.yaml": "version: 2\njourneys: {}\n"}, at="+1h")
    made.track("ann", "Read", {"pages": 12, "book": "Dune"}, at="+1h")
    made.until("+9d")
    assert sent(made) == [("came Dune", "2026-01-02T02:00")]


def test_a_pinned_run_finds_its_segment() -> None:
    made = story("{enters: vip, timeout: 3d}")
    made.apply({"r.yaml": "version: 2\njourneys: {}\n"}, at="+1h")
    made.identify("ann", {"vip": True}, at="+1h")
    made.until("+9d")
    assert sent(made) == [("came -", "2026-01-02T02:00")]


def test_a_run_that_an_entry_restarts_at_the_event_that_it_waits_for_ends() -> None:
    files = rules("{event: Trial, timeout: 3d}", "    while_running: restart\n")
    made = Story(files)
    made.track("ann", "Trial", at=START)
    made.track("ann", "Trial", at="+1h")
    made.until("+9d")
    assert sent(made) == [("no -", "2026-01-05T01:00")]
    assert [kind for kind, _, _ in reasons(made)][:5] == ["entered", "waiting", "exited", "entered", "waiting"]


def test_every_wait_for_a_cause_shows_its_own_event() -> None:
    made = story(
        READ, after="      - wait: {event: Paid, timeout: 1d}\n      - send: {channel: push, text: \"end {{ event.book or '-' }}\"}\n"
    )
    made.track("ann", "Read", {"pages": 12, "book": "Dune"}, at="+1h")
    made.until("+9d")
    assert [text for text, _ in sent(made)] == ["came Dune", "end -"]


def test_what_a_run_keeps_of_events_is_bounded_and_gone_with_the_run() -> None:
    made = story(READ, after="      - wait: 5d\n")
    made.track("ann", "Read", {"pages": 12, "book": "x" * 9_000}, at="+1h")
    made.track("bob", "Trial")
    made.track("bob", "Read", {"pages": 12, "book": "Dune", "other": "y" * 9_000}, at="+1h")
    made.until("+1d")
    assert [text for text, _ in sent(made)] == ["came -", "came Dune"]
    partition, _ = made.fold()
    assert len(partition.table.states()["bob"]) < 1_000
    made.until("+9d")
    partition, _ = made.fold()
    assert all("came" not in decode(state).sections for state in partition.table.states().values())


def test_a_huge_number_of_an_event_is_shown_as_missing() -> None:
    made = story(READ)
    call = b'{"type": "track", "userId": "ann", "event": "Read", "properties": {"pages": 12, "book": 1%s}}' % (b"0" * 30)
    made.record(b"ann", call, "+1h")
    assert [text for text, _ in sent(made)] == ["came -"]


# ---- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wait", "problem"),
    [
        ("{event: Read}", '8:15: wait has no "timeout"; as in wait: {event: E, timeout: 3d}: how long at most'),
        ("{event: Read, timeout: 400d}", "8:38: wait: timeout is too long; at most 366d"),
        (
            "{event: Read, timeout: 0s}",
            "8:38: wait: timeout is nothing; a duration above zero belongs here",
        ),
        ("{inside: vp, timeout: 3d}", '8:24: unknown segment "vp"; did you mean "vip"?'),
        ("{enters: vp, timeout: 3d}", '8:24: unknown segment "vp"; did you mean "vip"?'),
        ("{inside: vip, outside: vip, timeout: 3d}", "8:15: wait has inside and outside; one of them belongs here; make two steps of it"),
        ("{any: [], timeout: 3d}", "8:21: wait: any is no list of causes; 1 to 20 belong in it: any: [{event: E}, {enters: S}]"),
        ("{any: [{evnt: A}], timeout: 3d}", '8:23: unknown key "evnt" in wait: any; did you mean "event"?'),
        (
            "{event: Read, timeout: 3d, until: x}",
            '8:42: unknown key "until" in wait; known: enters, event, falls, key, leaves, reaches, rises, timeout, where',
        ),
    ],
)
def test_a_wrong_wait_is_named(wait: str, problem: str) -> None:
    text = rules(wait)["r.yaml"].replace("{{ event.book or '-' }}", "")
    assert problems(text) == [f"a.yaml:{problem}"]


def test_it_needs_version_2() -> None:
    text = rules(READ)["r.yaml"].replace("version: 2", "version: 1")
    assert problems(text)[0] == 'a.yaml:8:15: "event" in wait; needs "version: 2" at the top of the file'


def test_branches_belong_to_waits_for_causes() -> None:
    text = rules("3d")["r.yaml"].replace("{{ event.book or '-' }}", "")
    assert [problem.partition(";")[0] for problem in problems(text)] == [
        'a.yaml:9:15: "came" next to a wait of this kind',
        'a.yaml:10:20: "timed_out" next to a wait of this kind',
    ]


def test_a_text_shows_an_event_only_after_a_wait_for_one() -> None:
    send = '      - send: {channel: push, text: "{{ event.book }}"}\n'
    text = "version: 2\njourneys:\n  j:\n    entry: {event: A}\n    steps:\n" + send
    hint = "wait: {event: E, timeout: 3d} belongs before it; of the entry it is properties.book"
    assert problems(text) == [f'a.yaml:6:41: "event.book" where no step has waited for an event; {hint}']
    hint = 'needs "version: 2" at the top of the file'
    assert problems(text.replace("version: 2", "version: 1")) == [f'a.yaml:6:41: unknown variable "event"; {hint}']


def test_a_loop_may_still_call_its_variable_event() -> None:
    text = "{% for event in properties.events %}{{ event.name }}{% endfor %}"
    journey = f"{{entry: {{event: A}}, steps: [{{send: {{channel: push, text: '{text}'}}}}]}}"
    made = Story({"r.yaml": f"version: 1\njourneys: {{j: {journey}}}\n"})
    made.track("ann", "A", {"events": [{"name": "x"}, {"name": "y"}]})
    assert [action["message"]["text"] for action in made.actions()] == ["xy"]


def test_a_segment_of_a_wait_is_part_of_the_version() -> None:
    text = rules("{inside: vip, timeout: 3d}")["r.yaml"]
    one, other = (load({"r.yaml": text.replace("traits.vip", trait)}).journeys["j"] for trait in ("traits.vip", "traits.gold"))
    assert one.version != other.version
