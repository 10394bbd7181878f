"""What the fuzzer feeds: good inputs that were cut, joined, repeated and damaged, so that most of them get past the first check.

A repeated piece fills an input to its largest allowed size: a scan that is not linear shows there and nowhere else.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
HOSTILE = (
    '"',
    "\\",
    "{",
    "[",
    ",",
    ":",
    "0",
    " ",
    "\x80",
    "}",
    "]",
    "(",
    ")",
    "'",
    "\n",
    "\t",
    "-",
    "#",
    "&a ",
    "*a",
    "{{",
    "}}",
    "{%",
    "%}",
    "\ud800",
    "\0",
)
"""Pieces that parsers stumble over."""


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[str], words: Sequence[str] = (), longest: int = 4_096) -> str:
    """Draw one of the seeds with up to four edits; each deletes, copies, repeats or inserts a piece. At most `longest` characters."""
    text = draw(st.sampled_from(seeds))
    pieces = st.sampled_from([*HOSTILE, *words]) | st.text(max_size=4)
    for edit in draw(st.lists(st.sampled_from(["delete", "copy", "insert", "insert", "repeat"]), max_size=4)):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 40)))
        if edit == "delete":
            text = text[:start] + text[end:]
        elif edit == "copy":
            other = draw(st.integers(0, len(text)))
            text = text[:other] + text[start:end] + text[other:]
        else:
            piece = "".join(draw(st.lists(pieces, min_size=1, max_size=3)))
            times = draw(st.sampled_from([2, 40, 1_000, longest])) if edit == "repeat" else 1
            text = text[:start] + piece * min(times, longest // max(1, len(piece))) + text[end:]
    return text[:longest]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["2026-01-01T09:00:00Z", "35.019999999999996", "1e999999999", "undefined", "Europe/Berlin"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
"""Any JSON value, and the numbers that Python writes though JSON has none."""
MOMENTS = st.sampled_from(
    ["2026-01-01T00:00:00.000Z", "2026-01-02", "2026-06-30T23:59:60Z", "9999-12-31T23:59:59+14:00", "1969-12-31T00:00:00Z", 1767225600000]
)


def calls(events: Sequence[str]) -> st.SearchStrategy[str]:
    """Give the JSON of calls in any shape, users and events from short lists so that they meet."""
    names = st.sampled_from(["Cart Updated", "total", "minutes", "cart_id", "tags", "products", "city", "timezone"])
    objects = st.dictionaries(names | st.text(max_size=3), JSON, max_size=4) | JSON
    optional: dict[str, st.SearchStrategy[Any]] = {
        "event": st.sampled_from(events) | JSON,
        "messageId": st.text(max_size=3) | JSON,
        "timestamp": MOMENTS | JSON,
        "originalTimestamp": MOMENTS | JSON,
        "sentAt": MOMENTS | JSON,
        "receivedAt": MOMENTS | JSON,
        "properties": objects,
        "traits": objects,
        "context": objects,
        "name": st.text(max_size=4) | JSON,
    }
    required = {
        "type": st.sampled_from(["track", "track", "track", "identify", "page", "screen", "group", "alias"]),
        "userId": st.sampled_from(["ann", "bob", 7]),
    }
    return st.fixed_dictionaries(required, optional=optional).map(lambda call: json.dumps(call, ensure_ascii=False))


def encoded(text: str) -> bytes:
    """The bytes of a text that may hold half of a surrogate pair: those become bytes that are not UTF-8."""
    return text.encode("utf-8", "surrogatepass")


def files(*patterns: str) -> list[str]:
    """The texts of the project's own files: good seeds."""
    return [path.read_text("utf-8") for pattern in patterns for path in sorted(ROOT.glob(pattern))]
