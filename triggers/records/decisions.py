"""The kinds of decisions: one list for all code that makes, shows, counts or expects decisions."""

from __future__ import annotations

from typing import Final, Literal, get_args

Kind = Literal[
    "entered",
    "waiting",
    "sent",
    "dry",
    "exited",
    "refused",
    "skipped",
    "failed",
    "paused",
    "met",
    "blocked",
    "held",
    "dropped",
    "converted",
    "ended",
    "tier",
    "withheld",
    "set",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""Their meaning is in `docs/rules.md`."""
