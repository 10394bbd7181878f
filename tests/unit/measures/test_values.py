"""`first_value`, `last_value` and `top`: what they say, what their windows keep, and what they never keep."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.loading import problems
from triggers.base.intervals import UNKNOWN
from triggers.base.model import DAY
from triggers.base.moments import zone
from triggers.definitions.model import Measure
from triggers.measures.kind import kind_of
from triggers.measures.kinds import top
from triggers.measures.reading import day_reading, reading
from triggers.measures.shapes import Tally, Valued
from triggers.measures.view import View
from triggers.measures.windows import merge, new_window, updater
from triggers.rules.bounds import window_bytes
from triggers.rules.checks import load
from triggers.testing import Story

TODAY = 20_000
LISTED = "top(...) is a list of texts, which no condition compares; name it in the section values and show it, as in {{ values.x[0] }}"
RULES = """version: 2
values:
  last: last_value("Order.kind")
  first: first_value("Order.kind")
  favourite: top("Order.kind", days=2)
segments:
  {segment}
journeys:
  found: {{entry: {{enters: s}}, re_entry: always, steps: [{{send: {{channel: push, text: hello}}}}]}}
  show:
    entry: {{event: ask}}
    re_entry: always
    steps:
      - send:
          channel: push
          text: "{{{{ values.first }}}} {{{{ values.last }}}} {{{{ values.favourite[0] or 'none' }}}} {{{{ values.favourite }}}}"
