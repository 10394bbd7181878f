"""A text shows what the windows of a value hold at that moment, complete or not."""

import pytest

from triggers.testing import Story

RULES = """version: 2
values:
  spent: sum("paid.total", days=30)
  orders: count("paid", days=30)
  average: values.spent / values.orders
  doubled: values.spent * values.factor + 0.5
  factor: "2"
  largest: max("paid.total")
  first: first("paid")
  kinds: distinct("paid.kind", days=3)
  name: traits.name
  city: traits.address.city
  word: '"hello"'
journeys:
  j:
    entry: {event: ask}
    re_entry: always
    steps: [{send: {channel: push, text: "TEXT"}}]
"""


def story(text: str, apply_at: str = "2026-01-01T00:00Z") -> Story:
    made = Story({"a.yaml": RULES.replace("TEXT", text)}, start="2026-01-01T00:00Z")
    del apply_at
    return made


def shown(made: Story) -> str:
    made.track("ann", "ask", at="+1h")
    return str(made.actions("ann")[-1]["message"]["text"])


ALL = "{{ values.spent }} {{ values.orders }} {{ values.average }} {{ values.doubled }} {{ values.largest }} {{ values.kinds }}"


def test_a_text_shows_numbers_at_its_moment() -> None:
    made = story(ALL)
    assert shown(made) == "0 0  0.5  0"
    for total in (10, 2.5, "7.5"):
        made.track("ann", "paid", {"total": total, "kind": total}, at="+1h")
    assert shown(made) == "20 3 6.666667 40.5 10 3"
    made.until("+31d")
    assert shown(made) == "0 0  0.5 10 0"


def test_a_text_shows_moments_traits_and_plain_values() -> None:
    made = story("{{ values.first|date('%d.%m.%Y') }} {{ values.first }} {{ values.name or 'you' }} {{ values.city }} {{ values.word }}")
    assert shown(made) == "  you  hello"
    made.identify("ann", {"name": "Ann", "address": {"city": "Ulm"}}, at="+1h")
    made.track("ann", "paid", {"total": 1}, at="2026-02-03T04:00Z")
    assert shown(made) == "03.02.2026 2026-02-03T04:00:00.000Z Ann Ulm hello"


def test_a_window_that_has_not_seen_everything_shows_what_it_holds() -> None:
    """Also a sum that a condition does not know, and after a number that no window can take."""
    made = Story({"a.yaml": "version: 2\n"}, start="2026-01-01T00:00Z")
    made.track("ann", "paid", {"total": 99, "kind": "a"}, at="+1h")
    made.apply({"a.yaml": RULES.replace("TEXT", ALL)}, at="+1h")
    assert shown(made) == "0 0  0.5  0"
    made.track("ann", "paid", {"total": 5, "kind": "b"}, at="+1h")
    made.track("ann", "paid", {"total": 1e300, "kind": "b"}, at="+1h")
    assert shown(made) == "5 2 2.5 10.5 5 1"


def test_a_value_that_only_a_text_names_has_a_window() -> None:
    made = story("{{ values.spent }}")
    made.track("ann", "paid", {"total": 3}, at="+1h")
    assert shown(made) == "3"


@pytest.mark.parametrize(("text", "result"), [("{{ values.spent|fixed(2) }}", "3.00"), ("{% if values.orders > 0 %}yes{% endif %}", "yes")])
def test_values_go_through_filters_and_tags(text: str, result: str) -> None:
    made = story(text)
    made.track("ann", "paid", {"total": 3}, at="+1h")
    assert shown(made) == result
