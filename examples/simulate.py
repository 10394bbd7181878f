"""Simulate a reading app: people who use it, and react to what the rules send them.

    python examples/simulate.py                        # 5,000 people, 2025-01-20 to 2025-05-19, with the rules of examples/reading-app
    python examples/simulate.py --users 500 --seed 7 --json

Each person is simulated together with the engine. The person's own behaviour makes events; the engine folds them; what it sends changes
what the person does next. People do not depend on each other, so they run one after the other, each with a log of its own.

`EFFECTS` says what a message really causes. So whatever is measured later can be compared with the truth. The same seed gives the same
people: everything that a person does on a day comes from a random number of seed, person and day, and every reaction from one of seed and
action. So two runs with different rules differ only by what the rules caused.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from triggers import Engine, LogRecord, RuleSet, load_rules, read_folder

FIRST: Final = date(2025, 1, 20)
LAST: Final = date(2025, 5, 19)
"""In between, clocks change on 9 and 30 March and, in the south, on 5 and 6 April. There is no 29 February."""
RULES: Final = Path(__file__).parent / "reading-app"
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
CATEGORIES: Final = ("fiction", "history", "science", "romance", "travel")
ZONES: Final = (
    "Pacific/Auckland", "Australia/Sydney", "Australia/Lord_Howe", "Asia/Tokyo", "Asia/Shanghai", "Asia/Singapore", "Asia/Kolkata",
    "Asia/Kathmandu", "Asia/Dubai", "Europe/Moscow", "Europe/Istanbul", "Europe/Athens", "Europe/Berlin", "Europe/Paris", "Europe/London",
    "Africa/Lagos", "Africa/Johannesburg", "Africa/Cairo", "Atlantic/Azores", "America/Sao_Paulo", "America/Santiago", "America/St_Johns",
    "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Mexico_City", "Pacific/Honolulu",
    "Pacific/Kiritimati", "Pacific/Chatham",
)  # fmt: skip


class Effect(NamedTuple):
    """What one message or grant causes, as probabilities."""

    buys: float = 0.0
    """Completes the open cart, or else buys a membership, within hours."""
    returns: float = 0.0
    """Someone who has stopped reading begins again."""
    stays: float = 0.0
    """Someone who reads does not stop for two weeks."""
    reads: float = 0.0
    """Reads once more on the same day."""


EFFECTS: Final[Mapping[str, Effect]] = {
    "welcome-series": Effect(stays=0.25),
    "trial": Effect(buys=0.12),
    "trial-ending": Effect(buys=0.10),
    "cart": Effect(buys=0.25),
    "birthday": Effect(reads=0.30),
    "win-back": Effect(returns=0.10),
    "favourite": Effect(reads=0.15),
    "digest": Effect(),  # it does nothing, and no measurement may find that it does
    "promotion": Effect(buys=0.05),
    "gold-care": Effect(stays=0.10),
}
"""By journey, or by the part of its name before the first `-`. A journey that is not listed has no effect."""
ANNOYED_AFTER: Final = 4
"""More messages than this in seven days make some people unsubscribe."""
ANNOYED: Final = 0.03


@dataclass
class Person:
    """Someone who has the app."""

    id: str
    zone: ZoneInfo
    traits: dict[str, Any]
    signed_up: date
    rate: float
    """Sessions a day while the person reads."""
    minutes: float
    """Length of a session, the median."""
    hour: float
    """The local hour at which the person likes to read."""
    favourite: str
    shops: float
    """The probability of a cart in a session."""
    pays: float
    """The probability of buying a membership on a day with a session."""
    devoted: bool
    """Reads for half an hour or more on each day."""
    offline: float
    """The probability that a day's events arrive one or two days later."""


def people(users: int, seed: int) -> Iterator[Person]:
    """Yield the people of a seed; the first ones of a larger number are the same."""
    for number in range(users):
        name = f"u{number:05}"
        random = Random(f"{seed}/{name}")
        zone = random.choice(ZONES)
        born = date(1960, 1, 1) + timedelta(days=random.randrange(16_000))
        old = random.random() < 0.4
        traits = {
            "name": random.choice(("Ann", "Bo", "Chen", "Dalia", "Eve", "Femi", "Goran", "Hana")),
            "timezone": zone,
            "language": random.choice(("en", "en", "de", "zh", "es")),
            "birthday": f"{born:%m-%d}" if random.random() < 0.1 else born.isoformat(),
            "sms_opt_in": random.random() < 0.5,
        }
        yield Person(
            id=name,
            zone=ZoneInfo(zone),
            traits=traits,
            signed_up=FIRST if old else FIRST + timedelta(days=random.randrange((LAST - FIRST).days - 7)),
            rate=random.choice((0.3, 0.6, 1.0, 1.0, 2.2)),
            minutes=random.choice((8, 15, 25, 40)),
            hour=random.choice((7.5, 8.0, 12.5, 20.0, 21.5, 22.5)),
            favourite=random.choice(CATEGORIES),
            shops=random.choice((0.0, 0.02, 0.05)),
            pays=random.choice((0.0, 0.0, 0.002, 0.01)),
            devoted=random.random() < 0.05,
            offline=0.25 if random.random() < 0.08 else 0.0,
        )


