"""Random logs of a few users under rules of `version: 1`, for the laws. `programmes.py` has those of `version: 2`."""

from random import Random
from typing import Any

from triggers.base.model import DAY, HOUR
from triggers.testing import Story

RULES = """version: 1
settings: {time_zone: Europe/Berlin}
segments:
  regular: every_day(3, sum("used.minutes") > 30) and not did("paid")
  lapsed: count("used") >= 2 and silent("used", days=4)
  gold: sum("paid.total", days=5) >= 100
  reader: distinct("used.book", days=3) >= 2 and traits.country == "CN"
journeys:
  welcome:
    entry: {event: signed_up}
    steps: [{wait: 3d}, {send: {channel: push, text: "Welcome {{ traits.name }}"}}, {wait: 2d}, {send: {channel: email, text: again}}]
  trial:
    entry: {enters: regular}
    re_entry: {after: 6d}
    exit: {event: paid}
    steps: [{wait: 6h}, {send: {channel: benefit, grant: {plan: member, days: 3}}}]
  win-back:
    entry: {enters: lapsed}
    re_entry: always
    exit: {leaves: lapsed}
    steps:
      - send: {channel: email, text: "We miss you"}
      - wait: 1d
      - when: not did("paid", days=1)
      - send: {channel: sms, text: still}
  gold:
    entry: {enters: gold}
    re_entry: always
    late: {after: 1h, then: drop}
    steps: [{send: {channel: email, text: "You are gold"}}]
  readers:
    entry: {leaves: reader}
    re_entry: always
    on_change: exit
    steps: [{wait: 1h}, {send: {channel: in_app, text: "{{ run.id }}"}}]
"""
CHANGED = (
    RULES.replace("days=5", "days=6")
    .replace('silent("used", days=4)', 'silent("used", days=2)')
    .replace("text: again", "text: changed")
    .replace("wait: 6h", "wait: 7h")
    .replace("wait: 1h}", "wait: 2h}")
)
USERS = ["ann", "bob", "cem", "dee", "eva", "fay", "gil", "hob", "ida"]


def tell(seed: int, length: int = 120, duplicates: bool = False) -> Story:
    """A random log of a few users over some weeks, with commands, late events and ties."""
    random = Random(seed)
    story = Story({"rules.yaml": RULES}, start="2026-03-20T00:00Z", live=random.random() < 0.8)
    at = story.now
    changes: list[Any] = [
        lambda: story.apply({"rules.yaml": CHANGED}, at),
        lambda: story.apply({"rules.yaml": RULES}, at),
        lambda: story.go_live(at),
        lambda: story.pause("welcome", at),
        lambda: story.resume("welcome", at),
    ]
    for n in range(length):
        at += random.choice([0, 0, 1, HOUR, 5 * HOUR, 9 * HOUR, DAY])
        user = random.choice(USERS)
        happened = at - random.choice([0, 0, 0, HOUR, 3 * DAY])
        kind = random.random()
        if kind < 0.04:
            random.choice(changes)()
        elif kind < 0.1:
            story.until(at)
        elif kind < 0.2:
            story.identify(user, {"country": random.choice(["CN", "DE"]), "name": random.choice(["A", None])}, at=at)
        else:
            name = random.choice(["used", "used", "used", "used", "paid", "signed_up"])
            properties = {"minutes": random.choice([10, 31, 40.5]), "total": random.choice([20, 60, 100]), "book": random.choice("xyz")}
            story.track(user, name, properties, at=at, happened=happened, messageId=f"m{n}")
            if duplicates and random.random() < 0.5:
                story.track(user, name, properties, at=at, happened=happened, messageId=f"m{n}")
    story.until(at + random.choice([0, DAY, 30 * DAY]))
    return story
