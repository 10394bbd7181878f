"""Random logs of a few users under rules of `version: 2` that use the whole language, and `LOGS`: these and those of `version: 1`.

The users live in several zones, and some move. Operators apply other rules in the middle, pause, resume, suppress, erase and enter users.
"""

from functools import cache
from random import Random
from typing import Any, Protocol

from tests.property import some_logs
from triggers.base.model import DAY, HOUR, MINUTE
from triggers.base.moments import iso
from triggers.definitions.model import RuleSet
from triggers.rules.checks import load
from triggers.testing import Story

GROUND = """version: 2
settings: {time_zone: Europe/Berlin, categories: [news]}
values:
  spent: sum("paid.total", days=20)
  minutes: sum("used.minutes", days=3)
  favourite: top("used.book", n=2, days=20)
segments:
  regular: every_day(2, sum("used.minutes") > 10) and not did("paid", days=2)
  lapsed: count("used") >= 2 and silent("used", days=4)
  evening: count("used", days=7, where=local.hour >= 15) >= 1
  payer: segment("evening") and (did("paid") or traits.vip)
  busy: values.minutes >= 40 and max("used.minutes", days=5) > 30
  phone: 'did("used", days=5, where=context.os.name == "iOS") and last_value("used.book") != "x"'
  trying: traits.plan == "trial"
  fan: {each: {book: [x, y, {last: z}]}, if: 'count("used", days=6, where=book == "$book") >= 2'}
tiers:
  member: {keep: 2d, levels: [{silver: values.spent >= 60}, {gold: values.spent >= 160}]}
policies:
  consent:
    sms: {channels: [sms], if: traits.sms}
    email: {channels: [email], categories: [marketing], if: not traits.off and sent(days=2) < 9, unknown: allow}
  quiet_hours:
    night: {from: "22:00", to: "08:00", channels: [push, sms], spread: 30m}
    noon: {from: "12:00", to: "13:30", on: [monday, saturday], then: drop}
  caps:
    one-push: {most: 1, per: day, channels: [push], then: hold}
    weekly: {most: 7, per: week, reserved: {places: 2, priority: 80}}
    hourly: {most: 2, per: 12h, channels: [email, in_app], then: hold}
  control: {percent: 4, goal: {event: paid, value: total}}
"""
JOURNEYS = """version: 2
journeys:
  cart:
    entry: {event: cart, where: items > 0, key: cart_id}
    while_running: restart
    re_entry: always
    priority: 80
    exit: [{event: paid, key: cart_id}, {event: cart, where: items == 0, key: cart_id}]
    goal: {event: paid, key: cart_id, within: 2d, value: total}
    steps:
      - wait: 5h
      - split: offer
        arms:
          plain: {weight: 50, steps: [{send: {channel: push, text: {default: "Cart {{ properties.cart_id }}", de: "Korb"}}}]}
          coupon: {weight: 40, steps: [{send: {channel: benefit, grant: {coupon: back}, budget: {name: back, most: 9}}}]}
          nothing: {weight: 10}
      - wait: 30m
      - send: {channel: sms, text: "{{ run.id }}", not_after: 12h}
  book:
    entry: [{event: used, where: minutes > 20, key: book}, {event: cart, key: book}]
    re_entry: {after: 1d}
    steps:
      - wait: {event: used, key: book, timeout: 2d}
        came: [{wait: 3h}, {send: {channel: email, text: "{{ event.minutes }} more of {{ properties.book }}"}}]
        timed_out: [{end: forgotten}]
      - wait: {outside: evening, timeout: 3d}
      - send: {channel: push, text: "{{ values.favourite[0] or 'all' }}"}
  trial:
    entry: {enters: regular}
    re_entry: {after: 3d}
    exit: goal
    holdout: 30%
    on_change: exit
    goal: {event: paid, within: 14d, value: total}
    steps:
      - set: {traits: {plan: trial, likes: "{{ values.favourite[0] or 'all' }}"}}
      - send: {channel: benefit, grant: {plan: member, days: 3}}
      - wait: {date: run.entered, offset: 1d, at: "19:30"}
      - wait: {any: [{event: paid}, {enters: lapsed}, {rises: member}], timeout: 4d}
        timed_out: [{send: {channel: sms, text: "Your trial ends"}}]
      - set: {traits: {plan: null}}
  tips:
    entry: {enters: trying}
    exit: {leaves: trying}
    re_entry: always
    hold_at_most: 3d
    steps:
      - wait: 1d
      - send: {channel: push, text: "More of {{ traits.likes }}"}
      - wait: {days: 1, at: "09:00"}
      - send: {channel: push, text: more}
  welcome:
    entry: [{event: signed_up}, {enters: phone}]
    re_entry: {after: 2d}
    steps:
      - wait: {days: 2, at: "02:30"}
      - if: segment("payer")
        then: [{send: {channel: email, text: "{{ traits.name }} has spent {{ values.spent }}"}}]
        else:
          - choose:
              - {if: values.minutes >= 40, steps: [{send: {channel: in_app, text: "{{ values.minutes }}"}}]}
              - {if: local.hour < 12, steps: [{wait: {at: "18:00", on: [friday, sunday]}}]}
              - {steps: [{set: {traits: {vip: true}}}]}
      - wait: {months: 1}
      - send: {channel: email, text: "A month", not_after: 2d}
        when: did("used", days=20)
  birthday: {entry: {date: traits.birthday, every: year, at: "09:00"}, steps: [{send: {channel: benefit, grant: {coupon: birthday}}}]}
  ending:
    entry: {date: traits.ends, offset: -1d, at: "19:30"}
    exit: {event: paid}
    steps: [{send: {channel: push, text: "It ends on {{ traits.ends|date('%d.%m.') }}"}}]
  digest:
    entry: {every: week, on: [monday, thursday], at: "10:00", inside: evening}
    spread: 2h
    category: news
    priority: 10
    steps: [{send: {channel: email, text: "{{ values.minutes }} minutes"}, skip_unless: "sent(days=2) < 4"}]
  daily: {entry: {every: day, at: "00:00", inside: busy}, holdout: 40%, steps: [{wait: 6h}, {send: {channel: in_app, text: daily}}]}
  once: {entry: {on: 2026-04-05, at: "02:30", inside: payer}, steps: [{send: {channel: push, text: once}}]}
  spring:
    entry: {enters: busy}
    from: 2026-03-24
    until: 2026-04-06
    re_entry: always
    steps: [{send: {channel: push, text: "{{ traits.ends|date('%d.%m.') }}"}}]
  promo:
    each: {book: [x, y, {last: z}]}
    entry: {enters: fan-$book.name}
    re_entry: {after: 2d}
    goal: {event: used, within: 3d}
    steps: [{wait: {weeks: 1, at: "18:00"}}, {send: {channel: push, text: "New in $book"}}]
  gold-care: {entry: {reaches: member.gold}, category: transactional, re_entry: always, steps: [{send: {channel: in_app, text: gold}}]}
  level-lost: {entry: {falls: member}, re_entry: always, exit: {rises: member}, steps: [{wait: 2h}, {send: {channel: email, text: lost}}]}
  win-back:
    entry: {enters: lapsed}
    exit: {leaves: lapsed}
    re_entry: always
    late: {after: 1h, then: drop}
    steps: [{send: {channel: push, text: back}}, {wait: 1d}, {when: 'not did("paid", days=1)'}, {send: {channel: sms, text: still}}]
"""
CHANGES = {
    "time_zone: Europe/Berlin": "time_zone: America/New_York",
    'silent("used", days=4)': 'silent("used", days=2)',
    "values.minutes >= 40": "values.minutes >= 30",
    "keep: 2d": "keep: 1d",
    "{gold: values.spent >= 160}": "{gold: values.spent >= 120}",
    'to: "08:00"': 'to: "07:00"',
    "most: 1, per: day": "most: 2, per: day",
    "percent: 4": "percent: 17.5",
    "if: traits.sms": "if: not traits.off",
    "weight: 50": "weight: 20",
    "wait: 30m": "wait: 1h",
    "timeout: 2d": "timeout: 3d",
    'offset: 1d, at: "19:30"': 'offset: 2d, at: "19:00"',
    "[{event: signed_up}, ": "[{event: used}, ",
    "within: 14d": "within: 9d",
    "within: 3d": "within: 4d",
    "holdout: 30%": "holdout: 50%",
    'on: [monday, thursday], at: "10:00"': 'on: [monday, friday], at: "11:00"',
    "offset: -1d": "offset: -2d",
    'at: "09:00"}, steps: [{send: {channel: benefit': 'at: "08:00"}, steps: [{send: {channel: benefit',
    "until: 2026-04-06": "until: 2026-04-20",
    "re_entry: {after: 1d}": "re_entry: always",
    "text: lost": "text: found",
    "key: cart_id": "key: book",
}
"""What other rules have instead. Each set of rules has some of it."""
ZONES = ["Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "Pacific/Pago_Pago", "Pacific/Kiritimati", "nowhere", None]
USERS = some_logs.USERS[:6]
PAUSED = ["cart", "trial", "digest", "welcome", "promo-x", "win-back"]


@cache
def rules(number: int) -> RuleSet:
    """Rule sets by number. 0: all of the above; 9: rules of `version: 1`; others: with some changes, or without a part."""
    if number == 9:
        return load({"rules.yaml": some_logs.RULES})
    random = Random(number)
    files = {"ground.yaml": GROUND, "journeys.yaml": JOURNEYS}
    if number:
        for before, after in CHANGES.items():
            if random.random() < 0.4:
                files = {name: text.replace(before, after) for name, text in files.items()}
    if number == 8:  # without policies
        files["ground.yaml"] = GROUND[: GROUND.index("policies:")]
    return load(files)


class Tell(Protocol):
    """Make a random log. `duplicates`: some calls come twice."""

    def __call__(self, seed: int, length: int = ..., duplicates: bool = ...) -> Story: ...


def tell(seed: int, length: int = 170, duplicates: bool = False) -> Story:
    """A random log of a few users over some weeks, with all commands, late events and ties."""
    random = Random(seed)
    story = Story(rules(random.choice([0, 0, 1, 2])), start="2026-03-20T00:00Z", live=random.random() < 0.8)
    at, paused = story.now, set[str]()
    for n in range(length):
        at += random.choice([0, 0, 1, 20 * MINUTE, HOUR, 5 * HOUR, 9 * HOUR])
        kind = random.random()
        if kind < 0.06:
            _command(random, story, at, paused)
        elif kind < 0.1:
            story.until(at + random.choice([0, 0, 0, 2 * DAY]))
            at = story.now
        elif kind < 0.17:
            _user_command(random, story, at, twice=duplicates)
        else:
            _call(random, story, at, f"m{n}", twice=duplicates and random.random() < 0.5)
    story.until(at + random.choice([0, DAY, 30 * DAY]))
    return story


def _command(random: Random, story: Story, at: int, paused: set[str]) -> None:
    kind = random.choices(["apply", "pause", "resume", "go-live"], [5, 3, 4, 1])[0]
    if kind == "apply":
        story.apply(rules(random.choice([0, 0, 1, 2, 3, 4, 8, 9])), at)
    elif kind == "pause":
        paused.add(journey := random.choice(PAUSED))
        story.pause(journey, at)
    elif kind == "resume":
        story.resume(random.choice([*sorted(paused), "trial"]), at)
    else:
        story.go_live(at)


def _user_command(random: Random, story: Story, at: int, *, twice: bool) -> None:
    user, kind = random.choice(USERS), random.choice(["suppress", "unsuppress", "erase", "enter", "enter"])
    given: dict[str, Any] = {}
    if kind == "enter":
        given["journey"] = random.choice(["welcome", "trial", "digest", "win-back", "cart", "gone"])
    elif kind != "erase":
        given["channel"] = random.choice([None, "push", "email"])
    id_ = f"c{len(story.log)}"
    # Of a user without a state no id is remembered: a command that is refused for that reason is refused twice.
    for _ in range(2 if twice and (kind == "suppress" or (kind != "erase" and _is_known(story, user))) else 1):
        story.user_command(kind, user, at, id_=id_, **given)


def _is_known(story: Story, user: str) -> bool:
    """Return whether the user has had a call since the last erase."""
    for record in reversed(story.log):
        if record.key == user.encode() and (not record.headers or b'"erase"' in (record.value or b"")):
            return not record.headers
    return False


def _call(random: Random, story: Story, at: int, message_id: str, *, twice: bool) -> None:
    user = random.choice(USERS)
    happened = at - random.choice([0, 0, 0, 0, HOUR, 2 * DAY])
    if random.random() < 0.2:
        traits: dict[str, Any] = {
            "timezone": random.choice(ZONES),
            "birthday": iso(at - 20 * 365 * DAY + random.choice([1, 2, 5, 9]) * DAY)[:10],
            "ends": random.choice([iso(at + 3 * DAY), iso(at + 6 * DAY)[:10], (at + 4 * DAY) // 1000, "never", None]),
            "sms": random.choice([True, False]),
            "off": random.choice([True, False]),
            "vip": random.choice([True, None]),
            "language": random.choice(["de-AT", "fr", None]),
            "name": f"name of {user}",
        }
        chosen = random.sample(sorted(traits), 3)
        fields: dict[str, Any] = {"type": "identify", "traits": {name: traits[name] for name in chosen}}
    else:
        name = random.choice(["used", "used", "used", "used", "cart", "cart", "cart", "paid", "paid", "signed_up"])
        book, cart = random.choice(["x", "y", "z"]), random.choice([f"cart of {user}", f"cart of {user}", 17, None])
        properties = {"minutes": random.choice([10, 31, 40.5]), "book": book, "cart_id": cart, "items": random.choice([0, 1, 2])}
        fields = {"type": "track", "event": name, "properties": {**properties, "total": random.choice([20, 60, 100])}}
        fields["context"] = random.choice([{}, {"os": {"name": "iOS"}}, {"traits": {"plan": random.choice(["trial", "paid"])}}])
    for _ in range(2 if twice else 1):
        story.call(user, at=at, happened=happened, messageId=message_id, **fields)


LOGS: dict[str, Tell] = {"version 1": some_logs.tell, "version 2": tell}