class Call(NamedTuple):
    """One call of the app: when it happened and when it arrives, ms."""

    happened: int
    arrives: int
    document: dict[str, Any]


@dataclass
class Outcome:
    """What became of one person."""

    person: Person
    log: list[LogRecord] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)


class Life:
    """One person, and the engine that watches."""

    def __init__(self, person: Person, rules: RuleSet, seed: int) -> None:
        self.person = person
        self.seed = seed
        self.outcome = Outcome(person)
        self.engine = Engine.begin(rules, at=_ms(datetime.combine(FIRST, time(), UTC)) - DAY)
        self.end = _ms(datetime.combine(LAST, time(), UTC)) + DAY
        self._calls: list[tuple[int, int, Call]] = []
        self._made = 0
        self._reads = True
        self._stays_until = FIRST
        self._cart: str | None = None
        self._member = False
        self._unsubscribed = False
        self._got: list[int] = []
        """When messages came, ms."""

    def run(self) -> Outcome:
        """Live every day, and react to everything that comes."""
        day = self.person.signed_up
        self._sign_up(day)
        while day <= LAST:
            self._live(day)
            day += timedelta(days=1)
            self._follow(_ms(datetime.combine(day, time(), self.person.zone)))
        self._follow(self.end)
        return self.outcome

    # ---- the engine --------------------------------------------------------------------------------------------------

    def _follow(self, until: int) -> None:
        """Fold what arrives up to a moment, and let the person react to what is sent on the way."""
        while True:
            arrives = self._calls[0][0] if self._calls else until
            due = self.engine.next_due()
            now = min(arrives, due, until)
            if now == due and due <= until:
                self.engine.until(due)
            elif self._calls and arrives < until:
                _, _, call = heappop(self._calls)
                self._fold(call)
            else:
                return
            self._react(now)

    def _fold(self, call: Call) -> None:
        record = LogRecord(len(self.outcome.log), call.arrives, self.person.id.encode(), json.dumps(call.document).encode())
        self.outcome.log.append(record)
        self.engine.fold([record])
        self.engine.settle()

    def _react(self, now: int) -> None:
        output = self.engine.take()
        self.outcome.decisions += [json.loads(out.value) for out in output.decisions if out.value]
        for out in output.actions:
            action = json.loads(out.value or b"{}")
            self.outcome.actions.append(action)
            self._receive(action, now)

    # ---- what the person does ----------------------------------------------------------------------------------------

    def _call(self, happened: int, late: int, **fields: object) -> None:
        """Let the app say something. `late`: how long it takes to arrive, ms."""
        self._made += 1
        arrives = happened + late
        document = {"userId": self.person.id, "messageId": f"{self.person.id}-{self._made}", "timestamp": _iso(happened), **fields}
        if late:
            document["sentAt"] = _iso(arrives)
        if arrives < self.end:
            heappush(self._calls, (arrives, self._made, Call(happened, arrives, document)))

    def _track(self, happened: int, late: int, event: str, **properties: object) -> None:
        self._call(happened, late, type="track", event=event, properties=properties)

    def _sign_up(self, day: date) -> None:
        at = self._at(day, self.person.hour - 0.5)
        self._call(at, 0, type="identify", traits=self.person.traits)
        campaign = Random(f"{self.seed}/{self.person.id}/campaign").choice(("spring", "friends", None))
        context = {} if campaign is None else {"context": {"campaign": {"name": campaign}}}
        self._call(at + 1_000, 0, type="track", event="Signed Up", properties={"source": campaign or "search"}, **context)

    def _live(self, day: date) -> None:
        """Do what the person does on a day without any new message."""
        person, random = self.person, Random(f"{self.seed}/{self.person.id}/{day}")
        stops, begins = random.random() < 0.02, random.random() < 0.006
        if self._reads and stops and day >= self._stays_until:
            self._reads = False
        elif not self._reads and begins:
            self._reads = True
        late = int((1 + random.random()) * DAY) if random.random() < person.offline else 0
        sessions = _poisson(random, person.rate * (1.3 if day.weekday() >= 5 else 1.0)) if self._reads else 0
        for number in range(max(sessions, person.devoted)):
            self._session(self._at(day, person.hour + random.gauss(0, 1.2) - 3 * number), late, random)

    def _session(self, at: int, late: int, random: Random) -> None:
        person = self.person
        minutes = round(person.minutes * random.lognormvariate(0, 0.4) + 35 * person.devoted, 1)
        for chapter in range(1 + random.randrange(2)):
            category = person.favourite if random.random() < 0.6 else random.choice(CATEGORIES)
            self._track(at + chapter * 5 * MINUTE, late, "chapter_read", category=category, book=f"{category}-{random.randrange(20)}")
        end = at + int(minutes * MINUTE)
        self._track(end, late, "app_used", minutes=minutes)
        if random.random() < person.shops:
            self._shop(end, late, random)
        if not self._member and random.random() < person.pays:
            self._pay(end, late)

    def _shop(self, at: int, late: int, random: Random) -> None:
        """Fill a cart, and complete the order half of the time."""
        cart, total = f"c{at // MINUTE}", 0.0
        for item in range(1 + random.randrange(3)):
            total = round(total + random.choice((4.9, 9.9, 14.9)), 2)
            self._track(at + item * 4 * MINUTE, late, "Cart Updated", cart_id=cart, items=item + 1, total=total)
        self._cart = cart
        if random.random() < 0.5:
            self._order(at + 20 * MINUTE, late, cart, total)

    def _order(self, at: int, late: int, cart: str, total: float) -> None:
        self._cart = None
        self._track(at, late, "Order Completed", cart_id=cart, total=total)

    def _pay(self, at: int, late: int) -> None:
        self._member = True
        self._track(at, late, "order_paid", plan="member", total=9.9)

    # ---- what messages cause -----------------------------------------------------------------------------------------

    def _receive(self, action: Mapping[str, Any], now: int) -> None:
        random = Random(f"{self.seed}/{action['id']}")
        effect = EFFECTS.get(action["journey"], EFFECTS.get(action["journey"].partition("-")[0], Effect()))
        moment = now + int(random.uniform(0.05, 4) * HOUR)
        buys, returns, stays, reads = (random.random() for _ in range(4))
        if action.get("grant", None) and "days" in action["grant"]:
            ends = datetime.fromtimestamp(now / 1000, self.person.zone).date() + timedelta(days=action["grant"]["days"])
            self._call(now + 1_000, 0, type="identify", traits={"trial_ends": ends.isoformat()})
        if buys < effect.buys:
            if self._cart is not None:
                self._order(moment, 0, self._cart, 9.9)
            elif not self._member:
                self._pay(moment, 0)
        if returns < effect.returns and not self._reads:
            self._reads = True
            self._session(moment, 0, random)
        if stays < effect.stays:
            self._stays_until = datetime.fromtimestamp(now / 1000, UTC).date() + timedelta(days=14)
        if reads < effect.reads:
            self._session(moment, 0, random)
        if action.get("message"):
            self._mind(now, random)

    def _mind(self, now: int, random: Random) -> None:
        """Too many messages make some people unsubscribe."""
        self._got = [*(at for at in self._got if at > now - 7 * DAY), now]
        if len(self._got) > ANNOYED_AFTER and not self._unsubscribed and random.random() < ANNOYED:
            self._unsubscribed = True
            self._call(now + MINUTE, 0, type="identify", traits={"unsubscribed": True})

    def _at(self, day: date, hour: float) -> int:
        """Return the moment of a local hour of a day."""
        return _ms(datetime.combine(day, time(), self.person.zone)) + int(min(max(hour, 0.2), 23.5) * HOUR)


