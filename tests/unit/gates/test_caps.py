"""Not more messages go out than caps allow."""

import pytest

from triggers.base.moments import iso
from triggers.state.encoding import decode
from triggers.state.sections.sends import SENDS
from triggers.state.sends import number_of
from triggers.testing import Story

DAY = "2026-01-02T"


def rules(caps: str, more: str = "", channel: str = "push", journey: str = "") -> dict[str, str]:
    text = f"""version: 2
settings: {{categories: [news]}}
policies:
  caps: {{{caps}}}
  {more}
journeys:
  a: {{entry: {{event: A}}, re_entry: always, {journey}steps: [{{send: {{channel: {channel}, text: Hi}}}}]}}
  b: {{entry: {{event: B}}, re_entry: always, steps: [{{send: {{channel: push, text: Hi}}}}]}}
  c: {{entry: {{event: C}}, re_entry: always, category: transactional, steps: [{{send: {{channel: push, text: Hi}}}}]}}
"""
    return {"r.yaml": text}


def story(caps: str, events: dict[str, str], **how: str) -> Story:
    made = Story(rules(caps, **how), start="2026-01-01T00:00Z")
    for at, event in events.items():
        made.track("ann", event, at=DAY + at)
    return made


def told(made: Story) -> list[str]:
    kinds = ("sent", "held", "dropped", "dry")
    found = [d for d in made.decisions("ann") if d["kind"] in kinds]
    return [" ".join(filter(None, [d["kind"], d["journey"], d["reason"], iso(d["at"])[8:16]])) for d in found]


def test_what_a_cap_has_no_room_for_is_dropped_and_a_window_has_no_first_moment() -> None:
    made = story("n: {most: 2, per: 24h}", {"10:00Z": "A", "11:00Z": "B", "12:00Z": "A"})
    made.track("ann", "A", at="2026-01-03T09:59:59.999Z")
    made.track("ann", "A", at="2026-01-03T10:00Z")
    assert told(made) == [
        "sent a 02T10:00",
        "sent b 02T11:00",
        "dropped a cap n 02T12:00",
        "dropped a cap n 03T09:59",
        "sent a 03T10:00",
    ]
    assert made.decisions("ann", "dropped")[0]["values"] == {"sent": 2, "most": 2, "per": "24h", "used_by": {"a": 1, "b": 1}}


def test_what_is_held_goes_out_when_there_is_room_and_the_rest_is_asked_again() -> None:
    made = story("n: {most: 1, per: 6h, then: hold}", {"10:00Z": "A", "11:00Z": "B", "12:00Z": "A"})
    made.until("+2d")
    assert told(made) == [
        "sent a 02T10:00",
        "held b cap n 02T11:00",
        "held a cap n 02T12:00",
        "sent a 02T16:00",
        "held b cap n 02T16:00",
        "sent b 02T22:00",
    ]


def test_a_day_is_that_of_the_users_calendar() -> None:
    made = Story(rules("n: {most: 1, per: day, then: hold}"), start="2026-01-01T00:00Z")
    made.identify("ann", {"timezone": "Asia/Shanghai"})
    for at in ("15:00Z", "15:59Z", "16:00Z"):
        made.track("ann", "A" if at != "15:59Z" else "B", at=DAY + at)
    made.until("+2d")
    assert told(made) == ["sent a 02T15:00", "held b cap n 02T15:59", "sent b 02T16:00", "held a cap n 02T16:00", "sent a 03T16:00"]


@pytest.mark.parametrize(
    ("scope", "how", "dropped"),
    [
        ("", {}, True),
        (", channels: [sms]", {}, False),
        (", channels: [push, sms]", {"channel": "sms"}, True),
        (", channels: [push]", {"channel": "sms"}, False),
        ("", {"channel": "benefit"}, False),
        (", categories: [news]", {}, False),
        (", categories: [marketing]", {"journey": "category: news, "}, False),
        (", categories: [marketing, news]", {"journey": "category: news, "}, True),
        (", journeys: [b]", {}, False),
        (", journeys: [a, b]", {}, True),
    ],
)
def test_a_cap_counts_the_messages_of_its_channels_categories_and_journeys(scope: str, how: dict[str, str], dropped: bool) -> None:
    made = story(f"n: {{most: 1, per: 24h{scope}}}", {"10:00Z": "A", "11:00Z": "B"}, **how)
    assert told(made)[-1].startswith("dropped b" if dropped else "sent b")


def test_transactional_messages_are_neither_asked_for_nor_counted() -> None:
    made = story("n: {most: 1, per: 24h}", {"10:00Z": "C", "11:00Z": "C", "12:00Z": "A", "13:00Z": "C"})
    assert [line[:6] for line in told(made)] == ["sent c", "sent c", "sent a", "sent c"]


def test_a_message_is_held_until_the_latest_end_and_no_longer_than_its_journey_allows() -> None:
    quiet = 'quiet_hours: {night: {from: "22:00", to: "08:00"}}'
    made = story("n: {most: 1, per: 24h, then: hold}", {"21:00Z": "A", "23:00Z": "B"}, more=quiet)
    made.until("+3d")
    assert told(made) == ["sent a 02T21:00", "held b cap n 02T23:00", "sent b 03T21:00"]
    made = story("n: {most: 1, per: 48h, then: hold}", {"21:00Z": "A", "23:00Z": "B"}, more=quiet)
    assert told(made)[1] == "dropped b would be held too long 02T23:00"


def test_dry_messages_count_for_dry_ones_only() -> None:
    made = Story(rules("n: {most: 1, per: 24h}"), start="2026-01-01T00:00Z", live=False)
    made.track("ann", "A", at=f"{DAY}10:00Z")
    made.track("ann", "A", at=f"{DAY}11:00Z")
    made.go_live(at=f"{DAY}12:00Z")
    made.track("ann", "A", at=f"{DAY}13:00Z")
    made.track("ann", "A", at=f"{DAY}14:00Z")
    assert told(made) == ["dry a before go-live 02T10:00", "dropped a cap n 02T11:00", "sent a 02T13:00", "dropped a cap n 02T14:00"]


def test_the_log_is_kept_while_there_are_policies_and_a_later_cap_counts_what_is_in_it() -> None:
    made = story("", {"10:00Z": "A", "11:00Z": "A"})
    log = decode(made.fold()[0].table.states()["ann"]).value(SENDS)
    assert number_of(log) == 2
    made.apply(rules("n: {most: 2, per: 24h}"), at="+1h")
    made.track("ann", "A", at="+1h")
    assert told(made)[-1].startswith("dropped a cap n")
    without = Story({"r.yaml": "version: 2\njourneys: {a: {entry: {event: A}, steps: [{send: {channel: push, text: Hi}}]}}\n"})
    without.track("ann", "A", at="+1h")
    assert "sends" not in decode(without.fold()[0].table.states()["ann"]).sections


def test_what_the_log_had_no_room_for_may_count() -> None:
    """202 messages on another channel push a message out of the log: whether it counts is unknown."""
    made = Story(rules("n: {most: 1, per: 24h, channels: [push]}", channel="email"), start=f"{DAY}00:00Z")
    made.track("ann", "B", at="+1m")
    for _ in range(201):
        made.track("ann", "A", at="+1m")
    made.track("ann", "B", at="+1m")
    assert told(made)[-1].startswith("dropped b cap n is unknown")
