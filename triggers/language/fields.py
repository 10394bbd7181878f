"""Reads shapes out of YAML nodes: a mapping with these keys, a duration, one of these words; collects what is wrong on the way."""

from __future__ import annotations

import difflib
import heapq
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Final

from triggers.base.moments import parse_duration
from triggers.language.characters import is_letter
from triggers.language.documents import QUOTES, List, Map, Node, Problems, Scalar

MAX_NAME: Final = 64
"""Longest name of a segment, journey, step or channel; names are parts of ids and of metric labels."""
MAX_EVENT: Final = 200
"""Longest name of an event in characters."""


NEWEST: Final = 2
"""The newest version of the rule language."""
NEEDS_2: Final = 'needs "version: 2" at the top of the file'
"""The hint for what files of version 1 do not know."""
MAX_MADE: Final = 5
"""How many of the names that `each` has made a hint shows."""
MAX_NEAREST: Final = 50
"""Among how many names the nearest is looked for closely, at some 50 us each; chosen by the pairs of letters that they share."""


SHORT: Final = 3
"""Least letters of a name that may be the beginning of the right one, as in `sat`."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the nearest right name, or all names if they are few.

    Names that begin with this one and `-` are shown together: `each` makes such names.
    """
    names = sorted(set(known))
    made = [other for other in names if other.startswith(f"{name}-")] if name else []
    if len(made) > 1:
        shown = f"{', '.join(made[:MAX_MADE])}{f' and {len(made) - MAX_MADE} more' if len(made) > MAX_MADE else ''}"
        return f"did you mean one of these: {shown}?"
    wanted = name.casefold()[:MAX_EVENT]
    folded, shapes = _folded(tuple(names))
    candidates = list(folded)
    if len(candidates) > MAX_NEAREST:
        pairs = _pairs(wanted)
        candidates = heapq.nsmallest(MAX_NEAREST, candidates, key=lambda other: len(pairs ^ shapes[other]))
    longer = [other for other in candidates if other.startswith(wanted)] if len(wanted) >= SHORT else []
    close = difflib.get_close_matches(wanted, candidates, n=1, cutoff=0.6) or (longer if len(longer) == 1 else [])
    if close:
        return f'did you mean "{folded[close[0]]}"?'
    return f"known: {', '.join(names)}" if 0 < len(names) <= 12 else ""


@lru_cache(maxsize=8)
def _folded(names: tuple[str, ...]) -> tuple[dict[str, str], dict[str, frozenset[str]]]:
    """Index each name by its small letters, and by its pairs of letters."""
    folded = {name.casefold(): name for name in reversed(names)}
    return folded, {name: _pairs(name) for name in folded}


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[index : index + 2] for index in range(len(text) - 1))