# ---- the result ----------------------------------------------------------------------------------------------------------

SHOWN: Final = ("entered", "sent", "held", "dropped", "blocked", "withheld", "skipped", "failed", "refused", "exited", "converted")


def simulate(users: int, seed: int, rules: RuleSet) -> Iterator[Outcome]:
    """Yield what became of each person."""
    for person in people(users, seed):
        yield Life(person, rules, seed).run()


def table(counts: Mapping[str, Counter[str]]) -> str:
    """Return the kinds of decisions by journey, as text."""
    kinds = [kind for kind in SHOWN if any(counted[kind] for counted in counts.values())]
    width = max(map(len, counts), default=0)
    lines = [" ".join([" " * width, *(f"{kind:>9}" for kind in kinds)])]
    lines += [" ".join([f"{journey:{width}}", *(f"{counted[kind]:>9,}" for kind in kinds)]) for journey, counted in sorted(counts.items())]
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rules", type=Path, default=RULES, help="a folder of rule files")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    parser.add_argument("--log", type=Path, help="write all calls here, in the order in which they arrive, for `cueline replay` and `feed`")
    args = parser.parse_args()
    counts: dict[str, Counter[str]] = {}
    calls: list[tuple[int, str, bytes]] = []
    events = 0
    for outcome in simulate(args.users, args.seed, load_rules(read_folder(args.rules))):
        events += len(outcome.log)
        for decision in outcome.decisions:
            if decision["journey"] is not None:
                counts.setdefault(decision["journey"], Counter())[decision["kind"]] += 1
        if args.log is not None:
            calls += [(record.timestamp, outcome.person.id, record.value or b"") for record in outcome.log]
    if args.log is not None:
        lines = [json.dumps({**json.loads(value), "receivedAt": _iso(at)}) for at, _, value in sorted(calls)]
        args.log.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    if args.json:
        journeys = {name: dict(found) for name, found in sorted(counts.items())}
        print(json.dumps({"users": args.users, "events": events, "journeys": journeys}))
    else:
        print(f"{args.users:,} people, {events:,} events, {FIRST} to {LAST}\n\n{table(counts)}")
    return 0


def _poisson(random: Random, mean: float) -> int:
    """Draw from a Poisson distribution by counting arrivals of an exponential one."""
    number, at = 0, random.expovariate(1.0)
    while at < mean:
        number += 1
        at += random.expovariate(1.0)
    return number


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main())
