"""`min(E.p)`: the smallest number that a property has had; null where there is none yet.

Over an incomplete window it is an upper bound, and unknown before the first number. What is no number counts as missing. From a
number that does not fit, the window is incomplete: that number may have been the smallest.
"""

from __future__ import annotations

import operator
from typing import Any, Final

from triggers.base.numbers import plain
from triggers.definitions.model import Measure
from triggers.measures import extremes, taking
from triggers.measures.kind import Kind, Updater
from triggers.measures.shapes import Window
from triggers.measures.view import Reading, at_most, fit_since


def _updater(measure: Measure) -> Updater:
    return extremes.updater(measure, operator.le)


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401 -- windows of this kind
    return extremes.merge(measure, a, b, now, operator.le)


def _reading(measure: Measure) -> Reading:
    return extremes.reading(measure, at_most)


def _day_reading(measure: Measure) -> Reading:
    return extremes.day_reading(measure, at_most)


MIN: Final = Kind(
    name="min",
    example='min("Order Completed.total")',
    gives="number",
    take=taking.numbers,
    numbers="min compares numbers",
    power=1,
    new=extremes.new,
    updater=_updater,
    merge=_merge,
    most_bytes=extremes.most_bytes,
    since=fit_since,
    reading=_reading,
    day_reading=_day_reading,
    shown=plain,
    contents=extremes.contents,
)
