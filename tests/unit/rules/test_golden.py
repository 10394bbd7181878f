"""The hashes of definitions never change: journey versions, window keys, segment keys and rule sets hang on them.

Each kind of the rule model occurs here at least once. A line of GOLDEN changes only with the meaning of rules, in a release that says so.
"""

from dataclasses import is_dataclass
from pathlib import Path

import pytest

from triggers import causes, steps
from triggers.definitions import model
from triggers.definitions.model import Measure, RuleSet
from triggers.rules.checks import load
from triggers.rules.folder import read_folder
from triggers.steps import waits

EXAMPLES = Path(__file__).parents[3] / "examples"
SCHEMA = """version: 1
schema:
  events:
    Order: {total: {type: number, non-negative: true}, kind: text, gift: flag, book.id: any}
    Signed Up:
    Opened: {minutes: number}
  traits: {country: text, age: number, vip: flag, address.city: text, other: any}
"""
RULES = """version: 1
settings: {time_zone: Europe/Berlin, late: {after: 2h, then: send}, channels: [whatsapp]}
segments:
  flag: "True"
  trait: traits.vip
  compare: traits.country == "DE" and traits.age >= 18 or traits.age / 2 < 9.5 and traits.address.city != "Ulm"
  in: traits.country in ["DE", "AT"] and traits.age not in [1, 2.5] and traits.vip in [True]
  count: count("Order") + 1 > 3 and count("Order", days=7, where=kind == "a" and total >= 2.5) <= 9
  sum: sum("Order.total", hours=48) * 2 - 1 > 10
  ratio: sum("Order.total", minutes=30) / count("Order", minutes=30) > 4
  distinct: distinct("Order.book.id", days=14, where=gift or kind in ["x", "y"]) >= 5
  did: did("Opened", days=7) and not did("Order")
  silent: silent("Opened", days=3)
  moments: first("Signed Up") < "2026-02-01" and last("Opened") > last("Order", days=9)
  days: every_day(30, sum("Opened.minutes") > 30 and count("Opened", where=minutes > 1) > 0 and not did("Order"))
journeys:
  by-event:
    entry: {event: Order, where: total > 5 and not gift}
    exit: [{event: Signed Up}, {enters: did}, {leaves: count}]
    re_entry: {after: 30d}
    late: {after: 1h, then: drop}
    on_change: exit
    steps:
      - wait: 3d
        when: traits.vip
      - when: did("Opened", days=1)
        name: opened
      - send: {channel: whatsapp, text: "Hello {{ traits.country }}, {{ properties.total }}", not_after: 6h}
        when: count("Order", days=1) > 0
      - send: {channel: benefit, grant: {coupon: spring, percent: 10, list: [1, 2.5, true, null]}}
        name: coupon
  by-segment: {entry: {enters: sum}, re_entry: always, steps: [{send: {channel: push, title: Hi}}]}
  by-leaving: {entry: {leaves: days}, exit: {event: Order}, steps: [{wait: 1d}, {send: {channel: email, text: x, subject: y}}]}
"""
LISTS = """version: 1
segments:
  tagged: '"vip" in traits.tags and 5 not in traits.sizes'
  bought: 'did("Order", where="gift" in tags)'
  any: 'count("Order", days=7, where=any(products.category == "book" and products.price > 5)) > 1'
  all: 'did("Order", where=all(cart.products.sold))'
journeys:
  books: {entry: {event: Order, where: 'any(products.category == "book")'}, steps: [{send: {channel: push, title: Hi}}]}
"""
PROGRAMS = """version: 2
journeys:
  branches:
    entry: {event: Order}
    steps:
      - if: did("Opened", days=1)
        when: traits.vip
        then: [{wait: 1d}, {if: traits.age > 18, else: [{send: {channel: push, title: Hi}}]}]
        else: [{send: {channel: push, title: Ho}, name: ho}]
"""
CAUSES = """version: 2
segments: {vip: traits.vip}
journeys:
  listed:
    entry: [{event: Order, where: total > 5}, {enters: vip}, {event: Opened}]
    while_running: restart
    priority: 80
    steps: [{send: {channel: push, title: Hi}}]
  waiting:
    entry: {event: Order}
    steps:
      - wait: {event: Opened, where: minutes > 5, timeout: 3d}
        when: traits.vip
        came: [{send: {channel: push, title: "{{ event.minutes }}"}}]
        timed_out: [{wait: {any: [{enters: vip}, {leaves: vip}, {event: Order}], timeout: 1d}, name: second}]
      - wait: {outside: vip, timeout: 1h}
        when: traits.vip
        came: [{send: {channel: push, title: Out}}]
        timed_out: [{send: {channel: push, title: In}}]
      - wait: {inside: vip, timeout: 1h}
"""
CHOICES = """version: 2
journeys:
  choices:
    entry: {event: Order}
    steps:
      - choose: [{if: traits.vip, steps: [{wait: 1d}]}, {steps: [{end: enough, when: traits.age > 18}]}]
        when: traits.vip
      - split: offer
        when: traits.vip
        salt: pepper
        arms: {plain: {weight: 50}, offer: {weight: 50, steps: [{send: {channel: push, title: Hi}}]}}
"""
WAITS = """version: 2
journeys:
  calendar:
    entry: {event: Order}
    steps:
      - wait: {days: 3}
      - wait: {months: 1, at: "09:05"}
        when: traits.vip
  clock:
    entry: {event: Order}
    steps:
      - wait: {at: "09:00"}
      - wait: {at: "21:30", on: [sunday, monday]}
        when: traits.vip
  date:
    entry: {event: Order}
    steps:
      - wait: {date: run.entered}
      - wait: {date: run.entered, offset: -3d, at: "09:00"}
        when: traits.vip
      - wait: {date: run.entered, offset: 90m}
"""
NAMED = """version: 2
values: {spent: 'sum("Order.total", days=90)'}
segments:
  late: 'count("Order", days=7, where=local.hour >= 21 and local.weekday in ["sunday"] and context.os.name == "iOS") > 1'
  both: segment("late") and values.spent > 5
journeys:
  named:
    entry: {event: Order, where: local.month == 12 or context.a.b == 1}
    steps: [{when: segment("both") and local.day < 8}, {send: {channel: push, title: "{{ values.spent }}"}}]
"""
GOALS = """version: 2
journeys:
  measured:
    entry: {event: Order}
    exit: goal
    goal: {event: Paid, where: total > 1, within: 14d, value: order.total}
    steps: [{send: {channel: push, title: Hi}}]
"""
HOLDOUTS = """version: 2
policies: {control: {percent: 5}}
journeys:
  withheld:
    entry: {event: Order}
    holdout: 2.5%
    steps: [{send: {channel: push, title: Hi}}]
  reached:
    entry: {event: Order}
    exit: {event: Paid, where: total > 1}
    goal: {event: Paid, where: total > 1, within: 14d, value: order.total}
    steps: [{send: {channel: push, title: Hi}}]
"""
SCHEDULES = """version: 2
segments: {s: traits.vip}
journeys:
  daily:
    entry: {every: day, at: "09:00"}
    from: 2026-03-01
    until: 2026-03-31
    steps: [{send: {channel: push, title: Hi}}]
  dated:
    entry: [{date: traits.birthday, every: year, at: "09:00"}, {date: traits.trial.ends, offset: -1w, at: "10:00", inside: s}]
    steps: [{send: {channel: push, title: Hi}}]
  listed:
    entry:
      - {every: month, on: [1, last], at: "21:30", inside: s}
      - {every: year, on: 02-29, at: "00:00"}
      - {on: 2026-12-24, at: "10:00", inside: s}
    spread: 2h
    re_entry: {after: 3d}
    steps: [{send: {channel: push, title: Hi}}]
  weekly:
    entry: {every: week, on: [monday, friday], at: "10:00", inside: s}
    re_entry: never
    steps: [{send: {channel: push, title: Hi}}]
"""
KEYS = """version: 2
journeys:
  keyed:
    entry: [{event: Cart, where: items > 0, key: cart.id}, {event: Basket, key: id}]
    exit: {event: Order, key: cart_id}
    goal: {event: Paid, key: cart_id, within: 1d}
    steps: [{wait: {event: Opened, key: cart_id, timeout: 30m}}, {send: {channel: push, title: Hi}}]
"""

