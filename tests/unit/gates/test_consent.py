"""Messages go out only with the user's consent."""

from typing import Any

import pytest

from triggers.testing import Story

RULES = """version: 2
settings: {categories: [news], channels: [whatsapp]}
policies:
  consent:
    sms: {channels: [sms], if: traits.sms_opt_in}
    all: {if: not traits.unsubscribed}
    news: {channels: [email], categories: [news, transactional], if: traits.reader, unknown: allow}
    seen: {channels: [webhook], if: 'did("Seen", days=7)'}
    near: {channels: [in_app], if: 'did("Seen", days=7)', unknown: allow}
journeys:
  usual: {entry: {event: Go}, steps: [STEPS]}
  news: {entry: {event: Go}, category: news, steps: [STEPS]}
  order: {entry: {event: Go}, category: transactional, steps: [STEPS]}
"""
CHANNELS = ["sms", "email", "push", "whatsapp", "benefit"]


def rules(channels: list[str]) -> dict[str, str]:
    sends = ", ".join(f"{{send: {{channel: {name}, text: Hi}}, name: {name}}}" for name in channels)
    return {"r.yaml": RULES.replace("STEPS", sends)}


def went(traits: dict[str, Any], channels: list[str] | None = None, *, live: bool = True) -> dict[str, set[str]]:
    """The channels on which each journey has sent."""
    story = Story(rules(channels or CHANNELS), live=live)
    story.identify("ann", traits)
    story.track("ann", "Go", at="+1h")
    return {name: {d["step"] for d in story.decisions("ann", "sent") if d["journey"] == name} for name in ("usual", "news", "order")}


def test_a_consent_binds_its_channels_and_categories() -> None:
    assert went({}) == {
        "usual": {"email", "push", "whatsapp", "benefit"},
        "news": {"push", "whatsapp", "benefit"},
        "order": {"sms", "push", "whatsapp", "benefit"},
    }
    assert went({"sms_opt_in": True, "reader": True})["news"] == set(CHANNELS)


def test_webhook_and_benefit_are_bound_only_by_name_and_transactional_journeys_too() -> None:
    assert went({"unsubscribed": True}) == {"usual": {"benefit"}, "news": {"benefit"}, "order": set(CHANNELS) - {"email"}}


def test_a_blocked_message_is_one_decision_with_the_values_behind_it_and_the_run_continues() -> None:
    story = Story(rules(["sms", "push"]))
    story.identify("ann", {"sms_opt_in": False})
    story.track("ann", "Go", at="+1h")
    story.expect(
        {"kind": "blocked", "journey": "usual", "step": "sms", "reason": "consent sms", "values": {"traits.sms_opt_in": False}},
        {"kind": "sent", "journey": "usual", "step": "push"},
        {"kind": "exited", "journey": "usual", "reason": "completed"},
        never=[{"kind": "blocked", "journey": "order"}, {"channel": "sms", "journey": "usual"}],
    )
    assert [(a["journey"], a["category"]) for a in story.actions()] == [
        ("news", "news"),
        ("order", "transactional"),
        ("order", "transactional"),
        ("usual", "marketing"),
    ]


def test_a_consent_that_is_unknown_blocks_or_not_as_the_rule_says() -> None:
    """The windows do not know what the user did before the rules came."""
    story = Story({"r.yaml": "version: 1\nsegments: {a: did('A')}\n"})
    story.track("ann", "Seen")
    story.apply(rules(["webhook", "in_app"]), at="+1d")
    story.track("ann", "Go", at="+1d")
    story.expect(
        {"kind": "blocked", "journey": "usual", "step": "webhook", "reason": "consent seen is unknown"},
        {"kind": "sent", "journey": "usual", "step": "in_app"},
    )
    story.track("ann", "Seen", at="+1h")
    assert went({}, ["webhook", "in_app"])["usual"] == set()


def test_a_late_message_is_skipped_and_dry_runs_are_asked_for_consent() -> None:
    assert went({}, live=False)["usual"] == set()
    story = Story(rules(["sms", "push"]), live=False)
    story.track("ann", "Go", at="+1h")
    assert [d["kind"] for d in story.decisions("ann") if d["journey"] == "usual"] == ["entered", "blocked", "dry", "exited"]


def test_the_policies_of_the_active_rules_bind_older_runs_whose_category_stays() -> None:
    steps = "steps: [{wait: 2d}, {send: {channel: sms, text: Hi}}]"
    old = f"version: 2\nsettings: {{categories: [news]}}\njourneys: {{j: {{entry: {{event: Go}}, category: news, {steps}}}}}\n"
    policies = "policies: {consent: {n: {categories: [CATEGORY], if: traits.x}}}\n"
    for category, kind in (("news", "blocked"), ("marketing", "sent")):
        story = Story({"r.yaml": old})
        story.track("ann", "Go", at="+1h")
        new = old.replace("category: news, ", "").replace("Hi", "Ho") + policies.replace("CATEGORY", category)
        story.apply({"r.yaml": new}, at="+1d")
        story.until("+3d")
        assert [d["kind"] for d in story.decisions("ann")] == ["entered", "waiting", kind, "exited"]


@pytest.mark.parametrize("policies", ["", "policies: {}\n", "policies:\n"])
def test_rules_without_a_policy_bind_nothing(policies: str) -> None:
    story = Story(
        {"r.yaml": f"version: 2\n{policies}journeys: {{j: {{entry: {{event: A}}, steps: [{{send: {{channel: sms, text: Hi}}}}]}}}}\n"}
    )
    story.track("ann", "A", at="+1h")
    assert len(story.actions()) == 1
