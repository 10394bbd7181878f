"""What the three CDNOW rules of RULES.md must do, computed from the file alone: no windows, no timers, no engine.

Each customer is walked through by hand: at every midnight from the first order to the end of the log, and at every order, the conditions
are computed again from the list of all orders so far. The rules, word for word:

    lapsed:  count("Order Completed") >= 2 and silent("Order Completed", days=60)
    gold:    sum("Order Completed.total", days=90) >= 100
    welcome: entry by the event, never again, a wait of 3 days, a send
    win-back, gold: entry by entering the segment, always again, a send

Every order of the file is at a midnight (UTC), so every moment at which time alone can change anything is a midnight too: the panes
leave at midnight, and 60 x 24 h and 72 h after a midnight is a midnight. At one midnight what time alone does comes first and sees only
the orders before it in the log; then each order is looked at by itself. So a customer can leave and enter in one moment.

A user is the customer's number in the *master* file: the sample carries it in its first column, its own numbering in the second.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

DAY = 86_400_000
END = 899_251_200_000
"""The final tick, inclusive: 1998-07-01T00:00Z."""
GOLD = 100_00
"""Cents that make a customer gold."""
SHARED = Path(__file__).resolve().parent / "../../../shared/data"
"""Where the files are next to the project, on a machine that has them."""

Moments = Counter[tuple[str, str, int]]
"""How often (user, rule, moment in ms) must come out."""


class Order(NamedTuple):
    """One line of the file."""

    user: str
    at: int
    cents: int


def read(name: str, wheel: Path | None = None) -> list[str]:
    """The lines of `CDNOW_master.txt` or `CDNOW_sample.txt`: from the shared folder where it is, else out of the Lifetimes wheel.

    Raises FileNotFoundError where there is neither.
    """
    if (SHARED / name).exists():
        return (SHARED / name).read_text("ascii").splitlines()
    if wheel is None:
        raise FileNotFoundError(f"{name}: no folder {SHARED}, and no wheel was named")
    with ZipFile(wheel) as archive:
        return archive.read(f"lifetimes/datasets/{name}").decode("ascii").splitlines()


def orders(lines: Iterable[str]) -> Iterator[Order]:
    """Every line is one order, also at $0 and also where it repeats another; the heading of the master file is none."""
    for line in lines:
        fields = line.split()
        if not fields or fields[0] == "customer_id":
            continue
        user, date, _, dollars = fields if len(fields) == 4 else (fields[0], *fields[2:])
        whole, cents = dollars.split(".")
        day = datetime.strptime(date, "%Y%m%d").replace(tzinfo=UTC)
        yield Order(user, round(day.timestamp()) * 1000, int(whole) * 100 + int(cents))


def expected(lines: Iterable[str]) -> Moments:
    """All that the three rules ask for, over the whole file."""
    customers: dict[str, list[Order]] = {}
    for order in orders(lines):
        customers.setdefault(order.user, []).append(order)
    moments: Moments = Counter()
    for user, history in customers.items():
        # sorted() is stable: orders of one moment stay in the order of the file.
        moments.update((user, rule, at) for rule, at in customer(sorted(history, key=lambda order: order.at)))
    return moments


def customer(history: list[Order]) -> Iterator[tuple[str, int]]:
    """One customer's (rule, moment), in order."""
    first = history[0].at
    so_far: list[Order] = []
    lapsed = gold = False
    for midnight in range(first, END + 1, DAY):
        if midnight == first + 3 * DAY:
            yield "welcome", midnight
        # What time alone does at this midnight, with the orders before it; then each order of this midnight by itself.
        today = [None, *(order for order in history if order.at == midnight)]
        for order in today:
            if order is not None:
                so_far.append(order)
            was_lapsed, was_gold = lapsed, gold
            lapsed, gold = is_lapsed(so_far, midnight), is_gold(so_far, midnight)
            if lapsed and not was_lapsed:
                yield "win-back", midnight
            if gold and not was_gold:
                yield "gold", midnight


def is_lapsed(so_far: list[Order], now: int) -> bool:
    """Two orders or more, and 60 x 24 h have passed since the last one."""
    return len(so_far) >= 2 and now >= so_far[-1].at + 60 * DAY


def is_gold(so_far: list[Order], now: int) -> bool:
    """$100 or more on this day and the 89 before it."""
    total = 0
    for order in so_far:
        if order.at > now - 90 * DAY:
            total += order.cents
    return total >= GOLD


def summary(moments: Moments) -> dict[str, int]:
    """How many moments each rule has."""
    totals = Counter[str]()
    for (_, rule, _), times in moments.items():
        totals[rule] += times
    return dict(sorted(totals.items()))


def as_json(moments: Moments) -> list[list[object]]:
    """Sorted [user, rule, moment in ms, how often], for a file or a comparison in another process."""
    return [[*key, times] for key, times in sorted(moments.items())]


if __name__ == "__main__":
    for file in ("CDNOW_sample.txt", "CDNOW_master.txt"):
        print(file, summary(expected(read(file, Path(sys.argv[1]) if sys.argv[1:] else None))))
