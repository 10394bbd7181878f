"""What `apply` says of a rule set before it is written: what comes, goes and changes, and what is lost by it."""

import pytest

from streams.commands.changes import changes
from triggers.definitions.model import RuleSet
from triggers.rules.checks import load

JOURNEY = """  {name}:
    entry: {{event: Signed Up}}
    on_change: {on_change}
    steps: [{{wait: {wait}}}, {{send: {{channel: push, text: x}}}}]
"""


def rules(journeys: dict[str, str], wait: str = "3d", segments: str = "") -> RuleSet:
    """A rule set with these journeys, each with what it does on a change."""
    text = "".join(JOURNEY.format(name=name, on_change=on_change, wait=wait) for name, on_change in journeys.items())
    return load({"rules.yaml": f"version: 1\n{segments}journeys:\n{text}" if journeys else "version: 1\n"})


def test_a_first_rule_set_loses_nothing_and_warns_of_nothing() -> None:
    found = changes(None, rules({"a": "exit"}, segments='segments: {s: not did("paid")}\n'), 0, 0)
    assert (found.lines, found.loses) == (("+ journey a", "+ segment s"), "")


def test_a_journey_that_goes_away_is_a_loss_and_its_own_word_says_what_its_runs_do() -> None:
    found = changes(rules({"a": "finish", "b": "exit", "c": "exit"}), rules({"c": "exit"}), 0, 0)
    assert found.lines == (
        "- journey a: no user enters it any more; running runs continue by their own rules",
        "- journey b: no user enters it any more; running runs end (on_change: exit)",
    )
    assert found.loses == "removes 2 journeys (a, b) and ends the running runs of journey b"


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ("finish", "finish", ""),
        ("exit", "finish", ""),
        ("exit", "exit", "ends the running runs of journey a"),
        ("finish", "exit", "ends the running runs of journey a"),
    ],
)
def test_a_journey_that_changes_is_a_loss_where_the_newer_rules_end_its_runs(before: str, after: str, loses: str) -> None:
    assert changes(rules({"a": before}), rules({"a": after}, wait="2d"), 0, 0).loses == loses


def test_nothing_is_said_of_what_stays() -> None:
    both = rules({"a": "exit"})
    assert changes(both, rules({"a": "exit", "b": "exit"}), 0, 0).lines == ("+ journey b",)
    assert changes(both, both, 100, 0) == ((), (), (), False)


def test_what_cannot_be_read_may_lose_anything() -> None:
    found = changes(None, rules({"a": "finish"}), 0, 0, unknown=True)
    assert found.loses == "replaces a rule set that this release cannot read"
    assert found.lines[0].startswith("! this release cannot read the active rule set")


def test_many_names_are_counted() -> None:
    old = rules({f"j{number}": "finish" for number in range(7)})
    assert changes(old, rules({}), 0, 0).loses == "removes 7 journeys (j0, j1, j2, j3, j4, ...)"
