"""Kinds of measures, and the registry of them.

A kind is a function of the rule language that measures a user's events, such as `count` or `first`. One file in `kinds` says all of one
kind: how it is written, what its window keeps, what it reads there, how two of its windows merge, and how people see it. The checker, the
compiler of conditions, the plan, `check`, `inspect` and `apply` ask the registry, and know no kind by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal

from triggers.base.intervals import UNKNOWN
from triggers.definitions.model import WINDOW_PARTS, Measure
from triggers.definitions.words import words_of
from triggers.measures.shapes import Window
from triggers.measures.taking import Take
from triggers.measures.view import Reading, Since, View, kept_since

Gives = Literal["number", "moment", "truth", "any", "texts"]
"""`any`: a JSON value, as a trait is. `texts`: a list of texts, which only a text shows; no condition compares it."""
Updater = Callable[[Any, int, int, Any, int, int], None]
"""`update(window, at, day, value, now, today)`: adds one event.

`at` is the event's time (ms) and `day` the user's local day of it; `now` the logical time and `today` the local day of that. `value` is
what the kind took of the event's properties; None adds nothing. A kind that takes nothing ignores it."""
Explain = Callable[[View, dict[str, Any]], None]
"""Adds what was read at a view to the values that explain a decision."""


def own_parts(measure: Measure) -> tuple[object, ...]:
    """Return what names a window that is kept for this very measure, whatever the schema says of it."""
    return (measure.kind, measure.event, measure.path, measure.unit, measure.length, measure.daily, measure.where)


def _itself(measure: Measure) -> Measure:
    return measure


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of measure. The functions are asked once, when a plan is made; what they give is what runs for each event."""

    name: str
    """The function in the rule language."""
    opposite: str = ""
    """The function that is true where this one is false."""
    example: str
    """A call, for hints."""
    gives: Gives

    # ---- arguments
    take: Callable[[tuple[str, ...]], Take] | None = None
    """Makes what takes the property at a path; None: the event itself is enough, and the function names no property."""
    numbers: str = ""
    """Of a kind that takes numbers only: why it refuses a property of another type."""
    texts: str = ""
    """Of a kind that takes texts only: the same."""
    needs_length: tuple[str, str] | None = None
    """Of a kind that is refused over all time: the message and the hint."""
    refuses_length: tuple[str, str] | None = None
    """Of a kind that is always over all time: the message and the hint."""
    most_days: int = 0
    """Of a kind whose length is in days only: how many it takes at most."""
    listed: tuple[int, int] | None = None
    """Of a kind that takes `n=`: how many it lists where there is none, and how many at most."""
    version: int = 1
    """Of the first rule files that know it."""
    in_every_day: bool = True
    """Whether the function is allowed inside `every_day`."""
    minds_sign: bool = False
    """Whether it matters that the schema declares the property never to be below zero."""

    # ---- the value
    power: int = 0
    """Of a number: 1 where it is scaled by 10**6."""
    is_count: bool = False
    """It is a whole number, never below 0, and never null."""
    adds_up: bool = False
    """A day without events has the value 0, and a window of single days is of the shape `Days`."""
    is_exact: bool = False
    """A length is exact to the millisecond, and not in panes."""

    # ---- the window
    parts: Callable[[Measure], tuple[object, ...]] = own_parts
    """The parts whose hash is the key of the window. Measures with equal parts share a window."""
    held: Callable[[Measure], Measure] = _itself
    """The measure under which people see the window; another one where several measures share it."""
    new: Callable[[Measure, int], Window]
    """The empty window; the second argument is the moment from which it will have seen all events, 0 for all of the user's."""
    updater: Callable[[Measure], Updater]
    merge: Callable[[Measure, Any, Any, int], Window]
    """See `triggers.measures.windows.merge`."""
    most_bytes: Callable[[Measure], int]
    """How large the window can get in a state."""

    # ---- reading
    since: Callable[[Measure], Since] = kept_since
    reading: Callable[[Measure], Reading]
    """For a measure outside of `every_day`."""
    day_reading: Callable[[Measure], Reading]
    """For a measure inside `every_day`."""

    # ---- for people
    shown: Callable[[Any], object]
    """How a value is shown."""
    contents: Callable[[Measure, Any], dict[str, Any]]
    """What a window holds, by name."""
    explain: Callable[[Measure, Reading], Explain] | None = None
    """How it explains a decision where the value alone does not."""


KINDS: Final[dict[str, Kind]] = {}
"""By name, in the order in which messages list them."""


def register(kind: Kind) -> Kind:
    """Add a kind to the language."""
    KINDS[kind.name] = kind
    WINDOW_PARTS[kind.name] = kind.parts
    return kind


def kind_of(measure: Measure) -> Kind:
    return KINDS[measure.kind]


def functions() -> Iterator[tuple[str, Kind]]:
    """Return the functions of the language that measure something, each with its kind."""
    for kind in KINDS.values():
        yield kind.name, kind
        if kind.opposite:
            yield kind.opposite, kind


def explainer(measure: Measure, reading: Reading) -> Explain:
    """Make what explains a decision by this measure: its value, under the measure as it is written."""
    kind = kind_of(measure)
    if kind.explain is not None:
        return kind.explain(measure, reading)
    label, read, shown = words_of(measure), reading.read, kind.shown

    def explain(view: View, found: dict[str, Any]) -> None:
        found[label] = presented(read(view), shown)

    return explain


def presented(value: Any, shown: Callable[[Any], object]) -> object:  # noqa: ANN401 -- what a reading gives
    """Return a value that was read, as JSON."""
    if value is None:
        return None
    if value is UNKNOWN:
        return "unknown"
    if not isinstance(value, tuple):
        return shown(value)
    low, high = value
    return {"at_most": shown(high)} if low == -inf else {"at_least": shown(low)}
