"""`distinct(E.p)`: how many different values of a property there are. It needs a length: else a window would keep every value.

Over an incomplete window it is a lower bound. So it is where a value has found no room, until the pane of that value has left.

A window keeps the latest pane of each value: the value whose pane changed last is at the end. It also counts, in the order of panes, the
values of which a pane is the latest. So its bytes do not depend on how panes filled and emptied, and two windows can merge into exactly
what one window would hold.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from hashlib import blake2b
from typing import Any, Final

from triggers.base.intervals import Value
from triggers.definitions.model import Measure
from triggers.measures import days, panes, taking
from triggers.measures.kind import Kind, Updater
from triggers.measures.limits import FRAME_BYTES, MOST, kept_panes, most_panes, pane_bytes, pane_ms
from triggers.measures.panes import pane_name
from triggers.measures.shapes import NONE, DayValues, Values, Window
from triggers.measures.view import Reading, View, at_least, kept_since

_VALUE_BYTES: Final = 67
"""One value: 16 characters of at most 4 bytes, or a hash."""


def value_key(value: object) -> str | None:
    """Return the key of a JSON scalar: equal keys for equal values of one JSON type; None for null, objects and arrays.

    Longer texts are remembered by 8 bytes of hash: two of a user's would have to meet by accident of one in 10**13.
    """
    kind = type(value)
    if kind is str:
        text: Any = value
        if len(text) <= 16:
            return "s" + text  # type: ignore[no-any-return]
        return "h" + blake2b(text.encode(), digest_size=8).hexdigest()
    if kind is bool:
        return "t" if value else "f"
    if kind is int:
        return f"n{value}"
    if kind is float:
        number: Any = value
        # 1.0 and 1 are one JSON number; beyond 2**64 no JSON integer arrives as an int.
        return f"n{int(number)}" if -2e19 < number < 2e19 and number == int(number) else f"n{number!r}"
    return None


def _shown(key: str) -> str:
    """Return a value from its key; of a long text only its hash is known."""
    kind, rest = key[0], key[1:]
    return {"t": "true", "f": "false", "h": f"(text with hash {rest})"}.get(kind, rest)


def _new(measure: Measure, since: int) -> Window:
    return DayValues(since) if measure.daily else Values(since)


def _updater(measure: Measure) -> Updater:
    return _day_updater(measure) if measure.daily else _pane_updater(measure)


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401, ARG001 -- windows of this kind
    return _merged_days(a, b) if measure.daily else _merged(a, b)


# ---- panes ----------------------------------------------------------------------------------------------------------


def _pane_updater(measure: Measure) -> Updater:
    kept, size = kept_panes(measure), pane_ms(measure)

    def add_value(window: Values, at: int, day: int, value: object, now: int, today: int) -> None:
        if size:
            day = at // size
            today = now // size
        if today - kept > window.lo:
            _drop(window, today - kept)
        key = value_key(value)
        if key is None or day < window.lo:
            return
        values, counts = window.values, window.panes
        latest = values.get(key)
        if latest is None:
            if len(values) >= MOST:
                window.lost = max(window.lost, day)
                return
            window.total += 1
        elif latest < day:
            del values[key]
            if counts[latest] == 1:
                del counts[latest]
            else:
                counts[latest] -= 1
        else:
            return
        values[key] = day
        if day in counts:
            counts[day] += 1
        else:
            _begin(window, day)

    return add_value


def _begin(window: Values, pane: int) -> None:
    """Count the first value of a pane, in the order of the panes."""
    counts = window.panes
    for last in reversed(counts):
        if last > pane:
            window.panes = dict(sorted([*counts.items(), (pane, 1)]))
            return
        break
    counts[pane] = 1


def _drop(window: Values, lo: int) -> None:
    """Forget the values last seen below `lo`."""
    counts, before = window.panes, len(window.panes)
    if counts:
        for pane in range(window.lo, lo) if lo - window.lo < before else [pane for pane in counts if pane < lo]:
            window.total -= counts.pop(pane, 0)
        if len(counts) < before:
            values = window.values
            for key in [key for key, pane in values.items() if pane < lo]:
                del values[key]
    if window.lost < lo:
        window.lost = NONE
    window.lo = lo


def _merged(a: Values, b: Values) -> Values:
    """Merge values. Those of `a` are all kept; others of `b` are kept in their order, as long as there is room."""
    lo = max(a.lo, b.lo)
    ours = {key for key, pane in a.values.items() if max(pane, b.values.get(key, NONE)) >= lo}
    room, lost = MOST - len(ours), max(a.lost, b.lost)
    values = {key: pane for key, pane in a.values.items() if pane >= lo and b.values.get(key, NONE) <= pane}
    for key, pane in b.values.items():
        if pane < lo or pane <= a.values.get(key, NONE):
            continue
        if key not in ours:
            if room <= 0:
                lost = max(lost, pane)
                continue
            room -= 1
        values[key] = pane
    counts = dict(sorted(Counter(values.values()).items()))
    return Values(max(a.since, b.since), lo, len(values), counts, values, lost if lost >= lo else NONE)


# ---- one day at a time ----------------------------------------------------------------------------------------------


def _day_updater(measure: Measure) -> Updater:
    kept = kept_panes(measure)

    def add(window: DayValues, at: int, day: int, value: object, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            _drop_days(window, today - kept)
        key = value_key(value)
        if key is None or day < window.lo:
            return
        held = window.panes.get(day)
        place = 0 if held is None else bisect_left(held, key)
        if held is not None and place < len(held) and held[place] == key:
            return
        if day > window.hi:
            window.hi = day
        if window.total >= MOST:
            if day not in window.lost:
                insort(window.lost, day)
            return
        window.total += 1
        if held is None:
            window.panes[day] = [key]
        else:
            held.insert(place, key)

    return add


def _drop_days(window: DayValues, lo: int) -> None:
    """Forget the values of the days below `lo`."""
    days.drop(window, lo)
    window.total = sum(map(len, window.panes.values()))
    del window.lost[: bisect_left(window.lost, lo)]


def _merged_days(a: DayValues, b: DayValues) -> DayValues:
    """Merge values. Those of `a` are all kept; others of `b` are kept as long as there is room."""
    lo = max(a.lo, b.lo)
    held = {day: list(keys) for day, keys in a.panes.items() if day >= lo}
    total, lost = sum(map(len, held.values())), {day for day in (*a.lost, *b.lost) if day >= lo}
    for day, keys in b.panes.items():
        if day < lo:
            continue
        known = set(held.get(day, ()))
        others = [key for key in keys if key not in known]
        room = max(MOST - total, 0)
        if len(others) > room:
            lost.add(day)
        if others[:room]:
            held[day] = sorted([*known, *others[:room]])
            total += len(others[:room])
    return DayValues(max(a.since, b.since), lo, days.latest_day(a, b), total, held, sorted(lost))


# ---- reading --------------------------------------------------------------------------------------------------------


def _reading(measure: Measure) -> Reading:
    return panes.reading(measure, kept_since(measure), at_least, falls=True, overflows=True)


def _day_reading(measure: Measure) -> Reading:
    key, since = measure.key, kept_since(measure)

    def read(view: View) -> Value:
        window: Any = view.windows.get(key)
        if window is None:
            return 0
        value = len(window.panes.get(view.day, ()))
        if (since(window) and since(window) > view.zone.start(view.day)) or view.day in window.lost:
            return at_least(value)
        return value

    return Reading(measure, read, days.last_day(key, since))


def _most_bytes(measure: Measure) -> int:
    number, most = pane_bytes(measure), min(most_panes(measure), MOST)
    return FRAME_BYTES + MOST * (_VALUE_BYTES + number) + most * (number + 3)


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401
    name = pane_name(measure)
    if isinstance(window, Values):
        return {"values": {_shown(key): name(pane) for key, pane in window.values.items()}}
    return {"panes": {name(day): [_shown(key) for key in keys] for day, keys in sorted(window.panes.items())}}


DISTINCT: Final = Kind(
    name="distinct",
    example='distinct("Order Completed.total")',
    gives="number",
    take=taking.values,
    needs_length=("distinct over all time would keep every value", "give it a length, as in days=90"),
    is_count=True,
    new=_new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    reading=_reading,
    day_reading=_day_reading,
    shown=int,
    contents=_contents,
)