TIERS = """version: 2
tiers: {member: {keep: 90d, levels: [{silver: traits.vip}, {gold: count("Order") >= 3}]}}
journeys:
  tiered:
    entry: [{reaches: member.gold}, {rises: member}]
    exit: {falls: member}
    steps: [{send: {channel: push, title: Hi}}]
"""
EXTREMES = """version: 1
segments:
  largest: 'max("Order.total") > 5 and max("Order.total", days=7, where=kind == "a") >= 2.5'
  smallest: 'min("Order.total", hours=5) < 1'
  daily: 'every_day(3, max("Order.total") > 5 or min("Order.total") > 1)'
"""
ENDS = """version: 2
values: {favourite: 'top("Order.kind", n=2, days=30)', also: 'top("Order.kind", days=7, where=total > 1)'}
segments:
  ends: 'first_value("Order.kind") == "a" and last_value("Order.total", where=kind == "a") > 2'
journeys:
  shown: {entry: {event: Order}, steps: [{send: {channel: push, title: "{{ values.favourite }} {{ values.also }}"}}]}
"""
SETS = "version: 2\njourneys: {sets: {entry: {event: E}, steps: [{set: {traits: {p: gold, n: 1.5, v: true, o: null, l: [1, {a: b}]}}}]}}\n"
SENDS = """version: 2
journeys:
  sends:
    entry: {event: Order}
    steps:
      - send: {channel: push, title: {default: Hi, de: "Hallo {{ traits.name }}"}, text: Hi}
        skip_unless: traits.vip and sent(days=7) < 3
      - when: sent(days=1, channel="push", journey="sends") == 0
      - send: {channel: push, title: Hi, budget: {name: b, most: 5}}
"""

