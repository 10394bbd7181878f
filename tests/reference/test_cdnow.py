"""The CDNOW oracle agrees with a second one that shares nothing with it but the file, and with what is published about the file."""

import json
import sqlite3
from collections import Counter
from functools import cache
from pathlib import Path
from zipfile import ZipFile

import pytest

from streams.ingest.cdnow import cache_folder
from tests.reference import cdnow
from tests.reference.cdnow import DAY, END, Moments

FILES = ["CDNOW_sample.txt", "CDNOW_master.txt"]
TOTALS = {
    "CDNOW_sample.txt": {"gold": 656, "welcome": 2_357, "win-back": 1_881},
    "CDNOW_master.txt": {"gold": 6_624, "welcome": 23_570, "win-back": 19_358},
}

BY_SQL = """
-- A customer lapses 60 days after an order (not the first) that no order followed before that moment; an order at that very moment comes
-- after it. Of several orders at one moment only the last is followed by 60 silent days.
with numbered as (
    select *, row_number() over mine as nth, lead(at) over mine as next from orders
    window mine as (partition by user order by at, line)
),
-- Gold begins with the order that lifts the sum of 90 days from below to 100 dollars or more. Between orders the sum only falls.
summed as (
    select this.user, this.at, this.cents, sum(other.cents) as total from orders this
    join orders other on other.user = this.user and other.at > this.at - 90 * :day and (other.at, other.line) <= (this.at, this.line)
    group by this.user, this.at, this.line
)
select user, 'welcome', min(at) + 3 * :day as moment from orders group by user having moment <= :end
union all
select user, 'win-back', at + 60 * :day from numbered
where nth >= 2 and at + 60 * :day <= :end and (next is null or next >= at + 60 * :day)
union all
select user, 'gold', at from summed where total >= 10000 and total - cents < 10000
"""


def by_sql(lines: list[str]) -> Moments:
    """The same moments from closed formulas over the table of orders, without walking through time."""
    base = sqlite3.connect(":memory:")
    base.execute("create table orders (line integer, user text, at integer, cents integer)")
    base.executemany("insert into orders values (?, ?, ?, ?)", ((line, *order) for line, order in enumerate(cdnow.orders(lines))))
    base.execute("create index by_user on orders (user, at, line)")
    moments: Moments = Counter()
    for user, rule, at in base.execute(BY_SQL, {"day": DAY, "end": END}):
        moments[user, rule, at] += 1
    base.close()
    return moments


def lines_of(name: str) -> list[str]:
    """The file's lines, from the wheel that the demo has fetched where the shared folder is not; or a skip that says why."""
    try:
        return cdnow.read(name, next(cache_folder().glob("[Ll]ifetimes-0.11.3-*.whl"), None))
    except FileNotFoundError as error:
        pytest.skip(str(error))


@cache
def expected_of(name: str) -> Moments:
    """Walking through 18 months of 23,570 customers takes ten seconds: once is enough."""
    return cdnow.expected(lines_of(name))


@pytest.mark.parametrize("name", FILES)
def test_two_unlike_methods_agree_on_every_moment(name: str) -> None:
    """Walking through every midnight, and closed formulas in SQL, give the same multiset."""
    moments = expected_of(name)
    assert moments == by_sql(lines_of(name))
    assert cdnow.summary(moments) == TOTALS[name]


def test_the_file_is_the_published_one() -> None:
    """69,659 orders of 23,570 customers for $2,500,315.63; the sample holds 6,919 of 2,357."""
    master, sample = (list(cdnow.orders(lines_of(name))) for name in ("CDNOW_master.txt", "CDNOW_sample.txt"))
    assert (len(master), len({order.user for order in master}), sum(order.cents for order in master)) == (69_659, 23_570, 2_500_315_63)
    assert (len(sample), len({order.user for order in sample})) == (6_919, 2_357)


def test_the_samples_customers_do_in_the_sample_what_they_do_in_the_master_file() -> None:
    """Users are independent: the sample's answer is the master's, cut to the sample's customers."""
    sample, master = (expected_of(name) for name in FILES)
    users = {user for user, _, _ in sample}
    assert sample == Counter({key: times for key, times in master.items() if key[0] in users})


def test_the_wheel_is_read_where_the_shared_folder_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fresh machine has only the wheel; without that either it is said what is missing."""
    monkeypatch.setattr(cdnow, "SHARED", tmp_path / "nowhere")
    with ZipFile(tmp_path / "lifetimes.whl", "w") as archive:
        archive.writestr("lifetimes/datasets/CDNOW_sample.txt", " 00004 0001 19970101  2   29.33\r\n")
    lines = cdnow.read("CDNOW_sample.txt", tmp_path / "lifetimes.whl")
    assert list(cdnow.orders(lines)) == [("00004", 852_076_800_000, 2933)]
    with pytest.raises(FileNotFoundError, match="no wheel"):
        cdnow.read("CDNOW_sample.txt")


def history(*days_and_dollars: tuple[int, str]) -> list[tuple[str, int]]:
    """(rule, day) of a customer who ordered on these days of 1997 (0 is January 1st)."""
    start = 852_076_800_000
    moments = cdnow.customer([cdnow.Order("u", start + day * DAY, round(float(dollars) * 100)) for day, dollars in days_and_dollars])
    return [(rule, (at - start) // DAY) for rule, at in moments]


def test_an_order_at_the_very_moment_of_lapsing_comes_after_it() -> None:
    """The timer at day 70 sees only what comes before it in the log: the customer lapses and returns in one moment."""
    assert history((0, "1.00"), (10, "1.00"), (70, "1.00")) == [("welcome", 3), ("win-back", 70), ("win-back", 130)]
    assert history((0, "1.00"), (10, "1.00"), (69, "1.00")) == [("welcome", 3), ("win-back", 129)]


def test_one_order_never_lapses_and_two_at_one_moment_do() -> None:
    """`count >= 2` counts lines, also those of one day and those that cost nothing."""
    assert history((0, "5.00")) == [("welcome", 3)]
    assert history((0, "5.00"), (0, "0.00")) == [("welcome", 3), ("win-back", 60)]


def test_gold_leaves_at_the_midnight_of_its_ninetieth_day_and_can_return_in_that_moment() -> None:
    """Day 0 counts up to day 89; at day 90 the sum has lost it before the order of that day is looked at."""
    assert history((0, "100.00"), (89, "100.00")) == [("gold", 0), ("welcome", 3), ("win-back", 149)]
    assert history((0, "100.00"), (90, "100.00")) == [("gold", 0), ("welcome", 3), ("gold", 90), ("win-back", 150)]


def test_the_answer_travels_as_json() -> None:
    """Sorted rows, so that two processes can compare files."""
    moments: Moments = Counter({("b", "gold", 2): 1, ("a", "gold", 1): 2})
    assert json.loads(json.dumps(cdnow.as_json(moments))) == [["a", "gold", 1, 2], ["b", "gold", 2, 1]]
