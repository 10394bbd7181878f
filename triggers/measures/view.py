"""What a measure is read from, and what its reading is.

A `Reading` is made once for each measure of a rule and asked about many users. Reading changes nothing: what lies outside of the measure at
the moment of the view is left out, not thrown away.

**Values.** Counts are plain integers, sums scaled ones, first and last are moments; None is null (it never happened). A window that has
not seen all of what the measure covers gives an interval, or `UNKNOWN`, as its kind says. A window that is not there saw everything, and
there was nothing.

**Coverage.** A measure of N panes covers from the start of the first of them. One that is exact to the millisecond covers what is later
than `now - length`. One over all time covers everything, and a window with a `since` never gets there. A pane dated later than today (left
by a user who flew west) counts as today's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final

from triggers.base.intervals import UNKNOWN, Value
from triggers.base.model import NEVER
from triggers.base.moments import Zone, zone
from triggers.definitions.model import Measure
from triggers.measures.shapes import Window

Read = Callable[["View"], Any]
"""Gives a `Value`; of a measure that is true or false, one of Kleene's three. (Any: the closures are what runs for each record, and the
union would cost them a cast each.)"""
Next = Callable[["View"], int]
"""The first moment after the view's at which time alone may change what is read; NEVER when there is none."""
Test = Callable[[Any], bool | None]
"""What a comparison makes of a value."""
Flip = Callable[["View", Test, bool], int]
Since = Callable[[Any], int]
"""Gives the moment from which a window has seen all events that count for a measure; 0: from the beginning."""
Partial = Callable[[Any], Value]
"""What a window that has not seen everything says with what it holds."""


SendLog = Callable[[], tuple[bytes, bool]]


def no_sends() -> tuple[bytes, bool]:
    """Return an empty send log."""
    return b"", False


class View:
    """One user at one moment, as conditions see it. Made once and filled again for each user.

    `today` is the user's local day of `now`. `day` is the one day that the condition inside `every_day` looks at while it is evaluated.
    """

    __slots__ = ("day", "now", "sends", "today", "traits", "windows", "zone")

    def __init__(
        self,
        windows: Mapping[str, Window] = MappingProxyType({}),
        traits: Mapping[str, Any] = MappingProxyType({}),
        now: int = 0,
        time_zone: Zone | None = None,
    ) -> None:
        self.windows = windows
        self.traits = traits
        self.now = now
        self.zone = time_zone or zone("UTC")
        self.today = self.zone.day(now)
        self.day = 0
        self.sends: SendLog = no_sends
        """Gives the send log, and whether messages are dry now. It is asked only by conditions that count messages."""


class Reading:
    """How one measure is read.

    `read` gives the value; `next` the first moment at which it may differ; `flip(view, test, monotone)` the first at which
    `test(value)` may differ, where `monotone` says that the test is one against a threshold: its outcome changes once as the value falls.
    Inside `every_day`, `read` is of the view's `day` alone, and `next` gives the last day that may be unlike an empty one.
    """

    __slots__ = ("flip", "measure", "next", "read")

    def __init__(self, measure: Measure, read: Read, next_: Next, flip: Flip | None = None) -> None:
        self.measure = measure
        self.read = read
        self.next = next_
        self.flip = flip or (lambda view, test, monotone: next_(view))  # noqa: ARG005


def never(view: View) -> int:  # noqa: ARG001
    """Return NEVER: what is read stays the same."""
    return NEVER


# ---- from when on ---------------------------------------------------------------------------------------------------


def kept_since(measure: Measure) -> Since:
    """Return what gives the moment from which the window is kept; with `before_rules: nothing` there was nothing before it."""
    return _from_the_beginning if measure.whole else _since


def fit_since(measure: Measure) -> Since:
    """Return the same for a measure of numbers: it counts from a number that did not fit, whatever `before_rules` says."""
    return _unfit if measure.whole else _since_unfit


_since: Final[Since] = attrgetter("since")
_unfit: Final[Since] = attrgetter("unfit")


def _since_unfit(window: Any) -> int:  # noqa: ANN401 -- a window of numbers
    since, unfit = window.since, window.unfit
    return max(since, unfit)  # type: ignore[no-any-return]


def _from_the_beginning(window: object) -> int:  # noqa: ARG001
    return 0


# ---- what an incomplete window says ---------------------------------------------------------------------------------


def at_least(value: Any) -> Value:  # noqa: ANN401 -- a number, or null
    """Return a lower bound; nothing is known where there is no number yet."""
    return UNKNOWN if value is None else (value, inf)


def at_most(value: Any) -> Value:  # noqa: ANN401 -- a number, or null
    """Return an upper bound; nothing is known where there is no number yet."""
    return UNKNOWN if value is None else (-inf, value)


def unknown(value: object) -> Value:  # noqa: ARG001
    """Return that nothing is known."""
    return UNKNOWN
