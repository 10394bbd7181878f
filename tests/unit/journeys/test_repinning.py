"""At the meeting, a run whose journey decides alike in the new rule set belongs to the new one from then on."""

import pytest

from triggers.base.model import Place
from triggers.journeys.context import UserContext
from triggers.records.outbox import Outbox
from triggers.rules.checks import load
from triggers.state.position import Position
from triggers.state.runs import Run
from triggers.testing import Story

RULES = """version: 1
settings: {time_zone: Europe/Berlin}
segments:
  buyer: did("Paid", hours=48)
  frequent: count("Read", days=7) >= 3
journeys:
  plain:
    entry: {event: Signed Up}
    exit: {enters: buyer}
    steps: [{wait: 3d}, {send: {channel: push, text: "Hello {{ traits.name }}"}}]
  local:
    entry: {event: Signed Up}
    exit: {enters: frequent}
    steps: [{wait: 3d}, {send: {channel: push, text: Hello}}]
  dated:
    entry: {event: Signed Up}
    steps: [{wait: 3d}, {send: {channel: push, text: "Since {{ run.entered|date('%d.%m.%Y') }}"}}]
  asked:
    entry: {event: Signed Up}
    steps: [{wait: 3d}, {when: 'did("Opened", hours=72) or True'}, {send: {channel: push, text: Hello}}]
"""


def moved(new: str, old: str = RULES) -> set[str]:
    """The journeys whose runs belong to the new rules after these were applied in mid-run."""
    story = Story({"rules.yaml": old})
    story.track("ann", "Signed Up", at="2026-01-02")
    applied = story.apply({"rules.yaml": new}, "2026-01-03")
    story.until("+30d")
    sent = story.actions("ann")
    assert len(sent) == 4
    later = [d for d in story.decisions("ann") if d["at"] > story.moment("2026-01-03")]
    assert {(d["journey"], d["rule_set"]) for d in later} == {(a["journey"], a["rule_set"]) for a in sent}
    return {action["journey"] for action in sent if action["rule_set"] == applied.hash}


def test_a_comment_pins_nothing() -> None:
    assert moved(RULES + "# reviewed\n") == {"plain", "local", "dated", "asked"}


def test_a_run_keeps_its_rule_set_where_its_journey_decides_otherwise() -> None:
    assert moved(RULES.replace("Hello {{", "Dear {{")) == {"local", "dated", "asked"}
    assert moved(RULES.replace("hours=48", "hours=24")) == {"local", "dated", "asked"}


def test_the_time_zone_matters_where_days_are_counted_or_a_date_is_shown() -> None:
    assert moved(RULES.replace("Europe/Berlin", "Asia/Tokyo")) == {"plain", "asked"}


def test_settings_matter_where_they_are_read() -> None:
    assert moved(RULES.replace("Berlin}", "Berlin, before_rules: nothing}")) == {"dated"}
    assert moved(RULES.replace("Berlin}", "Berlin, duplicates: 48h}")) == {"plain", "local", "dated", "asked"}
    assert moved(RULES.replace("Berlin}", "Berlin, late: {after: 1h, then: drop}}")) == set()


def test_a_late_that_the_journey_names_itself_is_another_journey_of_the_same_version() -> None:
    named = RULES.replace("  plain:\n", "  plain:\n    late: {after: 24h, then: drop}\n")
    old, new = load({"rules.yaml": RULES}).journeys["plain"], load({"rules.yaml": named}).journeys["plain"]
    assert old.version == new.version
    assert old.hash != new.hash
    assert moved(named) == {"local", "dated", "asked"}


def test_a_run_keeps_its_rule_set_where_the_journey_is_gone() -> None:
    gone = RULES[: RULES.index("  asked:")]
    assert moved(gone) == {"plain", "local", "dated"}


def test_runs_that_moved_on_need_their_old_rules_no_more() -> None:
    story = Story({"rules.yaml": RULES})
    story.track("ann", "Signed Up", at="2026-01-02")
    applied = story.apply({"rules.yaml": RULES + "# reviewed\n"}, "2026-01-03")
    story.until("+1h")
    partition, output = story.fold()
    partition.saved(output)
    assert partition.needs() == {applied.hash}


def test_a_version_that_several_rule_sets_share_is_compiled_and_matched_once() -> None:
    story = Story({"rules.yaml": RULES})
    first = story.library.plan(load({"rules.yaml": RULES}).hash)
    second = story.library.plan(story.apply({"rules.yaml": RULES + "# reviewed\n"}).hash)
    third = story.library.plan(story.apply({"rules.yaml": RULES.replace("wait: 3d", "wait: 4d")}).hash)
    assert second.journeys == first.journeys
    context = UserContext(Position(), Outbox(Place("events", 0)), third, story.library.plan)
    runs = [Run("plain", "x", plan.hash, "0-o1", 0, 0, "1", 0) for plan in (first, second, third)]
    assert context.pinned_to(runs) == [first.journeys["plain"]]


@pytest.mark.parametrize("part", ["segment", "step", "exit"])
def test_the_long_name_of_a_version_covers_all_that_the_short_one_does(part: str) -> None:
    changed = {
        "segment": RULES.replace("hours=48", "hours=47"),
        "step": RULES.replace("3d}, {when", "4d}, {when"),
        "exit": RULES.replace("exit: {enters: buyer}", "exit: {leaves: buyer}"),
    }[part]
    old, new = load({"rules.yaml": RULES}).journeys, load({"rules.yaml": changed}).journeys
    assert {name for name in old if old[name].version != new[name].version} == {name for name in old if old[name].hash != new[name].hash}
    assert old != new
