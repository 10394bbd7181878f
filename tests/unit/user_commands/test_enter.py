"""A user enters a journey by hand; what refuses any entry refuses this one."""

from triggers.testing import Story

RULES = {
    "rules.yaml": """version: 1
journeys:
  welcome:
    entry: {event: Signed Up}
    steps: [{wait: 1d}, {send: {channel: push, text: "Hello {{ traits.name }}"}}]
"""
}


def begun() -> Story:
    story = Story(RULES, start="2026-01-01T00:00Z")
    story.identify("ann", {"name": "Ann"})
    return story


def test_a_run_begins_at_the_command_and_has_an_id_of_its_own_form() -> None:
    story = begun()
    story.enter("ann", "welcome", at="2026-01-02T10:00Z")
    story.until("+2d")
    [entered] = story.decisions("ann", "entered")
    assert entered["run"] == f"welcome@{entered['version']}:ann:0-u3"
    assert (entered["values"], entered["cause"]["offset"]) == ({"command": "enter", "id": "c1"}, 3)
    assert story.sent("ann") == [("ann", "welcome", "2026-01-03T10:00:00.000Z")]


def test_it_is_refused_as_any_entry_each_time_with_the_reason() -> None:
    story = begun()
    for _ in range(3):
        story.enter("ann", "welcome")
    story.pause("welcome")
    story.enter("ann", "welcome")
    story.resume("welcome")
    story.until("+2d")
    story.enter("ann", "welcome")
    assert [d["reason"] for d in story.decisions("ann", "refused")] == [
        *["a run of this journey is under way"] * 2,
        "the journey is paused",
        "re-entry: never",
    ]


def test_an_unknown_journey_or_user_enters_nothing() -> None:
    story = begun()
    story.enter("ann", "nothing")
    story.enter("bob", "welcome")
    story.suppress("bob")
    story.enter("bob", "welcome")
    assert [(d["user"], d["reason"], d["journey"]) for d in story.decisions(kind="refused")] == [
        ("ann", "the rules have no such journey", "nothing"),
        ("bob", "nothing is known of this user", "welcome"),
        ("bob", "nothing is known of this user", "welcome"),
    ]
    assert story.decisions(kind="entered") == []
