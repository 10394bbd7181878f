"""`top(E.p, n=3, days=N)`: the most frequent texts of a property, the most frequent first, equally frequent ones in the order of texts.

A text shows what is held, complete or not; no condition asks for it. A text of more than 256 bytes counts as missing.

**Room.** A window keeps 200 texts and 2,000 pairs of a text and a day. Where another finds no room, the rarest of the others goes with all
its days, of equally rare ones the last in the order of texts. The new one is never the one that goes: else a window that is full would
never learn. Texts and days ascend, so the bytes do not depend on the order in which events came, as long as there is room.
"""

from __future__ import annotations

from typing import Any, Final

from triggers.definitions.model import Measure
from triggers.measures import taking
from triggers.measures.kind import Kind, Updater
from triggers.measures.limits import COUNT_BYTES, FRAME_BYTES, TEXT_BYTES, kept_panes, pane_bytes
from triggers.measures.shapes import Tally, Window
from triggers.measures.view import Reading, View, never

MOST_TEXTS = 200
MOST_PAIRS = 2_000


def _parts(measure: Measure) -> tuple[object, ...]:
    """Return the parts of the key: measures that list more or fewer texts share a window."""
    return (measure.kind, measure.event, measure.path, measure.unit, measure.length, measure.where)


def _held(measure: Measure) -> Measure:
    return Measure(measure.kind, measure.event, measure.path, measure.unit, measure.length, measure.where)


def _new(measure: Measure, since: int) -> Window:  # noqa: ARG001
    return Tally(since)


def _updater(measure: Measure) -> Updater:
    kept = kept_panes(measure)

    def add(window: Tally, at: int, day: int, value: str, now: int, today: int) -> None:  # noqa: ARG001
        if today - kept > window.lo:
            _drop(window, today - kept)
        if day < window.lo:
            return
        days = window.texts.get(value)
        if days is None:
            window.texts = dict(sorted([*window.texts.items(), (value, {day: 1})]))
        elif day in days:
            days[day] += 1
            return
        else:
            is_last = next(reversed(days)) < day
            days[day] = 1
            if not is_last:
                window.texts[value] = dict(sorted(days.items()))
        _make_room(window, value)

    return add


def _drop(window: Tally, lo: int) -> None:
    """Forget the days below `lo`."""
    window.lo = lo
    if any(next(iter(days)) < lo for days in window.texts.values()):
        kept = {text: {day: count for day, count in days.items() if day >= lo} for text, days in window.texts.items()}
        window.texts = {text: days for text, days in kept.items() if days}


def _make_room(window: Tally, new: str | None) -> None:
    """Let the rarest texts go, but not the new one, until all fits. One text alone fits: a length is at most 1,000 days."""
    texts = window.texts
    while len(texts) > MOST_TEXTS or (len(texts) > 1 and sum(map(len, texts.values())) > MOST_PAIRS):
        del texts[_ranked([text for text in texts if text != new], {text: sum(days.values()) for text, days in texts.items()})[-1]]


def _ranked(texts: list[str], counts: dict[str, int]) -> list[str]:
    return sorted(texts, key=lambda text: (-counts[text], text))


def _merge(measure: Measure, a: Any, b: Any, now: int) -> Window:  # noqa: ANN401, ARG001 -- windows of this kind
    lo = max(a.lo, b.lo)
    texts: dict[str, dict[int, int]] = {}
    for part in (a, b):
        for text, days in part.texts.items():
            for day, count in days.items():
                if day >= lo:
                    held = texts.setdefault(text, {})
                    held[day] = held.get(day, 0) + count
    merged = Tally(max(a.since, b.since), lo, {text: dict(sorted(days.items())) for text, days in sorted(texts.items())})
    _make_room(merged, None)
    return merged


def _most_bytes(measure: Measure) -> int:
    return FRAME_BYTES + MOST_TEXTS * (TEXT_BYTES + 3) + MOST_PAIRS * (pane_bytes(measure) + COUNT_BYTES)


def _reading(measure: Measure) -> Reading:
    key, length, listed = measure.key, measure.length or 0, measure.n

    def read(view: View) -> Any:  # noqa: ANN401 -- a list of texts
        window: Any = view.windows.get(key)
        if window is None:
            return []
        first = view.today - length + 1
        counts = {text: count for text, days in window.texts.items() if (count := sum(days[day] for day in days if day >= first))}
        return _ranked(list(counts), counts)[:listed]

    return Reading(measure, read, never)


def _day_reading(measure: Measure) -> Reading:
    raise TypeError(f"{measure.kind} of single days is not read")


def _shown(texts: Any) -> object:  # noqa: ANN401
    return texts


def _contents(measure: Measure, window: Any) -> dict[str, Any]:  # noqa: ANN401, ARG001
    counts = {text: sum(days.values()) for text, days in window.texts.items()}
    return {"texts": {text: counts[text] for text in _ranked(list(counts), counts)}}


TOP: Final = Kind(
    name="top",
    example='top("chapter_read.category", days=90)',
    gives="texts",
    take=taking.kept_texts,
    texts="top lists texts",
    needs_length=("top over all time would never forget a text", "give it a length, as in days=90"),
    most_days=1_000,
    listed=(3, 20),
    version=2,
    in_every_day=False,
    parts=_parts,
    held=_held,
    new=_new,
    updater=_updater,
    merge=_merge,
    most_bytes=_most_bytes,
    reading=_reading,
    day_reading=_day_reading,
    shown=_shown,
    contents=_contents,
)
