"""A run that is withheld waits as long as a treated one; only its messages are missing."""

from triggers.base.draws import draw
from triggers.base.moments import iso
from triggers.testing import Story

RULES = """version: 2
policies:
  quiet_hours: {night: {from: "22:00", to: "08:00", channels: [push]}}
  consent: {push: {channels: [push], if: not traits.no_push}}
  caps: {one: {most: 1, per: day, channels: [sms], then: hold}}
journeys:
  trial:
    entry: {event: started}
    re_entry: always
    holdout: 50%
    steps:
      - send: {channel: push, text: Hello}
      - wait: 2h
      - send: {channel: push, text: Again}
  other: {entry: {event: other}, re_entry: always, steps: [{send: {channel: sms, text: Other}}]}
  after: {entry: {event: after}, re_entry: always, holdout: 50%, steps: [{send: {channel: sms, text: After}}]}
"""


def user_in(arm: str, journey: str = "trial") -> str:
    def is_held_out(user: str) -> bool:
        return draw("holdout", journey, user) < 1 << 63

    return next(user for n in range(100) if is_held_out(user := f"user-{n}") is (arm == "holdout"))


def story_of(user: str, at: str = "2026-01-02T23:00Z") -> Story:
    story = Story({"r.yaml": RULES}, start="2026-01-01T00:00Z")
    story.track(user, "started", at=at)
    return story


def came(story: Story, user: str) -> list[tuple[str, str]]:
    """What came when; what one arm sends, the other withholds."""
    return [(d["kind"].replace("withheld", "sent"), iso(d["at"])[8:16]) for d in story.decisions(user)]


def test_a_withheld_run_is_held_in_quiet_hours_as_a_treated_one() -> None:
    held_out, treated = user_in("holdout"), user_in("treated")
    for at in ("2026-01-02T23:00Z", "2026-01-02T20:30Z"):
        stories = [story_of(user, at) for user in (held_out, treated)]
        for story in stories:
            story.until("+2d")
        assert came(stories[0], held_out) == came(stories[1], treated)
        assert stories[0].actions() == []
    assert [d["kind"] for d in story_of(held_out).decisions(held_out)] == ["entered", "held"]


def test_entries_of_both_arms_are_refused_and_begin_alike() -> None:
    held_out, treated = user_in("holdout"), user_in("treated")
    stories = [story_of(user) for user in (held_out, treated)]
    for story, user in zip(stories, (held_out, treated), strict=True):
        for _ in range(20):
            story.track(user, "started", at="+1h")
    assert came(stories[0], held_out) == came(stories[1], treated)


def test_what_a_consent_blocks_is_blocked_in_both_arms() -> None:
    user = user_in("holdout")
    story = Story({"r.yaml": RULES}, start="2026-01-01T00:00Z")
    story.identify(user, {"no_push": True})
    story.track(user, "started", at="2026-01-02T12:00Z")
    assert [d["kind"] for d in story.decisions(user)] == ["entered", "blocked", "waiting"]


def test_a_cap_that_other_messages_have_filled_holds_a_withheld_run_which_takes_no_place_itself() -> None:
    user = user_in("holdout", "after")
    story = Story({"r.yaml": RULES}, start="2026-01-01T00:00Z")
    story.track(user, "other", at="2026-01-02T12:00Z")
    story.track(user, "after", at="+1h")
    story.until("2026-01-03T12:00Z")
    assert [(d["kind"], iso(d["at"])[8:16]) for d in story.decisions(user) if d["journey"] == "after"] == [
        ("entered", "02T13:00"),
        ("held", "02T13:00"),
        ("withheld", "03T00:00"),
        ("exited", "03T00:00"),
    ]
    story.track(user, "other")
    assert [(journey, at[8:16]) for _, journey, at in story.sent(user)] == [("other", "02T12:00"), ("other", "03T12:00")]