class Fields:
    """Reads values and remembers the problems; a reader that returns None has said why."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.versions: dict[str, int] = {}
        """The version of the rule language by file. A file that is not here, or whose version is wrong, has the newest."""

    def version(self, node: Node) -> int:
        """Return the version of the file that a node is in."""
        return self.versions.get(node.source.file, NEWEST)

    def refuse(self, node: Node, message: str, hint: str = "", offset: int | None = None) -> None:
        """Add a problem at the node, or at the character at `offset` of its text."""
        index = node.start if offset is None or not isinstance(node, Scalar) else node.index(offset)
        self.problems.append(node.source.problem(index, message, hint))

    def mapping(self, node: Node, what: str) -> Map | None:
        if isinstance(node, Map):
            return node
        no_blank = isinstance(node, Scalar) and not node.style and re.match(r"[\w.-]+:(?=\S)", node.text)
        hint = f"a blank belongs after {no_blank[0][:MAX_NAME]}" if no_blank else "a mapping belongs here"
        self.refuse(node, f"{what} is {kind(node)}", hint)
        return None

    def keys(
        self,
        node: Node,
        what: str,
        known: Iterable[str],
        required: Iterable[str] = (),
        later: Mapping[str, str] | None = None,
        example: str = "",
    ) -> dict[str, Node] | None:
        """Read the values of a mapping by key. Unknown keys are refused and left out; missing ones are refused.

        `later`: keys that people look for, with the hint that they need. `example`: the hint where a key is missing, or the mapping.
        """
        if example and not isinstance(node, Map):
            self.refuse(node, f"{what} is {kind(node)}", example)
            return None
        found = self.mapping(node, what)
        if found is None:
            return None
        known = tuple(known)
        values = {key.text: value for key, value in found.entries if key.text in known}
        unknown = [key for key, _ in found.entries if key.text not in known]
        for (hollow, value), (key, _) in pairwise(found.entries):
            if hollow.text in known and is_nothing(value) and key.text not in known and found.is_block:
                self.refuse(key, f'"{key.text}" is next to "{hollow.text}", which is empty', indented(hollow.text))
                del values[hollow.text]
                return values
        cut = self.cut(found, unknown)
        for key in unknown:
            if key.text not in cut:
                self.refuse(key, f'unknown key "{key.text}" in {what}', (later or {}).get(key.text) or nearest(key.text, known))
        renamed = [(later or {}).get(key.text, "") for key in unknown]
        for name in required:
            if name not in values and not any(f"called {name}:" in hint or f"is {name}:" in hint for hint in renamed):
                self.refuse(node, f'{what} has no "{name}"', example)
        return values

    def cut(self, found: Map, keys: Iterable[Scalar]) -> set[str]:
        """Find the keys that are the rest of a text that ended at a comma, as in `{text: Hi, you}`. Refuse them at the first comma."""
        wanted = {key.text for key in keys}
        cut: set[str] = set()
        for (before, value), (key, nothing) in pairwise(found.entries):
            if key.text not in wanted or not isinstance(value, Scalar) or value.style or not is_nothing(nothing):
                continue
            is_more = before.text in cut
            if (is_more or value.text) and key.source.text[before.end if is_more else value.end : key.start].strip() == ",":
                if not is_more:
                    self.problems.append(key.source.problem(value.end, "the text ends at the comma", QUOTES))
                cut.add(key.text)
        return cut

    def items(self, node: Node, what: str) -> list[Node] | None:
        if isinstance(node, List):
            return node.items
        one = f", as in {what}: [{node.text[:MAX_NAME]}]" if isinstance(node, Scalar) and what.isidentifier() and is_name(node.text) else ""
        self.refuse(node, f"{what} is {kind(node)}", f"a list belongs here{one}")
        return None

    def text(self, node: Node, what: str) -> str | None:
        """Read a text that is not empty."""
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.text.strip():
            return node.text
        quoted = "put it in quotes" if isinstance(node, Scalar) and node.text else "a text belongs here"
        self.refuse(node, f"{what} is {kind(node)}", quoted)
        return None

    def name(self, node: Node, what: str) -> str | None:
        """Read a name that can be part of ids: letters and digits of any script, and `_ - .` inside."""
        if not isinstance(node, Scalar):
            self.refuse(node, f"{what} is {kind(node)}", "a name belongs here")
            return None
        if is_name(node.text):
            return node.text
        self.refuse(
            node, f'"{node.text[:MAX_NAME]}" is no name for {what}', f"letters, digits, _ - and . inside, at most {MAX_NAME} characters"
        )
        return None

    def event(self, node: Node, what: str) -> str | None:
        name = self.text(node, what)
        reason = name and event_fault(name)
        if reason:
            self.refuse(node, reason)
            return None
        return name

    def word(self, node: Node, what: str, options: Mapping[str, str] | Iterable[str], more: str = "") -> str | None:
        """Read one of some words. `more`: where others come from, for the hint where none of them is near."""
        if isinstance(node, Scalar) and node.text in tuple(options):
            return node.text
        if isinstance(node, Scalar) and node.text:
            hint = nearest(node.text, options)
            self.refuse(node, f'{what} cannot be "{node.text[:MAX_NAME]}"', f"{hint}; {more}" if more and "did you" not in hint else hint)
        else:
            self.refuse(node, f"{what} is {kind(node)}", f"one of {', '.join(options)}")
        return None

    def duration(self, node: Node, what: str, *, zero: bool = False) -> int | None:
        """Read a length of time such as `3d`, in ms; positive unless `zero` is allowed."""
        try:
            ms = parse_duration(node.text if isinstance(node, Scalar) else "")
        except ValueError:
            shown = f'"{node.text[:MAX_NAME]}"' if isinstance(node, Scalar) and node.text else kind(node)
            value = _VALUE.fullmatch(node.text) if isinstance(node, Scalar) else None
            hint = "for example 30m, 24h or 3d (ms, s, m, h, d, w; at most 100 years)"
            if isinstance(node, Scalar) and node.text.isdecimal() and node.text.strip("0") and len(node.text) <= _DIGITS:
                hint = f"a unit belongs behind it, as in {node.text}d for days (ms, s, m, h, d, w)"
            elif value is not None:
                hint = f"only a definition with each gives it a value, as in each: {{{value[1]}: [1d, 3d]}}"
            self.refuse(node, f"{what} is {shown}, which is no duration", hint)
            return None
        if ms == 0 and not zero:
            self.refuse(node, f"{what} is nothing", "a duration above zero belongs here")
            return None
        return ms


_VALUE: Final = re.compile(r"\$\{?([^\W\d]\w*)\}?")


_DIGITS: Final = 5


def indented(name: str) -> str:
    """Return the hint for a key that is next to another one instead of under it."""
    return f"what belongs to {name} is indented further than {name}"


def is_nothing(node: Node) -> bool:
    """Check whether the node is empty."""
    return isinstance(node, Scalar) and node.start == node.end and not node.style


def kind(node: Node) -> str:
    """Name the kind of a node, for a message."""
    if not isinstance(node, Scalar):
        return node.kind
    value = node.value
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"a flag ({node.text})"
    return f"a number ({node.text[:40]})" if isinstance(value, int | float) else "an empty text" if not value.strip() else "a text"


def without_quotes(node: Node) -> str:
    """Return the rest of a hint for a whole number: that this one is in quotes; empty if it is not."""
    return ", without quotes" if isinstance(node, Scalar) and isinstance(node.value, str) and node.text.isdecimal() else ""


def is_duration(text: str) -> bool:
    try:
        return parse_duration(text) > 0
    except ValueError:
        return False


def is_name(text: str) -> bool:
    if not 0 < len(text) <= MAX_NAME or not is_letter(text[0]):
        return False
    return all(char in "_-." or is_letter(char) for char in text)


def event_fault(name: str) -> str:
    """Say why `name` cannot be an event's name; empty if it can."""
    if len(name) > MAX_EVENT:
        return f"an event's name of {len(name):,} characters; at most {MAX_EVENT}"
    if not name.strip() or any(char < " " or char == "\x7f" for char in name):
        return "an event's name is empty or has control characters"
    if any("\ud800" <= char <= "\udfff" for char in name):
        return "half of a character (a surrogate) in an event's name"
    return ""
