"""The demo's people: three different stories, from the orders, actions and decisions; and the package contains what the demo needs."""

import re
import tomllib
from pathlib import Path

from streams.broker.embedded import REQUIREMENT
from streams.demo.people import choose, stories
from triggers.rules.folder import read_folder
from triggers.testing import Story

ROOT = Path(__file__).parents[3]


def test_one_is_chosen_of_each_kind_and_long_stories_are_not() -> None:
    all_of_them = {"welcome", "win-back", "gold"}
    journeys = {"1": all_of_them, "2": {"welcome"}, "3": {"welcome"}, "4": {"gold"}, "5": {"welcome", "win-back"}, "6": all_of_them}
    assert choose(journeys, {"1": 7, "2": 1, "3": 1, "5": 6, "6": 2}) == ["2", "5", "6"]
    assert choose({"4": {"gold"}}, {"4": 1}) == []


def test_a_person_is_told_with_what_they_got_what_they_did_not_get_and_why() -> None:
    story = Story(read_folder(ROOT / "examples" / "cdnow"), start="1996-12-31")
    orders = []
    for date, total in (("1997-01-01", 60.0), ("1997-01-02", 45.5)):
        properties = {"total": total, "quantity": 1 if total < 50 else 2}
        orders.append({"userId": "7", "at": story.moment(date), "properties": properties})
        story.track("7", "Order Completed", properties, at=date)
    story.track("8", "Order Completed", {"total": 500, "quantity": 9}, at="1997-01-03")
    story.until("1997-05-01")
    (person,) = stories(["7"], orders, story.actions(), story.decisions())
    assert person.lines() == [
        "customer 7",
        "  1997-01-01  buys 2 CDs for $60.00",
        "  1997-01-02  buys 1 CD for $45.50",
        "  1997-01-02  gets nothing by welcome: a run of this journey is under way",
        '  1997-01-02  gets "You are gold" by email',
        '                because gold began: sum("Order Completed.total", days=90) = 105.5',
        '  1997-01-04  gets "Welcome" by email',
        "                because welcome began with the order of 1997-01-01, and waited until 1997-01-04",
        '  1997-03-03  gets "We miss you" by email',
        (
            '                because win-back began: count("Order Completed") = 2, did("Order Completed", days=60) = false, '
            'last("Order Completed") = 1997-01-02'
        ),
    ]
    assert person.document()["timeline"][0] == {"at": "1997-01-01T00:00:00.000Z", "what": "buys 2 CDs for $60.00", "why": None}


def test_what_the_demo_reads_and_starts_is_part_of_the_wheel_or_named_by_its_version() -> None:
    """`pip install .` and `cueline demo`: rules and the independent answer lie in the package, and pip is asked for the same broker."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packaged = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    needed = re.findall(r'resource\("([^"]+)", "([^"]+)"\)', (ROOT / "streams" / "demo" / "run.py").read_text("utf-8"))
    assert len(needed) == 2
    assert {checkout: f"streams/data/{installed}" for installed, checkout in needed} == packaged
    assert all((ROOT / checkout).exists() for checkout in packaged)
    assert project["project"]["optional-dependencies"]["demo"] == [REQUIREMENT]
