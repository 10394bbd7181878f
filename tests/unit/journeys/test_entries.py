"""Lists of entries, entries during a run, and the order of runs that can continue at one moment."""

from typing import Any

import pytest

from tests.unit.rules.loading import problems
from triggers.rules.checks import load
from triggers.testing import Story


def story(journeys: str) -> Story:
    segments = "segments: {vip: traits.vip, gold: traits.gold}\n"
    return Story({"rules.yaml": f"version: 2\n{segments}journeys:\n{journeys}"})


def told(made: Story, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(document[name] for name in names) for document in made.decisions("ann")]


LISTED = """  hello:
    entry: [{event: Signed Up, where: plan == "free"}, {enters: vip}, {event: Signed Up}]
    re_entry: always
    steps: [{send: {channel: push, text: "{{ properties.plan or 'none' }}"}}]
"""


def test_of_a_list_each_cause_starts_a_run() -> None:
    made = story(LISTED)
    made.track("ann", "Signed Up", {"plan": "free"}, at="2026-01-02T10:00Z", happened="2026-01-02T09:00Z")
    made.identify("ann", {"vip": True}, at="+1h")
    made.track("ann", "Signed Up", {"plan": "gold"}, at="+1h")
    made.until("+1d")
    assert [action["message"]["text"] for action in made.actions()] == ["free", "none", "gold"]
    assert [action["due"] for action in made.actions()][:2] == [made.moment("2026-01-02T09:00Z"), made.moment("2026-01-02T11:00Z")]


@pytest.mark.parametrize(("plan", "text", "due"), [("free", "free", "2026-01-02T09:00Z"), ("gold", "none", "2026-01-02T10:00Z")])
def test_of_those_that_happen_at_once_the_first_gives_moment_and_properties(plan: str, text: str, due: str) -> None:
    """The event also makes the user enter the segment; there is one run."""
    listed = LISTED.replace("enters: vip", "enters: free")
    made = Story({"rules.yaml": f'version: 2\nsegments: {{free: did("Signed Up")}}\njourneys:\n{listed}'})
    made.track("ann", "Signed Up", {"plan": plan}, at="2026-01-02T10:00Z", happened="2026-01-02T09:00Z")
    made.until("+1d")
    [action] = made.actions()
    assert (action["message"]["text"], action["due"]) == (text, made.moment(due))


def test_an_exit_before_the_entry_counts_for_entries_of_a_list_that_are_events() -> None:
    made = story("""  hello:
    entry: [{enters: vip}, {event: Cart}]
    exit: {event: Paid}
    steps: [{wait: 1d}, {send: {channel: push, text: Hi}}]
""")
    made.track("ann", "Paid", at="2026-01-02T10:00Z", happened="2026-01-02T09:00Z")
    made.track("ann", "Cart", at="+1h", happened="2026-01-02T08:00Z")
    made.identify("ann", {"vip": True}, at="+1h")
    assert told(made, "kind", "reason")[:2] == [("skipped", "the exit had happened already"), ("entered", None)]


def test_a_list_of_entries_needs_version_2_and_one_cause_at_least() -> None:
    text = "version: {}\njourneys:\n  j:\n    entry: {}\n    steps: [{{send: {{channel: push, text: Hi}}}}]\n"
    assert problems(text.format(1, "[{event: A}]")) == ['a.yaml:4:12: entry is a list; needs "version: 2" at the top of the file']
    assert problems(text.format(2, "[]")) == ["a.yaml:4:12: entry is an empty list; {event: E}, {enters: S} or {leaves: S} belongs in it"]
    many = ", ".join(["{event: A}"] * 21)
    assert problems(text.format(2, f"[{many}]")) == ["a.yaml:4:12: entry has 21 causes; at most 20 belong here"]
    assert problems(text.format(2, "[{event: A}, {evnt: B}]")) == ['a.yaml:4:26: unknown key "evnt" in entry; did you mean "event"?']


def test_an_entry_that_is_written_as_a_list_of_one_is_that_entry() -> None:
    text = "version: 2\njourneys:\n  j: {{entry: {}, steps: [{{send: {{channel: push, text: Hi}}}}]}}\n"
    one, listed = (load({"r.yaml": text.format(entry)}).journeys["j"] for entry in ("{event: A}", "[{event: A}]"))
    assert (one.version, one.hash) == (listed.version, listed.hash)


# ---- while_running ------------------------------------------------------------------------------------------------------

CART = """  cart:
    entry: {event: Cart Updated}
    while_running: restart
    steps: [{wait: 30m}, {send: {channel: push, text: "{{ properties.n }}"}}]
"""


def test_an_entry_ends_the_run_and_begins_a_new_one() -> None:
    """So the message comes half an hour after the last change, with what that one said. Re-entry is not asked: its default is never."""
    made = story(CART)
    for n in range(3):
        made.track("ann", "Cart Updated", {"n": n}, at="+20m")
    made.until("+1d")
    assert [(action["message"]["text"], action["at"]) for action in made.actions()] == [("2", made.moment("2026-01-01T01:30Z"))]
    kinds = ["entered", "waiting", "exited", "entered", "waiting", "exited", "entered", "waiting", "sent", "exited"]
    assert [kind for kind, _ in told(made, "kind", "reason")] == kinds
    assert told(made, "kind", "reason")[2] == ("exited", "entered again")
    assert len(set(told(made, "run"))) == 3


