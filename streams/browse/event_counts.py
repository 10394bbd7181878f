"""Compare the event names of a log with the rules: a name that no rule knows, and a name in the rules that never comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

import msgspec

from triggers.records.events import control_kind

if TYPE_CHECKING:
    from triggers.base.model import Record

MOST: Final = 10_000
"""Maximum number of different names that are counted, because every event could invent one."""
LONGEST: Final = 256
"""Characters of a name that are kept."""


class _Call(msgspec.Struct, gc=False):
    """The part of a call that contains its name."""

    type: str | None = None
    event: str | None = None


_decode = msgspec.json.Decoder(_Call).decode


class EventNames:
    """Counts events by their names."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.is_full = False
        """Whether there were more names, which are not counted."""
        self._known: set[str] = set()

    def take(self, records: Sequence[Record]) -> None:
        """Count these events; unreadable ones do not count."""
        counts = self.counts
        for record in records:
            if not record.value or (record.headers and control_kind(record.headers) is not None):
                continue
            try:
                call = _decode(record.value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            name = call.event if call.type == "track" else call.type if call.type in {"page", "screen"} else None
            if name:
                name = name[:LONGEST]
                if name in counts or len(counts) < MOST:
                    counts[name] += 1
                else:
                    self.is_full = True

    def know(self, names: Iterable[str]) -> None:
        """Return whether the rules have this name."""
        self._known.update(name[:LONGEST] for name in names)

    def unknown(self) -> dict[str, int]:
        """Return how often each name came that no rule has, the most frequent first; empty without rules."""
        return {name: count for name, count in self.counts.most_common() if name not in self._known} if self._known else {}

    def unseen(self) -> list[str]:
        """Return the names in rules that never came; empty if not all names were counted, and if none came."""
        return [] if self.is_full or not self.counts else sorted(self._known - self.counts.keys())

    def near(self, name: str) -> str | None:
        """Return the similar name in the rules for this one, or the other way round."""
        others = self.counts.keys() - self._known if name in self._known else self._known
        folded = {_plain(other): other for other in sorted(others)}
        found = get_close_matches(_plain(name), folded, n=1, cutoff=0.85)
        return folded[found[0]] if found else None


def _plain(name: str) -> str:
    """Reduce a name to what all its spellings share: `Order Completed`, `order_completed`."""
    return "".join(char for char in name.casefold() if char.isalnum())
