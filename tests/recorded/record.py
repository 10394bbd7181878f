"""Records what this revision makes of a log: the log itself, all that comes out of it, and the changelog at its end.

`python tests/recorded/record.py FILE`, run by the revision that is to be recorded (PYTHONPATH), writes one JSON document in gzip. It is
kept, so that every later release can be compared with what an earlier one has written: the states that it opens after an upgrade, and the
decisions of the same log. The story has users in all conditions that a state knows: runs that are pinned to two older rule sets, held by a
pause and late; windows of every kind, some of which are incomplete; standings that are true, false and unknown; deleted traits, known ids,
unknown zones.
"""

import gzip
import json
import sys
from base64 import b64encode
from pathlib import Path
from random import Random
from typing import Any

from triggers.base.model import DAY, ENGINE, HOUR, Out
from triggers.engine.partition import Partition
from triggers.state.position import Position
from triggers.state.table import Table
from triggers.testing import Story, run

FIRST = """version: 1
settings: {time_zone: Europe/Berlin}
segments:
  regular: every_day(3, sum("used.minutes") > 30) and not did("paid")
  lapsed: count("used") >= 2 and silent("used", days=4)
  gold: sum("paid.total", days=5) >= 100
  reader: distinct("used.book", days=3) >= 2 and traits.country == "CN"
  early: first("used", hours=30) < "2026-04-01" and last("paid") > "2026-03-01"
journeys:
  welcome:
    entry: {event: signed_up}
    steps: [{wait: 30d}, {send: {channel: push, text: "Welcome {{ traits.name }}"}}, {wait: 2d}, {send: {channel: email, text: again}}]
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
      - wait: 20d
      - when: not did("paid", days=1)
      - send: {channel: sms, text: still}
  receipt:
    entry: {event: paid, where: total > 30}
    re_entry: always
    late: {after: 1h, then: drop}
    steps: [{wait: 40d}, {send: {channel: email, text: "{{ properties.total }} of {{ properties.book }}"}}]
"""
SECOND = FIRST.replace("days=5", "days=6").replace("text: again", "text: changed").replace("wait: 40d", "wait: 41d")
THIRD = SECOND.replace('count("used") >= 2', 'count("used", days=9) >= 3').replace("wait: 30d", "wait: 31d")
USERS = [f"user-{number}" for number in range(26)]


def tell(seed: int = 9) -> Story:
    """Some weeks of a few users, with commands, late events, retries and calls that cannot be read."""
    random = Random(seed)
    story = Story({"rules.yaml": FIRST}, start="2026-03-02T00:00Z", live=False)
    at = story.now
    for step in range(900):
        at += random.choice([0, 1, HOUR // 4, HOUR, 2 * HOUR])
        user = "daily" if random.random() < 0.1 else random.choice(USERS[: 4 + step // 40])
        happened = at - random.choice([0, 0, 0, 0, HOUR, 3 * DAY])
        luck = random.random()
        if step in COMMANDS:
            COMMANDS[step](story, at)
        elif luck < 0.03:
            story.record(user.encode(), b"no JSON", at)
        elif luck < 0.15:
            traits: dict[str, Any] = {"country": random.choice(["CN", "DE", None]), "name": random.choice(["Ann", "B", None])}
            if random.random() < 0.3:
                traits["timezone"] = random.choice(["Asia/Shanghai", "America/St_Johns", "Nowhere/Land"])
            story.identify(user, traits, at=at)
        else:
            name = "used" if user == "daily" else random.choice(["used", "used", "used", "paid", "signed_up", "other"])
            properties = {"minutes": random.choice([15, 31, 40.5]), "total": random.choice([20, 60, 100]), "book": random.choice("xyz")}
            told = {"at": at, "happened": happened, "messageId": f"m{step}"}
            story.track(user, name, properties, **told)
            if luck > 0.95:
                story.track(user, name, properties, **told)
    story.until(at + DAY)
    return story


COMMANDS: dict[int, Any] = {
    100: lambda story, at: story.go_live(at),
    300: lambda story, at: story.apply({"rules.yaml": SECOND}, at),
    500: lambda story, at: story.pause("win-back", at),
    600: lambda story, at: story.apply({"rules.yaml": THIRD}, at),
    750: lambda story, at: story.resume("win-back", at),
    860: lambda story, at: story.pause("trial", at),
}


def recorded() -> dict[str, Any]:
    """The document, all bytes in base64."""
    story = tell()
    partition = Partition(story.place, Table(), story.library, Position(), story.options)
    run(partition, story.log)
    output = partition.take()
    return {
        "engine": ENGINE,
        "rules": [FIRST, SECOND, THIRD],
        "log": [[r.offset, r.timestamp, _packed(r.key), _packed(r.value), [[n, _packed(v)] for n, v in r.headers]] for r in story.log],
        "changelog": _outs(output.changelog),
        "actions": _outs(output.actions),
        "decisions": _outs(output.decisions),
        "dead letters": _outs(output.dead_letters),
    }


def _outs(outs: list[Out]) -> list[list[str | None]]:
    return [[_packed(out.key), _packed(out.value)] for out in outs]


def _packed(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(gzip.compress(json.dumps(recorded()).encode(), mtime=0))