def test_without_a_run_re_entry_is_asked() -> None:
    made = story(CART)
    made.track("ann", "Cart Updated", {"n": 1}, at="+1h")
    made.track("ann", "Cart Updated", {"n": 2}, at="+1h")
    made.until("+1d")
    assert told(made, "kind", "reason")[-1] == ("refused", "re-entry: never")


def test_a_pause_refuses_the_entry_and_the_run_stays() -> None:
    made = story(CART)
    made.track("ann", "Cart Updated", {"n": 1}, at="+1h")
    made.command("pause", journey="cart")
    made.track("ann", "Cart Updated", {"n": 2}, at="+1m")
    made.command("resume", journey="cart")
    made.until("+1d")
    assert [action["message"]["text"] for action in made.actions()] == ["1"]


def test_what_is_also_an_exit_begins_nothing() -> None:
    made = story(CART + "    exit: {event: Cart Updated, where: n == 0}\n")
    made.track("ann", "Cart Updated", {"n": 1}, at="+1h")
    made.track("ann", "Cart Updated", {"n": 0}, at="+1m")
    made.until("+1d")
    assert [kind for (kind,) in told(made, "kind")] == ["entered", "waiting", "exited", "skipped"]


def test_a_run_of_an_older_version_ends_as_well() -> None:
    made = story(CART)
    made.track("ann", "Cart Updated", {"n": 1}, at="+1h")
    made.apply({"rules.yaml": "version: 2\njourneys:\n" + CART.replace("30m", "40m")})
    made.track("ann", "Cart Updated", {"n": 2}, at="+1m")
    made.until("+1d")
    assert [action["message"]["text"] for action in made.actions()] == ["2"]


# ---- priority -----------------------------------------------------------------------------------------------------------


def ranked(**priorities: int | None) -> str:
    return "".join(
        f"  {name}:\n    entry: {{event: A}}\n    re_entry: always\n"
        + ("" if priority is None else f"    priority: {priority}\n")
        + "    steps: [{send: {channel: push, text: now}}, {wait: 1d}, {send: {channel: push, text: later}}]\n"
        for name, priority in priorities.items()
    )


def test_runs_of_one_moment_continue_by_priority_then_by_name() -> None:
    made = story(ranked(a=None, b=80, c=50, d=0, e=80))
    made.track("ann", "A", at="+1h")
    made.until("+2d")
    assert [action["journey"] for action in made.actions()] == [*"beacd", *"beacd"]
    entered = [journey for kind, journey in told(made, "kind", "journey") if kind == "entered"]
    assert entered == [*"abcde"], "entries come by name"


def test_at_a_moment_runs_that_enter_and_runs_that_waited_continue_together() -> None:
    """The low run waits until the moment at which the high one enters."""
    made = Story(
        {
            "rules.yaml": """version: 2
segments: {away: 'silent("A", days=1) and did("A")'}
journeys:
  low: {entry: {event: A}, priority: 10, steps: [{wait: 1d}, {send: {channel: push, text: low}}]}
  mid: {entry: {enters: away}, steps: [{send: {channel: push, text: mid}}]}
  top: {entry: {event: A}, priority: 90, steps: [{wait: 1d}, {send: {channel: push, text: top}}]}
"""
        }
    )
    made.track("ann", "A", at="+1h")
    made.until("+2d")
    assert [action["journey"] for action in made.actions()] == ["top", "mid", "low"]


@pytest.mark.parametrize("priority", ["-1", "101", "1.5", "high", "true", "[1]"])
def test_a_priority_is_a_whole_number_up_to_100(priority: str) -> None:
    [problem] = problems("version: 2\njourneys:\n" + ranked(a=None).replace("re_entry: always", f"priority: {priority}"))
    assert "a whole number from 0 to 100 belongs here; 50 without it" in problem


def test_new_keys_of_a_journey_need_version_2() -> None:
    text = "version: 1\njourneys:\n" + ranked(a=1).replace("re_entry: always", "while_running: restart")
    assert problems(text) == [
        'a.yaml:5:5: unknown key "while_running" in the journey "a"; needs "version: 2" at the top of the file',
        'a.yaml:6:5: unknown key "priority" in the journey "a"; needs "version: 2" at the top of the file',
    ]


def test_defaults_are_no_part_of_the_version() -> None:
    text = "journeys:\n" + ranked(a=None)
    plain = load({"r.yaml": "version: 1\n" + text}).journeys["a"]
    more = text.replace("re_entry: always", "re_entry: always\n    while_running: refuse\n    priority: 50")
    said = load({"r.yaml": "version: 2\n" + more}).journeys["a"]
    assert (plain.version, plain.hash) == (said.version, said.hash)