"""


def ends(kind: str) -> Measure:
    return Measure(kind, "Order", ("kind",))


def tops(n: int = 3, length: int = 2) -> Measure:
    return Measure("top", "Order", ("kind",), "day", length, n=n)


def filled(of: Measure, *added: tuple[int, Any], since: int = 0) -> Any:
    """A window with these values of the property, each so many days ago; at most one event of a day is at another moment."""
    window, update, take = new_window(of, since), updater(of), kind_of(of).take
    assert take is not None
    now = TODAY * DAY
    for ago, value in added:
        found = take(of.path)({"kind": value})
        if found is not None:
            update(window, now - ago * DAY, TODAY - ago, found, now, TODAY)
    return window


def says(of: Measure, window: Any) -> Any:
    return reading(of).read(View({of.key: window}, {}, TODAY * DAY, zone("UTC")))


def test_they_are_the_values_by_event_time() -> None:
    added = ((1, "b"), (3, "a"), (0, "c"), (2, "d"))
    assert says(ends("first_value"), filled(ends("first_value"), *added)) == "a"
    assert says(ends("last_value"), filled(ends("last_value"), *added)) == "c"


def test_of_events_at_one_moment_the_log_decides() -> None:
    added = ((1, "a"), (1, "b"), (1, "c"))
    assert says(ends("first_value"), filled(ends("first_value"), *added)) == "a"
    assert says(ends("last_value"), filled(ends("last_value"), *added)) == "c"


def test_an_event_without_the_property_does_not_count() -> None:
    added = ((3, None), (2, "a"), (1, ["b"]), (0, {"c": 1}))
    assert says(ends("first_value"), filled(ends("first_value"), *added)) == "a"
    assert says(ends("last_value"), filled(ends("last_value"), *added)) == "a"


@pytest.mark.parametrize(
    ("value", "kept"), [("x" * 256, "x" * 256), ("x" * 257, None), ("é" * 129, None), (0, 0), (False, False), (2.5, 2.5)]
)
def test_a_text_of_more_than_256_bytes_is_null(value: object, kept: object) -> None:
    of = ends("last_value")
    assert says(of, filled(of, (1, "before"), (0, value))) == kept


def test_over_an_incomplete_window_they_are_unknown() -> None:
    for kind in ("first_value", "last_value"):
        assert says(ends(kind), filled(ends(kind), (0, "a"), since=5)) is UNKNOWN


def test_there_is_no_value_of_a_single_day() -> None:
    for kind in ("first_value", "top"):
        of = Measure(kind, "Order", ("kind",), "day", 3, None, True)
        with pytest.raises(TypeError, match="of single days is not read"):
            day_reading(of)


# ---- top ------------------------------------------------------------------------------------------------------------


def test_the_most_frequent_texts_come_first_and_equal_ones_by_text() -> None:
    added = ((0, "b"), (0, "a"), (1, "c"), (0, "c"), (0, 5), (0, "x" * 257), (2, "old"), (2, "old"), (2, "old"))
    assert says(tops(), filled(tops(), *added)) == ["c", "a", "b"]
    assert says(tops(1), filled(tops(1), *added)) == ["c"]
    assert says(tops(), filled(tops(), *added, since=5)) == ["c", "a", "b"], "what is held, complete or not"


def test_measures_that_list_more_or_fewer_texts_share_a_window() -> None:
    assert tops(1).key == tops(20).key != tops(1, 3).key


names = st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["a", "b", "c", "d", "e", "f"])), max_size=40)


@given(names, st.integers(1, 4), st.integers(1, 6), st.integers(0, 40))
def test_a_full_window_lets_the_rarest_go_and_never_counts_too_much(added: list[tuple[int, str]], texts: int, pairs: int, cut: int) -> None:
    of = tops(20, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(top, "MOST_TEXTS", texts)
        patch.setattr(top, "MOST_PAIRS", pairs)
        whole = filled(of, *added)
        both = merge(of, filled(of, *added[:cut]), filled(of, *added[cut:]), TODAY * DAY)
    assert isinstance(both, Tally)
    for window in (whole, both):
        assert len(window.texts) <= texts
        assert sum(map(len, window.texts.values())) <= pairs or len(window.texts) == 1
        assert list(window.texts) == sorted(window.texts)
        for text, days in window.texts.items():
            assert list(days) == sorted(days)
            for day, count in days.items():
                assert count <= added.count((TODAY - day, text))
    if added and added[-1][0] < 6:
        assert added[-1][1] in whole.texts, "the new one is never the one that goes"


def test_a_full_window_stays_below_what_check_counts_for_it() -> None:
    of = tops(3, 1_000)
    texts = [f"{number:03}" + "x" * 253 for number in range(300)]
    added = [(ago, text) for ago in range(12) for text in texts] + [(ago, "often") for ago in range(900)]
    window = filled(of, *added)
    assert len(window.texts) <= 200
    assert len(msgspec.msgpack.encode({of.key: window})) <= window_bytes(of)
    last = filled(ends("last_value"), (0, "x" * 256))
    assert isinstance(last, Valued)
    assert len(msgspec.msgpack.encode({ends("last_value").key: last})) <= window_bytes(ends("last_value"))


# ---- in rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ('last_value("Order.kind") == "b"', "b", 1),
        ('last_value("Order.kind") in ["b", "c"]', "b", 1),
        ('last_value("Order.kind") != "b"', "a", 1),
        ('first_value("Order.kind") == traits.wanted', "gold", 1),
        ('last_value("Order.kind") == last_value("Order.kind")', "x" * 300, 0),
        ('last_value("Order.kind") >= 2.5', "2.5", 1),
        ('last_value("Order.kind") * 2 == 5', 2.5, 1),
        ('last_value("Order.kind") == True', True, 1),
        ('last_value("Order.kind") > count("Order")', 2, 1),
        ('values.last == "b"', "b", 1),
    ],
)
def test_a_condition_compares_them_as_it_compares_traits(condition: str, value: object, expected: int) -> None:
    story = Story({"r.yaml": RULES.format(segment=f"s: '{condition}'")})
    story.identify("ann", {"wanted": "gold"})
    story.track("ann", "Order", {"kind": value})
    assert len(story.actions("ann")) == expected


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        ('"x" in values.favourite', f"7:14: {LISTED}"),
        ('values.favourite == "x"', f"7:27: {LISTED}"),
        ("values.favourite", "7:7: a list of texts alone is no condition; compare it with something"),
        ("values.favourite + 1 > 2", "7:7: a list of texts in a calculation; calculate with numbers"),
    ],
)
def test_no_condition_compares_a_list(condition: str, problem: str) -> None:
    assert problems(RULES.format(segment=f"s: '{condition}'")) == [f"a.yaml:{problem}"]


def test_a_file_of_version_1_does_not_know_them() -> None:
    found = problems("version: 1\nsegments: {s: 'last_value(\"A.b\") == 1'}")
    assert len(found) == 1
    assert "last_value is not known in version 1" in found[0]


def test_a_schema_says_what_they_can_be_compared_with() -> None:
    schema = "schema: {events: {Order: {kind: text, total: number}}}\n"
    for text, problem in (
        ('last_value("Order.kind") == 5', "compares a text with a number"),
        ('last_value("Order.total") in ["x"]', "a text where a number is expected"),
    ):
        found = problems(f"version: 2\n{schema}segments: {{s: '{text}'}}")
        assert len(found) == 1
        assert problem in found[0]
    found = problems(f"version: 2\n{schema}values: {{v: 'top(\"Order.total\", days=3)'}}")
    assert any('"total" is declared as a number; top lists texts' in each for each in found), found


def test_texts_show_them() -> None:
    story = Story({"r.yaml": RULES.format(segment="s: traits.x")})
    story.track("ann", "ask")
    for kind in ("b", "a", "c", "c"):
        story.track("ann", "Order", {"kind": kind})
    story.track("ann", "ask")
    texts = [action["message"]["text"] for action in story.actions("ann")]
    assert texts == ["  none []", 'b c c ["c","a","b"]']


def test_a_view_of_a_user_shows_what_the_windows_hold() -> None:
    of = tops()
    assert kind_of(of).contents(of, filled(of, (0, "b"), (1, "a"), (0, "a"))) == {"texts": {"a": 2, "b": 1}}
    one = ends("last_value")
    assert kind_of(one).contents(one, filled(one, (0, "b"))) == {"at": "2024-10-04T00:00:00.000Z", "value": "b"}


def test_a_definition_says_how_many_are_listed_only_where_it_is_a_list() -> None:
    assert tops().wire() == ("Measure", {"kind": "top", "event": "Order", "path": ("kind",), "unit": "day", "length": 2, "n": 3})
    assert "n" not in ends("last_value").wire()[1]
    rules = load({"r.yaml": RULES.format(segment="s: traits.x")})
    assert rules.journeys["show"].values["favourite"] == tops()
