"""The kinds of decisions: the words that stand in `kind`, in one list for everything that makes, shows, counts or expects decisions."""

from __future__ import annotations

from typing import Final, Literal, get_args

Kind = Literal["entered", "waiting", "sent", "dry", "exited", "refused", "skipped", "failed", "paused", "met"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
"""In the order in which a run meets them. `docs/rules.md` says what each means."""
