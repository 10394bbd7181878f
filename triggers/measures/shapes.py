"""What windows are made of.

In a module of its own, because what msgspec reads by its annotations must not be compiled (docs/design.md, the compiled engine).

A window is one small record for each measure that some rule asks for. Every one has `since`: the moment from which it saw all events; 0
when it saw all of the user's. The kinds of measures (`triggers.measures.kinds`) add events to them.

| measure                            | window      | holds                                                                    |
| ---------------------------------- | ----------- | ------------------------------------------------------------------------ |
| count, sum over all time           | `Total`     | the total                                                                |
| count, sum with a length           | `Panes`     | one value for each pane with events, and their total                     |
| did, last, any length              | `Last`      | the moment of the last event                                             |
| first over all time                | `First`     | the moment of the first event                                            |
| first with a length                | `Times`     | the moments within the length, exact to the millisecond                  |
| distinct                           | `Values`    | the latest pane of each value, and how many values each pane is latest of |
| max, min over all time             | `Extreme`   | the largest or smallest number                                           |
| max, min with a length             | `Extremes`  | the number of each pane that no later pane has outdone                   |
| first_value, last_value            | `Valued`    | the value of the first or last event, and its moment                     |
| top                                | `Tally`     | how often there was each text, by day                                    |
| any but distinct, inside every_day | `Days`      | one value for each day with events                                       |
| distinct inside every_day          | `DayValues` | the values of each day                                                   |

A pane is a local day of the user, or an hour or minute of UTC, and is named by its number since 1970. A pane keeps the number that it had
when the event was written, whatever the user's zone is later.

Windows hold no sets and dictionaries keep their order through the codec, so the bytes of a window are a function of what was added.
"""

from typing import Final

import msgspec

NONE: Final = -1
"""No moment, and no pane: events are never before 1970."""


class Total(msgspec.Struct, array_like=True, tag=1, gc=False):
    since: int
    total: int = 0
    unfit: int = 0
    """After the moment at which a number that does not fit was met, ms: a sum has not seen what came before."""


class Panes(msgspec.Struct, array_like=True, tag=2, gc=False):
    since: int
    lo: int = 0
    """No pane below it is held."""
    total: int = 0
    """Of all panes held."""
    panes: dict[int, int] = {}
    unfit: int = 0
    """As that of `Total`: after the moment at which a number that does not fit was met, ms: a sum has not seen what came before."""


class Last(msgspec.Struct, array_like=True, tag=3, gc=False):
    since: int
    at: int = NONE


class First(msgspec.Struct, array_like=True, tag=4, gc=False):
    since: int
    at: int = NONE


class Times(msgspec.Struct, array_like=True, tag=5, gc=False):
    since: int
    times: list[int] = []
    """Ascending, no moment twice."""
    lost_from: int = NONE
    """The earliest time that found no room."""
    lost_to: int = NONE
    """The latest one."""


class Values(msgspec.Struct, array_like=True, tag=6, gc=False):
    since: int
    lo: int = 0
    """No pane below it is held."""
    total: int = 0
    """Of all panes held: the number of values."""
    panes: dict[int, int] = {}
    """Of how many values each pane is the latest, by pane."""
    values: dict[str, int] = {}
    """The latest pane of each value; the value whose pane changed last is at the end."""
    lost: int = NONE
    """The latest pane in which a value found no room."""


class Days(msgspec.Struct, array_like=True, tag=7, gc=False):
    since: int
    lo: int = 0
    """No day below it is held."""
    hi: int = NONE
    """The latest day ever written."""
    panes: dict[int, int] = {}
    unfit: int = 0
    """As that of `Total`: after the moment at which a number that does not fit was met, ms: a sum has not seen what came before."""


class DayValues(msgspec.Struct, array_like=True, tag=8, gc=False):
    since: int
    lo: int = 0
    """No day below it is held."""
    hi: int = NONE
    """The latest day ever written."""
    total: int = 0
    """How many values are held, of all days together."""
    panes: dict[int, list[str]] = {}
    """The values of each day, ascending."""
    lost: list[int] = []
    """The days in which a value found no room, ascending."""


class Extreme(msgspec.Struct, array_like=True, tag=9, gc=False):
    since: int
    value: int | None = None
    """The largest or smallest number; None before the first one."""
    unfit: int = 0
    """As that of `Total`."""


class Extremes(msgspec.Struct, array_like=True, tag=10, gc=False):
    since: int
    lo: int = 0
    """No pane below it is held."""
    panes: list[int] = []
    """The panes that matter, ascending: those whose number is better than that of every later pane."""
    values: list[int] = []
    """Their numbers, each worse than the one before it."""
    unfit: int = 0
    """As that of `Total`."""


class Valued(msgspec.Struct, array_like=True, tag=11, gc=False):
    since: int
    at: int = NONE
    """The moment of the event; NONE before the first one."""
    value: bool | int | float | str | None = None
    """None: a text that is too long."""


class Tally(msgspec.Struct, array_like=True, tag=12, gc=False):
    since: int
    lo: int = 0
    """No day below it is held."""
    texts: dict[str, dict[int, int]] = {}
    """How many events had a text, by day. Texts and days ascend."""


Window = Total | Panes | Last | First | Times | Values | Days | DayValues | Extreme | Extremes | Valued | Tally
