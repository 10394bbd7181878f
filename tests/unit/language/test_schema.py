"""A schema declares events and traits; the checks compare names and types with it."""

import pytest

from tests.unit.rules.loading import loaded, problems
from triggers.rules.checks import load


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("schema: {event: {}}", 'a.yaml:2:10: unknown key "event" in schema; did you mean "events"?'),
        ("schema: {events: {A: {p: numbr}}}", 'a.yaml:2:26: "p" cannot be "numbr"; did you mean "number"?'),
        ("schema: {events: {A: {p: {}}}}", 'a.yaml:2:26: "p" has no "type"'),
        ("schema: {events: {A: {p: {type: text, non-negative: true}}}}", 'a.yaml:2:53: "p" is non-negative but no number'),
        ("schema: {events: {A: {p: {type: number, non-negative: yes}}}}", 'a.yaml:2:55: non-negative of "p" is neither true nor false'),
        (
            "schema: {events: {A: {p: {type: number, nonnegative: true}}}}",
            'a.yaml:2:41: unknown key "nonnegative" in "p"; did you mean "non-negative"?',
        ),
        ("schema: {events: {A: [p]}}", 'a.yaml:2:22: the event "A" is a list; a mapping belongs here'),
        ("schema: {traits: {a..b: text}}", 'a.yaml:2:19: "a..b" in traits is no name; a name, or a path as address.city'),
        ("schema: {traits: [a]}", "a.yaml:2:18: traits is a list; a mapping belongs here"),
    ],
)
def test_a_wrong_schema_is_named(text: str, problem: str) -> None:
    assert problem in problems(f"version: 1\n{text}\n")


SCHEMA = """
schema:
  events:
    Order Completed: {total: {type: number, non-negative: true}, coupon: text, shop.name: text}
    Signed Up:
  traits: {name: text, age: number, address.city: text, more: any}
"""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "journeys: {j: {entry: {event: Order Complete}, steps: [{wait: 1d}]}}",
            '8:31: unknown event "Order Complete"; did you mean "Order Completed"?',
        ),
        (
            "journeys: {j: {entry: {event: Signed Up}, exit: {event: Sined Up}, steps: [{wait: 1d}]}}",
            '8:57: unknown event "Sined Up"; did you mean "Signed Up"?',
        ),
        (
            "journeys: {j: {entry: {event: Order Completed, where: 'totl > 1'}, steps: [{wait: 1d}]}}",
            '8:56: "Order Completed" has no property "totl"; did you mean "total"?',
        ),
        ("segments: {s: 'did(\"Order Competed\")'}", '8:21: unknown event "Order Competed"; did you mean "Order Completed"?'),
        ("segments: {s: 'traits.nam == \"x\"'}", '8:16: unknown trait "nam"; did you mean "name"?'),
        (
            'journeys: {j: {entry: {event: Signed Up}, steps: [{send: {channel: push, text: "Hi {{ traits.nam }}"}}]}}',
            '8:94: unknown trait "nam"; did you mean "name"?',
        ),
        (
            'journeys: {j: {entry: {event: Order Completed}, steps: [{send: {channel: push, text: "{{ properties.totl }}"}}]}}',
            '8:101: "Order Completed" has no property "totl"; did you mean "total"?',
        ),
    ],
)
def test_with_a_schema_names_are_checked_everywhere(body: str, problem: str) -> None:
    assert problems("version: 1\n" + SCHEMA + body + "\n") == ["a.yaml:" + problem]


def test_what_the_schema_declares_passes() -> None:
    loaded(
        SCHEMA
        + """
segments:
  s: sum("Order Completed.total", days=3, where=shop.name == "x") > 1 and traits.age > 3 and traits.timezone == "UTC"
journeys:
  j:
    entry: {event: Order Completed, where: coupon == "x"}
    steps: [{send: {channel: push, text: "{{ traits.address.city }} {{ traits.address }} {{ traits.more.x }} {{ properties.shop }}"}}]
"""
    )


def test_a_schema_may_be_spread_over_files() -> None:
    load(
        {
            "a.yaml": "version: 1\nschema: {events: {A: {}}}\n",
            "b.yaml": (
                "version: 1\nschema: {events: {B: {}}, traits: {t: text}}\nsegments: {s: did('A') and did('B') and traits.t == 'x'}\n"
            ),
        }
    )
