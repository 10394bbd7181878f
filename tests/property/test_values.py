"""What a text shows of a value is what a recount of all events gives."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from triggers.base.model import DAY
from triggers.testing import Story

RULES = """version: 2
values:
  sum: sum("paid.total", days=3)
  count: count("paid", days=3)
  ever: sum("paid.total")
  quotient: values.ever / values.count
  most: max("paid.total", days=2)
journeys:
  j:
    entry: {event: ask}
    re_entry: always
    steps: [{send: {channel: push, text: "{{ values.sum }}|{{ values.count }}|{{ values.ever }}|{{ values.quotient }}|{{ values.most }}"}}]
"""
START = 1_767_225_600_000  # 2026-01-01, a midnight

gaps = st.sampled_from([1, 3_600_000, DAY - 1, DAY, DAY + 1, 2 * DAY])
totals = st.one_of(st.none(), st.integers(-5, 300), st.sampled_from(["2.5", "x", True]), st.integers(1, 10**6).map(lambda n: n / 10**6))


def number(value: object) -> Fraction | None:
    return None if value is None or value is True or value == "x" else Fraction(str(value))


def rounded(value: Fraction | None) -> Fraction | None:
    return None if value is None else Fraction(round(value * 10**6), 10**6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(gaps, totals), max_size=12), gaps)
def test_a_text_shows_what_a_recount_gives(calls: list[tuple[int, object]], rest: int) -> None:
    story, at = Story({"a.yaml": RULES}, start=START), START
    happened: list[tuple[int, Fraction | None]] = []
    for gap, total in calls:
        at += gap
        story.track("ann", "paid", {"total": total}, at=at)
        happened.append((at // DAY, number(total)))
    at += rest
    story.track("ann", "ask", at=at)
    today = at // DAY
    latest = [total for day, total in happened if day > today - 3]
    ever = sum((total for _, total in happened if total is not None), Fraction(0))
    most = max((total for day, total in happened if day > today - 2 and total is not None), default=None)
    quotient = ever / len(latest) if latest else None
    expected = [sum((total for total in latest if total is not None), Fraction(0)), Fraction(len(latest)), ever, quotient, most]
    shown = story.actions("ann")[-1]["message"]["text"].split("|")
    assert [Fraction(text) if text else None for text in shown] == [rounded(value) for value in expected]
