"""`first_value(E.p)`: what a property was at the first event that has it, by event time; of several at one moment, the first in the log.

It is a text, a number or a flag. A text of more than 256 bytes is null, a list or an object counts as missing. Over an incomplete window
the value is unknown.
"""

from __future__ import annotations

import operator
from typing import Any, Final

from triggers.definitions.model import Measure
from triggers.measures import ends, taking
from triggers.measures.kind import Kind, Updater
from triggers.measures.shapes import Window


def _updater(measure: Measure) -> Updater:  # noqa: ARG001
    return ends.updater(operator.lt)


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401, ARG001 -- windows of this kind
    return ends.merge(a, b, operator.lt)


FIRST_VALUE: Final = Kind(
    name="first_value",
    example='first_value("Order Completed.currency")',
    gives="any",
    take=taking.kept_values,
    refuses_length=("first_value takes no length", "it is over all time"),
    version=2,
    in_every_day=False,
    new=ends.new,
    updater=_updater,
    merge=_merge,
    most_bytes=ends.most_bytes,
    reading=ends.reading,
    day_reading=ends.day_reading,
    shown=ends.shown,
    contents=ends.contents,
)