OF_RELEASE_1 = """version: 1
schema:
  events: {Signed Up: {source: text}, app_used: {minutes: {type: number, non-negative: true}}, order_paid: {plan: text, total: number}}
  traits: {name: text, country: text}
segments:
  likely-payer: every_day(30, sum("app_used.minutes") > 30) and not did("order_paid")
journeys:
  signup-welcome:
    entry: {event: Signed Up}
    re_entry: never
    late: {after: 24h, then: drop}
    steps: [{wait: 3d}, {send: {channel: push, text: "Welcome {{ traits.name }}", not_after: 24h}}]
  trial:
    entry: {enters: likely-payer}
    re_entry: {after: 180d}
    exit: {event: order_paid}
    steps: [{send: {channel: benefit, grant: {plan: member, days: 3}}}]
"""
"""The first two rules that there were."""


def described(rules: RuleSet) -> dict[str, str]:
    """Every hash of a rule set by what it is of."""
    measures: dict[str, str] = {}
    for name, segment in rules.segments.items():
        for number, measure in enumerate(found for found in parts(segment.condition) if isinstance(found, Measure)):
            measures[f"window {name} {number}"] = measure.key
    return {
        "rule set": rules.hash,
        **{f"tier {name}": tier.key for name, tier in rules.tiers.items()},
        **{f"journey {name}": journey.version for name, journey in rules.journeys.items()},
        **{f"segment {name}": segment.key for name, segment in rules.segments.items()},
        **measures,
    }


def parts(value: object) -> list[object]:
    """A definition and all that it is made of."""
    found = [value]
    if isinstance(value, tuple):
        return [part for item in value for part in parts(item)]
    if is_dataclass(value) and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            found += parts(getattr(value, name))
    return found


def folders() -> dict[str, dict[str, str]]:
    return {
        **{name: read_folder(EXAMPLES / name) for name in ("cdnow", "quickstart")},
        "of release 1": {"r.yaml": OF_RELEASE_1},
        "every kind": {"r.yaml": RULES},
        "every kind with a schema": {"r.yaml": RULES, "s.yaml": SCHEMA},
        "lists": {"r.yaml": LISTS},
        "extremes": {"r.yaml": EXTREMES},
        "ends": {"r.yaml": ENDS},
        "sends": {"r.yaml": SENDS},
        "programs": {"r.yaml": PROGRAMS},
        "causes": {"r.yaml": CAUSES},
        "choices": {"r.yaml": CHOICES},
        "waits": {"r.yaml": WAITS},
        "named": {"r.yaml": NAMED},
        "goals": {"r.yaml": GOALS},
        "holdouts": {"r.yaml": HOLDOUTS},
        "sets": {"r.yaml": SETS},
        "schedules": {"r.yaml": SCHEDULES},
        "keys": {"r.yaml": KEYS},
        "tiers": {"r.yaml": TIERS},
    }


def test_every_kind_of_the_model_occurs_in_these_rules() -> None:
    rule_sets = [load(files) for files in folders().values()]
    kinds = {type(part) for rules in rule_sets for journey in rules.journeys.values() for part in parts(journey)}
    kinds |= {type(part) for rules in rule_sets for segment in rules.segments.values() for part in parts(segment)}
    made: set[type] = {kind for kind in vars(model).values() if isinstance(kind, type) and is_dataclass(kind)} - {RuleSet}
    made |= {*causes.KINDS.values(), *steps.KINDS.values(), *waits.FORMS}
    assert made - kinds == set()


@pytest.mark.parametrize("name", folders())
def test_no_hash_has_changed(name: str) -> None:
    assert described(load(folders()[name])) == GOLDEN[name]


GOLDEN: dict[str, dict[str, str]] = {
    "tiers": {
        "rule set": "b31056c1757f882d5a5f186a9f66c22e70042c604bdcc5337e78ffd99172dee8",
        "tier member": "151c0397755b",
        "journey tiered": "3be17d36",
    },
    "schedules": {
        "rule set": "0187aecc04f65aae827955ca2510f8d957b5b13eb858e1b28f6b6a19af795f05",
        "journey daily": "71638b77",
        "journey dated": "6b65d020",
        "journey listed": "c77fde71",
        "journey weekly": "4229f06d",
        "segment s": "756c02ee20ea",
    },
    "cart": {
        "rule set": "f751479132f9da3f1ec5443933676f32016a401021a645a317647f269af99594",
        "journey cart": "d9fa4a64",
    },
    "keys": {
        "rule set": "c9661dac5c30ad96d7d156e33270f3a0282667ca4366bd93e62dd6558a7a00f0",
        "journey keyed": "423fcf5e",
    },
    "cdnow": {
        "rule set": "7f0de4f81c0e7c2f028c0b792509049f3caaba715e41b46da8a4a7eb4ba00b80",
        "journey gold": "23c1c307",
        "journey welcome": "3146df05",
        "journey win-back": "e4999ca8",
        "segment gold": "ee61239cdab5",
        "segment lapsed": "9a4b39ea4888",
        "window gold 0": "663fe4220a98",
        "window lapsed 0": "14020ec994d0",
        "window lapsed 1": "a81b325eab90",
    },
    "quickstart": {
        "rule set": "7515635bc4c1dea46a4a17a2e52b8434c8fd8328cd4adb2c9ac58b1f0fbd9764",
        "journey first-word": "6595c166",
    },
    "of release 1": {
        "rule set": "d6470c0ab2c0af7f077a011f184c4535fdb20e3378950b5aa734f25bc6deb883",
        "journey signup-welcome": "854d3f61",
        "journey trial": "a5a3a08e",
        "segment likely-payer": "c83779700c77",
        "window likely-payer 0": "e35108b5d6e3",
        "window likely-payer 1": "93d09f5135ae",
    },
    "every kind": {
        "rule set": "10a91aaccd646ed03905d9247e5c22075c957861655abf4bf01e36f4f153bb86",
        "journey by-event": "f2a923c3",
        "journey by-leaving": "2f6f9774",
        "journey by-segment": "033f9bab",
        "segment compare": "1213deaee45c",
        "segment count": "d5b0d7096992",
        "segment days": "2a78b37b5fc3",
        "segment did": "5facc0881f20",
        "segment distinct": "12420410628f",
        "segment flag": "1136eb27b677",
        "segment in": "8965f658e5af",
        "segment moments": "190826499633",
        "segment ratio": "ef7235093e18",
        "segment silent": "bc6ea9ffe06e",
        "segment sum": "ebdb3e8da7c8",
        "segment trait": "756c02ee20ea",
        "window count 0": "d4654b00b979",
        "window count 1": "370aebef6ade",
        "window days 0": "08def5bef2d3",
        "window days 1": "c69c725e9a58",
        "window days 2": "e7cb2a0bac68",
        "window did 0": "e33a4074e2bb",
        "window did 1": "58746a0faf6c",
        "window distinct 0": "a4599bc0455f",
        "window moments 0": "46daef458ca1",
        "window moments 1": "e33a4074e2bb",
        "window moments 2": "58746a0faf6c",
        "window ratio 0": "8f1df16fab0c",
        "window ratio 1": "f95fee02ad00",
        "window silent 0": "e33a4074e2bb",
        "window sum 0": "afb34b1f4a92",
    },
    "every kind with a schema": {
        "rule set": "994d80bfd72d779251cc38309944e612d5c7abd1a13a1680f69e2d82d5717fe6",
        "journey by-event": "f2a923c3",
        "journey by-leaving": "2f6f9774",
        "journey by-segment": "39acc5cc",
        "segment compare": "1213deaee45c",
        "segment count": "d5b0d7096992",
        "segment days": "2a78b37b5fc3",
        "segment did": "5facc0881f20",
        "segment distinct": "12420410628f",
        "segment flag": "1136eb27b677",
        "segment in": "8965f658e5af",
        "segment moments": "190826499633",
        "segment ratio": "b8e0af70cdcb",
        "segment silent": "bc6ea9ffe06e",
        "segment sum": "5a0fbfc8a6f5",
        "segment trait": "756c02ee20ea",
        "window count 0": "d4654b00b979",
        "window count 1": "370aebef6ade",
        "window days 0": "08def5bef2d3",
        "window days 1": "c69c725e9a58",
        "window days 2": "e7cb2a0bac68",
        "window did 0": "e33a4074e2bb",
        "window did 1": "58746a0faf6c",
        "window distinct 0": "a4599bc0455f",
        "window moments 0": "46daef458ca1",
        "window moments 1": "e33a4074e2bb",
        "window moments 2": "58746a0faf6c",
        "window ratio 0": "8f1df16fab0c",
        "window ratio 1": "f95fee02ad00",
        "window silent 0": "e33a4074e2bb",
        "window sum 0": "afb34b1f4a92",
    },
    "lists": {
        "rule set": "170677e1702dd7ffa1789812bdd7407f66ac4320a12ca19fe7a4452bca0a1f3a",
        "journey books": "d46cd047",
        "segment all": "d4b0de277fb7",
        "segment any": "6954c08ec9a3",
        "segment bought": "fcdc079cdf2d",
        "segment tagged": "c7015d1627c8",
        "window all 0": "125ea221864a",
        "window any 0": "efa70b7c86ee",
        "window bought 0": "529a7b94208c",
    },
    "extremes": {
        "rule set": "2926a32eebcb99e22559cc270ee9c3e451214c7ebf6a9cd22374b0020b333361",
        "segment daily": "4cf2bd8eae6b",
        "segment largest": "88f5237bd3c8",
        "segment smallest": "3570b866b535",
        "window daily 0": "c1ad53516e8a",
        "window daily 1": "bb64604cae9c",
        "window largest 0": "34c2be5c4cc5",
        "window largest 1": "4115e4d966d0",
        "window smallest 0": "f4323f682a4a",
    },
    "ends": {
        "rule set": "17e51a0788ed968db7b0eb022ccce31ef28f3476e287d0e9a6174f21eb82c6a6",
        "journey shown": "51094b07",
        "segment ends": "f6a51dfa8723",
        "window ends 0": "b6b312621314",
        "window ends 1": "e65de8533964",
    },
    "sends": {
        "rule set": "855604c05a71849a145e61afd64919252d9dba2ec0bb480dc9b393b573a7a8a0",
        "journey sends": "7249eedb",
    },
    "programs": {
        "rule set": "ceae3206e3575ef68f22c2dd456b7fac7e41a70898d1a5bf1677c243210d17c6",
        "journey branches": "43a77ded",
    },
    "causes": {
        "rule set": "f1cf4eafbb03802c3e2fa71e678a6be40f30dae91b26b419ed6aee9d7d3869e7",
        "journey listed": "bfb1966e",
        "journey waiting": "3a22a94c",
        "segment vip": "756c02ee20ea",
    },
    "choices": {
        "rule set": "99107aab7c97c80dbee28fd1b609d272089e15adbd3e9f57eadf4043c84b6ee5",
        "journey choices": "2c81b1ee",
    },
    "waits": {
        "rule set": "70ad3e468aab3a04ecca10b30b50a31dc0ab7e010d0c1e00fdfb15ad97672742",
        "journey calendar": "58e748b0",
        "journey clock": "4df35f4d",
        "journey date": "fbdd3d9c",
    },
    "named": {
        "rule set": "2f82635ebcd0329561e59978d70ea152c77d6daf27fbffc9c6d7b45d768336c2",
        "journey named": "a10de573",
        "segment both": "3d00d1ffb0b0",
        "segment late": "cbcd61cd1022",
        "window both 0": "e3f2a2e31c53",
        "window both 1": "018decdd8049",
        "window late 0": "e3f2a2e31c53",
    },
    "sets": {"rule set": "ae59bfe82570166ed3593cde3237e2f20ec6065788b052cc0e933884161557ab", "journey sets": "2ae1da85"},
    "holdouts": {
        "rule set": "6727bbd6b016bd21a60ffea28030f1996145ff14fd2ab14e30c2aad488c96131",
        "journey reached": "45c116c5",
        "journey withheld": "0d1d206b",
    },
    "goals": {
        "rule set": "466bf2702faae33b885a319d954c4ee19a10532039117cef318a3ee1a2274bcc",
        "journey measured": "93e4c483",
    },
}
